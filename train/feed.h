// SPDX-License-Identifier: GPL-3.0-or-later
// feed.h: where batches come from, and how they get into a run: the only place where data and
// autograd meet.
#ifndef KMIDI_TRAIN_FEED_H
#define KMIDI_TRAIN_FEED_H

#include "autograd/run.h"
#include "data/loader/batch.h"
#include "models/model.h"

// Batches, from shards (shards.h) or from memory (tests). Epochs follow each other without end.
typedef struct source {
    void *self;
    const batch *(*next)(void *self, err *e); // valid until the next call
    void (*seek)(void *self, uint64_t epoch, uint64_t index);
    // seconds that `next` has waited for data so far; NULL: it never does
    double (*waited)(void *self);
    uint64_t batches; // of an epoch; 0: there is no source
    uint64_t items;   // examples of an epoch
} source;

// Copies each field of `b` that `n` has an input for ("mel", "target", "weight", ...). A missing
// field or another shape is ERR_SHAPE.
bool feed_copy(const network *n, run *r, const batch *b, err *e) MUST_CHECK;
const batch_field *feed_find(const batch *b, const char *name); // NULL when there is none
// The batch's first paths, for messages.
const char *feed_paths(const batch *b, char out[512]);

#endif
