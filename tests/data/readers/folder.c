// SPDX-License-Identifier: GPL-3.0-or-later
// folder.c: a folder without an index: what its names say, and what lies about in the folders of
// people.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "data/loader/dataset.h"
#include "data/prepare/prepare.h"
#include "data/readers/reader.h"
#include "data/shards/shard.h"
#include "tests/data/midi/midi_bytes.h"

static void put(const char *name, int pitch)
{
    arena a = {0};
    err e = {0};
    smf f = {0};
    const char *path = arena_strdup(&a, test_path(name));
    SMF_TRACK(&f, 0, SMF_NOTE((uint8_t)pitch, 96), 0, SMF_NOTE((uint8_t)(pitch + 4), 48));
    EXPECT_OK(file_make_dirs(path_dir(&a, path), &e), e);
    smf_write(&f, path);
    arena_free(&a);
}

// All items of test_path("in") as "path label group split attributes;", "-" for what is not known,
// bad ones as "!sentence;".
static const char *items(arena *a, reader_options o)
{
    err e = {0};
    reader_item item;
    pull step;
    const char *all = "";
    o.root = arena_strdup(a, test_path("in")), o.midi = true;
    reader *r = reader_open(reader_find("folder", &e), &o, &e);
    if (!r)
        return arena_printf(a, "!!%s", e.text);
    while ((step = reader_next(r, &item, &e)) != PULL_END)
        if (step == PULL_BAD)
            all = arena_printf(a, "%s!%s;", all, e.text);
        else
            all =
                arena_printf(a, "%s%s %s %s %s%s%s;", all, item.path, item.label ? item.label : "-",
                             item.group ? item.group : "-", item.split ? item.split : "-",
                             item.attributes ? " " : "", item.attributes ? item.attributes : "");
    if (e.code)
        all = arena_printf(a, "%s!!%s", all, e.text);
    reader_close(r);
    return all;
}

TEST(folder_labels_are_the_first_folders)
{
    arena a = {0};
    err e = {0};
    put("in/joy/a.mid", 40), put("in/joy/deep/er/b.KAR", 41), put("in/grief/c.mid", 42),
        put("in/d.mid", 43);
    put("in/.hidden/e.mid", 44), put("in/joy/._f.mid", 45);
    EXPECT_OK(file_make_dirs(test_path("in/empty/deeper"), &e) &&
                  file_write(test_path("in/joy/notes.txt"), "x", 1, &e),
              e);
    EXPECT_STR(items(&a, (reader_options){0}),
               "d.mid - - -;grief/c.mid grief - -;joy/a.mid joy - -;joy/deep/er/b.KAR joy - -;");
    EXPECT_STR(items(&a, (reader_options){.folder_labels = "last"}),
               "d.mid - - -;grief/c.mid grief - -;joy/a.mid joy - -;joy/deep/er/b.KAR er - -;");
    EXPECT_STR(items(&a, (reader_options){.folder_labels = "none"}),
               "d.mid - - -;grief/c.mid - - -;joy/a.mid - - -;joy/deep/er/b.KAR - - -;");
    EXPECT(symlink("..", test_path("in/joy/loop")) == 0);
    EXPECT_HAS(items(&a, (reader_options){0}), "symbolic link back to a folder that it is in");
    arena_free(&a);
}

TEST(folder_of_one_label_has_none)
{
    arena a = {0};
    put("in/midis/a.mid", 40), put("in/midis/b.mid", 41), put("in/c.mid", 42);
    EXPECT_STR(items(&a, (reader_options){0}), "c.mid - - -;midis/a.mid - - -;midis/b.mid - - -;");
    put("in/train/midis/d.mid", 43), put("in/test/midis/e.mid", 44);
    EXPECT_STR(items(&a, (reader_options){0}),
               "c.mid - - -;midis/a.mid - - -;midis/b.mid - - -;test/midis/e.mid - - "
               "test;train/midis/d.mid - - train;");
    arena_free(&a);
}

TEST(folder_keeps_splits)
{
    arena a = {0};
    put("in/Train/joy/a.mid", 40), put("in/Train/grief/b.mid", 41),
        put("in/validation/joy/c.mid", 42), put("in/dev/d.mid", 43);
    put("in/TEST/grief/deep/e.mid", 44), put("in/calm/f.mid", 45);
    EXPECT_STR(items(&a, (reader_options){0}),
               "TEST/grief/deep/e.mid grief - test;Train/grief/b.mid grief - train;Train/joy/a.mid "
               "joy - train;"
               "calm/f.mid calm - -;dev/d.mid - - val;validation/joy/c.mid joy - val;");
    arena_free(&a);
}

