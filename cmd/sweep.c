// SPDX-License-Identifier: GPL-3.0-or-later
// sweep.c: a hundred runs from one command: planned, predicted, run, gone on with.
#include "train/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "cmd/cmd.h"
#include "cmd/sweep_table.h"
#include "train/sweep_predict.h"

// Runs that are asked back about; that a plan can have.
enum { ASKED = 1000, RUNS_MOST = 1000000, JOBS_MOST = 1024 };

static const option options[] = {
    {"out", 'o', OPT_TEXT, "DIR", "the sweep's folder: its plan, and a folder for each run", false},
    {"jobs", 'j', OPT_INT, "N", "runs at once, as far as their memory allows (1)", false},
    {"budget", 0, OPT_BYTES, "SIZE",
     "memory for all runs at once (default: the configuration's budget)", false},
    {"random", 0, OPT_INT, "N", "N runs drawn from the space instead of all", false},
    {"seed", 0, OPT_INT, "S", "of --random (1)", false},
    {"sets", 0, OPT_TEXT, "FILE", "YAML with `grid` and `sets`: keys that belong together", false},
    {"dry-run", 'n', OPT_FLAG, NULL, "show the runs, their memory and time; begin none", false},
    {"yes", 'y', OPT_FLAG, NULL, "more than 1000 runs are meant", false},
    {"retry", 0, OPT_FLAG, NULL, "runs that failed, too", false},
    {"median", 0, OPT_COUNT, "N",
     "end runs that are worse than the median of those done, once N are (5)", false},
    {"median-from", 0, OPT_INT, "STEP", "but none before this step (0)", false},
    {"wait-for-disk", 0, OPT_FLAG, NULL,
     "begin no run while the disk has no room for its checkpoints", false},
    {0},
};

typedef struct asked {
    const char *dir;
    int jobs, threads;
    int64_t random, seed;
} asked;

static bool in_range(cmd *c, const char *name, int64_t fallback, int64_t lo, int64_t hi,
                     int64_t *out, err *e)
{
    *out = option_int(c, name, fallback);
    return (*out >= lo && *out <= hi) ||
           err_set(e, ERR_USAGE, "--%s takes a number from %lld to %lld, not %lld", name,
                   (long long)lo, (long long)hi, (long long)*out);
}

static bool read_options(cmd *c, asked *o, err *e)
{
    int64_t jobs, each, from;
    int cores = hw_cores();
    *o = (asked){.dir = option_text(c, "out", NULL)};
    if (!in_range(c, "jobs", 1, 1, JOBS_MOST, &jobs, e) ||
        !in_range(c, "random", 0, 0, RUNS_MOST, &o->random, e) ||
        !in_range(c, "seed", 1, 0, INT64_MAX, &o->seed, e) ||
        !in_range(c, "median-from", 0, 0, INT64_MAX, &from, e) ||
        !in_range(c, "threads", cores / jobs > 1 ? cores / jobs : 1, 1, 1024, &each, e))
        return false;
    o->jobs = (int)jobs, o->threads = (int)each;
    if (!o->dir && !option_given(c, "dry-run"))
        return err_set(
            e, ERR_USAGE,
            "name the sweep's folder: --out runs/NAME; the same command goes on with it");
    if (!c->n_args && (c->n_overrides || o->random || option_given(c, "sets")))
        return err_set(e, ERR_USAGE, "name the configuration that the values are for");
    return true;
}

// ---- The plan

static bool count_is_meant(cmd *c, const sweep_spaces *s, err *e)
{
    uint64_t n = sweep_spaces_count(s);
    const char *what = sweep_spaces_describe(s, c->arena);
    if (n > RUNS_MOST)
        return err_set(e, ERR_USAGE,
                       "these are %s%llu runs (%s), and a sweep has at most %d; draw some of them "
                       "by --random N",
                       n == UINT64_MAX ? "over " : "", (unsigned long long)n, what, RUNS_MOST);
    return n <= ASKED || option_given(c, "yes") || option_given(c, "dry-run") ||
           err_set(e, ERR_USAGE,
                   "these are %llu runs (%s); say --yes if that is meant, or draw some of them by "
                   "--random N",
                   (unsigned long long)n, what);
}

