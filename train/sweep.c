// SPDX-License-Identifier: GPL-3.0-or-later
// sweep.c: beginning runs and seeing them to their end.
#include "train/sweep.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/hw.h"
#include "train/folder.h"
#include "train/sweep_internal.h"

// Microseconds between two looks at processes, seconds between two at folders.
enum { PAUSE = 4000 };
static const double LOOK = 0.25;

// ---- What a folder says

const char *sweep_dir(const sweep *s, const sweep_item *it, arena *a)
{
    return sweep_run_dir(s->plan, it->run, a);
}

void sweep_state(sweep *s, sweep_item *it, run_state state, const char *why)
{
    s->count[it->info.state]--;
    s->count[state]++;
    it->info.state = state;
    it->info.why = why ? arena_strdup(s->a, why) : NULL;
    size_t i = (size_t)(it - s->items);
    if ((state == RUN_WAITING || state == RUN_STOPPED) && i < s->first)
        s->first = i;
}

// Figures and state; what was said of its end is kept.
void sweep_look(sweep *s, sweep_item *it)
{
    arena scratch = {.name = "look"};
    run_info now;
    run_state was = it->info.state;
    const char *why = it->info.why;
    if (!run_read(&now, sweep_dir(s, it, &scratch), sweep_monitor(s->plan, it->run), &scratch))
        now.state = RUN_WAITING, now.why = NULL;
    const char *said = now.why ? arena_strdup(s->a, now.why) : NULL;
    run_state is = now.state;
    now.path = now.name = it->run->name, now.started = NULL, now.settings = NULL;
    now.state = was, now.why = why;
    it->info = now;
    if (is != was)
        sweep_state(s, it, is, said);
    arena_free(&scratch);
}

void sweep_take(sweep *s, sweep_item *it)
{
    s->active[s->running++] = it;
    s->used += it->run->peak;
    s->changed = true;
}

void sweep_give(sweep *s, sweep_item *it)
{
    int i = 0;
    while (s->active[i] != it)
        i++;
    s->active[i] = s->active[--s->running];
    s->used -= it->run->peak;
    s->changed = true;
}

// A run that has saved nothing begins anew, as its line says now.
static bool begun(const sweep *s, const sweep_item *it)
{
    arena a = {.name = "begun"};
    folder_state is = folder_look(sweep_dir(s, it, &a));
    arena_free(&a);
    return is == FOLDER_SAVED || is == FOLDER_FOREIGN || it->info.state == RUN_RUNNING;
}

// ---- The beginning

static bool changed(const sweep *s, const sweep_item *it, err *e)
{
    if (s->plan->config_edited)
        return err_set(e, ERR_MISMATCH,
                       "'%s/config.yaml' was changed after run %s had begun with what it said; put "
                       "it back, or make another sweep",
                       s->plan->dir, it->run->name);
    return err_set(e, ERR_MISMATCH,
                   "'%s/plan.jsonl': the line of run %s was changed after that run had begun; put "
                   "it back, or give the run a name that is not taken (%s says what it began with)",
                   s->plan->dir, it->run->name,
                   arena_printf(s->a, "%s/%s/config.yaml", s->plan->dir, it->run->name));
}

static bool is_over(run_state state)
{
    return state == RUN_DONE || state == RUN_ENDED || state == RUN_FAILED;
}

static bool open_item(sweep *s, sweep_item *it, const sweep_run *r, err *e)
{
    it->run = r, it->judged = -1;
    it->info = (run_info){.state = RUN_WAITING, .best = NAN, .last = NAN, .loss = NAN};
    s->count[RUN_WAITING]++;
    sweep_look(s, it);
    if ((r->edited || s->plan->config_edited) && begun(s, it))
        return changed(s, it, e);
    if (it->info.state == RUN_RUNNING)
        it->elsewhere = true, sweep_take(s, it);
    if (it->info.state == RUN_FAILED && s->o.retry)
        sweep_state(s, it, RUN_STOPPED, NULL);
    return is_over(it->info.state) || r->peak <= s->o.budget ||
           err_set(e, ERR_BUDGET,
                   "run %s needs %llu MiB, and all at once may have %llu MiB; give a "
                   "larger --budget",
                   r->name, (unsigned long long)(r->peak >> 20),
                   (unsigned long long)(s->o.budget >> 20));
}

sweep *sweep_open(const sweep_plan *p, const sweep_options *o, arena *a, err *e)
{
    sweep *s = NEW(a, sweep, 1);
    s->plan = p, s->o = *o, s->a = a;
    s->items = NEW(a, sweep_item, p->n + 1);
    s->active = NEW(a, sweep_item *, p->n + 1);
    s->changed = true;
    for (size_t i = 0; i < p->n; i++)
        if (!open_item(s, &s->items[i], &p->runs[i], e))
            return NULL;
    sweep_hparams(p);
    return s;
}

// ---- A process

const char *sweep_said(const sweep *s, const sweep_item *it, arena *a)
{
    return arena_printf(a, "%s/output/%s.txt", s->plan->dir, it->run->name);
}

// A disk that is full takes no words; the run says so itself.
static int open_said(const sweep *s, const sweep_item *it, arena *a)
{
    const char *path = sweep_said(s, it, a);
    int fd = file_make_dirs(path_dir(a, path), NULL)
                 ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666)
                 : -1;
    return fd;
}