TEST(folder_pattern_reads_names)
{
    arena a = {0};
    put("in/x/03_joy_1.mid", 40), put("in/y/08_fröhlich.mid", 41), put("in/y/odd.mid", 42);
    const char *all = items(
        &a, (reader_options){.pattern = "(?<speaker>\\d+)_(?<label>[^\\W_]+)(?:_(?<take>\\d))?"});
    EXPECT_HAS(all, "x/03_joy_1.mid joy 03 - {\"take\": \"1\"};y/08_fröhlich.mid fröhlich 08 -;");
    EXPECT_HAS(all, "!'y/odd.mid' does not fit the pattern");
    // one with a slash is of the path; what it does not say, the folders do
    all = items(&a, (reader_options){.pattern = "(?<song>[xy])/(?<split>[0-9]?)"});
    EXPECT_HAS(all, "x/03_joy_1.mid x x 0;y/08_fröhlich.mid y y 0;y/odd.mid y y -;");
    EXPECT_HAS(items(&a, (reader_options){.pattern = "(?<sex>.)"}),
               "!!pattern '(?<sex>.)' names neither a label nor whose the file is");
    EXPECT_HAS(items(&a, (reader_options){.pattern = "(?<label"}), "is no regular expression");
    // as Python writes it
    EXPECT_HAS(items(&a, (reader_options){.pattern = "(?P<emotion>.)"}), "x/03_joy_1.mid 0 - -");
    arena_free(&a);
}

TEST(folder_with_an_index_says_so)
{
    arena a = {0};
    err e = {0};
    EXPECT_HAS(items(&a, (reader_options){0}), "cannot be read");
    EXPECT_OK(file_make_dirs(test_path("in"), &e), e);
    EXPECT_HAS(items(&a, (reader_options){0}), "!!there is no MIDI");
    EXPECT_OK(file_write(test_path("in/manifest.jsonl"), "{}\n", 3, &e), e);
    EXPECT_HAS(items(&a, (reader_options){0}),
               "`dataset: audio_manifest` (configs/data/audio_manifest.yaml)");
    EXPECT(unlink(test_path("in/manifest.jsonl")) == 0);
    EXPECT_OK(file_write(test_path("in/labels.csv"), "path\n", 5, &e), e);
    EXPECT_HAS(items(&a, (reader_options){0}), "`dataset: midi_emotion`");
    arena_free(&a);
}

// A name of bytes that are no text reaches the shard escaped, and so does its label.
TEST(folder_names_that_are_no_text_are_escaped)
{
    arena a = {0};
    err e = {0};
    const char *out;
    put("in/gl\xfc"
        "ck/a\xff.mid",
        40),
        put("in/joy/b.mid", 41);
    EXPECT_INT(test_shell(&out,
                          "%s prepare configs/data/folder.yaml --out %s root=%s split.val=0 "
                          "split.test=0 features=[tokens]",
                          test_kmidi(), test_path("out"), test_path("in")),
               0);
    shard *s = shard_open(test_path("out/train-00000.h5"), &e);
    EXPECT_OK(s != NULL, e);
    if (s && s->items == 2) {
        EXPECT_STR(s->paths[0], "gl\\xfc"
                                "ck/a\\xff.mid");
        EXPECT_STR(s->info.labels[0], "gl\\xfc"
                                      "ck");
        EXPECT_INT(s->label[0], 0);
    }
    shard_close(s);
    arena_free(&a);
}

static bool holds(arena *a, const char *shards, const char *part)
{
    err e = {0};
    bool found = false;
    size_t n;
    char **paths = file_glob(a, test_path(shards), &n, &e);
    for (size_t i = 0; paths && i < n; i++) {
        shard *s = shard_open(paths[i], &e);
        for (int64_t k = 0; s && k < s->items; k++)
            found |= strstr(s->paths[k], part) != NULL;
        shard_close(s);
    }
    return found;
}

