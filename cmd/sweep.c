// SPDX-License-Identifier: GPL-3.0-or-later
// sweep.c: a hundred runs from one command: planned, predicted, run, gone on with.
#include "train/sweep.h"

#include "base/hw.h"
#include "cmd/cmd.h"
#include "cmd/ranges.h"
#include "cmd/sweep_one.h"
#include "cmd/sweep_planning.h"
#include "cmd/sweep_table.h"

enum { JOBS_MOST = 1024 };

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
    {"run", 0, OPT_TEXT, "K",
     "only the K-th run of the plan (or the one of that name), in this process; K/N: the K-th of N "
     "parts; for jobs of a scheduler",
     false},
    {0},
};

static bool read_options(cmd *c, sweep_asked *o, median_rule *rule, err *e)
{
    int64_t jobs, each;
    int cores = hw_cores();
    if (!sweep_asked_read(c, c->n_args ? c->args[0] : NULL, o, e) ||
        !cmd_in_range(c, "jobs", 1, 1, JOBS_MOST, &jobs, e) ||
        !cmd_in_range(c, "median-from", 0, 0, INT64_MAX, &rule->from, e) ||
        !cmd_in_range(c, "threads", cores / jobs > 1 ? cores / jobs : 1, 1, 1024, &each, e))
        return false;
    rule->least = (size_t)option_count(c, "median", 5);
    o->jobs = (int)jobs, o->threads = (int)each;
    o->budget = (uint64_t)option_int(c, "budget", 0);
    o->dry = option_given(c, "dry-run");
    return o->dir || (o->dry && o->config) ||
           err_set(e, ERR_USAGE,
                   "name the sweep's folder: --out runs/NAME; the same command goes on with it");
}

// ---- What it will be

static void show(cmd *c, const sweep_asked *o, const sweep_plan *p)
{
    char peak[32], time[32];
    cmd_print(c, "%-8s %12s %12s  set", "run", "memory", "time");
    for (size_t i = 0; i < p->n; i++) {
        const sweep_run *r = &p->runs[i];
        cmd_print(c, "%-8s %12s %12s  %s", r->name, str_human_bytes(r->peak, peak),
                  str_human_time(r->seconds, time), sweep_run_describe(r, c->arena));
        cmd_json(c, sweep_run_json(r));
    }
    sweep_planning_say(c, o, p);
}

// ---- Running it

// Everything that came of it, in the order of the plan; the sentence is of what is not done.
static bool tell_end(cmd *c, const sweep *s, err *e)
{
    const sweep_item *failed = NULL;
    for (size_t i = 0; i < s->plan->n; i++) {
        const sweep_item *it = &s->items[i];
        json *o = sweep_run_json(it->run);
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

static bool run_all(cmd *c, const sweep_asked *o, const median_rule *rule, const sweep_plan *p,
                    err *e)
{
    sweep_table t = {.c = c, .began = hw_seconds()};
    sweep_options so = {.jobs = o->jobs,
                        .threads = o->threads,
                        .budget = o->budget ? o->budget : p->budget,
                        .run_budget = o->budget,
                        .retry = option_given(c, "retry"),
                        .wait_for_disk = option_given(c, "wait-for-disk"),
                        .median = option_given(c, "median"),
                        .rule = *rule,
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

static bool sweep_run_command(cmd *c, err *e)
{
    sweep_asked o;
    sweep_plan p;
    median_rule rule = {0};
    if (option_given(c, "run"))
        return sweep_one(c, e);
    if (!read_options(c, &o, &rule, e))
        return false;
    if (o.dry) {
        if (!sweep_planning_look(c, &o, &p, e))
            return false;
        show(c, &o, &p);
        return true;
    }
    if (!sweep_planning_begin(c, &o, &p, e))
        return false;
    sweep_planning_say(c, &o, &p);
    return run_all(c, &o, &rule, &p, e);
}

const command cmd_sweep = {
    .name = "sweep",
    .summary = "Trains many runs: every combination of values, or some of them",
    .usage = "CONFIG key=a,b,c key=1..5 ... --out DIR | --out DIR [--run K]",
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