const char *const *sweep_run_overrides(const sweep_run *r, uint64_t budget, arena *a, int *n)
{
    const char **list = NEW(a, const char *, (size_t)r->n_set + 2);
    *n = 0;
    list[(*n)++] = arena_printf(a, "memory.micro_batch=%lld", (long long)r->micro_batch);
    if (budget)
        list[(*n)++] = arena_printf(a, "memory.budget=%llu", (unsigned long long)budget);
    for (int i = 0; i < r->n_set; i++)
        if (!str_starts(r->set[i], "memory.micro_batch=")) // which the prediction has taken up
            list[(*n)++] = r->set[i];
    return list;
}

static const char **arguments(const sweep *s, const sweep_item *it, arena *a)
{
    int n = 0, more;
    const char *const *set = sweep_run_overrides(it->run, s->o.run_budget, a, &more);
    const char **argv = NEW(a, const char *, (size_t)more + 16);
    argv[n++] = "kmidi", argv[n++] = "train";
    argv[n++] = arena_printf(a, "%s/config.yaml", s->plan->dir);
    argv[n++] = "--run-dir", argv[n++] = sweep_dir(s, it, a);
    argv[n++] = "--resume", argv[n++] = "auto", argv[n++] = "--quiet";
    argv[n++] = "--threads", argv[n++] = arena_printf(a, "%d", s->o.threads);
    for (int i = 0; i < more; i++)
        argv[n++] = set[i];
    return argv;
}

static bool begin(sweep *s, sweep_item *it, err *e)
{
    arena a = {.name = "begin"};
    int said = open_said(s, it, &a);
    unlink(arena_printf(&a, "%s/FAILED", sweep_dir(s, it, &a))); // of the time before
    it->pid = child_start(arguments(s, it, &a), s->plan->folder, said, said, e);
    if (said >= 0)
        close(said);
    arena_free(&a);
    if (it->pid < 0)
        return it->pid = 0, false;
    it->ending = false;
    sweep_take(s, it);
    sweep_state(s, it, RUN_RUNNING, NULL);
    if (s->o.event)
        s->o.event(s->o.user, s, it);
    return true;
}

// ---- What may begin

static bool disk_has_room(sweep *s, const sweep_run *r)
{
    struct statvfs v;
    char need[32], left[32];
    s->waits_for[0] = 0;
    if (!s->o.wait_for_disk || statvfs(s->plan->dir, &v))
        return true;
    uint64_t free_bytes = (uint64_t)v.f_bavail * v.f_frsize, needed = r->disk + (1 << 20);
    if (free_bytes >= needed)
        return true;
    snprintf(s->waits_for, sizeof s->waits_for,
             "run %s waits for room on the disk: %s needed, %s free", r->name,
             str_human_bytes(needed, need), str_human_bytes(free_bytes, left));
    return false;
}

static bool to_begin(const sweep_item *it)
{
    return (it->info.state == RUN_WAITING || it->info.state == RUN_STOPPED) &&
           it->kills <= SWEEP_KILLS;
}

static void skip_begun(sweep *s)
{
    while (s->first < s->plan->n && !to_begin(&s->items[s->first]))
        s->first++;
}

// In their order; where one is too large for what is left, a smaller one behind it.
static bool begin_some(sweep *s, err *e)
{
    s->changed = false;
    for (size_t i = s->first; i < s->plan->n && s->running < s->o.jobs; i++) {
        sweep_item *it = &s->items[i];
        if (!to_begin(it) || s->used + it->run->peak > s->o.budget)
            continue;
        if (!disk_has_room(s, it->run))
            return true;
        if (!begin(s, it, e))
            return false;
    }
    return true;
}

static void stop_all(sweep *s)
{
    for (int i = 0; i < s->running; i++)
        if (s->active[i]->pid)
            kill(s->active[i]->pid, SIGTERM);
    s->stopping = true;
}

static bool has_children(const sweep *s)
{
    for (int i = 0; i < s->running; i++)
        if (s->active[i]->pid)
            return true;
    return false;
}

static bool is_left(const sweep *s)
{
    return s->stopping ? has_children(s) : s->running || s->first < s->plan->n;
}

bool sweep_go(sweep *s, err *e)
{
    bool ok = true;
    for (skip_begun(s); is_left(s); skip_begun(s)) {
        sweep_reap(s);
        if (!s->stopping && (!ok || env_stop(s->o.env)))
            stop_all(s);
        if (!s->stopping && s->changed && !begin_some(s, e))
            ok = false;
        if (hw_seconds() - s->looked > LOOK) {
            s->looked = hw_seconds();
            s->changed |= *s->waits_for != 0;
            sweep_look_at_all(s);
        }
        usleep(PAUSE);
    }
    return ok && (!s->stopping || err_set(e, ERR_STOPPED, "asked to stop"));
}

double sweep_seconds(const sweep_plan *p, int jobs, uint64_t budget)
{
    arena a = {.name = "time"};
    double *free_at = NEW(&a, double, (size_t)jobs + 1), last = 0;
    uint64_t most = 1;
    for (size_t i = 0; i < p->n; i++)
        most = p->runs[i].peak > most ? p->runs[i].peak : most;
    if ((uint64_t)jobs > budget / most)
        jobs = budget / most > 1 ? (int)(budget / most) : 1;
    for (size_t i = 0; i < p->n; i++) {
        int first = 0;
        for (int k = 1; k < jobs; k++)
            first = free_at[k] < free_at[first] ? k : first;
        free_at[first] += p->runs[i].seconds;
        last = fmax(last, free_at[first]);
    }
    arena_free(&a);
    return last;
}
