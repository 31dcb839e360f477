// SPDX-License-Identifier: GPL-3.0-or-later
// meta.h: what a checkpoint and an exported model carry beside the weights: label names, mel
// settings, sample rate, dialect, fingerprint of the data ... Text by key, in the order in which
// they came; owned by the arena.
//
//     model_meta m = {.arena = &arena};
//     meta_set(&m, "labels", "[\"anger\", \"joy\"]");
//     const char *labels = meta_get(&m, "labels");
#ifndef KMIDI_BASE_META_H
#define KMIDI_BASE_META_H

#include "base/arena.h"

typedef struct model_meta {
    arena *arena;
    int n, cap;
    char **keys, **values;
} model_meta;

void meta_set(model_meta *m, const char *key, const char *value); // copies both
const char *meta_get(const model_meta *m, const char *key);       // NULL when there is none

#endif
