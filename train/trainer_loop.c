// SPDX-License-Identifier: GPL-3.0-or-later
// trainer_loop.c: the loop around the steps: what is due between two of them, and when it ends.
#include <math.h>

#include "base/hw.h"
#include "base/slurm.h"
#include "train/trainer_internal.h"

// What is due between two steps

static bool at_epoch_end(const trainer *t)
{
    return t->state.step > 0 && t->state.batch == 0;
}

static bool due(const trainer *t, int64_t every_epochs, int64_t every_steps)
{
    if (every_steps)
        return t->state.step > 0 && t->state.step % every_steps == 0;
    return every_epochs && at_epoch_end(t) && t->state.epoch % every_epochs == 0;
}

static bool finished(const trainer *t)
{
    return t->state.step >= t->total || t->early;
}

static bool is_progress(const trainer *t, double value)
{
    if (t->state.best_step < 0)
        return !isnan(value);
    return metrics_higher_is_better(t->o->monitor) ? value > t->state.best + t->o->min_delta
                                                   : value < t->state.best - t->o->min_delta;
}

// Early stopping as the state says, so that a resumed run that had ended stays ended.
static void judge(trainer *t)
{
    t->early =
        t->o->patience && t->state.waited >= t->o->patience && t->state.epoch >= t->o->min_epochs;
}

static void note_best(trainer *t, double value, double loss, bool *new_best)
{
    checkpoint_state *st = &t->state;
    bool progress = is_progress(t, value);
    *new_best = progress || (st->best_step >= 0 && value == st->best && loss < st->best_loss);
    st->waited = progress ? 0 : st->waited + 1;
    if (*new_best)
        st->best = value, st->best_loss = loss, st->best_step = st->step,
        st->best_epoch = st->epoch;
}

static bool evaluate_when_due(trainer *t, bool *new_best, err *e)
{
    bool now = due(t, t->o->eval_every, t->o->eval_every_steps) || t->state.step >= t->total;
    if (!t->s.val.batches || t->state.evaluated == t->state.step || !now)
        return true;
    metrics_result r;
    err inner = {0};
    if (!trainer_evaluate(t, &r, &inner)) {
        if (inner.code == ERR_STOPPED)
            // the stop is seen by the loop; evaluation is made up for when the run goes on
            return true;
        if (e)
            *e = inner;
        return false;
    }
    double value =
        metrics_find(&r, t->o->monitor).name ? metrics_find(&r, t->o->monitor).value : NAN;
    t->state.value = value;
    t->state.evaluated = t->state.step;
    note_best(t, value, r.loss, new_best);
    judge(t);
    return trainer_log_eval(t, &r, e);
}

static bool save_when_due(trainer *t, bool new_best, err *e)
{
    bool steps = t->o->save_every_steps && due(t, 0, t->o->save_every_steps);
    bool epoch_end = t->o->save_every && due(t, t->o->save_every, 0);
    bool asked = (t->s.save_asked && t->s.save_asked(t->s.user)) ||
                 (t->folder && folder_take_save(t->folder));
    bool first = t->saved == t->state.step;
    if (!t->folder || ((first || (!steps && !epoch_end && !finished(t))) && !asked && !new_best))
        return true;
    return trainer_save(t, new_best, epoch_end, e);
}

// A stop that was asked for, or the end of the time that this process has.
static bool must_stop(trainer *t)
{
    double margin = 2 * t->longest_step + t->longest_eval + 3 * t->longest_save + 1;
    if (env_stop(t->s.env))
        t->why = "asked to stop";
    else if (t->deadline > 0 && hw_seconds() + margin > t->deadline)
        t->why = "the time limit is near";
    else
        return false;
    return t->stopped = true;
}

// Seconds from now until time_limit or the scheduler's end, whichever is first; 0: none.
static double time_left(const trainer *t)
{
    double left = t->o->time_limit, slurm = fmax(slurm_time_left(), 1e-3);
    if (!isfinite(slurm))
        return left;
    return left <= 0 || slurm < left ? slurm : left; // past already: at once, not never
}

static double per_second(const trainer *t, int64_t count)
{
    return t->step_seconds > 0 ? (double)count / t->step_seconds : 0;
}

static double wait_share(const trainer *t)
{
    return t->step_seconds > 0 ? t->wait_seconds / t->step_seconds : 0;
}

static void tick(const trainer *t)
{
    if (!t->s.tick)
        return;
    double rate = per_second(t, t->timed_steps);
    t->s.tick(
        t->s.user,
        &(trainer_tick){.step = t->state.step,
                        .total = t->total,
                        .epoch = (double)t->state.epoch +
                                 (double)t->state.batch / (double)t->s.train.batches,
                        .loss = t->state.last_loss,
                        .lr = t->lr,
                        .samples_per_s = per_second(t, t->timed_samples),
                        .wait_share = wait_share(t),
                        .seconds_left = rate > 0 ? (double)(t->total - t->state.step) / rate : 0});
}

static bool log_when_due(trainer *t, err *e)
{
    bool now = t->state.step % t->o->log_every == 0 || t->state.step >= t->total;
    return !now || trainer_log_step(t, e);
}

// As soon as all its steps are timed, so that a long run need not end first.
static bool step(trainer *t, err *e)
{
    err inner = {0};
    if (!trainer_step(t, &inner)) {
        if (inner.code != ERR_STOPPED && e)
            *e = inner;
        return inner.code == ERR_STOPPED; // seen by the loop
    }
    if (profile_complete(t->profile))
        trainer_write_profile(t);
    return log_when_due(t, e);
}

static bool loop(trainer *t, err *e)
{
    while (true) {
        bool new_best = false;
        int64_t evaluated = t->state.evaluated;
        if (!evaluate_when_due(t, &new_best, e) || !save_when_due(t, new_best, e))
            return false;
        if (t->s.record && t->state.evaluated != evaluated)
            t->s.record(t->s.owner);
        if (finished(t) && (!t->s.val.batches || t->state.evaluated == t->state.step || t->early))
            return true;
        if (!trainer_cool(t, e))
            return false;
        if (must_stop(t))
            return !t->folder || t->saved == t->state.step || trainer_save(t, false, false, e);
        if (!step(t, e))
            return false;
        tick(t);
    }
}

bool trainer_run(trainer *t, trainer_result *r, err *e)
{
    double left = time_left(t);
    t->began = hw_seconds();
    t->deadline = left > 0 ? t->began + left : 0;
    judge(t);
    if (!loop(t, e))
        return false;
    trainer_write_profile(t);
    *r = (trainer_result){.steps = t->state.step,
                          .total = t->total,
                          .steps_per_s = per_second(t, t->timed_steps),
                          .samples_per_s = per_second(t, t->timed_samples),
                          .wait_share = wait_share(t),
                          .timed_steps = t->timed_steps,
                          .best = t->state.best_step >= 0 ? t->state.best : NAN,
                          .best_step = t->state.best_step,
                          .last_loss = t->state.last_loss,
                          .stopped = t->stopped,
                          .early = t->early,
                          .why = t->why,
                          .predicted_peak = t->memory.peak,
                          .measured_peak = hw_peak_rss()};
    return true;
}
