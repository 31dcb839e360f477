// SPDX-License-Identifier: GPL-3.0-or-later
// schedule.c: curves of the learning rate, from schedules.def.
#include "train/schedule.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

#define SCHEDULE(name, summary, formula)                                                           \
    static double factor_##name(const schedule_options *o, double p)                               \
    {                                                                                              \
        (void)o, (void)p, (void)PI;                                                                \
        return formula;                                                                            \
    }
#include "train/schedules.def"
#undef SCHEDULE

static const schedule_def schedules[] = {
#define SCHEDULE(name, summary, formula) {#name, summary, factor_##name},
#include "train/schedules.def"
#undef SCHEDULE
};

const schedule_def *schedule_find(const char *name)
{
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++)
        if (!strcmp(schedules[i].name, name))
            return &schedules[i];
    return NULL;
}

int64_t schedule_warmup(const schedule_options *o, int64_t steps_per_epoch)
{
    return o->warmup_steps ? o->warmup_steps : llround(o->warmup_epochs * (double)steps_per_epoch);
}

double schedule_factor(const schedule_options *o, int64_t warmup, int64_t step, int64_t total)
{
    if (step < warmup)
        return (double)step / (double)warmup;
    int64_t length = total - warmup;
    double p = length > 0 ? (double)(step - warmup) / (double)length : 1.0;
    return o->min_lr_ratio + (1.0 - o->min_lr_ratio) * o->curve->factor(o, p < 1.0 ? p : 1.0);
}