static bool make_plan(cmd *c, const asked *o, sweep_plan *p, err *e)
{
    sweep_spaces *s = NEW(c->arena, sweep_spaces, 1);
    return sweep_spaces_open(s, c->overrides, c->n_overrides, option_text(c, "sets", NULL),
                             (uint64_t)o->random, (uint64_t)o->seed, c->arena, e) &&
           count_is_meant(c, s, e) &&
           sweep_plan_make(p, o->dir ? o->dir : ".", c->args[0], s, c->arena, e);
}

static bool read_plan(cmd *c, const asked *o, sweep_plan *p, err *e)
{
    return sweep_plan_read(p, o->dir, c->arena, e) && sweep_plan_check(p, c->arena, e) &&
           (file_is_folder(p->folder) ||
            err_set(e, ERR_MISSING,
                    "'%s', where the sweep was planned, is not there: its data are "
                    "named from there",
                    p->folder));
}

// A new one, or the one that stands in the folder, which may be asked for in the same words.
static bool open_plan(cmd *c, const asked *o, sweep_plan *p, err *e)
{
    bool there = o->dir && sweep_plan_there(o->dir);
    sweep_plan now;
    if (!there && !c->n_args)
        return err_set(e, ERR_MISSING,
                       "'%s' holds no plan of a sweep; begin one with: kmidi sweep "
                       "CONFIG key=values --out %s",
                       o->dir, str_quoted(c->arena, o->dir));
    if (!there)
        return make_plan(c, o, p, e);
    if (!read_plan(c, o, p, e))
        return false;
    if (!c->n_args)
        return true;
    return make_plan(c, o, &now, e) &&
           (sweep_plan_same(p, &now) ||
            err_set(
                e, ERR_USAGE,
                "'%s' holds another sweep, %zu runs of %s; go on with that by: kmidi sweep --out "
                "%s; or name another folder",
                o->dir, p->n, p->config, str_quoted(c->arena, o->dir)));
}

// What was begun elsewhere may be gone on with from here.
static bool absolute(cmd *c, sweep_plan *p, err *e)
{
    char here[4096], *real;
    if (!p->written || !getcwd(here, sizeof here) || !strcmp(here, p->folder))
        return true;
    if (!(real = realpath(p->dir, NULL)))
        return err_errno(e, "'%s'", p->dir);
    p->dir = arena_strdup(c->arena, real);
    free(real);
    return true;
}

static void on_prediction(void *user, int done, int all)
{
    if (all > 1)
        progress_at(user, (uint64_t)done, "predicting memory and time");
}

static bool predict(cmd *c, const asked *o, sweep_plan *p, err *e)
{
    sweep_predict s = {.threads = o->threads,
                       .budget = (uint64_t)option_int(c, "budget", 0),
                       .env = &c->env,
                       .tick = on_prediction,
                       .user = progress_open(c, "plan", p->n)};
    bool ok = sweep_predict_all(p, &s, c->arena, e);
    progress_close(s.user);
    return ok;
}

// ---- What it will be

static json *run_json(const sweep_run *r)
{
    json *o = json_object(), *set = json_array();
    for (int i = 0; i < r->n_set; i++)
        json_push_str(set, r->set[i]);
    json_set_str(o, "run", r->name);
    json_set(o, "set", set);
    json_set_int(o, "micro_batch", r->micro_batch);
    json_set_int(o, "peak_bytes", (int64_t)r->peak);
    json_set_int(o, "disk_bytes", (int64_t)r->disk);
    json_set_num(o, "seconds", r->seconds);
    return o;
}

