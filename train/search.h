// SPDX-License-Identifier: GPL-3.0-or-later
// search.h: how to split a step. The effective batch stays what the configuration says; how many
// items are computed at once, and what is computed twice, is free, as all plans of one
// configuration give the same numbers to rounding.
//
// But for models whose norms take the statistics of what is computed at once (batch_statistics of
// model.h): they compute train.batch_size items at once, and the rest alone is free.
//
// Every divisor of the effective batch (thinned out where there are many; none is larger than the
// data) is planned with as little recomputation as fits. Of what fits the fastest is taken; of
// those within SEARCH_CLOSE of it, the configuration's own batch_size, or else the one of least
// memory: predictions are not better than that, and the same choice the next time is worth more.
#ifndef KMIDI_TRAIN_SEARCH_H
#define KMIDI_TRAIN_SEARCH_H

#include "train/trainer.h"

#define SEARCH_CLOSE 1.02
enum { SEARCH_MOST = 80 };

typedef struct search_plan {
    trainer_choice choice;
    trainer_memory memory;
    bool fits;
} search_plan;

typedef struct search_result {
    search_plan list[SEARCH_MOST]; // the largest micro-batch first
    int n, best;                   // where none fits: the one of least memory
    int64_t own;                   // train.batch_size, or all that there is where that is less
} search_result;

// One plan; false: there is none (a batch may be too large for any).
bool search_one(const train_options *o, const trainer_setup *s, search_plan *p, err *e) MUST_CHECK;

// What a trainer of that micro-batch would be given (trainer_plan).
typedef trainer_setup (*search_setup)(void *self, int64_t micro_batch);
bool search_splits(const train_options *o, search_setup setup, void *self, search_result *r,
                   err *e) MUST_CHECK;

#endif
