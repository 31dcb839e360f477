// SPDX-License-Identifier: GPL-3.0-or-later
// slurm_sweep.c: the runs of a sweep as an array of jobs.
#include <string.h>

#include "cmd/slurm_job.h"
#include "cmd/sweep_planning.h"
#include "train/sweep.h"

// Tasks of an array that Slurm takes by default (MaxArraySize 1001); cores of a job.
enum { ARRAY_MOST = 1000, CPUS = 4 };

// `sweep CONFIG ... --out DIR`, `sweep --out DIR`, or a folder that holds a plan.
static bool read_asked(cmd *c, sweep_asked *o, slurm_script *s, err *e)
{
    static const char *const others[] = {"run-dir", "chain", "ranks", NULL};
    bool named = strcmp(c->args[0], "sweep") != 0;
    if (!slurm_only_for(c, "a sweep", others, e) ||
        !sweep_asked_read(c, c->n_args > 1 ? c->args[1] : NULL, o, e) ||
        !slurm_in_range(c, "threads", CPUS, 1, 1024, &s->cpus, e))
        return false;
    if (named && (c->n_args > 1 || o->dir))
        return err_set(e, ERR_USAGE, "'%s' holds a sweep already; leave %s%s out", c->args[0],
                       o->dir ? "--out " : "", o->dir ? o->dir : c->args[1]);
    o->dir = named ? c->args[0] : o->dir;
    o->jobs = 1, o->threads = s->cpus;
    return o->dir || err_set(e, ERR_USAGE,
                             "name the sweep's folder: kmidi slurm sweep CONFIG key=a,b --out DIR");
}

// How the runs stand; a line that was changed after its run had begun is refused.
static bool look(cmd *c, const sweep_plan *p, err *e)
{
    const sweep_options o = {.jobs = 1, .budget = UINT64_MAX};
    sweep *s = sweep_open(p, &o, c->arena, e);
    if (!s)
        return false;
    int over = s->count[RUN_DONE] + s->count[RUN_ENDED];
    if (over)
        cmd_say(c, "%d of %zu runs are over already; their tasks end at once", over, p->n);
    return true;
}

static const char *arguments(cmd *c, const char *dir, const char *task)
{
    strbuf out = {0};
    const char *const begin[] = {"--out", dir};
    strbuf_printf(&out, "sweep");
    slurm_words(&out, begin, 2);
    strbuf_printf(&out, " --run %s --threads \"$SLURM_CPUS_PER_TASK\"", task);
    return strbuf_keep(&out, c->arena);
}

// As many as there are runs, or as an array may have; then each takes several.
static void share(sweep_plan *p, slurm_script *s, bool has_memory)
{
    uint64_t peak = sweep_planning_peak(p);
    if (!s->tasks)
        s->tasks = ARRAY_MOST;
    if ((size_t)s->tasks > p->n)
        s->tasks = (int)p->n;
    if (!has_memory)
        s->memory = peak + peak / 16 + (256 << 20);
}

bool slurm_sweep(cmd *c, err *e)
{
    sweep_asked o;
    sweep_plan p;
    slurm_script s = {.tasks = 1};
    const char *id;
    arena *a = c->arena;
    if (!read_asked(c, &o, &s, e) || !slurm_take(c, o.dir, &s, e) ||
        !slurm_in_range(c, "parts", option_given(c, "parts"), option_given(c, "parts"), TASKS_MOST,
                        &s.tasks, e) ||
        !sweep_planning_begin(c, &o, &p, e) || !look(c, &p, e))
        return false;
    share(&p, &s, option_given(c, "mem"));
    sweep_planning_say(c, &o, &p);
    s.what =
        arena_printf(a, "%zu runs of the sweep %s, in %d jobs", p.n, str_quoted(a, o.dir), s.tasks);
    s.arguments =
        arguments(c, o.dir,
                  (size_t)s.tasks == p.n ? "\"$SLURM_ARRAY_TASK_ID\""
                                         : arena_printf(a, "\"$SLURM_ARRAY_TASK_ID/%d\"", s.tasks));
    return slurm_script_write(&s, option_given(c, "overwrite"), a, e) &&
           slurm_hand_in(c, &s, NULL, &id, e);
}
