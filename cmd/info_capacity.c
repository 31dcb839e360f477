// SPDX-License-Identifier: GPL-3.0-or-later
// info_capacity.c: `kmidi info --capacity`: which configurations, with which batches, fit machines
// of 16, 24 and 48 GB, alone and beside a language model, and how fast this processor trains them.
#include <stdio.h>
#include <string.h>

#include "base/hw.h"
#include "base/shipped.h"
#include "cmd/info.h"
#include "cmd/progress.h"
#include "train/capacity.h"

enum { PROFILES_MOST = 8, SHARES_MOST = 2 * PROFILES_MOST };

// A machine, and what a run may have of it.
typedef struct machine_share {
    const train_profile *of;
    bool beside;
    uint64_t budget;
} machine_share;

typedef struct row {
    const char *name;
    const train_options *o;
    job_size size;
    bool estimated; // no step could be measured here
    capacity at[SHARES_MOST];
} row;

typedef struct survey {
    machine_share shares[SHARES_MOST];
    int n_shares, n_rows;
    row *rows;
    uint64_t base; // bytes of this program before the first plan
    hw machine;    // this one
} survey;

static int list_shares(machine_share *list)
{
    const train_profile *p;
    int n = 0;
    for (int i = 0; i < PROFILES_MOST && (p = train_profile_at(i)); i++) {
        list[n++] = (machine_share){p, false, p->alone};
        list[n++] = (machine_share){p, true, p->beside};
    }
    return n;
}

// ---- Looking

static bool look(cmd *c, survey *s, row *r, err *e)
{
    job_request q = {
        .config = r->name,
        .overrides = c->overrides,
        .n_overrides = c->n_overrides,
        .budget = s->machine.memory_limit, // what is measured stays within; the shares' follow
        .supposed = true,
        .env = &c->env};
    job *j = job_configure(&q, c->arena, e);
    bool ok = j && job_plan(j, e);
    if (ok) {
        s->base = s->base ? s->base : j->base;
        r->o = &j->options;
        r->size = job_count(j);
        r->estimated = j->costs.too_large;
    }
    for (int i = 0; ok && i < s->n_shares; i++)
        ok = capacity_find(j, s->shares[i].budget, s->base, &r->at[i], e);
    job_close(j);
    return ok || err_trail(e, "%s", r->name);
}

// The configurations that were named, or all that are shipped to train with.
static void list_rows(cmd *c, survey *s)
{
    const shipped *k;
    int n = c->n_args;
    for (int i = 0; (k = shipped_at(i)); i++)
        n += !c->n_args && !strchr(k->name, '/');
    s->rows = NEW(c->arena, row, (size_t)n);
    for (int i = 0; i < c->n_args; i++)
        s->rows[s->n_rows++].name = c->args[i];
    for (int i = 0; s->n_rows < n; i++)
        if (!strchr(shipped_at(i)->name, '/'))
            s->rows[s->n_rows++].name = shipped_at(i)->name;
}

// ---- For people

// Where most memory is, and what the batch needs there.
static const capacity *roomiest(const survey *s, const row *r)
{
    int best = 0;
    for (int i = 1; i < s->n_shares; i++)
        best = s->shares[i].budget > s->shares[best].budget ? i : best;
    return &r->at[best];
}

static const char *rate_of(const row *r, const capacity *k, char out[32])
{
    double rate = 1 / k->own.choice.seconds;
    snprintf(out, 32, rate >= 1000 ? "%.0f" : "%.3g", rate);
    return !k->own.fits || r->estimated ? "-" : out;
}

// "256": and the batch of the configuration is as fast as anywhere; "256*": it is slower.
static const char *largest_of(const capacity *k, const capacity *most, char out[32])
{
    bool slower = k->own.choice.seconds > SEARCH_CLOSE * most->own.choice.seconds;
    snprintf(out, 32, "%lld%s%s", (long long)k->largest, k->largest == CAPACITY_MOST ? "+" : "",
             slower ? "*" : "");
    return k->own.fits && k->largest ? out : "-";
}

static void print_head(cmd *c, const survey *s)
{
    strbuf machines = {0}, how = {0}, budgets = {0};
    char text[16];
    for (int i = 0; i < s->n_shares; i++) {
        const machine_share *p = &s->shares[i];
        snprintf(text, sizeof text, "%d GB", (int)(p->of->machine >> 30));
        if (!p->beside)
            strbuf_printf(&machines, "%*s", i ? 16 : 8, text);
        strbuf_printf(&how, p->beside ? "  beside" : "   alone");
        strbuf_printf(&budgets, "%4d GiB", (int)(p->budget >> 30));
    }
    cmd_print(c, "\n%-51s%s", "", machines.s);
    cmd_print(c, "%-51s%s", "", how.s);
    cmd_print(c, "%-30s %4s %6s %8s%s", "", "batch", "steps/s", "needs", budgets.s);
    strbuf_free(&machines), strbuf_free(&how), strbuf_free(&budgets);
}

