// SPDX-License-Identifier: GPL-3.0-or-later
// sample.h: a batch of random values that fits a model, for `kmidi bench`, tests, and self-checks:
// no files involved.
#ifndef KMIDI_TRAIN_SAMPLE_H
#define KMIDI_TRAIN_SAMPLE_H

#include "train/feed.h"

// Inputs are normal (ids uniform in their range), targets uniform classes below `classes` (the
// probe's) or the port's range, or normal; weights 1. Batch `index` of a seed is always the same.
// Owned by `a`.
batch *sample_batch(const model_def *m, const model_dims *d, uint64_t seed, uint64_t index,
                    arena *a);

// A source over `n` batches in memory that are not copied; epochs repeat them in order.
typedef struct sample_set {
    batch **list;
    uint64_t n, at, epoch;
} sample_set;
source sample_source(sample_set *s);

#endif
