// SPDX-License-Identifier: GPL-3.0-or-later
// MIDI to shards: the same whoever makes them, a name and a reason for what cannot be read, splits by notes.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "data/features/feature.h"
#include "data/loader/dataset.h"
#include "data/music/midi_stats.h"
#include "data/prepare/prepare.h"
#include "data/shards/shard.h"
#include "tests/data/midi/midi_bytes.h"

#define SETTINGS     "features: [tokens, midi_stats]\nshard_items: 5\n"
#define ALL_FEATURES "features: [dynamics, tokens, groove, harmony, melody, midi_stats]\nshard_items: 5\n"

static bool prepare_into(const char *out, const char *more, int jobs, int part, int parts, prepare_report *r, err *e)
{
    arena a = {0};
    env v = {0};
    config *c = config_open(prepare_table(&a), &a);
    char *text = arena_printf(&a, "root: %s\n%s", test_path("in"), more);
    prepare_job job = {.out = arena_strdup(&a, test_path(out)), .jobs = jobs, .part = part, .parts = parts};
    *e = (err){0};
    bool ok = config_parse(c, text, strlen(text), "test.yaml", e) && config_finish(c, e) && prepare_run(c, &job, &v, r, e);
    arena_free(&a);
    return ok;
}

// Three notes from `pitch` upwards, `before` ticks behind the start.
static void put_song(const char *name, int pitch, int before)
{
    smf f = {0};
    SMF_TRACK(&f, (uint8_t)before, SMF_NOTE((uint8_t)pitch, 96), 0, SMF_NOTE((uint8_t)(pitch + 4), 48), 0,
              SMF_NOTE((uint8_t)(pitch + 7), 96));
    smf_write(&f, test_path(name));
}

static void put_text(const char *name, const char *text)
{
    err e = {0};
    EXPECT_OK(file_write(test_path(name), text, strlen(text), &e), e);
}

static void make_folders(void)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "mkdir -p %s", test_path("in/lmd_full/0")), 0);
}

static void put_songs(int n)
{
    make_folders();
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "in/lmd_full/0/%02d.mid", i);
        put_song(name, 30 + i, 0);
    }
}

static bool same_tree(const char *a, const char *b)
{
    const char *out;
    return test_shell(&out, "diff -r %s %s", test_path(a), test_path(b)) == 0;
}

static const char *report_of(arena *a, const char *out)
{
    err e = {0};
    size_t n;
    char *text = file_read(a, arena_printf(a, "%s/rejected.jsonl", test_path(out)), 1 << 20, &n, &e);
    return text ? text : "";
}

TEST(prepare_midi_stores_tokens_and_statistics)
{
    err e = {0};
    prepare_report r;
    arena a = {0};
    put_songs(1);
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 1);
    shard *s = shard_open(test_path("out/train-00000.h5"), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    // a quarter at 120 is 50 steps; velocity 64 is bin 16
    static const uint16_t want[] = {371, 30, 305, 158, 34, 280, 162, 37, 305, 165};
    uint16_t have[10] = {0};
    float x[MIDI_STATS] = {0};
    int tokens = shard_find_column(&s->info, "tokens"), stats = shard_find_column(&s->info, "midi_stats");
    EXPECT(tokens >= 0 && stats >= 0);
    EXPECT_INT(shard_item_count(s, tokens, 0), 10);
    EXPECT_INT(s->info.columns[tokens].longest, 10);
    EXPECT_OK(shard_rows(s, tokens, 0, 10, have, &e), e);
    EXPECT_OK(shard_item_rows(s, stats, 0, x, &e), e);
    for (int i = 0; i < 10; i++)
        EXPECT_INT(have[i], want[i]);
    EXPECT_NEAR(s->seconds[0], 1.25, 1e-9);
    EXPECT_NEAR(x[MIDI_STATS_VELOCITY], 64 / 127.0, 1e-6);
    EXPECT_NEAR(x[MIDI_STATS_TEMPO], 0.6, 1e-6);
    EXPECT_STR(s->paths[0], "lmd_full/0/00.mid");
    EXPECT_STR(s->sources[0], "estimated");
    EXPECT_INT(s->label[0], -1);
    EXPECT(s->emotion[0] != 0 && s->emotion[1] != 0);
    EXPECT_HAS(s->info.settings, "note-seq-388");
    shard_close(s);
    const char *pattern = test_path("out/*.h5");
    EXPECT_ERR(dataset_open(&pattern, 1, example_find("mel"), &e) != NULL, e, ERR_MISMATCH, "no mel frames");
    arena_free(&a);
}

