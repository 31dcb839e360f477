// SPDX-License-Identifier: GPL-3.0-or-later
// schedule.h: the learning rate of a step, as a factor of optim.lr. One row a schedule in
// schedules.def.
//
// Names and formulas are those of Hugging Face's get_*_schedule_with_warmup
// (torch.optim.lr_scheduler.LambdaLR): during the first W steps the factor is step / W, then a
// curve over p = (step - W) / (total - W) in [0, 1]. `step` counts from 0: it is the number of
// steps already done.
#ifndef KMIDI_TRAIN_SCHEDULE_H
#define KMIDI_TRAIN_SCHEDULE_H

#include <stdint.h>

typedef struct schedule_options {
    const struct schedule_def *curve;
    int64_t warmup_steps;
    double warmup_epochs; // used where warmup_steps is 0
    double cycles;        // restarts
    double decay_ratio;   // warmup_stable_decay: the part of the curve that goes down, in (0, 1]
    double min_lr_ratio;  // the curve ends at this factor instead of 0
} schedule_options;

typedef struct schedule_def {
    const char *name, *summary;
    double (*factor)(const schedule_options *o, double p); // p in [0, 1] -> [0, 1]
} schedule_def;

const schedule_def *schedule_find(const char *name); // NULL when there is none
// Warm-up in steps, whichever way it was given.
int64_t schedule_warmup(const schedule_options *o, int64_t steps_per_epoch);
double schedule_factor(const schedule_options *o, int64_t warmup, int64_t step, int64_t total);

#endif
