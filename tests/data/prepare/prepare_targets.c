// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_targets.c (tests): shards tell each item's classes: by its label put into the set's
// words, by its fields, and by its sound, of copies too.
#include <string.h>

#include "data/labels/labels.h"
#include "data/shards/shard.h"
#include "tests/data/prepare/sound_files.h"
#include "tests/test.h"

static int32_t class_of(const shard *s, int64_t i, const char *group)
{
    for (int k = 0; k < s->info.n_groups; k++)
        if (!strcmp(s->info.groups[k].name, group))
            return s->classes[i * s->info.n_groups + k];
    return -9;
}

TEST(prepare_tells_emotions_of_three_depths)
{
    arena a = {0};
    err e = {0};
    prepare_report r;
    for (int k = 0; k < 5; k++)
        sounds_put_tone((const char *const[]){"0.wav", "1.wav", "2.wav", "3.wav", "4.wav"}[k],
                        300 + 100 * k);
    sounds_put_manifest("{\"path\": \"0.wav\", \"label\": \"anger\", \"split\": \"train\"}\n"
                        "{\"path\": \"1.wav\", \"label\": \"boredom\", \"split\": \"train\"}\n"
                        "{\"path\": \"2.wav\", \"label\": \"Iia\", \"split\": \"train\"}\n"
                        "{\"path\": \"3.wav\", \"split\": \"train\"}\n"
                        "{\"path\": \"4.wav\", \"label\": \"angry\", \"split\": \"train\"}\n");
    EXPECT_OK(sounds_prepare("out",
                             "max_reject_ratio: 1\ntargets: {set: emotion_nodes, map: {anger: "
                             "ANGRY, boredom: DISGUST/BOREDOM, angry: HAPPY/JOI}}\n",
                             1, 1, 1, &r, &e),
              e);
    EXPECT_INT(r.rejected, 1);
    EXPECT_HAS(prepared_rejects(&a, "out"),
               "'4.wav': 'HAPPY/JOI' is not in the emotion thesaurus; did you mean 'HAPPY/JOY'?");
    shard *s = shard_open(test_path("out/train-00000.h5"), &e);
    EXPECT_OK(s != NULL, e);
    EXPECT(class_of(s, 0, "base") == 2 && class_of(s, 0, "sub") == -1);
    EXPECT(class_of(s, 1, "base") == 5 && class_of(s, 1, "sub") == 35 &&
           class_of(s, 1, "node") == -1);
    EXPECT(class_of(s, 2, "node") == 0 && class_of(s, 3, "base") == -1);
    EXPECT_STR(s->info.labels[s->label[0]], "anger"); // the label itself stays
    shard_close(s);
    arena_free(&a);
}

// Tones held for half a second; a copy an octave up is in another register, and shorter; one that
// is 12 dB louder is struck twice as hard.
TEST(prepare_tells_notes_and_their_copies)
{
    err e = {0};
    prepare_report r;
    sounds_put_tone("0.wav", 440);
    sounds_put_manifest("{\"path\": \"0.wav\", \"split\": \"train\", \"instrument_family_str\": "
                        "\"reed\", \"instrument_source_str\": \"acoustic\", \"pitch\": 69, "
                        "\"velocity\": 25, \"technique\": \"staccato\"}\n");
    EXPECT_OK(sounds_prepare("out",
                             "targets: {set: instrument}\naugment: {copies: 2, transpose: [12, "
                             "12], gain: [12.05, 12.05]}\n",
                             2, 1, 1, &r, &e),
              e);
    shard *s = shard_open(test_path("out/train-00000.h5"), &e);
    EXPECT_OK(s != NULL, e);
    EXPECT_INT(s->items, 3);
    for (int64_t i = 0; i < 3; i++) {
        EXPECT_STR(s->info.groups[0].classes[class_of(s, i, "family")], "woodwind_reed");
        EXPECT_INT(class_of(s, i, "dynamic_range"), i ? 1 : 0);
        EXPECT_INT(class_of(s, i, "technique"), 1);
        EXPECT_INT(class_of(s, i, "style"), -1);
        EXPECT_INT(class_of(s, i, "register"), i ? 2 : 1);
        EXPECT_INT(class_of(s, i, "brightness"), i ? 2 : 1); // 440 Hz, 880 Hz
        EXPECT_INT(class_of(s, i, "attack"), 0);
        EXPECT_INT(class_of(s, i, "sustain"), i ? 2 : 3); // a little less than 0.5 s, 0.25 s
    }
    shard_close(s);
}

TEST(prepare_names_what_is_wrong_with_targets)
{
    err e = {0};
    prepare_report r;
    sounds_put_tone("0.wav", 440);
    sounds_put_manifest("{\"path\": \"0.wav\", \"split\": \"train\", \"register\": 4}\n");
    EXPECT_ERR(sounds_prepare("out", "targets: {set: instrument}\n", 1, 1, 1, &r, &e), e, ERR_VALUE,
               "'0.wav': 'register' is a class from 0 to 3, or its name");
    EXPECT_ERR(sounds_prepare("out", "targets: {map: {a: b}}\n", 1, 1, 1, &r, &e), e, ERR_CONFIG,
               "targets.map is for the labels of a set; name it: targets.set");
    EXPECT_ERR(sounds_prepare("out", "targets: {set: nodes}\n", 1, 1, 1, &r, &e), e, ERR_CONFIG,
               "'targets.set' must be one of instrument, emotion_nodes, not 'nodes'");
}
