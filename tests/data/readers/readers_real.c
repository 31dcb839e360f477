// SPDX-License-Identifier: GPL-3.0-or-later
// readers_real.c: the published layouts, as far as ../shared/data has parts of them.
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/readers/reader.h"
#include "tests/data/readers/tally.h"
#include "tests/test.h"

TEST(readers_take_the_real_maestro)
{
    if (tally_no_shared())
        return;
    static const char *const indexes[] = {NULL, "maestro-v3.0.0.csv", "maestro-v3.0.0.json"};
    uint64_t order = 0;
    for (int k = 0; k < 3; k++) {
        tally t = tally_run("maestro", SHARED "maestro-v3.0.0", indexes[k]);
        EXPECT_STR(t.end, "");
        EXPECT_INT(t.items, 83);
        EXPECT_INT(t.bad, 0);
        EXPECT_INT(t.split[0], 63);
        EXPECT_INT(t.split[1], 14);
        EXPECT_INT(t.split[2], 6);
        EXPECT_INT(t.grouped, 83);
        EXPECT_INT(t.midi, 83);
        EXPECT_INT(t.audio, 1);
        EXPECT_STR(t.first_group, "Alban Berg: Sonata Op. 1");
        EXPECT(!k || t.order == order);
        order = t.order;
    }
    EXPECT_STR(reader_guess(SHARED "maestro-v3.0.0")->name, "maestro");
}

TEST(readers_take_the_real_lakh)
{
    if (tally_no_shared())
        return;
    tally all = tally_run("lakh", SHARED "lakh", NULL),
          full = tally_run("lakh", SHARED "lakh", "lmd_full");
    tally matched = tally_run("lakh", SHARED "lakh/lmd_matched", NULL);
    EXPECT_INT(all.items, 80);
    EXPECT_INT(all.bad, 0);
    EXPECT_INT(all.midi, 80);
    EXPECT_INT(all.grouped, 69);
    EXPECT_INT(full.items, 11);
    EXPECT_INT(full.grouped, 0);
    EXPECT_INT(matched.items, 69);
    EXPECT_INT(matched.grouped, 69);
    EXPECT(str_starts(matched.first_group, "TR"));
    EXPECT(all.order == tally_run("lakh", SHARED "lakh", NULL).order);
    EXPECT_STR(reader_guess(SHARED "lakh")->name, "lakh");
}

TEST(readers_take_the_real_emopia)
{
    if (tally_no_shared())
        return;
    static const char *const indexes[] = {NULL, "labels.jsonl"};
    for (int k = 0; k < 2; k++) {
        tally t = tally_run("midi_emotion", SHARED "emopia", indexes[k]);
        EXPECT_STR(t.end, "");
        EXPECT_STR(t.first_bad, "");
        EXPECT_INT(t.items, 990);
        EXPECT_INT(t.split[0], 767);
        EXPECT_INT(t.split[1], 198);
        EXPECT_INT(t.other, 25);
        EXPECT_INT(t.labelled, 990);
        EXPECT_INT(t.midi, 990);
        EXPECT_STR(t.first_group, "0vLPYiPN7qY");
    }
    tally pairs = tally_run("midi_emotion", SHARED "malformed/datasets/emotion_json_missing", NULL);
    EXPECT_INT(pairs.items, 1);
    EXPECT_STR(reader_guess(SHARED "emopia")->name, "midi_emotion");
}

TEST(readers_take_the_real_nsynth)
{
    if (tally_no_shared())
        return;
    tally real = tally_run("nsynth", SHARED "nsynth_real", NULL),
          made = tally_run("nsynth", SHARED "nsynth_rendered", NULL);
    tally one = tally_run("nsynth", SHARED "nsynth_rendered/nsynth-valid", NULL);
    tally named = tally_run("nsynth", SHARED "nsynth_rendered", "nsynth-valid/examples.json");
    EXPECT_STR(real.end, "");
    EXPECT_INT(real.items, 31);
    EXPECT_INT(real.split[2], 31);
    EXPECT_INT(real.audio, 31);
    EXPECT_INT(made.items, 176);
    EXPECT_INT(made.bad, 0);
    EXPECT_INT(made.split[0], 132);
    EXPECT_INT(made.split[1], 44);
    EXPECT_INT(made.labelled, 176);
    EXPECT_INT(made.grouped, 176);
    EXPECT_INT(made.attributes, 176);
    EXPECT_INT(one.items, 44);
    EXPECT_INT(one.split[1], 44);
    EXPECT_INT(one.audio, 44);
    EXPECT_INT(named.items, 44);
    EXPECT_INT(named.split[1], 44);
    EXPECT_STR(reader_guess(SHARED "nsynth_real")->name, "nsynth");
}