TEST(prepare_midi_gives_the_same_bytes_for_any_jobs_and_parts)
{
    err e = {0};
    prepare_report r;
    uint64_t made = 0;
    put_songs(40);
    EXPECT_OK(prepare_into("one", "dataset: lakh\n" SETTINGS, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 40);
    EXPECT_OK(prepare_into("three", "dataset: lakh\n" SETTINGS, 3, 1, 1, &r, &e), e);
    EXPECT(same_tree("one", "three"));
    for (int part = 3; part >= 1; part--) {
        EXPECT_OK(prepare_into("parts", "dataset: lakh\n" SETTINGS, 2, part, 3, &r, &e), e);
        made += r.shards_made;
    }
    EXPECT_INT(made, r.shards);
    EXPECT(same_tree("one", "parts"));
}

TEST(prepare_midi_stores_all_features_alike_for_any_jobs)
{
    static const char *const names[] = {"tokens", "melody", "harmony", "groove", "dynamics", "midi_stats"};
    static const int64_t rows[] = {10, 3, 1, 1, 0, 1}; // of the first song: three notes in one bar, a phrase of too few
    err e = {0};
    prepare_report r;
    uint16_t pitch[3];
    float chord[65];
    put_songs(40);
    EXPECT_OK(prepare_into("one", "dataset: lakh\n" ALL_FEATURES, 1, 1, 1, &r, &e), e);
    EXPECT_OK(prepare_into("two", "dataset: lakh\n" ALL_FEATURES, 2, 1, 1, &r, &e), e);
    EXPECT(same_tree("one", "two"));
    shard *s = shard_open(test_path("one/train-00000.h5"), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(s->info.n_columns, 6);
    for (int k = 0; k < s->info.n_columns; k++) {
        EXPECT_STR(s->info.columns[k].name, names[k]);
        EXPECT_INT(shard_item_count(s, k, 0), rows[k]);
    }
    EXPECT_OK(shard_item_rows(s, 1, 0, pitch, &e), e);
    EXPECT(pitch[0] >= 30 && pitch[1] == pitch[0] + 4 && pitch[2] == pitch[0] + 7);
    EXPECT_OK(shard_item_rows(s, 2, 0, chord, &e), e);
    EXPECT_NEAR(chord[64], pitch[0] % 12 * 5, 0); // its major triad
    shard_close(s);
}

// Drums alone have no tokens and are refused with them; without, they have a groove.
TEST(prepare_midi_of_drums)
{
    err e = {0};
    prepare_report r;
    arena a = {0};
    smf f = {0};
    make_folders();
    SMF_TRACK(&f, 0, 0x99, 36, 90, 96, 0x89, 36, 0, 0, 0x99, 38, 90, 96, 0x89, 38, 0);
    smf_write(&f, test_path("in/lmd_full/0/drums.mid"));
    EXPECT(!prepare_into("none", "dataset: lakh\n" ALL_FEATURES, 1, 1, 1, &r, &e));
    EXPECT_HAS(report_of(&a, "none"), "tokens.drums: true");
    EXPECT(!prepare_into("mute", "dataset: lakh\nfeatures: [melody, harmony]\n", 1, 1, 1, &r, &e));
    EXPECT_HAS(report_of(&a, "mute"), "\"reason\": \"empty\"");
    EXPECT_OK(prepare_into("out", "dataset: lakh\nfeatures: [melody, groove]\n", 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 1);
    shard *s = shard_open(test_path("out/train-00000.h5"), &e);
    EXPECT(s && s->info.columns[0].rows == 0 && s->info.columns[1].rows == 1);
    shard_close(s);
    arena_free(&a);
}

// Whatever ending the name of a MIDI file has, and however it is written; a wrapper is taken off.
TEST(prepare_midi_finds_every_ending)
{
    static const char *const names[] = {"a.mid", "b.MID", "c.midi", "d.kar", "e.KAR", "f.smf", "g.rmi", "h.RMI"};
    err e = {0};
    prepare_report r;
    make_folders();
    for (int i = 0; i < 8; i++) {
        char name[64];
        snprintf(name, sizeof name, "in/lmd_full/0/%s", names[i]);
        put_song(name, 30 + i, 0);
    }
    smf f = {0};
    SMF_TRACK(&f, 0, SMF_NOTE(90, 96), 0, SMF_NOTE(95, 96));
    uint8_t riff[200] = {'R', 'I', 'F', 'F', 0, 0,   0,   0,   'R', 'M', 'I', 'D', 'L', 'I',         'S',
                         'T', 3,   0,   0,   0, 'x', 'y', 'z', 0,   'd', 'a', 't', 'a', (uint8_t)f.n};
    memcpy(riff + 32, f.bytes, f.n);
    EXPECT_OK(file_write(test_path("in/lmd_full/0/h.RMI"), riff, 32 + f.n, &e), e);
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 8);
    for (int i = 0; i < 8; i++) { // X.json beside it, upper case or lower
        char name[64];
        snprintf(name, sizeof name, "in/lmd_full/0/%c.json", names[i][0]);
        strbuf numbers = {0};
        for (int k = 0; k < 64; k++)
            strbuf_printf(&numbers, "%s0.5", k ? "," : "[");
        strbuf_printf(&numbers, "]");
        put_text(name, numbers.s);
        strbuf_free(&numbers);
    }
    EXPECT_OK(prepare_into("pairs", "dataset: midi_emotion\n" SETTINGS, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 8);
    EXPECT_INT(r.rejected, 0);
}

TEST(prepare_midi_counts_notes_behind_the_end)
{
    err e = {0};
    prepare_report r;
    make_folders();
    smf f = {0};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, 0xff, 0x2f, 0, 0, SMF_NOTE(62, 96), 0, SMF_NOTE(64, 96));
    smf_write(&f, test_path("in/lmd_full/0/a.mid"));
    put_song("in/lmd_full/0/b.mid", 40, 0);
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.behind_end, 2);
    EXPECT_INT(r.behind_end_files, 1);
    const char *out;
    EXPECT_INT(test_shell(&out, "%s prepare configs/data/lakh.yaml --out %s root=%s features=[tokens]", test_kmidi(), test_path("said"),
                          test_path("in")),
               0);
    EXPECT_HAS(out, "2 notes of 1 file behind the end of a track: not read");
}

// A full disk in the middle of the shards: what is there is whole, nothing else is, and with more room the same command goes on.
TEST(prepare_midi_survives_a_full_disk)
{
    arena a = {0};
    const char *out, *dir = arena_strdup(&a, test_path("full")), *command = "configs/data/lakh.yaml shard_items=20 --jobs 2";
    put_songs(90);
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s", test_kmidi(), command, test_path("whole"), test_path("in")), 0);
    if (test_shell(&out, "mkdir -p %s && mount -t tmpfs -o size=400k tmpfs %s", dir, dir)) {
        test_skip("needs the right to mount a small tmpfs");
        arena_free(&a);
        return;
    }
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s 2>&1", test_kmidi(), command, dir, test_path("in")), 1);
    EXPECT_HAS(out, "No space left on device");
    EXPECT_INT(test_shell(&out, "ls %s/*.h5 && %s verify %s/*.h5 && ! ls -A %s | grep tmp", dir, test_kmidi(), dir, dir), 0);
    EXPECT_INT(test_shell(&out, "mount -o remount,size=40m %s", dir), 0);
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s", test_kmidi(), command, dir, test_path("in")), 0);
    EXPECT(!strstr(out, ", 0 there already"));
    EXPECT(same_tree("whole", "full"));
    EXPECT_INT(test_shell(NULL, "umount %s", dir), 0);
    arena_free(&a);
}

TEST(prepare_midi_keeps_what_is_there_and_remakes_what_changed)
{
    err e = {0};
    prepare_report r;
    put_songs(20);
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    uint64_t all = r.shards;
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 0);
    EXPECT_INT(r.shards_kept, all);
    put_song("in/lmd_full/0/03.mid", 99, 0);
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 1);
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS "tokens: {drums: true}\n", 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, all);
}

