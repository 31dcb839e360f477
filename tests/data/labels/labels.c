// SPDX-License-Identifier: GPL-3.0-or-later
// labels.c (tests): what an item answers to the questions of a set, and that the sets fit the
// models that learn them.
#include "data/labels/labels.h"

#include <string.h>

#include "models/groups.h"
#include "tests/test.h"

static void expect_fits(const label_set *s, const model_group *list, int n)
{
    EXPECT_INT(s->n_groups, n);
    for (int k = 0; k < n; k++) {
        EXPECT_STR(s->groups[k].name, list[k].name);
        EXPECT_INT(s->groups[k].n, list[k].size);
        for (int i = 0; i < s->groups[k].n; i++) // no class stands twice
            EXPECT_INT(label_class(&s->groups[k], s->groups[k].classes[i]), i);
    }
}

TEST(labels_are_the_models)
{
    err e = {0};
    expect_fits(label_set_find("instrument", &e), instrument_groups, INSTRUMENT_GROUPS);
    expect_fits(label_set_find("emotion_nodes", &e), node_groups, NODE_GROUPS);
    EXPECT_ERR(label_set_find("instruments", &e) != NULL, e, ERR_CONFIG,
               "unknown set of targets 'instruments', did you mean 'instrument'?; there are: "
               "instrument, emotion_nodes");
}

static int32_t class_of(const label_set *s, const int32_t *classes, const char *name)
{
    for (int k = 0; k < s->n_groups; k++)
        if (!strcmp(s->groups[k].name, name))
            return classes[k];
    return -9;
}

static bool tell(const label_set *s, const char *attributes, double semitones,
                 const sound_shape *sound, int32_t *classes, err *e)
{
    json *j = json_parse(attributes, strlen(attributes), e);
    label_item item = {.attributes = j, .semitones = semitones, .velocity = 1, .sound = sound};
    bool ok = label_set_tell(s, &item, classes, e);
    json_free(j);
    return ok;
}

#define NOTE                                                                                       \
    "{\"instrument_family_str\": \"mallet\", \"instrument_source_str\": \"acoustic\", \"pitch\": " \
    "71, \"velocity\": 100"

TEST(labels_of_a_note)
{
    static const sound_shape sound = {0.03, 1.5, 699};
    err e = {0};
    int32_t c[LABEL_GROUPS];
    const label_set *s = label_set_find("instrument", &e);
    EXPECT_OK(tell(s, NOTE "}", 0, &sound, c, &e), e);
    EXPECT_INT(class_of(s, c, "family"), 8);
    EXPECT_STR(s->groups[1].classes[class_of(s, c, "specific")], "mallet_acoustic");
    EXPECT_INT(class_of(s, c, "register"), 1);
    EXPECT_INT(class_of(s, c, "dynamic_range"), 3);
    EXPECT_INT(class_of(s, c, "brightness"), 1);
    EXPECT_INT(class_of(s, c, "attack"), 3);
    EXPECT_INT(class_of(s, c, "sustain"), 5);
    EXPECT_INT(class_of(s, c, "technique"), -1);
    EXPECT_INT(class_of(s, c, "genre"), -1);
    EXPECT_OK(tell(s, NOTE "}", 1, NULL, c, &e), e); // a semitone higher, unheard
    EXPECT_INT(class_of(s, c, "register"), 2);
    EXPECT_INT(class_of(s, c, "attack"), -1);
    // what the index says itself is believed first
    EXPECT_OK(tell(s, NOTE ", \"register\": \"bass\", \"technique\": 2}", 0, &sound, c, &e), e);
    EXPECT_INT(class_of(s, c, "register"), 0);
    EXPECT_INT(class_of(s, c, "technique"), 2);
}

TEST(labels_that_are_none_are_refused)
{
    err e = {0};
    int32_t c[LABEL_GROUPS];
    const label_set *s = label_set_find("instrument", &e);
    EXPECT_ERR(tell(s, "{\"register\": 4}", 0, NULL, c, &e), e, ERR_VALUE,
               "'register' is a class from 0 to 3, or its name");
    EXPECT_ERR(tell(s, "{\"register\": -1}", 0, NULL, c, &e), e, ERR_VALUE, "'register'");
    EXPECT_ERR(tell(s, "{\"register\": 1.5}", 0, NULL, c, &e), e, ERR_VALUE, "'register'");
    EXPECT_ERR(tell(s, "{\"technique\": \"stacato\"}", 0, NULL, c, &e), e, ERR_VALUE,
               "'technique' has no class 'stacato'; did you mean 'staccato'?");
    EXPECT_ERR(tell(s, "{\"pitch\": 128}", 0, NULL, c, &e), e, ERR_VALUE,
               "'pitch' is a number from 0 to 127, not 128");
    EXPECT_OK(tell(s, "{\"register\": null}", 0, NULL, c, &e), e);
    EXPECT_INT(class_of(s, c, "register"), -1);
}

static void expect_at(const char *text, int base, int sub, int leaf)
{
    err e = {0};
    int32_t at[3];
    if (!test_expect(thesaurus_find(text, at, &e), __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(at[0], base);
    EXPECT_INT(at[1], sub);
    EXPECT_INT(at[2], leaf);
}

TEST(thesaurus_by_ids_paths_and_names)
{
    err e = {0};
    int32_t at[3];
    char id[8];
    expect_at("HAPPY", 0, -1, -1);
    expect_at("disgust/boredom", 5, 35, -1);
    expect_at("HAPPY/JOY/cheerful", 0, 1, 6);
    expect_at("JOY", 0, 1, -1);
    expect_at("unimpressed", 5, 35, 215);
    expect_at("Iia", 0, 0, 0);
    expect_at("Vn", 4, 29, -1); // base V: its sub n
    expect_at("VI", 5, -1, -1);
    expect_at("IVkc", 3, 20, 122);
    EXPECT_STR(thesaurus_id(122, id), "IVkc");
    EXPECT_STR(thesaurus_id_of("FEAR", id), "IV");
    EXPECT_STR(thesaurus_id_of("FEAR/DREAD", id), "IVk");
    EXPECT_STR(thesaurus_id_of(thesaurus_groups[2].classes[122], id), "IVkc");
    EXPECT(!thesaurus_id_of("piano", id));
    for (int i = 0; i < NODES; i++) {
        const char *path = thesaurus_groups[2].classes[i];
        expect_at(path, i / 36, i / 6, i);
        expect_at(thesaurus_id(i, id), i / 36, i / 6, i);
        EXPECT(!strncmp(path, thesaurus_groups[1].classes[i / 6],
                        strlen(thesaurus_groups[1].classes[i / 6])));
    }
    EXPECT_ERR(thesaurus_find("offended", at, &e), e, ERR_VALUE,
               "'offended' may be 'SAD/HURT/offended' or 'ANGRY/INDIGNATION/offended'; write the "
               "path");
    EXPECT_ERR(thesaurus_find("HAPPY/JOI", at, &e), e, ERR_VALUE, "did you mean 'HAPPY/JOY'?");
    EXPECT_ERR(thesaurus_find("suspicous", at, &e), e, ERR_VALUE,
               "did you mean 'FEAR/UNEASE/suspicious' or 'SURPRISE/DISBELIEF/suspicious'?");
    EXPECT_ERR(thesaurus_find("anger", at, &e), e, ERR_VALUE, "'anger' is not in the emotion");
    EXPECT_ERR(thesaurus_find("", at, &e), e, ERR_VALUE, "'' is not in the emotion thesaurus");
    EXPECT_ERR(thesaurus_find("Iig", at, &e), e, ERR_VALUE, "'Iig' is not");
}
