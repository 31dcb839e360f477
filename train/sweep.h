// SPDX-License-Identifier: GPL-3.0-or-later
// sweep.h: the runs of a plan, here, some at a time, until all have come to their end.
//
//     sweep *s = sweep_open(&plan, &options, &arena, e);    // under the folder's lock (lock.h)
//     sweep_go(s, e)                       // when it returns, none of them is left running
//
// Each run is a process of its own, `kmidi train --resume auto`, and its folder is all that is
// known of it: nothing else is kept, so a sweep that is killed and begun again finds every run as
// it stands. A run that somebody has (one that outlived a killed sweep, or was begun by hand or on
// another machine) is left to them and waited for; none is run twice.
//
// As many run at once as are asked for and as the predictions of memory allow: their sum stays
// within the budget.
#ifndef KMIDI_TRAIN_SWEEP_H
#define KMIDI_TRAIN_SWEEP_H

#include <sys/types.h>

#include "base/env.h"
#include "train/runs.h"
#include "train/sweep_median.h"
#include "train/sweep_plan.h"

typedef struct sweep_item {
    const sweep_run *run;
    run_info info;      // state, why, figures; read anew while it runs
    pid_t pid;          // of the process that this sweep has started; 0: none
    bool elsewhere;     // running, but not by us
    bool ending;        // asked to stop by the median rule, as `why` says
    int kills;          // by signals that we did not send
    int64_t judged;     // step of the evaluation that the median rule has seen
    median_curve curve; // once it is done
    const char *why;    // of ending
} sweep_item;

typedef struct sweep sweep;

typedef struct sweep_options {
    int jobs, threads;   // at once; of each
    uint64_t budget;     // bytes for all at once
    uint64_t run_budget; // for each, instead of its configuration's; 0: that
    bool retry;          // runs that failed are to run again
    bool wait_for_disk;  // nothing begins while the disk has no room for its checkpoints
    bool median;         // by this rule; `higher` is each run's own
    median_rule rule;
    const env *env;
    // a run began, or came to its end; may be NULL
    void (*event)(void *user, const sweep *s, const sweep_item *item);
    void (*tick)(void *user, const sweep *s); // several times a second; may be NULL
    void *user;
} sweep_options;

struct sweep {
    const sweep_plan *plan;
    sweep_options o;
    arena *a;
    sweep_item *items;              // [plan->n]
    uint64_t used;                  // predicted bytes of what runs
    size_t first;                   // no run before this one is still to begin
    int running, count[RUN_STATES]; // running: here or elsewhere
    sweep_item **active;            // [running]
    bool stopping, changed;
    char waits_for[200]; // why nothing begins, in words; ""
    double looked;       // hw_seconds
};

// Looks at every run. A line of the plan that was changed after its run had begun is refused, and a
// run that is over the budget.
sweep *sweep_open(const sweep_plan *p, const sweep_options *o, arena *a, err *e) MUST_CHECK;
// ERR_STOPPED when asked to stop: what ran has saved and ended.
bool sweep_go(sweep *s, err *e) MUST_CHECK;
// What `kmidi train` is told of it beside its plan's config.yaml; `budget`: 0, its configuration's.
const char *const *sweep_run_overrides(const sweep_run *r, uint64_t budget, arena *a, int *n);
// Seconds that the runs that are not over will take, as predicted, so many at a time.
double sweep_seconds(const sweep_plan *p, int jobs, uint64_t budget);

#endif
