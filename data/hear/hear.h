// SPDX-License-Identifier: GPL-3.0-or-later
// hear.h: what a model hears, and how, as its checkpoint says it: names of labels, settings of the
// features, standardisation, windows. Written once, when training begins, and read by one function
// for all who use the model: eval, predict, generate, the ONNX front end, adapters.
//
//     hear_rule h = {.labels = names, .n_labels = 4, .settings = "{\"mel\": ...}", .window = 150};
//     hear_write(&h, &meta);                                 // the trainer
//     hear_read(&meta, "best.h5", &arena, &h, e)             // who uses what it trained
//
// A recording of up to `window` frames is one window: it stands at the end, zeros (the mean) before
// it. A longer one is heard in windows that are spread evenly from its first frame to its last
// (loader_windows, loader_begin): as many as cover it where views is 0, which is the rule; else
// `views`, and again as many as cover it where it is longer than 2 * views windows. One window
// alone stands as `crop` says. What the network says of the windows is averaged: the embedding, and
// the logits before the softmax (the probe is linear, so they are the logits of the mean
// embedding).
//
// Keys of the metadata:
//     labels             ["anger", ...]     the probe's classes in order
//     groups             [{"name": "family", "classes": [...], "items": [...]}, ...]
//                                           of a model of several groups: which class is which, and
//                                           how many items of each it was trained with
//     mean, deviation    [numbers]          by which bands of mel frames are standardised
//     settings           {"mel": {...}}     of the feature that is learnt, canonical JSON
//     window             "150"              frames, tokens or notes of a row in training
//     eval_views         "0"                windows of a recording; 0: as many as cover it
//     eval_crop          "last"             first, center or last
//     eval_windows       "16"               windows of a song that evaluation takes; 0: all
//     untold             "1"                of some rows it was told no emotion
#ifndef KMIDI_DATA_HEAR_HEAR_H
#define KMIDI_DATA_HEAR_HEAR_H

#include "base/meta.h"
#include "data/features/feature.h"
#include "data/loader/loader.h"

enum { HEAR_VIEWS_MOST = 64, HEAR_WINDOW_MOST = 1 << 20 };

typedef struct hear_group {
    label_group group;
    const int64_t *items; // [group.n]
    int64_t trained;      // items of all its classes; 0: nothing was learnt of it
} hear_group;

typedef struct hear_rule {
    const char *const *labels; // [n_labels]; NULL: not said
    size_t n_labels;
    const hear_group *groups; // [n_groups]
    int n_groups;
    const float *mean, *deviation; // [n_bands]; NULL: frames go in as they are
    size_t n_bands;
    const char *settings; // NULL: not said (imported weights)
    int64_t window;       // 0: not said; of audio: as long as the recording
    int views;            // 0: as many as cover it
    loader_crop crop;     // not LOADER_RANDOM
    int64_t eval_windows; // 0: all
    bool untold;          // it knows music without an emotion (train.condition_dropout)
} hear_rule;

void hear_write(const hear_rule *h, model_meta *meta);
// What is not there is what older checkpoints mean: nothing said, any window, one view, the last
// part. ERR_DAMAGED names the key whose value cannot be meant. Owned by `a`.
bool hear_read(const model_meta *meta, const char *path, arena *a, hear_rule *h, err *e) MUST_CHECK;

const hear_group *hear_find_group(const hear_rule *h, const char *name); // NULL: it is not said

// The settings of one feature among `settings`, which may be NULL; `path` says whose they are.
typedef struct hear_feature {
    const feature_def *def;
    void *settings; // defaults, not yet resolved, where nothing is said of it
    bool said;
} hear_feature;
bool hear_settings(const char *settings, const char *path, const char *name, arena *a,
                   hear_feature *f, err *e) MUST_CHECK;

#endif