static uint64_t budget_of(cmd *c, const sweep_plan *p)
{
    return (uint64_t)option_int(c, "budget", (int64_t)p->budget);
}

static void say_sum(cmd *c, const asked *o, const sweep_plan *p)
{
    char time[32], peak[32], disk[32], budget[32];
    uint64_t most = 0, all = 0;
    for (size_t i = 0; i < p->n; i++) {
        most = p->runs[i].peak > most ? p->runs[i].peak : most;
        all += p->runs[i].disk;
    }
    cmd_say(c,
            "%zu run%s of %s: up to %s of memory each (%s for all at once), %s of checkpoints at "
            "most, about %s with --jobs %d",
            p->n, p->n == 1 ? "" : "s", p->config, str_human_bytes(most, peak),
            str_human_bytes(budget_of(c, p), budget), str_human_bytes(all, disk),
            str_human_time(sweep_seconds(p, o->jobs, budget_of(c, p)), time), o->jobs);
}

static void show(cmd *c, const asked *o, const sweep_plan *p)
{
    char peak[32], time[32];
    cmd_print(c, "%-8s %12s %12s  set", "run", "memory", "time");
    for (size_t i = 0; i < p->n; i++) {
        const sweep_run *r = &p->runs[i];
        cmd_print(c, "%-8s %12s %12s  %s", r->name, str_human_bytes(r->peak, peak),
                  str_human_time(r->seconds, time), sweep_run_describe(r, c->arena));
        cmd_json(c, run_json(r));
    }
    say_sum(c, o, p);
}

// ---- Running it

static bool is_free(const char *dir, arena *a, err *e)
{
    size_t n;
    char **list = file_is_folder(dir) ? file_list(a, dir, "*", &n) : NULL;
    for (size_t i = 0; list && i < n; i++)
        if (strcmp(path_base(list[i]), "config.yaml")) // of one that was killed while it began
            return err_set(e, ERR_USAGE,
                           "'%s' holds files that are no sweep's; name an empty or a new folder",
                           dir);
    return true;
}

// Everything that came of it, in the order of the plan; the sentence is of what is not done.
static bool tell_end(cmd *c, const sweep *s, err *e)
{
    const sweep_item *failed = NULL;
    for (size_t i = 0; i < s->plan->n; i++) {
        const sweep_item *it = &s->items[i];
        json *o = run_json(it->run);
        json_set_str(o, "state", run_states[it->info.state]);
        json_set_num(o, "best", it->info.best);
        json_set_int(o, "best_step", it->info.best_step);
        if (it->info.why)
            json_set_str(o, "why", it->info.why);
        cmd_json(c, o);
        failed = failed || it->info.state != RUN_FAILED ? failed : it;
    }
    int stopped = s->count[RUN_STOPPED] + s->count[RUN_WAITING] + s->count[RUN_RUNNING];
    const char *dir = str_quoted(c->arena, s->plan->dir);
    if (failed)
        return err_set(e, ERR_VALUE,
                       "%d of %zu runs failed; the first: %s: %s; once that is mended: "
                       "kmidi sweep --out %s --retry",
                       s->count[RUN_FAILED], s->plan->n, failed->run->name,
                       failed->info.why ? failed->info.why : "it does not say why", dir);
    if (stopped)
        return err_set(e, ERR_STOPPED, "%d of %zu runs are done; go on with: kmidi sweep --out %s",
                       s->count[RUN_DONE] + s->count[RUN_ENDED], s->plan->n, dir);
    cmd_print(c, "%s", s->plan->dir);
    return true;
}