static void print_row(cmd *c, const survey *s, const row *r)
{
    const capacity *most = roomiest(s, r);
    strbuf line = {0};
    char text[32], needs[32];
    strbuf_printf(&line, "%-30s %5lld %7s %8s", r->name,
                  (long long)(r->o->batch_size * r->o->grad_accum), rate_of(r, most, text),
                  most->own.fits ? str_human_bytes(most->own.memory.peak, needs) : "-");
    for (int i = 0; i < s->n_shares; i++)
        strbuf_printf(&line, " %7s", largest_of(&r->at[i], most, text));
    cmd_print(c, "%s", line.s);
    strbuf_free(&line);
}

static void print_all(cmd *c, const survey *s)
{
    char memory[32];
    int n = threads_count(c->env.pool);
    const train_profile *p = train_profile_of(s->machine.memory_limit);
    cmd_print(c, "this machine: %s, %d thread%s, %s (%s%s)", s->machine.cpu, n, n == 1 ? "" : "s",
              str_human_bytes(s->machine.memory_limit, memory),
              p ? "profile " : "smaller than any profile", p ? p->name : "");
    print_head(c, s);
    for (int i = 0; i < s->n_rows; i++)
        print_row(c, s, &s->rows[i]);
    cmd_print(
        c, "\nFor each machine: the largest batch computed at once, of powers of two; * the "
           "batch of the\nconfiguration is slower there, - does not fit. steps/s: of that batch, "
           "on this processor; needs: the\nmemory for it, data not counted. beside: a language "
           "model of 8.5, 16.5, 45.5 GB (docs/memory.md).");
}

// ---- For scripts

static json *fit_json(const row *r, const machine_share *p, const capacity *k)
{
    const search_plan *own = &k->own;
    json *j = json_object();
    json_set_str(j, "profile", p->of->name);
    json_set_bool(j, "beside_llm", p->beside);
    json_set_int(j, "budget_bytes", (int64_t)p->budget);
    json_set_bool(j, "fits", own->fits);
    json_set_int(j, "peak_bytes", (int64_t)own->memory.peak);
    json_set_int(j, "micro_batch", own->choice.micro_batch);
    json_set_int(j, "grad_accum", own->choice.grad_accum);
    json_set_int(j, "recomputed", own->choice.recomputed);
    json_set_int(j, "largest_batch", k->largest);
    if (k->largest)
        json_set_int(j, "largest_peak_bytes", (int64_t)k->at_once.memory.peak);
    if (!r->estimated)
        json_set_num(j, "steps_per_s", 1 / own->choice.seconds);
    if (!r->estimated && k->largest)
        json_set_num(j, "largest_steps_per_s", 1 / k->at_once.choice.seconds);
    return j;
}

static void tell_scripts(cmd *c, const survey *s)
{
    for (const row *r = s->rows; r < s->rows + s->n_rows; r++) {
        json *j = json_object(), *list = json_array();
        json_set_str(j, "config", r->name);
        json_set_str(j, "model", r->o->model->name);
        json_set_int(j, "parameters", r->size.all);
        json_set_int(j, "trainable", r->size.trainable);
        json_set_int(j, "lora", r->o->lora.r);
        json_set_int(j, "batch", r->o->batch_size * r->o->grad_accum);
        json_set_int(j, "threads", threads_count(c->env.pool));
        for (int i = 0; i < s->n_shares; i++)
            json_push(list, fit_json(r, &s->shares[i], &r->at[i]));
        json_set(j, "fits", list);
        cmd_json(c, j);
    }
}

bool info_capacity(cmd *c, err *e)
{
    survey s = {0};
    hw_read(&s.machine);
    s.n_shares = list_shares(s.shares);
    list_rows(c, &s);
    if (!cmd_threads(c, 0, e))
        return false;
    progress *p = progress_open(c, "capacity", (uint64_t)s.n_rows);
    bool ok = true;
    for (int i = 0; ok && i < s.n_rows; i++) {
        progress_at(p, (uint64_t)i, "%s", s.rows[i].name);
        ok = !env_stop(&c->env) ? look(c, &s, &s.rows[i], e)
                                : err_set(e, ERR_STOPPED, "asked to stop");
    }
    progress_close(p);
    if (!ok)
        return false;
    print_all(c, &s);
    tell_scripts(c, &s);
    return true;
}
