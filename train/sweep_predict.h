// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_predict.h: what each run of a sweep will need: memory, time, disk; asked of `kmidi plan` in
// a process of its own, once for all runs that differ only in keys that change none of these
// (optim.lr, train.seed, ...).
//
// How many items a run computes at once is settled here, too, and becomes part of the plan: a run
// makes the same bits whenever it begins, and all runs of a sweep are computed alike.
#ifndef KMIDI_TRAIN_SWEEP_PREDICT_H
#define KMIDI_TRAIN_SWEEP_PREDICT_H

#include "base/env.h"
#include "train/sweep_plan.h"

typedef struct sweep_predict {
    int threads;     // of a run
    uint64_t budget; // for one run; 0: its configuration's
    const env *env;
    // so many of all kinds of runs are predicted; may be NULL
    void (*tick)(void *user, int done, int all);
    void *user;
} sweep_predict;

// Those that are not predicted yet. A run that cannot be (no data, no such model, over the budget)
// is the error, by its name. p->budget is set where it is 0.
bool sweep_predict_all(sweep_plan *p, const sweep_predict *o, arena *a, err *e) MUST_CHECK;

#endif