static bool run_all(cmd *c, const asked *o, const sweep_plan *p, err *e)
{
    sweep_table t = {.c = c, .began = hw_seconds()};
    sweep_options so = {.jobs = o->jobs,
                        .threads = o->threads,
                        .budget = budget_of(c, p),
                        .run_budget = (uint64_t)option_int(c, "budget", 0),
                        .retry = option_given(c, "retry"),
                        .wait_for_disk = option_given(c, "wait-for-disk"),
                        .median = option_given(c, "median"),
                        .rule = {.least = (size_t)option_count(c, "median", 5),
                                 .from = option_int(c, "median-from", 0)},
                        .env = &c->env,
                        .event = sweep_table_event,
                        .tick = sweep_table_tick,
                        .user = &t};
    sweep *s = sweep_open(p, &so, c->arena, e);
    if (!s)
        return false;
    t.over_first = s->count[RUN_DONE] + s->count[RUN_ENDED] + s->count[RUN_FAILED];
    t.line = progress_open(c, "sweep", p->n);
    progress_start_at(t.line, (uint64_t)t.over_first);
    if (t.over_first)
        cmd_say(c, "%d of %zu runs are over already", t.over_first, p->n);
    err inner = {0};
    bool ok = sweep_go(s, &inner);
    progress_close(t.line);
    if (!ok && inner.code != ERR_STOPPED) {
        *e = inner;
        return false;
    }
    return tell_end(c, s, e);
}

// A new one is planned before anything is made: what cannot be leaves no folder.
static bool begin_new(cmd *c, const asked *o, sweep_plan *p, err *e)
{
    if (!is_free(o->dir, c->arena, e) || !open_plan(c, o, p, e) || !predict(c, o, p, e) ||
        !file_make_dirs(o->dir, e) || lock_take(o->dir, c->env.log, e) < 0)
        return false;
    return !sweep_plan_there(o->dir) ||
           err_set(e, ERR_IO, "another kmidi has planned a sweep in '%s' meanwhile", o->dir);
}

static bool go_on(cmd *c, const asked *o, sweep_plan *p, err *e)
{
    return lock_take(o->dir, c->env.log, e) >= 0 && open_plan(c, o, p, e) && absolute(c, p, e) &&
           predict(c, o, p, e);
}

// Under the lock, which is held until this process ends.
static bool sweep_here(cmd *c, const asked *o, err *e)
{
    sweep_plan p;
    bool there = sweep_plan_there(o->dir);
    if (!(there ? go_on(c, o, &p, e) : begin_new(c, o, &p, e)) || !sweep_plan_write(&p, e))
        return false;
    say_sum(c, o, &p);
    return run_all(c, o, &p, e);
}

static bool sweep_run_command(cmd *c, err *e)
{
    asked o;
    sweep_plan p;
    if (!read_options(c, &o, e))
        return false;
    if (!option_given(c, "dry-run"))
        return sweep_here(c, &o, e);
    if (!open_plan(c, &o, &p, e) || !absolute(c, &p, e) || !predict(c, &o, &p, e))
        return false;
    show(c, &o, &p);
    return true;
}

const command cmd_sweep = {
    .name = "sweep",
    .summary = "Trains many runs: every combination of values, or some of them",
    .usage = "CONFIG key=a,b,c key=1..5 ... --out DIR | --out DIR",
    .options = options,
    .args_max = 1,
    .keys = cmd_train_keys,
    .polls_stop = true,
    .resumable = true,
    .details = "Every run is a folder DIR/0001 ..., as kmidi train makes it. The same command, or "
               "--out DIR alone, goes on where the sweep was, however it ended.\n"
               "Values: lists (1e-3,3e-4), ranges (1..5, 0..1:0.25), and for --random ranges to "
               "draw from (1e-5..1e-2:log). docs/sweeps.md explains it all.",
    .example = "kmidi sweep configs/dynamics_engine.yaml optim.lr=1e-3,3e-4 train.seed=1..5 --out "
               "runs/rates --jobs 2\n"
               "kmidi sweep configs/dynamics_engine.yaml optim.lr=1e-5..1e-2:log --random 20 --out "
               "runs/draws --median\n"
               "kmidi sweep --out runs/rates",
    .run = sweep_run_command,
};
