// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_plan.h: the plan of a sweep: its runs, numbered, each a folder. It is a file that people
// can read and change, and all that a sweep needs to go on, here or elsewhere.
//
//     DIR/plan.jsonl     a line that says of what, then one for each run
//     DIR/config.yaml    every key with its value: what all runs begin from
//     DIR/0001 ...       the runs' folders, as `kmidi train` makes them
//     DIR/output/        what a run that failed had to say
//
//     {"sweep": 1, "config": "configs/x.yaml", "folder": "/home/me", "check": "..."}
//     {"run": "0001", "set": ["optim.lr=0.001", "train.seed=1"], "check": "..."}
//
// `check` is of what stands before it. A line that was changed or added since is noticed by it: one
// whose run has not begun is taken as it is now, one whose run has begun is refused.
#ifndef KMIDI_TRAIN_SWEEP_PLAN_H
#define KMIDI_TRAIN_SWEEP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "train/sweep_space.h"

typedef struct sweep_run {
    const char *name;       // its folder below the sweep's
    const char *const *set; // [n_set] overrides
    int n_set;
    bool edited; // its line is not as it was written
    // Predicted (sweep_predict.h); micro_batch 0: not yet.
    int64_t micro_batch;
    uint64_t peak, disk;
    double seconds;
} sweep_run;

typedef struct sweep_plan {
    const char *dir;
    const char *config;      // as it was named
    const char *folder;      // where that was; runs begin there, too
    const char *config_text; // of config.yaml
    const char *monitor;     // what that has as train.early_stopping.monitor
    bool config_edited;
    bool written;             // it has come from its file, or gone there
    const char *const *fixed; // [n_fixed] what config_text has that `config` has not
    int n_fixed;
    uint64_t budget; // of the configuration
    sweep_run *runs;
    size_t n;
} sweep_plan;

// The runs of a configuration. Each is read as it will be, so that a value that no run can take is
// refused here, by its name.
bool sweep_plan_make(sweep_plan *p, const char *dir, const char *name, const sweep_spaces *s,
                     arena *a, err *e) MUST_CHECK;
// ERR_MISSING where `dir` holds none.
bool sweep_plan_read(sweep_plan *p, const char *dir, arena *a, err *e) MUST_CHECK;
// What a line of it may be is checked: names, and overrides as above.
bool sweep_plan_check(const sweep_plan *p, arena *a, err *e) MUST_CHECK;
bool sweep_plan_write(sweep_plan *p, err *e) MUST_CHECK;
// The same runs of the same configuration, in the same order.
bool sweep_plan_same(const sweep_plan *x, const sweep_plan *y);
bool sweep_plan_there(const char *dir);
const char *sweep_run_dir(const sweep_plan *p, const sweep_run *r, arena *a);
// The figure by which a run is judged: its own train.early_stopping.monitor, or the plan's.
const char *sweep_monitor(const sweep_plan *p, const sweep_run *r);
// Its line of the plan, without the check; predictions where there are some.
json *sweep_run_json(const sweep_run *r);
// "optim.lr=0.001 train.seed=1"
const char *sweep_run_describe(const sweep_run *r, arena *a);

#endif
