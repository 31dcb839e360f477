// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_end.c: how the runs of a sweep come to their end: by themselves, by a signal, by a failure
// that is put into words, by the median rule, or elsewhere.
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "train/folder.h"
#include "train/hparams.h"
#include "train/metrics.h"
#include "train/sweep_internal.h"

enum { SAID = 1 << 22 }; // bytes of what a run said

// ---- The end of one

static const char *last_words(const sweep *s, const sweep_item *it, arena *a)
{
    size_t n;
    const char *path = sweep_said(s, it, a);
    char *text = file_exists(path) ? file_read(a, path, SAID, &n, NULL) : NULL;
    return child_last_words(text, a);
}

// The run's own mark says why, where it came to make one.
static void mark_failed(sweep *s, sweep_item *it, int status, arena *a)
{
    const char *dir = sweep_dir(s, it, a), *words = last_words(s, it, a);
    bool there = file_is_folder(dir);
    sweep_look(s, it);
    if (it->info.state == RUN_FAILED)
        return;
    if (status > 128)
        words = arena_printf(a, "killed by signal %d%s", status - 128,
                             status == 128 + SIGKILL ? ", as a system does that has no memory left"
                                                     : "");
    else if (!words)
        words = arena_printf(a, "ended with status %d without a word", status);
    if (!there && strstr(words, dir) && strstr(words, "No such file"))
        words = arena_printf(a, "its folder was removed while it ran (%s)", words);
    else if (!folder_fail(dir, words, NULL) || !hparams_end(dir, true, NULL))
        words = arena_printf(a, "%s (and FAILED could not be written)", words);
    sweep_state(s, it, RUN_FAILED, words);
}

static void mark_ended(sweep *s, sweep_item *it, arena *a)
{
    err e = {0};
    it->ending = false;
    const char *dir = sweep_dir(s, it, a);
    if (folder_end(dir, it->why, &e) && hparams_end(dir, false, &e))
        sweep_state(s, it, RUN_ENDED, it->why);
    else
        sweep_state(s, it, RUN_STOPPED, e.text);
}

static void settle(sweep *s, sweep_item *it, int status, arena *a)
{
    const int stopped = err_status(ERR_STOPPED);
    bool held = lock_look(sweep_dir(s, it, a), NULL) == LOCK_HELD;
    if (held && status != 0) { // somebody else was there first
        it->elsewhere = true, sweep_take(s, it);
        return;
    }
    if (status == 0 && !file_is_folder(sweep_dir(s, it, a)))
        sweep_state(s, it, RUN_FAILED, "its folder was removed while it ran");
    else if (status == stopped && it->ending)
        mark_ended(s, it, a);
    else if (status == 0 || status == stopped)
        sweep_look(s, it);
    else if (status > 128 && (s->stopping || it->kills++ < SWEEP_KILLS))
        sweep_look(s, it), sweep_state(s, it, RUN_STOPPED, it->info.why);
    else
        mark_failed(s, it, status, a);
    if (it->info.state == RUN_DONE)
        unlink(sweep_said(s, it, a));
}

static void ended(sweep *s, sweep_item *it, int status)
{
    arena a = {.name = "ended"};
    it->pid = 0;
    sweep_give(s, it);
    settle(s, it, status, &a);
    // stopped by somebody who meant it (a time limit, a person): not begun again by us
    if (status == err_status(ERR_STOPPED) && it->info.state == RUN_STOPPED)
        it->kills = SWEEP_KILLS + 1;
    arena_free(&a);
    if (s->o.event && !it->elsewhere)
        s->o.event(s->o.user, s, it);
}

void sweep_reap(sweep *s)
{
    for (int i = s->running - 1; i >= 0; i--) { // from the back: one that ends leaves the list
        sweep_item *it = s->active[i];
        int status = it->pid ? child_ended(it->pid) : -1;
        if (status >= 0)
            ended(s, it, status);
    }
}

// Runs of others, which we only look at.
static void look_elsewhere(sweep *s, sweep_item *it)
{
    sweep_look(s, it);
    if (it->info.state == RUN_RUNNING)
        return;
    it->elsewhere = false;
    sweep_give(s, it);
    if (s->o.event)
        s->o.event(s->o.user, s, it);
}

// ---- The median rule

static size_t curves_of_done(sweep *s, median_curve *out)
{
    arena scratch = {.name = "curves"};
    size_t n = 0;
    for (size_t i = 0; i < s->plan->n; i++) {
        sweep_item *it = &s->items[i];
        if (it->info.state != RUN_DONE)
            continue;
        if (!it->curve.n)
            it->curve =
                median_read(sweep_dir(s, it, &scratch), sweep_monitor(s->plan, it->run), s->a);
        out[n++] = it->curve;
    }
    arena_free(&scratch);
    return n;
}

static void judge(sweep *s, sweep_item *it)
{
    arena a = {.name = "median"};
    const char *monitor = sweep_monitor(s->plan, it->run);
    median_curve own = median_read(sweep_dir(s, it, &a), monitor, &a);
    median_curve *done = NEW(&a, median_curve, s->plan->n + 1);
    median_rule rule = s->o.rule;
    double median;
    rule.higher = metrics_higher_is_better(monitor);
    if (own.n && own.step[own.n - 1] > it->judged) {
        it->judged = own.step[own.n - 1];
        size_t n = curves_of_done(s, done);
        if (median_is_bad(&rule, &own, done, n, &median)) {
            it->why = arena_printf(s->a,
                                   "at step %lld its best %s is worse than %.4g, the median of the "
                                   "%zu runs that are done",
                                   (long long)it->judged, monitor, median, n);
            it->ending = true;
            kill(it->pid, SIGTERM);
        }
    }
    arena_free(&a);
}

void sweep_look_at_all(sweep *s)
{
    for (int i = s->running - 1; i >= 0; i--) {
        sweep_item *it = s->active[i];
        if (it->elsewhere)
            look_elsewhere(s, it);
        else if (it->pid && !it->ending && s->o.median)
            judge(s, it);
    }
    if (s->o.tick)
        s->o.tick(s->o.user, s);
}
