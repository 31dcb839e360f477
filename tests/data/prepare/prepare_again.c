// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_again.c: MIDI to shards a second time, after a change, after a kill; files that cannot be
// used; splits by notes.
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "data/features/feature.h"
#include "data/loader/dataset.h"
#include "data/music/midi_stats.h"
#include "data/shards/shard.h"
#include "tests/data/prepare/midi_files.h"

TEST(prepare_midi_keeps_what_is_there_and_remakes_what_changed)
{
    err e = {0};
    prepare_report r;
    midi_put_songs(20);
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    uint64_t all = r.shards;
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 0);
    EXPECT_INT(r.shards_kept, all);
    midi_put_song("in/lmd_full/0/03.mid", 99, 0);
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.shards_made, 1);
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS "tokens: {drums: true}\n", 2, 1,
                                1, &r, &e),
              e);
    EXPECT_INT(r.shards_made, all);
}

// The digests that a run leaves are used by the next, and are no more than a help: whatever is in
// their file, the shards are the same.
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
    midi_put_songs(23);
    midi_put_song("in/lmd_full/0/twin.mid", 30, 0);
    EXPECT_OK(midi_prepare_into("clean", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    for (size_t i = 0; i < sizeof spoil / sizeof *spoil; i++) {
        EXPECT_INT(test_shell(&out, "cd %s && rm *.h5 && (%s) 2>&1", test_path("out"), spoil[i]),
                   0);
        EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
        EXPECT_INT(r.prepared, 24);
        EXPECT_INT(test_shell(&out, "diff -r %s %s -x %s", test_path("clean"), test_path("out"),
                              i == 7 ? ".notes" : "none"),
                   0);
    }
}

// Its notes change, but neither the order of the index nor its size: the digest belongs to the file
// as it was.
TEST(prepare_midi_sees_that_a_file_changed)
{
    err e = {0};
    prepare_report r;
    midi_put_songs(12);
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    midi_put_song("in/lmd_full/0/03.mid", 90, 0);
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_OK(midi_prepare_into("clean", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT(prepared_alike("clean", "out"));
}

TEST(prepare_midi_names_every_file_that_it_cannot_use)
{
    static const struct {
        const char *path, *reason;
    } bad[] = {{"gone.mid", "missing"},
               {"empty.mid", "empty"},
               {"text.mid", "format"},
               {"cut.mid", "damaged"},
               {"silent.mid", "empty"}};
    err e = {0};
    prepare_report r;
    arena a = {0};
    const char *out;
    strbuf text = {0};
    smf silent = {0};
    midi_make_folders();
    SMF_TRACK(&silent, 0, 0xc0, 1);
    smf_write(&silent, test_path("in/silent.mid"));
    midi_put_text("in/empty.mid", "");
    midi_put_text("in/text.mid", "this is no MIDI file at all");
    strbuf_printf(&text, "path,label\n");
    for (int i = 0; i < 5; i++) {
        midi_put_song(arena_printf(&a, "in/ok%d.mid", i), 40 + i, 0);
        strbuf_printf(&text, "ok%d.mid,%s\n%s,joy\n", i, i % 2 ? "joy" : "grief", bad[i].path);
    }
    test_shell(&out, "head -c 30 %s > %s", test_path("in/ok0.mid"), test_path("in/cut.mid"));
    midi_put_text("in/labels.csv", text.s);
    const char *more = "dataset: midi_emotion\nsplit: {val: 0, test: 0}\n" SETTINGS;
    EXPECT(!midi_prepare_into("out", more, 2, 1, 1, &r, &e));
    EXPECT_HAS(e.text, "max_reject_ratio");
    EXPECT_INT(r.prepared, 5);
    EXPECT_INT(r.rejected, 5);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_HAS(prepared_rejects(&a, "out"),
                   arena_printf(&a, "{\"path\": \"%s\", \"line\": %zu, \"reason\": \"%s\"",
                                bad[i].path, 2 * i + 3, bad[i].reason));
    EXPECT_OK(midi_prepare_into("out", arena_printf(&a, "%smax_reject_ratio: 0.5\n", more), 2, 1, 1,
                                &r, &e),
              e);
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
    EXPECT_INT(test_shell(&out, "%s prepare configs/data/midi_emotion.yaml --out %s root=%s 2>&1",
                          test_kmidi(), test_path("out"), test_path("in")),
               1);
    EXPECT_HAS(out, "no entries of the layout 'midi_emotion' were found in");
    EXPECT(symlink("self", test_path("in/self")) == 0);
    EXPECT_INT(test_shell(&out, "%s prepare configs/data/lakh.yaml --out %s root=%s 2>&1",
                          test_kmidi(), test_path("out"), test_path("in")),
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
    midi_make_folders();
    midi_put_song("in/a.mid", 60, 0);
    midi_put_song("in/c.mid", 50, 0);
    midi_put_song("in/d.mid", 51, 0);
    SMF_TRACK(&louder, 0, 0xff, 1, 3, 'x', 'y', 'z');
    SMF_TRACK(&louder, 0, 0x90, 60, 99, 96, 0x80, 60, 0, 0, 0x90, 64, 99, 48, 0x80, 64, 0, 0, 0x90,
              67, 99, 96, 0x80, 67, 0);
    smf_write(&louder, test_path("in/b.mid"));
    midi_put_text(
        "in/labels.csv",
        "path,label,split\na.mid,joy,train\nb.mid,joy,test\nc.mid,grief,train\nd.mid,grief,val\n");
    EXPECT_OK(midi_prepare_into("out", "dataset: midi_emotion\n" SETTINGS, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.duplicates, 1);
    EXPECT_INT(r.prepared, 3);
    EXPECT_HAS(prepared_rejects(&a, "out"),
               "{\"path\": \"a.mid\", \"line\": 2, \"reason\": \"duplicate\"");
    arena_free(&a);
}

TEST(prepare_midi_and_audio_are_told_apart)
{
    err e = {0};
    prepare_report r;
    midi_put_songs(3);
    EXPECT_ERR(midi_prepare_into("out", "dataset: lakh\n", 1, 1, 1, &r, &e), e, ERR_CONFIG,
               "features: [tokens, midi_stats]");
    EXPECT_ERR(midi_prepare_into("out", "dataset: nsynth\n" SETTINGS, 1, 1, 1, &r, &e), e,
               ERR_CONFIG, "has no MIDI");
    EXPECT_ERR(
        midi_prepare_into("out", "dataset: folder\nfeatures: [mel, tokens]\n", 1, 1, 1, &r, &e), e,
        ERR_CONFIG, "make a set of shards");
}

// What inspect and verify say, and that a changed byte is found.
TEST(prepare_midi_shards_are_shown_and_checked)
{
    const char *out;
    midi_put_songs(6);
    const char *name = "train-00000.h5";
    EXPECT_INT(test_shell(&out, "%s prepare configs/data/lakh.yaml --out %s root=%s --jobs 2",
                          test_kmidi(), test_path("out"), test_path("in")),
               0);
    EXPECT_INT(test_shell(&out, "%s inspect %s/%s", test_kmidi(), test_path("out"), name), 0);
    EXPECT_HAS(
        out, "tokens\n    rows             40\n    longest          10\n    width            1\n");
    EXPECT_HAS(
        out, "harmony\n    rows             4\n    longest          1\n    width            65\n");
    EXPECT_HAS(out, "hours");
    EXPECT_HAS(out, "estimated");
    EXPECT_INT(test_shell(&out, "%s verify %s/%s", test_kmidi(), test_path("out"), name), 0);
    EXPECT_INT(
        test_shell(&out, "head -c 3000 %s/%s > %s", test_path("out"), name, test_path("cut.h5")),
        0);
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), test_path("cut.h5")), 1);
}

TEST(prepare_midi_survives_kill)
{
    const char *out;
    midi_put_songs(60);
    const char *command = "configs/data/lakh.yaml shard_items=4 --jobs 2";
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s", test_kmidi(), command,
                          test_path("whole"), test_path("in")),
               0);
    for (int i = 1; i <= 6; i++) {
        int rc = test_shell(&out, "timeout -s KILL 0.0%d %s prepare %s --out %s root=%s", i,
                            test_kmidi(), command, test_path("killed"), test_path("in"));
        EXPECT(rc == 0 || rc == 137);
    }
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s", test_kmidi(), command,
                          test_path("killed"), test_path("in")),
               0);
    EXPECT(prepared_alike("whole", "killed"));
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
        ok = c->rows == y->info.columns[k].rows && shard_rows(x, k, 0, c->rows, left, &e) &&
             shard_rows(y, k, 0, c->rows, right, &e) && memcmp(left, right, bytes) == 0;
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
    EXPECT_OK(midi_prepare_into(
                  "spot", "dataset: synth\nsynth: {items: 40, seconds: 5, seed: 2}\n" SETTINGS, 2,
                  1, 1, &r, &e),
              e);
    EXPECT_INT(r.prepared, 40);
    EXPECT_OK(midi_prepare_into(
                  "one", "dataset: synth\nsynth: {items: 40, seconds: 5, seed: 2}\n" SETTINGS, 1, 1,
                  1, &r, &e),
              e);
    EXPECT(prepared_alike("spot", "one"));
    EXPECT_INT(test_shell(&out, "%s synth %s --midi --items 40 --seconds 5 --seed 2", test_kmidi(),
                          test_path("in")),
               0);
    EXPECT_OK(midi_prepare_into("files", "dataset: midi_emotion\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 40);
    shard *x = shard_open(test_path("spot/train-00001.h5"), &e),
          *y = shard_open(test_path("files/train-00001.h5"), &e);
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