// The digests that a run leaves are used by the next, and are no more than a help: whatever is in their file, the shards are the same.
TEST(prepare_midi_trusts_no_digests_that_it_finds)
{
    static const char *const spoil[] = {"true",
                                        "rm .notes",
                                        ": > .notes",
                                        "head -c 40 .notes > x; mv x .notes",
                                        "head -c 5000 /dev/zero > .notes",
                                        "printf X | dd of=.notes bs=1 seek=30 conv=notrunc",
                                        "cat .notes .notes > x; mv x .notes",
                                        "rm .notes; mkdir .notes; touch .notes/x"};
    err e = {0};
    prepare_report r;
    const char *out;
    put_songs(23);
    put_song("in/lmd_full/0/twin.mid", 30, 0);
    EXPECT_OK(prepare_into("clean", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    for (size_t i = 0; i < sizeof spoil / sizeof *spoil; i++) {
        EXPECT_INT(test_shell(&out, "cd %s && rm *.h5 && (%s) 2>&1", test_path("out"), spoil[i]), 0);
        EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
        EXPECT_INT(r.prepared, 24);
        EXPECT_INT(test_shell(&out, "diff -r %s %s -x %s", test_path("clean"), test_path("out"), i == 7 ? ".notes" : "none"), 0);
    }
}

// Its notes change, but neither the order of the index nor its size: the digest belongs to the file as it was.
TEST(prepare_midi_sees_that_a_file_changed)
{
    err e = {0};
    prepare_report r;
    put_songs(12);
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    put_song("in/lmd_full/0/03.mid", 90, 0);
    EXPECT_OK(prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_OK(prepare_into("clean", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT(same_tree("clean", "out"));
}

TEST(prepare_midi_names_every_file_that_it_cannot_use)
{
    static const struct {
        const char *path, *reason;
    } bad[] = {{"gone.mid", "missing"}, {"empty.mid", "empty"}, {"text.mid", "format"}, {"cut.mid", "damaged"}, {"silent.mid", "empty"}};
    err e = {0};
    prepare_report r;
    arena a = {0};
    const char *out;
    strbuf text = {0};
    smf silent = {0};
    make_folders();
    SMF_TRACK(&silent, 0, 0xc0, 1);
    smf_write(&silent, test_path("in/silent.mid"));
    put_text("in/empty.mid", "");
    put_text("in/text.mid", "this is no MIDI file at all");
    strbuf_printf(&text, "path,label\n");
    for (int i = 0; i < 5; i++) {
        put_song(arena_printf(&a, "in/ok%d.mid", i), 40 + i, 0);
        strbuf_printf(&text, "ok%d.mid,%s\n%s,joy\n", i, i % 2 ? "joy" : "grief", bad[i].path);
    }
    test_shell(&out, "head -c 30 %s > %s", test_path("in/ok0.mid"), test_path("in/cut.mid"));
    put_text("in/labels.csv", text.s);
    const char *more = "dataset: midi_emotion\nsplit: {val: 0, test: 0}\n" SETTINGS;
    EXPECT(!prepare_into("out", more, 2, 1, 1, &r, &e));
    EXPECT_HAS(e.text, "max_reject_ratio");
    EXPECT_INT(r.prepared, 5);
    EXPECT_INT(r.rejected, 5);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_HAS(report_of(&a, "out"),
                   arena_printf(&a, "{\"path\": \"%s\", \"line\": %zu, \"reason\": \"%s\"", bad[i].path, 2 * i + 3, bad[i].reason));
    EXPECT_OK(prepare_into("out", arena_printf(&a, "%smax_reject_ratio: 0.5\n", more), 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 0);
    shard *s = shard_open(test_path("out/train-00000.h5"), &e);
    EXPECT_STR(s ? s->sources[0] : "", "name");
    EXPECT_INT(s ? (int64_t)s->info.n_labels : 0, 2);
    shard_close(s);
    strbuf_free(&text);
    arena_free(&a);
}

TEST(prepare_midi_says_why_there_is_nothing)
{
    const char *out;
    EXPECT_OK(file_make_dirs(test_path("in"), &(err){0}), (err){0});
    EXPECT_INT(test_shell(&out, "%s prepare configs/data/midi_emotion.yaml --out %s root=%s 2>&1", test_kmidi(), test_path("out"),
                          test_path("in")),
               1);
    EXPECT_HAS(out, "no entries of the layout 'midi_emotion' were found in");
    EXPECT(symlink("self", test_path("in/self")) == 0);
    EXPECT_INT(test_shell(&out, "%s prepare configs/data/lakh.yaml --out %s root=%s 2>&1", test_kmidi(), test_path("out"), test_path("in")),
               1);
    EXPECT_HAS(out, "none of the 1 entries can be used; the first: '");
}

// The same notes in other bytes: another file, another split.
TEST(prepare_midi_keeps_equal_notes_out_of_training)
{
    err e = {0};
    prepare_report r;
    arena a = {0};
    smf louder = {.format = 1};
    make_folders();
    put_song("in/a.mid", 60, 0);
    put_song("in/c.mid", 50, 0);
    put_song("in/d.mid", 51, 0);
    SMF_TRACK(&louder, 0, 0xff, 1, 3, 'x', 'y', 'z');
    SMF_TRACK(&louder, 0, 0x90, 60, 99, 96, 0x80, 60, 0, 0, 0x90, 64, 99, 48, 0x80, 64, 0, 0, 0x90, 67, 99, 96, 0x80, 67, 0);
    smf_write(&louder, test_path("in/b.mid"));
    put_text("in/labels.csv", "path,label,split\na.mid,joy,train\nb.mid,joy,test\nc.mid,grief,train\nd.mid,grief,val\n");
    EXPECT_OK(prepare_into("out", "dataset: midi_emotion\n" SETTINGS, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.duplicates, 1);
    EXPECT_INT(r.prepared, 3);
    EXPECT_HAS(report_of(&a, "out"), "{\"path\": \"a.mid\", \"line\": 2, \"reason\": \"duplicate\"");
    arena_free(&a);
}

TEST(prepare_midi_and_audio_are_told_apart)
{
    err e = {0};
    prepare_report r;
    put_songs(3);
    EXPECT_ERR(prepare_into("out", "dataset: lakh\n", 1, 1, 1, &r, &e), e, ERR_CONFIG, "features: [tokens, midi_stats]");
    EXPECT_ERR(prepare_into("out", "dataset: nsynth\n" SETTINGS, 1, 1, 1, &r, &e), e, ERR_CONFIG, "has no MIDI");
    EXPECT_ERR(prepare_into("out", "dataset: maestro\nfeatures: [mel, tokens]\n", 1, 1, 1, &r, &e), e, ERR_CONFIG, "make a set of shards");
}

// What inspect and verify say, and that a changed byte is found.
TEST(prepare_midi_shards_are_shown_and_checked)
{
    const char *out;
    put_songs(6);
    const char *name = "train-00000.h5";
    EXPECT_INT(
        test_shell(&out, "%s prepare configs/data/lakh.yaml --out %s root=%s --jobs 2", test_kmidi(), test_path("out"), test_path("in")),
        0);
    EXPECT_INT(test_shell(&out, "%s inspect %s/%s", test_kmidi(), test_path("out"), name), 0);
    EXPECT_HAS(out, "tokens\n    rows             40\n    longest          10\n    width            1\n");
    EXPECT_HAS(out, "harmony\n    rows             4\n    longest          1\n    width            65\n");
    EXPECT_HAS(out, "hours");
    EXPECT_HAS(out, "estimated");
    EXPECT_INT(test_shell(&out, "%s verify %s/%s", test_kmidi(), test_path("out"), name), 0);
    EXPECT_INT(test_shell(&out, "head -c 3000 %s/%s > %s", test_path("out"), name, test_path("cut.h5")), 0);
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), test_path("cut.h5")), 1);
}

TEST(prepare_midi_survives_kill)
{
    const char *out;
    put_songs(60);
    const char *command = "configs/data/lakh.yaml shard_items=4 --jobs 2";
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s", test_kmidi(), command, test_path("whole"), test_path("in")), 0);
    for (int i = 1; i <= 6; i++) {
        int rc = test_shell(&out, "timeout -s KILL 0.0%d %s prepare %s --out %s root=%s", i, test_kmidi(), command, test_path("killed"),
                            test_path("in"));
        EXPECT(rc == 0 || rc == 137);
    }
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s", test_kmidi(), command, test_path("killed"), test_path("in")), 0);
    EXPECT(same_tree("whole", "killed"));
}

static bool same_columns(shard *x, shard *y)
{
    arena a = {0};
    err e = {0};
    bool ok = x->info.n_columns == y->info.n_columns;
    for (int k = 0; ok && k < x->info.n_columns; k++) {
        const shard_column *c = &x->info.columns[k];
        size_t bytes = (size_t)c->rows * shard_row_bytes(c);
        void *left = arena_alloc(&a, bytes, 1), *right = arena_alloc(&a, bytes, 1);
        ok = c->rows == y->info.columns[k].rows && shard_rows(x, k, 0, c->rows, left, &e) && shard_rows(y, k, 0, c->rows, right, &e) &&
             memcmp(left, right, bytes) == 0;
    }
    arena_free(&a);
    return ok;
}

// The corpus made on the spot, and the same as files: the same tokens, whatever the number of jobs.
TEST(prepare_midi_of_the_synthetic_corpus)
{
    err e = {0};
    prepare_report r;
    const char *out;
    arena a = {0};
    EXPECT_OK(prepare_into("spot", "dataset: synth\nsynth: {items: 40, seconds: 5, seed: 2}\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 40);
    EXPECT_OK(prepare_into("one", "dataset: synth\nsynth: {items: 40, seconds: 5, seed: 2}\n" SETTINGS, 1, 1, 1, &r, &e), e);
    EXPECT(same_tree("spot", "one"));
    EXPECT_INT(test_shell(&out, "%s synth %s --midi --items 40 --seconds 5 --seed 2", test_kmidi(), test_path("in")), 0);
    EXPECT_OK(prepare_into("files", "dataset: midi_emotion\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 40);
    shard *x = shard_open(test_path("spot/train-00001.h5"), &e), *y = shard_open(test_path("files/train-00001.h5"), &e);
    if (test_expect(x && y, __FILE__, __LINE__, "%s", e.text)) {
        EXPECT(x->info.synthetic && y->info.synthetic);
        EXPECT_INT(x->items, y->items);
        EXPECT(same_columns(x, y));
        EXPECT_STR(x->sources[0], "given");
        EXPECT_NEAR(x->emotion[0], y->emotion[0], 0.0006); // the manifest rounds
    }
    shard_close(x);
    shard_close(y);
    arena_free(&a);
}
