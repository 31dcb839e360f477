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

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

typedef struct model_meta {
    arena *arena;
    int n, cap;
    char **keys, **values;
} model_meta;

void meta_set(model_meta *m, const char *key, const char *value); // copies both
const char *meta_get(const model_meta *m, const char *key);       // NULL when there is none

// ---- Numbers, and lists, which are JSON. What is not there is no error: `missing`, or list NULL.
// ERR_DAMAGED ("its 'window' is 'tall', not ...") for what is none; the caller knows the file.
void meta_set_int(model_meta *m, const char *key, int64_t value);
void meta_set_texts(model_meta *m, const char *key, const char *const *list, size_t n);
void meta_set_floats(model_meta *m, const char *key, const float *list, size_t n);
bool meta_int(const model_meta *m, const char *key, int64_t missing, int64_t least, int64_t most,
              int64_t *out, err *e) MUST_CHECK;
bool meta_texts(const model_meta *m, const char *key, arena *a, const char ***list, size_t *n,
                err *e) MUST_CHECK;
bool meta_floats(const model_meta *m, const char *key, arena *a, float **list, size_t *n,
                 err *e) MUST_CHECK;

#endif
