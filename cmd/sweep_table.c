// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_table.c: the progress of a sweep.
#include "cmd/sweep_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hw.h"

// Keys by their last part: "lr=0.001 seed=3".
static const char *keys_of(const sweep_run *r, arena *a)
{
    strbuf out = {0};
    for (int i = 0; i < r->n_set; i++) {
        size_t key = strcspn(r->set[i], "="), from = key;
        while (from && r->set[i][from - 1] != '.')
            from--;
        strbuf_printf(&out, "%s%s", i ? " " : "", r->set[i] + from);
    }
    return strbuf_keep(&out, a);
}

const char *sweep_table_name(const sweep_run *r, arena *a)
{
    const char *keys = keys_of(r, a);
    return *keys ? arena_printf(a, "%s (%s)", r->name, keys) : r->name;
}

static void put_best(strbuf *out, const run_info *r)
{
    if (isfinite(r->best))
        strbuf_printf(out, ", best %s %.4g at step %lld", r->monitor, r->best,
                      (long long)r->best_step);
}

void sweep_table_event(void *user, const sweep *s, const sweep_item *it)
{
    sweep_table *t = user;
    arena a = {.name = "event"};
    strbuf out = {0};
    const run_info *r = &it->info;
    const char *name = sweep_table_name(it->run, &a);
    bool told = r->why && r->state != RUN_DONE;
    strbuf_printf(&out, "%s %s%s%s", name,
                  r->state == RUN_RUNNING ? "begins" : run_states[r->state], told ? ": " : "",
                  told ? r->why : "");
    if (r->state == RUN_DONE || r->state == RUN_ENDED)
        put_best(&out, r);
    if (r->state == RUN_FAILED)
        cmd_complain(t->c, "%s", out.s);
    else if (r->state != RUN_RUNNING || s->plan->n <= 20)
        cmd_say(t->c, "%s", out.s);
    strbuf_free(&out);
    arena_free(&a);
}

static int over(const sweep *s)
{
    return s->count[RUN_DONE] + s->count[RUN_ENDED] + s->count[RUN_FAILED];
}

static void put_counts(const sweep *s, strbuf *out)
{
    char used[32], budget[32];
    strbuf_printf(out, "%d running", s->running);
    for (int i = RUN_DONE; i < RUN_STATES; i++)
        if (s->count[i])
            strbuf_printf(out, ", %d %s", s->count[i], run_states[i]);
    strbuf_printf(out, "; %s of %s", str_human_bytes(s->used, used),
                  str_human_bytes(s->o.budget, budget));
    if (*s->waits_for)
        strbuf_printf(out, "; %s", s->waits_for);
}

static void put_run(const sweep *s, const sweep_item *it, strbuf *out)
{
    arena a = {.name = "row"};
    run_info r;
    bool is =
        run_read(&r, sweep_run_dir(s->plan, it->run, &a), sweep_monitor(s->plan, it->run), &a);
    long long step = is && r.step > 0 ? (long long)r.step : 0;
    strbuf_printf(out, "\n%-40s %8lld", sweep_table_name(it->run, &a), step);
    if (is && r.total >= 0)
        strbuf_printf(out, "/%-8lld", (long long)r.total);
    if (is && isfinite(r.loss))
        strbuf_printf(out, "  loss %.4f", r.loss);
    if (is && isfinite(r.best))
        strbuf_printf(out, "  best %s %.4g", r.monitor, r.best);
    if (it->elsewhere)
        strbuf_printf(out, "  elsewhere");
    arena_free(&a);
}

static void draw(sweep_table *t, const sweep *s)
{
    strbuf out = {0}, counts = {0};
    char left[32];
    int done = over(s);
    double passed = hw_seconds() - t->began;
    put_counts(s, &counts);
    strbuf_printf(&out, "sweep %d/%zu", done, s->plan->n);
    int since = done - t->over_first;
    if (since > 0 && done < (int)s->plan->n)
        strbuf_printf(&out, ", %s left",
                      str_human_time(passed / since * (double)((int)s->plan->n - done), left));
    strbuf_printf(&out, "  %s", counts.s);
    for (int i = 0; i < s->running; i++)
        put_run(s, s->active[i], &out);
    if (!cmd_block(t->c, out.s))
        progress_at(t->line, (uint64_t)done, "%s", counts.s);
    strbuf_free(&out), strbuf_free(&counts);
}

void sweep_table_tick(void *user, const sweep *s)
{
    sweep_table *t = user;
    if (*s->waits_for && !t->said_waiting)
        cmd_say(t->c, "%s", s->waits_for);
    t->said_waiting = *s->waits_for != 0;
    draw(t, s);
}
