// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_planning.c: plans made of a command line, or read where they stand.
#include "cmd/sweep_planning.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "cmd/progress.h"
#include "cmd/ranges.h"
#include "train/lock.h"
#include "train/sweep.h"
#include "train/sweep_predict.h"

// Runs that are asked back about; that a plan can have.
enum { ASKED = 1000, RUNS_MOST = 1000000 };

bool sweep_asked_read(cmd *c, const char *name, sweep_asked *o, err *e)
{
    *o = (sweep_asked){.config = name,
                       .dir = option_text(c, "out", NULL),
                       .sets = option_text(c, "sets", NULL),
                       .yes = option_given(c, "yes")};
    if (!cmd_in_range(c, "random", 0, 0, RUNS_MOST, &o->random, e) ||
        !cmd_in_range(c, "seed", 1, 0, INT64_MAX, &o->seed, e))
        return false;
    if (!name && (c->n_overrides || o->random || o->sets))
        return err_set(e, ERR_USAGE, "name the configuration that the values are for");
    return true;
}

// ---- A plan

static bool count_is_meant(cmd *c, const sweep_asked *o, const sweep_spaces *s, err *e)
{
    uint64_t n = sweep_spaces_count(s);
    const char *what = sweep_spaces_describe(s, c->arena);
    if (n > RUNS_MOST)
        return err_set(e, ERR_USAGE,
                       "these are %s%llu runs (%s), and a sweep has at most %d; draw some of them "
                       "by --random N",
                       n == UINT64_MAX ? "over " : "", (unsigned long long)n, what, RUNS_MOST);
    return n <= ASKED || o->yes || o->dry ||
           err_set(e, ERR_USAGE,
                   "these are %llu runs (%s); say --yes if that is meant, or draw some of them by "
                   "--random N",
                   (unsigned long long)n, what);
}

static bool make_plan(cmd *c, const sweep_asked *o, sweep_plan *p, err *e)
{
    sweep_spaces *s = NEW(c->arena, sweep_spaces, 1);
    return sweep_spaces_open(s, c->overrides, c->n_overrides, o->sets, (uint64_t)o->random,
                             (uint64_t)o->seed, c->arena, e) &&
           count_is_meant(c, o, s, e) &&
           sweep_plan_make(p, o->dir ? o->dir : ".", o->config, s, c->arena, e);
}

static bool folder_is_there(const sweep_plan *p, err *e)
{
    return file_is_folder(p->folder) ||
           err_set(e, ERR_MISSING,
                   "'%s', where the sweep was planned, is not there: its data are named from there",
                   p->folder);
}

static bool read_plan(cmd *c, const sweep_asked *o, sweep_plan *p, err *e)
{
    return sweep_plan_read(p, o->dir, c->arena, e) && sweep_plan_check(p, c->arena, e) &&
           folder_is_there(p, e);
}

static bool no_plan(cmd *c, const char *dir, err *e)
{
    return err_set(e, ERR_MISSING,
                   "'%s' holds no plan of a sweep; begin one with: kmidi sweep CONFIG key=values "
                   "--out %s",
                   dir, str_quoted(c->arena, dir));
}

// A new one, or the one that stands in the folder, which may be asked for in the same words.
static bool open_plan(cmd *c, const sweep_asked *o, sweep_plan *p, err *e)
{
    bool there = o->dir && sweep_plan_there(o->dir);
    sweep_plan now;
    if (!there && !o->config)
        return no_plan(c, o->dir, e);
    if (!there)
        return make_plan(c, o, p, e);
    if (!read_plan(c, o, p, e))
        return false;
    if (!o->config)
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

static bool predict(cmd *c, const sweep_asked *o, sweep_plan *p, err *e)
{
    sweep_predict s = {.threads = o->threads,
                       .budget = o->budget,
                       .env = &c->env,
                       .tick = on_prediction,
                       .user = progress_open(c, "plan", p->n)};
    bool ok = sweep_predict_all(p, &s, c->arena, e);
    progress_close(s.user);
    return ok;
}

bool sweep_planning_look(cmd *c, const sweep_asked *o, sweep_plan *p, err *e)
{
    return open_plan(c, o, p, e) && absolute(c, p, e) && predict(c, o, p, e);
}

bool sweep_planning_read(cmd *c, const char *dir, sweep_plan *p, err *e)
{
    return (sweep_plan_there(dir) || no_plan(c, dir, e)) && sweep_plan_read(p, dir, c->arena, e) &&
           folder_is_there(p, e) && absolute(c, p, e);
}

// ---- Its folder

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

// A new one is planned before anything is made: what cannot be leaves no folder.
static bool begin_new(cmd *c, const sweep_asked *o, sweep_plan *p, err *e)
{
    if (!is_free(o->dir, c->arena, e) || !open_plan(c, o, p, e) || !predict(c, o, p, e) ||
        !file_make_dirs(o->dir, e) || lock_take(o->dir, c->env.log, e) < 0)
        return false;
    return !sweep_plan_there(o->dir) ||
           err_set(e, ERR_IO, "another kmidi has planned a sweep in '%s' meanwhile", o->dir);
}

static bool go_on(cmd *c, const sweep_asked *o, sweep_plan *p, err *e)
{
    return lock_take(o->dir, c->env.log, e) >= 0 && sweep_planning_look(c, o, p, e);
}

bool sweep_planning_begin(cmd *c, const sweep_asked *o, sweep_plan *p, err *e)
{
    bool there = sweep_plan_there(o->dir);
    return (there ? go_on(c, o, p, e) : begin_new(c, o, p, e)) && sweep_plan_write(p, e);
}

// ---- What it will be

uint64_t sweep_planning_peak(const sweep_plan *p)
{
    uint64_t most = 0;
    for (size_t i = 0; i < p->n; i++)
        most = p->runs[i].peak > most ? p->runs[i].peak : most;
    return most;
}

void sweep_planning_say(cmd *c, const sweep_asked *o, const sweep_plan *p)
{
    char time[32], peak[32], disk[32], budget[32];
    uint64_t all = 0, most = o->budget ? o->budget : p->budget;
    for (size_t i = 0; i < p->n; i++)
        all += p->runs[i].disk;
    cmd_say(c,
            "%zu run%s of %s: up to %s of memory each (%s for all at once), %s of checkpoints at "
            "most, about %s with --jobs %d",
            p->n, p->n == 1 ? "" : "s", p->config, str_human_bytes(sweep_planning_peak(p), peak),
            str_human_bytes(most, budget), str_human_bytes(all, disk),
            str_human_time(sweep_seconds(p, o->jobs, most), time), o->jobs);
}
