// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_one.c: the runs of one task.
#include "cmd/sweep_one.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slurm.h"
#include "cmd/sweep_planning.h"
#include "cmd/training.h"
#include "train/folder.h"
#include "train/sweep.h"

// ---- Which ones

typedef struct part {
    size_t first, every; // of the plan's runs, from 0
} part;

static bool by_name(const sweep_plan *p, const char *name, part *out, err *e)
{
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->runs[i].name, name)) {
            *out = (part){i, p->n};
            return true;
        }
    return err_set(e, ERR_USAGE, "'%s/plan.jsonl' has no run '%s'; it has %zu, the first is '%s'",
                   p->dir, name, p->n, p->n ? p->runs[0].name : "");
}

// Digits are a place in the plan, whatever the run there is called.
static bool find_part(const sweep_plan *p, const char *text, part *out, err *e)
{
    char *end;
    unsigned long k = strtoul(text, &end, 10), n = 0;
    if (!*text || strspn(text, "0123456789/") != strlen(text))
        return by_name(p, text, out, e);
    bool parted = end != text && *end == '/';
    if (parted)
        n = strtoul(end + 1, &end, 10);
    if (*end || k < 1 || (parted && (n < k || n > 1000000)))
        return err_set(e, ERR_USAGE,
                       "--run takes the number of a run, from 1, or k/n with k from 1 to n, not "
                       "'%s'",
                       text);
    if (!parted && k > p->n)
        return err_set(e, ERR_USAGE, "'%s/plan.jsonl' has %zu runs; there is no run %lu", p->dir,
                       p->n, k);
    *out = (part){k - 1, parted ? n : p->n};
    return true;
}

static bool only_alone(cmd *c, err *e)
{
    static const char *const others[] = {"jobs",   "budget",      "random",       "seed",
                                         "sets",   "yes",         "dry-run",      "retry",
                                         "median", "median-from", "wait-for-disk"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (option_given(c, others[i]))
            return err_set(e, ERR_USAGE,
                           "--%s does not go with --run, which begins what is planned", others[i]);
    return (!c->n_args && !c->n_overrides) ||
           err_set(e, ERR_USAGE, "--run begins what is planned; leave '%s' out",
                   c->n_args ? c->args[0] : c->overrides[0]);
}

// ---- One run

// How many items it computes at once belongs to its plan, so that it makes the same bits wherever
// it runs.
static bool is_planned(const sweep_plan *p, const sweep_run *r, arena *a, err *e)
{
    const char *dir = str_quoted(a, p->dir);
    if (p->config_edited)
        return err_set(e, ERR_MISMATCH,
                       "'%s/config.yaml' was changed since the runs were planned; put it back, or "
                       "plan them again: kmidi slurm %s",
                       p->dir, dir);
    return r->micro_batch > 0 ||
           err_set(e, ERR_MISMATCH,
                   "'%s/plan.jsonl': the line of run %s is new or was changed, and is not planned "
                   "yet; do so by: kmidi slurm %s",
                   p->dir, r->name, dir);
}

static const char *command_line(const job_request *r, arena *a)
{
    strbuf s = {0};
    strbuf_printf(&s, "kmidi train ");
    strbuf_quote(&s, r->config);
    strbuf_printf(&s, " --run-dir ");
    strbuf_quote(&s, r->run_dir);
    strbuf_printf(&s, " --resume auto");
    for (int i = 0; i < r->n_overrides; i++) {
        strbuf_printf(&s, " ");
        strbuf_quote(&s, r->overrides[i]);
    }
    return strbuf_keep(&s, a);
}

// What failed before the run could mark itself is marked here; one that somebody has is theirs.
static bool failed(const char *dir, const err *why, err *e)
{
    bool marked = why->code == ERR_STOPPED || lock_look(dir, NULL) == LOCK_HELD ||
                  folder_fail(dir, why->text, NULL);
    return err_set(e, why->code, "%s%s", why->text,
                   marked ? "" : " (and FAILED could not be written)");
}

// A job that was started again does not repeat what failed in it; one that is handed in anew does.
static bool failed_in_this_job(const run_info *r)
{
    char own[SLURM_NAME];
    slurm_job(own);
    return r->state == RUN_FAILED && *own && !strcmp(r->owner.job, own);
}

static bool run_once(cmd *c, const sweep_plan *p, const sweep_run *r, err *e)
{
    arena *a = c->arena;
    run_info now;
    err inner = {0};
    const char *dir = sweep_run_dir(p, r, a);
    bool there = run_read(&now, dir, sweep_monitor(p, r), a);
    if (there && now.state == RUN_ENDED) {
        cmd_say(c, "run %s was ended: %s", r->name, now.why);
        return true;
    }
    if (there && failed_in_this_job(&now))
        return err_set(e, ERR_VALUE, "%s", now.why);
    if (!is_planned(p, r, a, e))
        return false;
    job_request q = {
        .config = arena_printf(a, "%s/config.yaml", p->dir), .run_dir = dir, .automatic = true};
    q.overrides = sweep_run_overrides(r, 0, a, &q.n_overrides);
    q.command = command_line(&q, a);
    return training(c, &q, &inner) || failed(dir, &inner, e);
}

// What one took is given back before the next.
static bool run_it(cmd *c, const sweep_plan *p, const sweep_run *r, err *e)
{
    arena *whole = c->arena, own = {.name = "run"};
    c->arena = &own;
    bool ok = run_once(c, p, r, e);
    c->arena = whole, c->env.kit = NULL;
    arena_free(&own);
    return ok;
}

// ---- All of a task

// Whether it was this process that is to stop, and not the run that is another's.
static bool is_asked(cmd *c, const sweep_plan *p, const sweep_run *r, const err *e)
{
    return e->code == ERR_STOPPED &&
           (env_stop(&c->env) || lock_look(sweep_run_dir(p, r, c->arena), NULL) != LOCK_HELD);
}

static bool run_part(cmd *c, const sweep_plan *p, part which, err *e)
{
    int bad = 0;
    err first = {0};
    for (size_t i = which.first; i < p->n; i += which.every) {
        err one = {0};
        if (run_it(c, p, &p->runs[i], &one))
            continue;
        if (which.every == p->n || is_asked(c, p, &p->runs[i], &one)) {
            *e = one;
            return false;
        }
        cmd_complain(c, "run %s: %s", p->runs[i].name, one.text);
        // what is only held is to be tried again, which a failure would keep from happening
        if (!bad++ || (first.code != ERR_STOPPED && one.code == ERR_STOPPED))
            first = one;
    }
    return !bad || err_set(e, first.code, "%d of this part's runs are not done; one of them: %s",
                           bad, first.text);
}

bool sweep_one(cmd *c, err *e)
{
    sweep_plan p;
    part which;
    const char *dir = option_text(c, "out", NULL);
    if (!only_alone(c, e))
        return false;
    if (!dir)
        return err_set(e, ERR_USAGE, "name the sweep's folder: --out DIR --run K");
    if (!sweep_planning_read(c, dir, &p, e) || !find_part(&p, option_text(c, "run", ""), &which, e))
        return false;
    if (chdir(p.folder))
        return err_errno(e, "'%s', where the sweep was planned", p.folder);
    return run_part(c, &p, which, e);
}
