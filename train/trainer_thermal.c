// SPDX-License-Identifier: GPL-3.0-or-later
// trainer_thermal.c: a machine that is too hot is given time: saved, waited, gone on with. The
// numbers of the run do not change.
#include <time.h>

#include "base/hw.h"
#include "base/thermal.h"
#include "train/trainer_internal.h"

// Seconds between two looks while it trains, and while it waits.
static const double LOOK = 5, WAIT = 0.5;

static bool is_hot(const thermal *now, double limit)
{
    return now->sensors > 0 && now->hottest >= limit;
}

// Until it is cool, or there is something else to do (a stop, the end of the time).
static void wait_until_cool(trainer *t)
{
    thermal now;
    const struct timespec moment = {.tv_nsec = (long)(WAIT * 1e9)};
    while (!env_stop(t->s.env) && (t->deadline <= 0 || hw_seconds() + 1 < t->deadline) &&
           thermal_read(thermal_root(), &now) && is_hot(&now, t->o->thermal_resume))
        nanosleep(&moment, NULL);
}

static const log_sink *sink(const trainer *t)
{
    return t->folder ? &t->folder->sink : t->s.env->log;
}

static void say_start(trainer *t)
{
    thermal now;
    if (!thermal_read(thermal_root(), &now))
        log_say(sink(t), LOG_WARN,
                "train.thermal is set, and this machine has no sensor of its temperature: "
                "nothing will be waited for");
}

bool trainer_cool(trainer *t, err *e)
{
    thermal now;
    double began = hw_seconds();
    if (t->o->thermal_pause <= 0 || (t->cool_looked > 0 && began - t->cool_looked < LOOK))
        return true;
    if (t->cool_looked <= 0)
        say_start(t);
    t->cool_looked = began;
    if (!thermal_read(thermal_root(), &now) || !is_hot(&now, t->o->thermal_pause))
        return true;
    if (t->folder && !trainer_is_saved(t) && !trainer_save(t, false, false, e))
        return false;
    log_say(sink(t), LOG_WARN,
            "%.1f C (%s) at step %lld: saved, and waiting until it is below %g C", now.hottest,
            now.name, (long long)t->state.step, t->o->thermal_resume);
    wait_until_cool(t);
    t->cool_looked = hw_seconds();
    log_say(sink(t), LOG_INFO, "going on after %.0f s", t->cool_looked - began);
    return true;
}
