// SPDX-License-Identifier: GPL-3.0-or-later
// MIDI to shards: the same whoever makes them, a name and a reason for what cannot be read, splits
// by notes.
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "data/features/feature.h"
#include "data/loader/dataset.h"
#include "data/music/affect.h"
#include "data/music/midi_stats.h"
#include "data/shards/shard.h"
#include "tests/data/prepare/midi_files.h"

TEST(prepare_midi_stores_tokens_and_statistics)
{
    err e = {0};
    prepare_report r;
    arena a = {0};
    midi_put_songs(1);
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 1);
    shard *s = shard_open(test_path("out/train-00000.h5"), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    // a quarter at 120 is 50 steps; velocity 64 is bin 16
    static const uint16_t want[] = {371, 30, 305, 158, 34, 280, 162, 37, 305, 165};
    uint16_t have[10] = {0};
    float x[MIDI_STATS] = {0};
    int tokens = shard_find_column(&s->info, "tokens"),
        stats = shard_find_column(&s->info, "midi_stats");
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
    EXPECT_ERR(dataset_open(&pattern, 1, example_find("mel"), &e) != NULL, e, ERR_MISMATCH,
               "no mel frames");
    arena_free(&a);
}

TEST(prepare_midi_gives_the_same_bytes_for_any_jobs_and_parts)
{
    err e = {0};
    prepare_report r;
    uint64_t made = 0;
    midi_put_songs(40);
    EXPECT_OK(midi_prepare_into("one", "dataset: lakh\n" SETTINGS, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 40);
    EXPECT_OK(midi_prepare_into("three", "dataset: lakh\n" SETTINGS, 3, 1, 1, &r, &e), e);
    EXPECT(prepared_alike("one", "three"));
    for (int part = 3; part >= 1; part--) {
        EXPECT_OK(midi_prepare_into("parts", "dataset: lakh\n" SETTINGS, 2, part, 3, &r, &e), e);
        made += r.shards_made;
    }
    EXPECT_INT(made, r.shards);
    EXPECT(prepared_alike("one", "parts"));
}

TEST(prepare_midi_stores_all_features_alike_for_any_jobs)
{
    static const char *const names[] = {"tokens", "melody",   "harmony",
                                        "groove", "dynamics", "midi_stats"};
    // of the first song: three notes in one bar, a phrase of too few
    static const int64_t rows[] = {10, 3, 1, 1, 0, 1};
    err e = {0};
    prepare_report r;
    uint16_t pitch[3];
    float chord[65];
    midi_put_songs(40);
    EXPECT_OK(midi_prepare_into("one", "dataset: lakh\n" ALL_FEATURES, 1, 1, 1, &r, &e), e);
    EXPECT_OK(midi_prepare_into("two", "dataset: lakh\n" ALL_FEATURES, 2, 1, 1, &r, &e), e);
    EXPECT(prepared_alike("one", "two"));
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
    midi_make_folders();
    SMF_TRACK(&f, 0, 0x99, 36, 90, 96, 0x89, 36, 0, 0, 0x99, 38, 90, 96, 0x89, 38, 0);
    smf_write(&f, test_path("in/lmd_full/0/drums.mid"));
    EXPECT(!midi_prepare_into("none", "dataset: lakh\n" ALL_FEATURES, 1, 1, 1, &r, &e));
    EXPECT_HAS(prepared_rejects(&a, "none"), "tokens.drums: true");
    EXPECT(!midi_prepare_into("mute", "dataset: lakh\nfeatures: [melody, harmony]\n", 1, 1, 1, &r,
                              &e));
    EXPECT_HAS(prepared_rejects(&a, "mute"), "\"reason\": \"empty\"");
    EXPECT_OK(
        midi_prepare_into("out", "dataset: lakh\nfeatures: [melody, groove]\n", 1, 1, 1, &r, &e),
        e);
    EXPECT_INT(r.prepared, 1);
    shard *s = shard_open(test_path("out/train-00000.h5"), &e);
    EXPECT(s && s->info.columns[0].rows == 0 && s->info.columns[1].rows == 1);
    shard_close(s);
    arena_free(&a);
}

// Whatever ending the name of a MIDI file has, and however it is written; a wrapper is taken off.
TEST(prepare_midi_finds_every_ending)
{
    static const char *const names[] = {"a.mid", "b.MID", "c.midi", "d.kar",
                                        "e.KAR", "f.smf", "g.rmi",  "h.RMI"};
    err e = {0};
    prepare_report r;
    midi_make_folders();
    for (int i = 0; i < 8; i++) {
        char name[64];
        snprintf(name, sizeof name, "in/lmd_full/0/%s", names[i]);
        midi_put_song(name, 30 + i, 0);
    }
    smf f = {0};
    SMF_TRACK(&f, 0, SMF_NOTE(90, 96), 0, SMF_NOTE(95, 96));
    uint8_t riff[200] = {'R', 'I', 'F', 'F', 0,   0,   0,   0,   'R',         'M',
                         'I', 'D', 'L', 'I', 'S', 'T', 3,   0,   0,           0,
                         'x', 'y', 'z', 0,   'd', 'a', 't', 'a', (uint8_t)f.n};
    memcpy(riff + 32, f.bytes, f.n);
    EXPECT_OK(file_write(test_path("in/lmd_full/0/h.RMI"), riff, 32 + f.n, &e), e);
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 8);
    for (int i = 0; i < 8; i++) { // X.json beside it, upper case or lower
        char name[64];
        snprintf(name, sizeof name, "in/lmd_full/0/%c.json", names[i][0]);
        strbuf numbers = {0};
        for (int k = 0; k < 64; k++)
            strbuf_printf(&numbers, "%s0.5", k ? "," : "[");
        strbuf_printf(&numbers, "]");
        midi_put_text(name, numbers.s);
        strbuf_free(&numbers);
    }
    EXPECT_OK(midi_prepare_into("pairs", "dataset: midi_emotion\n" SETTINGS, 1, 1, 1, &r, &e), e);
    EXPECT_INT(r.prepared, 8);
    EXPECT_INT(r.rejected, 0);
}

