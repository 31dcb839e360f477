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

enum { SHOWN = 6 }; // columns before the keys

static void shown(const runs *r, size_t i, int column, char out[2048])
{
    static const char *const heads[SHOWN] = {"run", "state", "steps", "best", "last", "time"};
    const run_info *run = i < r->n ? &r->list[i] : NULL;
    char time[32];
    if (!run)
        snprintf(out, 2048, "%s",
                 column < SHOWN ? heads[column] : runs_short_name(r, column - SHOWN));
    else if (column == 2 && run->total >= 0)
        snprintf(out, 2048, "%lld/%lld", run->step < 0 ? 0LL : (long long)run->step,
                 (long long)run->total);
    else if (column == 2)
        snprintf(out, 2048, run->step < 0 ? "-" : "%lld", (long long)run->step);
    else if (column == 3 || column == 4)
        snprintf(out, 2048, isfinite(column == 3 ? run->best : run->last) ? "%.4g" : "-",
                 column == 3 ? run->best : run->last);
    else if (column == 5)
        snprintf(out, 2048, "%s",
                 isfinite(run->seconds) ? str_human_time(run->seconds, time) : "-");
    else
        snprintf(out, 2048, "%s",
                 column == 0   ? run->name
                 : column == 1 ? run_states[run->state]
                               : runs_value(r, i, column - SHOWN));
}

void runs_print_table(cmd *c, const runs *r)
{
    int n = SHOWN + r->n_keys, *width = NEW(c->arena, int, (size_t)n);
    char text[2048];
    strbuf out = {0};
    for (int k = 0; k < n; k++)
        for (size_t i = 0; i <= r->n && (k < SHOWN || r->differs[k - SHOWN]); i++) {
            shown(r, i, k, text);
            width[k] = (int)strlen(text) > width[k] ? (int)strlen(text) : width[k];
        }
    for (size_t row = 0; row <= r->n; row++) {
        size_t i = row ? row - 1 : r->n; // the heads first
        for (int k = 0; k < n; k++) {
            if (k >= SHOWN && !r->differs[k - SHOWN])
                continue;
            shown(r, i, k, text);
            strbuf_printf(&out, k < 2 ? "%s%-*s" : "%s%*s", k ? "  " : "", width[k], text);
        }
        bool told = i < r->n && r->list[i].why && r->list[i].state != RUN_DONE;
        strbuf_printf(&out, "%s%s\n", told ? "  " : "", told ? r->list[i].why : "");
    }
    if (r->n)
        cmd_text(c, out.s, out.len);
    strbuf_free(&out);
}