// From names alone to shards: no speaker on two sides; then a line for each thing that will hurt.
TEST(folder_becomes_shards_without_a_leak)
{
    static const char *const splits[] = {"sh [1], ä/train-*.h5", "sh [1], ä/val-*.h5",
                                         "sh [1], ä/test-*.h5"};
    arena a = {0};
    const char *out;
    for (int i = 0; i < 40; i++)
        put(arena_printf(&a, "in [2]/%s/s%02d_%d.mid", i % 2 ? "joy" : "grief", i / 4, i), 30 + i);
    EXPECT_INT(
        test_shell(
            &out,
            "%s prepare configs/data/folder.yaml --out '%s' root='%s' 'pattern=(?<speaker>s\\d+)'",
            test_kmidi(), test_path("sh [1], ä"), test_path("in [2]")),
        0);
    EXPECT_HAS(out, "40 items prepared, 0 rejected, 2 labels");
    EXPECT(!strstr(out, "is not known"));
    for (int speaker = 0; speaker < 10; speaker++) {
        int in = 0;
        for (int k = 0; k < 3; k++)
            in += holds(&a, splits[k], arena_printf(&a, "s%02d_", speaker));
        EXPECT_INT(in, 1);
    }
    EXPECT(holds(&a, splits[0], "joy/") && holds(&a, splits[1], "joy/") &&
           holds(&a, splits[2], "grief/"));
    EXPECT_INT(
        test_shell(&out, "%s prepare configs/data/folder.yaml --out %s root='%s' features=[tokens]",
                   test_kmidi(), test_path("b"), test_path("in [2]")),
        0);
    EXPECT_HAS(out, "which files are of one speaker or song is not known");
    EXPECT_INT(test_shell(&out, "mkdir -p %s %s && mv '%s'/grief %s && mv '%s'/joy %s",
                          test_path("c/test"), test_path("c/train"), test_path("in [2]"),
                          test_path("c/test"), test_path("in [2]"), test_path("c/train")),
               0);
    EXPECT_INT(test_shell(&out,
                          "%s prepare configs/data/folder.yaml --out %s root=%s features=[tokens]",
                          test_kmidi(), test_path("d"), test_path("c")),
               0);
    EXPECT_HAS(out, "label 'grief' has no item to learn from, but 20 in other splits");
    arena_free(&a);
}

// Both kinds in one folder: the one that there is more of, and a line; or what is asked for.
TEST(folder_of_both_kinds_says_what_is_taken)
{
    const char *out;
    put("in/a.mid", 40), put("in/b.mid", 42), put("in/c.mid", 44);
    EXPECT_INT(test_shell(&out, "%s synth %s --items 2 --seconds 0.5 && mv %s/wav/*.wav %s",
                          test_kmidi(), test_path("synth"), test_path("synth"), test_path("in")),
               0);
    EXPECT_INT(test_shell(&out, "%s prepare configs/data/folder.yaml --out %s root=%s",
                          test_kmidi(), test_path("x"), test_path("in")),
               0);
    EXPECT_HAS(out, "holds 2 files of audio and 3 of MIDI; the MIDI is taken");
    EXPECT_HAS(out, "3 items prepared");
    EXPECT_INT(test_shell(&out,
                          "%s prepare configs/data/folder.yaml --out %s root=%s features=[mel]",
                          test_kmidi(), test_path("y"), test_path("in")),
               0);
    EXPECT_HAS(out, "2 items prepared");
}

// A folder in the place of patterns is its shards of that split.
TEST(dataset_patterns_of_a_folder)
{
    arena a = {0};
    err e = {0};
    EXPECT_OK(file_make_dirs(test_path("sh*"), &e) &&
                  file_write(test_path("sh*/val-00000.h5"), "x", 1, &e),
              e);
    const char *in[] = {arena_strdup(&a, test_path("sh*")), "other-*.h5"};
    const char *const *out = dataset_patterns(&a, in, 2, "test|val");
    EXPECT_STR(out[0], arena_printf(&a, "%s/val-*.h5", in[0]));
    EXPECT_STR(out[1], "other-*.h5");
    // which is then missing
    EXPECT_STR(dataset_patterns(&a, in, 1, "train")[0], arena_printf(&a, "%s/train-*.h5", in[0]));
    arena_free(&a);
}

// What is measured on items that were learnt from, and a class that nothing teaches, get a line
// when training begins.
TEST(train_doubts_what_it_is_given)
{
    const char *out;
    EXPECT_INT(
        test_shell(&out,
                   "%s prepare configs/data/synth.yaml --out %s synth.items=40 synth.seconds=0.5",
                   test_kmidi(), test_path("sh")),
        0);
    EXPECT_INT(test_shell(&out,
                          "%s train configs/emotion_recognizer.yaml --run-dir %s data.train=%s "
                          "train.max_steps=1 train.batch_size=4 "
                          "train.grad_accum=1 schedule.warmup_steps=0",
                          test_kmidi(), test_path("r"), test_path("sh")),
               0);
    EXPECT(!strstr(out, "are in data.train, too"));
    EXPECT_HAS(out, "validation loss"); // of the folder's own val shards
    EXPECT_INT(test_shell(&out,
                          "%s train configs/emotion_recognizer.yaml --run-dir %s data.train=%s "
                          "'data.val=%s/*-*.h5' train.max_steps=1 "
                          "train.batch_size=4 train.grad_accum=1 schedule.warmup_steps=0",
                          test_kmidi(), test_path("s"), test_path("sh"), test_path("sh")),
               0);
    EXPECT_HAS(out, "24 of the 40 items of data.val are in data.train, too");
    EXPECT_INT(
        test_shell(&out, "%s eval %s --data %s", test_kmidi(), test_path("r"), test_path("sh")), 0);
    EXPECT_HAS(out, ": 8 items");
}