TEST(prepare_midi_counts_notes_behind_the_end)
{
    err e = {0};
    prepare_report r;
    midi_make_folders();
    smf f = {0};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, 0xff, 0x2f, 0, 0, SMF_NOTE(62, 96), 0, SMF_NOTE(64, 96));
    smf_write(&f, test_path("in/lmd_full/0/a.mid"));
    midi_put_song("in/lmd_full/0/b.mid", 40, 0);
    EXPECT_OK(midi_prepare_into("out", "dataset: lakh\n" SETTINGS, 2, 1, 1, &r, &e), e);
    EXPECT_INT(r.behind_end, 2);
    EXPECT_INT(r.behind_end_files, 1);
    const char *out;
    EXPECT_INT(test_shell(&out,
                          "%s prepare configs/data/lakh.yaml --out %s root=%s features=[tokens]",
                          test_kmidi(), test_path("said"), test_path("in")),
               0);
    EXPECT_HAS(out, "2 notes of 1 file behind the end of a track: not read");
}

// A full disk in the middle of the shards: what is there is whole, nothing else is, and with more
// room the same command goes on.
TEST(prepare_midi_survives_a_full_disk)
{
    arena a = {0};
    const char *out, *dir = arena_strdup(&a, test_path("full")),
                     *command = "configs/data/lakh.yaml shard_items=20 --jobs 2";
    midi_put_songs(90);
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s", test_kmidi(), command,
                          test_path("whole"), test_path("in")),
               0);
    if (test_shell(&out, "mkdir -p %s && mount -t tmpfs -o size=400k tmpfs %s", dir, dir)) {
        test_skip("needs the right to mount a small tmpfs");
        arena_free(&a);
        return;
    }
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s 2>&1", test_kmidi(), command, dir,
                          test_path("in")),
               1);
    EXPECT_HAS(out, "No space left on device");
    EXPECT_INT(test_shell(&out, "ls %s/*.h5 && %s verify %s/*.h5 && ! ls -A %s | grep tmp", dir,
                          test_kmidi(), dir, dir),
               0);
    EXPECT_INT(test_shell(&out, "mount -o remount,size=40m %s", dir), 0);
    EXPECT_INT(test_shell(&out, "%s prepare %s --out %s root=%s", test_kmidi(), command, dir,
                          test_path("in")),
               0);
    EXPECT(!strstr(out, ", 0 there already"));
    EXPECT(prepared_alike("whole", "full"));
    EXPECT_INT(test_shell(NULL, "umount %s", dir), 0);
    arena_free(&a);
}

// What the index says of valence and arousal gives way to the music; its label stays.
TEST(prepare_midi_measures_emotions_where_asked)
{
    err e = {0};
    prepare_report r;
    midi_put_songs(1);
    midi_put_text("in/labels.csv", "path,label,valence,arousal,split\n"
                                   "lmd_full/0/00.mid,odd,-1,0.5,train\n");
    static const char *const how[] = {"given", "measured"};
    float emotion[2][2];
    for (int i = 0; i < 2; i++) {
        char more[160], path[32];
        snprintf(more, sizeof more, "dataset: midi_emotion\nemotion: %s\nfeatures: [tokens]\n",
                 how[i]);
        EXPECT_OK(midi_prepare_into(how[i], more, 1, 1, 1, &r, &e), e);
        snprintf(path, sizeof path, "%s/train-00000.h5", how[i]);
        shard *s = shard_open(test_path(path), &e);
        if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
            return;
        EXPECT_STR(s->sources[0], i ? "estimated" : "given");
        EXPECT_STR(s->info.labels[s->label[0]], "odd");
        memcpy(emotion[i], s->emotion, sizeof emotion[i]);
        shard_close(s);
    }
    arena a = {0};
    const midi_song *song = midi_read(&a, test_path("in/lmd_full/0/00.mid"), &e);
    EXPECT_OK(song != NULL, e);
    song_affect want = affect_estimate(&a, song);
    EXPECT(emotion[0][0] == -1 && emotion[0][1] == 0.5F);
    EXPECT_NEAR(emotion[1][0], want.valence, 1e-6);
    EXPECT_NEAR(emotion[1][1], want.arousal, 1e-6);
    EXPECT(fabs(want.valence + 1) > 0.1);
    arena_free(&a);
}
