// SPDX-License-Identifier: GPL-3.0-or-later
// report.c: metrics.jsonl read back, as curves and tables.
#include "train/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "train/checkpoint.h"
#include "train/shards.h"

enum { COLUMNS = 10, METRICS_LIMIT = 1 << 28 };

// One kind of line as columns.
typedef struct table {
    const char *names[COLUMNS];
    double *column[COLUMNS]; // [n]
    int n_columns, n;
} table;

typedef struct record {
    table train, eval;
    long long *confusion; // of the last evaluation, or NULL
    int classes;
    const char **labels;
} record;

static const double *column(const table *t, const char *name)
{
    for (int i = 0; i < t->n_columns; i++)
        if (!strcmp(t->names[i], name))
            return t->column[i];
    return NULL;
}

static void add_row(table *t, const json *j)
{
    for (int i = 0; i < t->n_columns; i++)
        t->column[i][t->n] = json_num(json_get(j, t->names[i]), NAN);
    t->n++;
}

static void open_table(table *t, const char *const *names, size_t rows, arena *a)
{
    for (t->n_columns = 0; names[t->n_columns]; t->n_columns++) {
        t->names[t->n_columns] = names[t->n_columns];
        t->column[t->n_columns] = NEW(a, double, rows);
    }
}

static void keep_confusion(record *r, const json *list, arena *a)
{
    size_t n = json_len(list);
    if (!n || n > 256)
        return;
    r->classes = (int)n;
    if (!r->confusion)
        r->confusion = NEW(a, long long, n *n);
    for (size_t i = 0; i < n * n; i++)
        r->confusion[i] = json_int(json_at(json_at(list, i / n), i % n), 0);
}

static bool read_metrics(const char *path, record *r, arena *a, err *e)
{
    static const char *const train[] = {"step", "epoch", "loss", "lr", "grad_norm", "samples_per_s", NULL};
    static const char *const eval[] = {"step", "epoch", "loss", "accuracy", "macro_f1", "perplexity", "mse", "mae", "items", NULL};
    size_t n, rows = 1;
    char *text = file_read(a, path, METRICS_LIMIT, &n, e);
    if (!text)
        return false;
    for (size_t i = 0; i < n; i++)
        rows += text[i] == '\n';
    open_table(&r->train, train, rows, a);
    open_table(&r->eval, eval, rows, a);
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        json *j = json_parse(line, strlen(line), e);
        if (!j)
            return err_trail(e, "%s", path);
        bool is_eval = !strcmp(json_str(json_get(j, "kind"), ""), "eval");
        add_row(is_eval ? &r->eval : &r->train, j);
        if (is_eval)
            keep_confusion(r, json_get(j, "confusion"), a);
        json_free(j);
    }
    return true;
}

static void read_labels(const char *dir, record *r, arena *a)
{
    char *path = checkpoint_find(a, dir, "last", NULL);
    checkpoint *k = path ? checkpoint_open(path, a, NULL) : NULL;
    size_t n;
    if (k && (!meta_texts(&k->meta, "labels", a, &r->labels, &n, NULL) || (int)n != r->classes))
        r->labels = NULL;
    checkpoint_close(k);
}

static svg_series series(const table *t, const char *name, const char *shown, const char *colour, bool dots)
{
    return (svg_series){shown, colour, column(t, "epoch"), column(t, name), t->n, dots};
}

static bool any(const table *t, const char *name)
{
    const double *v = column(t, name);
    for (int i = 0; i < t->n; i++)
        if (isfinite(v[i]))
            return true;
    return false;
}

static void loss_chart(const record *r, strbuf *out)
{
    svg_series s[] = {series(&r->train, "loss", "training", "#1f6fb4", false), series(&r->eval, "loss", "validation", "#d9541e", true)};
    svg_line_chart(&(svg_chart){"loss", "epoch", s, r->eval.n ? 2 : 1, true}, out);
}

static void score_chart(const record *r, strbuf *out)
{
    svg_series s[] = {series(&r->eval, "accuracy", "accuracy", "#2a8c4a", true), series(&r->eval, "macro_f1", "macro-F1", "#8a4fb0", true)};
    if (any(&r->eval, "accuracy"))
        svg_line_chart(&(svg_chart){"validation", "epoch", s, any(&r->eval, "macro_f1") ? 2 : 1, true}, out);
}

static void lr_chart(const record *r, strbuf *out)
{
    svg_series s = series(&r->train, "lr", "learning rate", "#555", false);
    svg_line_chart(&(svg_chart){"learning rate", "epoch", &s, 1, true}, out);
}

static void eval_table(const record *r, strbuf *out)
{
    const table *t = &r->eval;
    int first = t->n > 20 ? t->n - 20 : 0;
    if (!t->n)
        return;
    strbuf_printf(out, "<h2>Evaluations%s</h2>\n<table><tr>", first ? " (last 20)" : "");
    for (int c = 0; c < t->n_columns; c++)
        if (any(t, t->names[c]))
            strbuf_printf(out, "<th>%s</th>", t->names[c]);
    strbuf_printf(out, "</tr>\n");
    for (int i = first; i < t->n; i++) {
        strbuf_printf(out, "<tr>");
        for (int c = 0; c < t->n_columns; c++)
            if (any(t, t->names[c]))
                strbuf_printf(out, "<td>%.6g</td>", t->column[c][i]);
        strbuf_printf(out, "</tr>\n");
    }
    strbuf_printf(out, "</table>\n");
}

static void include(const char *dir, const char *name, arena *a, strbuf *out)
{
    size_t n;
    char *text = file_read(a, arena_printf(a, "%s/%s", dir, name), METRICS_LIMIT, &n, NULL);
    if (!text)
        return;
    strbuf_printf(out, "<details><summary>%s</summary><pre>", name);
    svg_escape(text, out);
    strbuf_printf(out, "</pre></details>\n");
}

static void page(const char *dir, const record *r, arena *a, strbuf *out)
{
    strbuf_printf(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    svg_escape(path_base(dir), out);
    strbuf_printf(out, "</title><style>body{font:15px system-ui,sans-serif;max-width:1320px;margin:2em auto;padding:0 1em;color:#222}"
                       "td,th{padding:2px 12px;text-align:right;border-bottom:1px solid "
                       "#eee}svg{margin:6px}pre{background:#f6f6f6;padding:1em;overflow:auto}"
                       "</style></head><body>\n<h1>");
    svg_escape(path_base(dir), out);
    strbuf_printf(out, "</h1>\n");
    loss_chart(r, out);
    score_chart(r, out);
    lr_chart(r, out);
    if (r->confusion)
        svg_confusion(r->confusion, r->classes, r->labels, out);
    eval_table(r, out);
    include(dir, "config.yaml", a, out);
    include(dir, "environment.json", a, out);
    strbuf_printf(out, "</body></html>\n");
}

static bool write_all(const char *dir, arena *a, err *e)
{
    record r = {0};
    if (!read_metrics(arena_printf(a, "%s/metrics.jsonl", dir), &r, a, e))
        return false;
    read_labels(dir, &r, a);
    strbuf html = {0}, svg = {0};
    page(dir, &r, a, &html);
    loss_chart(&r, &svg);
    bool ok = file_write(arena_printf(a, "%s/report.html", dir), html.s, html.len, e) &&
              file_write(arena_printf(a, "%s/curve.svg", dir), svg.s, svg.len, e);
    strbuf_free(&html);
    strbuf_free(&svg);
    return ok;
}

bool report_write(const char *dir, err *e)
{
    arena a = {.name = "report"};
    bool ok = write_all(dir, &a, e);
    arena_free(&a);
    return ok;
}
