// SPDX-License-Identifier: GPL-3.0-or-later
// runs_columns.c: what a list of runs can show of each.
#include "cmd/runs_columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Columns: what a run has, and every key of its configuration

void cell_text(cell *c, const char *text)
{
    char *end;
    snprintf(c->text, sizeof c->text, "%s", text ? text : "");
    c->number = strtod(c->text, &end);
    if (!*c->text || *end)
        c->number = NAN;
}

void cell_number(cell *c, double x, int digits)
{
    c->number = x;
    c->text[0] = 0;
    if (isfinite(x))
        snprintf(c->text, sizeof c->text, "%.*g", digits, x);
}

static void set_count(cell *c, int64_t n)
{
    cell_number(c, n < 0 ? NAN : (double)n, 15);
}

static void run_name(const run_info *r, cell *c)
{
    cell_text(c, r->name);
}
static void run_state_name(const run_info *r, cell *c)
{
    cell_text(c, run_states[r->state]);
}
static void run_step(const run_info *r, cell *c)
{
    set_count(c, r->step);
}
static void run_total(const run_info *r, cell *c)
{
    set_count(c, r->total);
}
static void run_monitor(const run_info *r, cell *c)
{
    cell_text(c, r->monitor);
}
static void run_best(const run_info *r, cell *c)
{
    cell_number(c, r->best, 9);
}
static void run_best_step(const run_info *r, cell *c)
{
    set_count(c, r->best_step);
}
static void run_last(const run_info *r, cell *c)
{
    cell_number(c, r->last, 9);
}
static void run_loss(const run_info *r, cell *c)
{
    cell_number(c, r->loss, 9);
}
static void run_seconds(const run_info *r, cell *c)
{
    cell_number(c, r->seconds, 9);
}
static void run_started(const run_info *r, cell *c)
{
    cell_text(c, r->started);
}
static void run_host(const run_info *r, cell *c)
{
    cell_text(c, r->owner.host);
}
static void run_pid(const run_info *r, cell *c)
{
    set_count(c, r->owner.pid ? r->owner.pid : -1);
}
static void run_restarts(const run_info *r, cell *c)
{
    set_count(c, r->owner.restarts);
}
static void run_why(const run_info *r, cell *c)
{
    cell_text(c, r->why);
}

static const struct {
    const char *name;
    void (*get)(const run_info *r, cell *c);
    runs_kind kind;
} columns[] = {{"run", run_name, RUNS_TEXT},
               {"state", run_state_name, RUNS_TEXT},
               {"step", run_step, RUNS_COUNT},
               {"steps", run_total, RUNS_COUNT},
               {"monitor", run_monitor, RUNS_TEXT},
               {"best", run_best, RUNS_NUMBER},
               {"best_step", run_best_step, RUNS_COUNT},
               {"last", run_last, RUNS_NUMBER},
               {"loss", run_loss, RUNS_NUMBER},
               {"seconds", run_seconds, RUNS_NUMBER},
               {"started", run_started, RUNS_TEXT},
               {"host", run_host, RUNS_TEXT},
               {"pid", run_pid, RUNS_COUNT},
               {"restarts", run_restarts, RUNS_COUNT},
               {"why", run_why, RUNS_TEXT}};
_Static_assert(sizeof columns / sizeof *columns == COLUMNS, "runs_columns.h");

int runs_column(cmd *c, const runs *r, const char *name, err *e)
{
    const char **names = NEW(c->arena, const char *, (size_t)(COLUMNS + r->n_keys));
    for (int i = 0; i < COLUMNS; i++) {
        names[i] = columns[i].name;
        if (!strcmp(name, columns[i].name))
            return i;
    }
    int key = runs_key(r, name);
    if (key >= 0)
        return COLUMNS + key;
    memcpy(names + COLUMNS, r->keys, sizeof *names * (size_t)r->n_keys);
    const char *near = str_nearest(name, names, (size_t)(COLUMNS + r->n_keys));
    (void)err_set(e, ERR_USAGE, "runs have no column or key '%s'; %s%s%s", name,
                  near ? "did you mean '"
                       : "columns are the names of --json, keys those of their "
                         "config.yaml",
                  near ? near : "", near ? "'?" : "");
    return -1;
}

void runs_cell(const runs *r, size_t i, int column, cell *out)
{
    if (column < COLUMNS)
        columns[column].get(&r->list[i], out);
    else
        cell_text(out, runs_value(r, i, column - COLUMNS));
}

const char *runs_column_name(const runs *r, int column, runs_kind *kind)
{
    *kind = column < COLUMNS ? columns[column].kind : RUNS_TEXT;
    return column < COLUMNS ? columns[column].name : r->keys[column - COLUMNS];
}
