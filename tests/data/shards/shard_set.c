// SPDX-License-Identifier: GPL-3.0-or-later
// shard_set.c: a set of shards whose counts are known, of audio and of MIDI together.
#include "data/shards/shard_set.h"

#include <stdlib.h>
#include <string.h>

#include "data/music/chords.h"
#include "data/music/harmony.h"
#include "data/shards/shard_write.h"
#include "tests/data/shards/shard_files.h"
#include "tests/test.h"

static const char *const names[] = {"tokens", "melody", "harmony"};

// Two items, of six tokens, no notes and three, one chord and three; an hour and a half together.
static void write_songs(const char *name, const char *split)
{
    static const uint16_t tokens[] = {371, 60, 64, 355, 188, 256}, melody[] = {60, 64, 67};
    static float harmony[3][HARMONY_CONTEXT + 1];
    static const void *const rows[] = {tokens, melody, harmony};
    const int64_t n[2][3] = {{6, 0, 1}, {6, 3, 3}};
    err e = {0};
    harmony[2][HARMONY_CONTEXT] = 9 * CHORD_QUALITIES + CHORD_MINOR;
    shard_info info = {.dataset = "songs",
                       .split = split,
                       .settings = "{\"tokens\": {}, \"melody\": {}, \"harmony\": {}}",
                       .n_columns = 3};
    for (int k = 0; k < 3; k++)
        info.columns[k] = shard_column_of(feature_find(names[k], &e));
    shard_writer *w = shard_create(test_path(name), &info, &e);
    for (int i = 0; w && i < 2; i++) {
        shard_item item = {.seconds = 2700,
                           .label = -1,
                           .path = "a.mid",
                           .label_source = i ? "estimated" : "given"};
        for (int k = 0; k < 3; k++)
            item.column[k].rows = rows[k], item.column[k].n = n[i][k];
        EXPECT_OK(shard_add(w, &item, &e), e);
    }
    EXPECT_OK(w && shard_reject(w, "{\"reason\": \"empty\"}", &e) &&
                  shard_reject(w, "not even JSON", &e),
              e);
    EXPECT_OK(w && shard_finish(w, &e), e);
}

static int64_t at(const json *o, const char *a, const char *b, const char *c)
{
    o = json_get(o, a);
    o = b ? json_get(o, b) : o;
    return json_int(c ? json_get(o, c) : o, -1);
}

TEST(shard_set_counts_what_there_is)
{
    arena a = {0};
    err e = {0};
    write_songs("train-0.h5", "train");
    write_songs("test-0.h5", "test");
    shard_file_write("mel.h5", 0, 20); // 5 + i % 7 frames; no hop in its settings
    shard_file_write_settings("mel2.h5", 0, 7,
                              "{\"mel\": {\"sample_rate\": 8000, \"hop_length\": 4000}}");
    shard_set *t = shard_set_open(&a);
    const char *files[] = {"train-0.h5", "test-0.h5", "mel.h5", "mel2.h5"};
    for (int i = 0; i < 4; i++)
        EXPECT_OK(shard_set_add(t, test_path(files[i]), &e), e);
    EXPECT_ERR(shard_set_add(t, test_path("none.h5"), &e), e, ERR_MISSING, "none.h5");
    json *f = shard_set_facts(t);
    EXPECT_INT(at(f, "shards", NULL, NULL), 4);
    EXPECT_INT(at(f, "items", NULL, NULL), 31);
    EXPECT_NEAR(json_num(json_get(f, "hours"), 0), 3 + 56 * 0.5 / 3600, 1e-12);
    EXPECT_INT(at(f, "datasets", "songs", NULL), 4);
    EXPECT_INT(at(f, "splits", "train", "items"), 29);
    EXPECT_INT(at(f, "splits", "test", "without_label"), 2);
    EXPECT_INT(
        json_int(json_get(json_get(json_get(json_get(f, "splits"), "train"), "labels"), "ant"), -1),
        6 + 3);
    EXPECT_INT(at(f, "label_sources", "estimated", NULL), 2);
    EXPECT_INT(at(f, "rejected", "empty", NULL), 2);
    EXPECT_INT(at(f, "rejected", "unknown", NULL), 2);
    EXPECT_INT(at(f, "rejected", "damaged", NULL), 2);
    EXPECT_INT(at(f, "columns", "tokens", "rows"), 24);
    EXPECT_INT(at(json_get(f, "tokens"), "kinds", "on", NULL), 8);
    EXPECT_INT(at(json_get(f, "tokens"), "kinds", "off", NULL), 4);
    EXPECT_INT(at(json_get(f, "tokens"), "kinds", "shift", NULL), 8);
    EXPECT_INT(at(json_get(f, "tokens"), "kinds", "velocity", NULL), 4);
    EXPECT_INT(json_int(json_at(json_get(json_get(f, "tokens"), "histogram"), 188), -1), 4);
    EXPECT_INT(at(f, "columns", "harmony", "longest"), 3);
    EXPECT_INT(json_int(json_at(json_get(f, "melody_pitches"), 64), -1), 2);
    EXPECT_INT(at(f, "chords", "C", NULL), 6);
    EXPECT_INT(at(f, "chords", "Am", NULL), 2);
    EXPECT_STR(json_key(json_first(json_get(f, "chords"))), "C");
    json_free(f);
    arena_free(&a);
}

TEST(shard_set_is_shown_and_checked_by_the_program)
{
    const char *out;
    write_songs("train-0.h5", "train");
    write_songs("test-0.h5", "test");
    EXPECT_INT(test_shell(&out, "%s inspect %s --json", test_kmidi(), test_dir()), 0);
    EXPECT_HAS(out, "\"shards\": 2, \"items\": 4, \"hours\": 3.0");
    EXPECT_INT(test_shell(&out, "%s inspect '%s/te*.h5'", test_kmidi(), test_dir()), 0);
    EXPECT_HAS(out, "items                2");
    EXPECT_HAS(out, "  Am                        1  25.0%  ##############\n");
    EXPECT_HAS(out, "C4 to B4                  4 100.0%  ########");
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), test_dir()), 0);
    EXPECT_HAS(out, "all 2 files are sound: 2 shard");
    EXPECT_INT(test_shell(&out, "truncate -s 3000 %s; %s verify '%s/*.h5'", test_path("test-0.h5"),
                          test_kmidi(), test_dir()),
               1);
    EXPECT_HAS(out, "1 of 2 files did not pass");
    EXPECT_INT(test_shell(&out, "%s inspect %s", test_kmidi(), test_dir()), 1);
    EXPECT_HAS(out, "test-0.h5");
    EXPECT_INT(test_shell(&out, "mkdir %s; %s inspect %s", test_path("empty"), test_kmidi(),
                          test_path("empty")),
               1);
    EXPECT_HAS(out, "there is no file to look at in");
    EXPECT_INT(test_shell(&out, "%s verify '%s/x*.h5'", test_kmidi(), test_dir()), 1);
}
