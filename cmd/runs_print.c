// SPDX-License-Identifier: GPL-3.0-or-later
// runs_print.c: a list of runs as JSON, as CSV, and as a table for people.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/runs_columns.h"

// ---- For scripts

static void put(json *o, const char *name, runs_kind kind, const cell *v)
{
    if (kind == RUNS_TEXT && *v->text)
        json_set_str(o, name, v->text);
    else if (kind == RUNS_COUNT && isfinite(v->number))
        json_set_int(o, name, (int64_t)v->number);
    else if (kind != RUNS_TEXT)
        json_set_num(o, name, v->number);
}

static json *run_json(const runs *r, size_t i)
{
    json *o = json_object(), *differs = json_object();
    runs_kind kind;
    cell v;
    for (int k = 0; k < COLUMNS; k++) {
        const char *name = runs_column_name(r, k, &kind);
        runs_cell(r, i, k, &v);
        put(o, name, kind, &v);
    }
    for (int k = 0; k < r->n_keys; k++)
        if (r->differs[k])
            json_set_str(differs, r->keys[k], runs_value(r, i, k));
    json_set_str(o, "path", r->list[i].path);
    json_set(o, "differs", differs);
    return o;
}

void runs_print_json(cmd *c, const runs *r)
{
    for (size_t i = 0; i < r->n; i++)
        cmd_json(c, run_json(r, i));
}

static void csv_field(strbuf *out, const char *text, bool first)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    strbuf_printf(out, "%s%s", first ? "" : ",", quoted ? "\"" : "");
    for (const char *p = text; *p; p++)
        strbuf_printf(out, "%s%c", *p == '"' ? "\"" : "", *p);
    strbuf_printf(out, "%s", quoted ? "\"" : "");
}

void runs_print_csv(cmd *c, const runs *r)
{
    strbuf out = {0};
    runs_kind kind;
    cell v;
    for (int k = 0; k < COLUMNS + r->n_keys; k++)
        if (k < COLUMNS || r->differs[k - COLUMNS])
            csv_field(&out, runs_column_name(r, k, &kind), k == 0);
    strbuf_printf(&out, "\n");
    for (size_t i = 0; i < r->n; i++) {
        for (int k = 0; k < COLUMNS + r->n_keys; k++) {
            if (k >= COLUMNS && !r->differs[k - COLUMNS])
                continue;
            runs_cell(r, i, k, &v);
            csv_field(&out, v.text, k == 0);
        }
        strbuf_printf(&out, "\n");
    }
    cmd_text(c, out.s, out.len);
    strbuf_free(&out);
}

// ---- For people

// Columns before the keys.
enum { NAME, STATE, STEPS, BEST, LAST, TIME, SHOWN };

static void head_of(const runs *r, int column, char out[RUNS_CELL])
{
    static const char *const heads[SHOWN] = {"run", "state", "steps", "best", "last", "time"};
    snprintf(out, RUNS_CELL, "%s",
             column < SHOWN ? heads[column] : runs_short_name(r, column - SHOWN));
}

// "100/2000"; the second where it is known.
static void steps_of(const run_info *run, char out[RUNS_CELL])
{
    long long step = run->step < 0 ? 0 : (long long)run->step;
    if (run->total >= 0)
        snprintf(out, RUNS_CELL, "%lld/%lld", step, (long long)run->total);
    else
        snprintf(out, RUNS_CELL, run->step < 0 ? "-" : "%lld", step);
}

static void shown(const runs *r, size_t i, int column, char out[RUNS_CELL])
{
    const run_info *run = &r->list[i];
    char time[32];
    double figure = column == BEST ? run->best : run->last;
    if (column == STEPS)
        steps_of(run, out);
    else if (column == BEST || column == LAST)
        snprintf(out, RUNS_CELL, isfinite(figure) ? "%.4g" : "-", figure);
    else if (column == TIME)
        snprintf(out, RUNS_CELL, "%s",
                 isfinite(run->seconds) ? str_human_time(run->seconds, time) : "-");
    else
        snprintf(out, RUNS_CELL, "%s",
                 column == NAME    ? run->name
                 : column == STATE ? run_states[run->state]
                                   : runs_value(r, i, column - SHOWN));
}

static bool is_shown(const runs *r, int column)
{
    return column < SHOWN || r->differs[column - SHOWN];
}

static void put_cell(strbuf *out, int column, int width, const char *text)
{
    strbuf_printf(out, column <= STATE ? "%s%-*s" : "%s%*s", column ? "  " : "", width, text);
}

static int width_of(const runs *r, int column)
{
    char text[RUNS_CELL];
    head_of(r, column, text);
    size_t most = strlen(text);
    for (size_t i = 0; i < r->n; i++) {
        shown(r, i, column, text);
        most = strlen(text) > most ? strlen(text) : most;
    }
    return (int)most;
}

// How a run ended stands behind its columns, unless it is done.
void runs_print_table(cmd *c, const runs *r)
{
    int n = SHOWN + r->n_keys, *width = NEW(c->arena, int, (size_t)n);
    char text[RUNS_CELL];
    strbuf out = {0};
    for (int k = 0; k < n; k++)
        if (is_shown(r, k)) {
            width[k] = width_of(r, k);
            head_of(r, k, text);
            put_cell(&out, k, width[k], text);
        }
    for (size_t i = 0; i < r->n; i++) {
        strbuf_printf(&out, "\n");
        for (int k = 0; k < n; k++)
            if (is_shown(r, k)) {
                shown(r, i, k, text);
                put_cell(&out, k, width[k], text);
            }
        if (r->list[i].why && r->list[i].state != RUN_DONE)
            strbuf_printf(&out, "  %s", r->list[i].why);
    }
    strbuf_printf(&out, "\n");
    if (r->n)
        cmd_text(c, out.s, out.len);
    strbuf_free(&out);
}
