// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_median.h: ending runs early that are worse than half of those that went all the way.
//
// The rule is that of Optuna's MedianPruner (and of Vizier's median stopping, with the best value
// instead of the mean so far): at an evaluation, a run whose best value so far is worse than the
// median of the values that the runs which are done had at that very step is ended. It waits until
// enough are done, and for a number of steps.
#ifndef KMIDI_TRAIN_SWEEP_MEDIAN_H
#define KMIDI_TRAIN_SWEEP_MEDIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

// The evaluations of a run in their order.
typedef struct median_curve {
    int64_t *step;
    double *value; // NAN: not a number
    size_t n;
} median_curve;

// Of metrics.jsonl in `run`; n 0 where there are none.
median_curve median_read(const char *run, const char *figure, arena *a);

typedef struct median_rule {
    size_t least; // so many runs are done (Optuna: n_startup_trials)
    int64_t from; // not before this step (n_warmup_steps)
    bool higher;  // is better
} median_rule;
// Judges `own` at its last evaluation; *median is what it was held against.
bool median_is_bad(const median_rule *r, const median_curve *own, const median_curve *done,
                   size_t n_done, double *median);

#endif
