// SPDX-License-Identifier: GPL-3.0-or-later
// labels.h: several questions about an item at once, each with a fixed list of answers: what a
// model learns whose output is several softmaxes side by side (models/model.h, model_group).
//
// A set of questions is one file here and a line in sets.def; a data configuration asks for it:
// `targets: {set: instrument}`. An item has an answer to each question, or none (-1), which costs
// nothing in training. Answers come from what the index says of the item, and some are measured in
// its sound. In every set an index may answer a question itself, by its name, with a class or its
// number: {"path": "a.wav", "technique": "staccato", "register": 1}; that is believed first.
//
//     const label_set *s = label_set_find("emotion_nodes", e);
//     label_item item = {.label = "DISGUST/BOREDOM", .attributes = j};
//     int32_t classes[LABEL_GROUPS];
//     label_set_tell(s, &item, classes, e)      // {5, 35, -1}: the base, the sub, no word
#ifndef KMIDI_DATA_LABELS_LABELS_H
#define KMIDI_DATA_LABELS_LABELS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "data/labels/sound_shape.h"

enum { LABEL_GROUPS = 32, LABEL_CLASSES = 4096 };

typedef struct label_group {
    const char *name;
    const char *const *classes; // [n]
    int n;
} label_group;

// What an item's answers come from.
typedef struct label_item {
    const char *label;        // of the index, as `targets.map` has it; NULL: none
    const json *attributes;   // what else the index says; NULL: nothing
    const sound_shape *sound; // NULL: not measured
    double semitones;         // that its sound was transposed by, in a copy
    double velocity;          // times as much as the index says, in a copy that was made louder
} label_item;

typedef struct label_set {
    const char *name, *help;
    const label_group *groups; // [n_groups]
    int n_groups;
    bool hears; // asks for the sound's shape
    // Fills what the index does not answer by the question's name; all are -1 before. NULL:
    // nothing.
    bool (*tell)(const label_item *item, int32_t *classes, err *e);
} label_set;

const label_set *label_set_find(const char *name, err *e) MUST_CHECK; // names the nearest and all
const label_set *label_set_at(size_t i);                              // NULL behind the last
// classes [n_groups]. ERR_VALUE: a class that there is none of, a number out of range.
bool label_set_tell(const label_set *s, const label_item *item, int32_t *classes,
                    err *e) MUST_CHECK;
// The class of a group; -1 where it has none of that name.
int label_class(const label_group *g, const char *name);

// {"name": "family", "classes": ["piano", ...]}, as shards and checkpoints have it; and from there,
// owned by `a`: false where it is none.
json *label_group_json(const label_group *g);
bool label_group_read(const json *j, arena *a, label_group *g);

// ---- emotion_nodes.c: emotions of three depths
enum { BASES = 6, SUBS = 36, NODES = 216 };
// "Iia", "HAPPY/JOY/cheerful", "happy/joy", "HAPPY", or a name that stands in one place alone:
// {base, sub, node}, -1 where it stops before. ERR_VALUE: which are near, or which two it could be.
bool thesaurus_find(const char *text, int32_t at[3], err *e) MUST_CHECK;
const char *thesaurus_id(int node, char id[8]); // of one of the 216
// "I", "Ii" or "Iia" of a path of any depth; NULL: it is none.
const char *thesaurus_id_of(const char *path, char id[8]);
extern const label_group thesaurus_groups[3]; // paths

#endif
