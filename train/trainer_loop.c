// SPDX-License-Identifier: GPL-3.0-or-later
// trainer_loop.c: the loop around the steps: what is due between two of them, and when it ends.
#include <math.h>
#include <string.h>

#include "base/hw.h"
#include "base/slurm.h"
#include "train/trainer_internal.h"

// ---- What is due between two steps

// A stop that was asked for, or the end of the time that this process has; a save that was asked of
// a process that does not write.
enum { ASKED_STOP = 1, ASKED_TIME = 2, ASKED_SAVE = 4 };

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

// `ok`: of this process so far.
static bool evaluate_when_due(trainer *t, bool ok, bool *new_best, err *e)
{
    bool now = due(t, t->o->eval_every, t->o->eval_every_steps) || t->state.step >= t->total;
    if (!t->s.val.batches || t->state.evaluated == t->state.step || !now)
        return ok;
    if (!comm_agree(t->s.comm, ok, e))
        return false;
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
    return comm_rank(t->s.comm) || trainer_log_eval(t, &r, e);
}

// As it is: a run that was stopped before its evaluation saved the step without it.
bool trainer_is_saved(const trainer *t)
{
    return t->saved == t->state.step && t->saved_eval == t->state.evaluated;
}

static bool save_when_due(trainer *t, bool new_best, err *e)
{
    bool steps = t->o->save_every_steps && due(t, 0, t->o->save_every_steps);
    bool epoch_end = t->o->save_every && due(t, t->o->save_every, 0);
    bool asked = (t->asked & ASKED_SAVE) || (t->s.save_asked && t->s.save_asked(t->s.user)) ||
                 (t->folder && folder_take_save(t->folder));
    bool done = trainer_is_saved(t);
    if (!t->folder || ((done || (!steps && !epoch_end && !finished(t))) && !asked && !new_best))
        return true;
    return trainer_save(t, new_best, epoch_end, e);
}

static int asks(trainer *t)
{
    double margin = 2 * t->longest_step + t->longest_eval + 3 * t->longest_save + 1;
    int asked = env_stop(t->s.env) ? ASKED_STOP : 0;
    if (t->deadline > 0 && hw_seconds() + margin > t->deadline)
        asked |= ASKED_TIME;
    if (comm_rank(t->s.comm) && t->s.save_asked && t->s.save_asked(t->s.user))
        asked |= ASKED_SAVE;
    return asked;
}

typedef struct word {
    int32_t failed, asked;
    double norm; // of the same gradients: processes that do not agree on it compute differently
} word;

// Of all processes between two steps: what each was asked for, and whether all can go on.
static bool confer(trainer *t, bool ok, err *e)
{
    if (comm_size(t->s.comm) == 1)
        return ok;
    word mine = {!ok, asks(t), t->norm}, *all = t->shares;
    bool any = false;
    t->asked = 0;
    if (!comm_gather(t->s.comm, &mine, sizeof mine, all, e))
        return false;
    for (int i = 0; i < comm_size(t->s.comm); i++) {
        any = any || all[i].failed;
        t->asked |= all[i].asked;
    }
    for (int i = 1; !any && i < comm_size(t->s.comm); i++)
        if (memcmp(&all[i].norm, &all[0].norm, sizeof all[i].norm))
            return err_set(
                e, ERR_MISMATCH,
                "step %lld: rank %d has another gradient (norm %.17g) than rank 0 (%.17g): "
                "their processors or libraries are not the same; run on equal machines",
                (long long)t->state.step, i, all[i].norm, all[0].norm);
    return !any || comm_agree(t->s.comm, ok, e);
}

static bool must_stop(trainer *t)
{
    int asked = comm_size(t->s.comm) == 1 ? asks(t) : t->asked;
    if (asked & ASKED_STOP)
        t->why = "asked to stop";
    else if (asked & ASKED_TIME)
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

// One that was asked to stop meanwhile is not done; the loop sees why. A profile is written as soon
// as all its steps are timed, so that a long run need not end first.
static bool step(trainer *t, bool *done, err *e)
{
    err inner = {0};
    *done = trainer_step(t, &inner);
    if (*done && profile_complete(t->profile))
        trainer_write_profile(t);
    if (!*done && inner.code != ERR_STOPPED && e)
        *e = inner;
    return *done || inner.code == ERR_STOPPED;
}

// What fails in one process alone (its disk is full) is known to all once they confer, before
// anything that they do together.
static bool loop(trainer *t, err *e)
{
    bool ok = true, done;
    while (true) {
        bool new_best = false;
        int64_t evaluated = t->state.evaluated;
        ok = evaluate_when_due(t, ok, &new_best, e) && save_when_due(t, new_best, e) &&
             (finished(t) || trainer_cool(t, e));
        if (!confer(t, ok, e))
            return false;
        if (t->s.record && t->state.evaluated != evaluated)
            t->s.record(t->s.owner);
        if (finished(t) && (!t->s.val.batches || t->state.evaluated == t->state.step || t->early))
            return true;
        if (must_stop(t))
            return !t->folder || trainer_is_saved(t) || trainer_save(t, false, false, e);
        if (!step(t, &done, e))
            return false;
        ok = !done || log_when_due(t, e);
        tick(t);
    }
}

bool trainer_run(trainer *t, trainer_result *r, err *e)
{
    double left = time_left(t);
    t->began = hw_seconds();
    t->deadline = left > 0 ? t->began + left : 0;
    judge(t);
    if (!comm_agree(t->s.comm, loop(t, e), e))
        return false;
    trainer_write_profile(t);
    *r = (trainer_result){.steps = t->state.step,
                          .total = t->total,
                          .steps_per_s = per_second(t, t->timed_steps),
                          .samples_per_s = per_second(t, t->timed_samples),
                          .wait_share = wait_share(t),
                          .sum_share = t->step_seconds > 0 ? t->sum_seconds / t->step_seconds : 0,
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
