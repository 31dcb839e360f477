// SPDX-License-Identifier: GPL-3.0-or-later
// report_read.c: the record of a run, read line by line into curves of a bounded number of points
// (report.h).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "train/lock.h"
#include "train/metrics.h"
#include "train/options.h"
#include "train/report.h"
#include "train/shards.h"

enum { LINE = 1 << 16, SMALL = 1 << 20 };

const char *const report_names[REPORT_FIGURES] = {[REPORT_STEP] = "step",
                                                  [REPORT_EPOCH] = "epoch",
                                                  [REPORT_LOSS] = "loss",
                                                  [REPORT_ACCURACY] = "accuracy",
                                                  [REPORT_MACRO_F1] = "macro_f1",
                                                  [REPORT_PERPLEXITY] = "perplexity",
                                                  [REPORT_MSE] = "mse",
                                                  [REPORT_MAE] = "mae",
                                                  [REPORT_ITEMS] = "items",
                                                  [REPORT_LR] = "lr",
                                                  [REPORT_RATE] = "samples_per_s",
                                                  [REPORT_SECONDS] = "seconds"};

// Curves

static report_curve curve_open(arena *a)
{
    report_curve c = {.at = NEW(a, report_row, REPORT_POINTS), .stride = 1};
    c.count = arena_alloc(a, REPORT_POINTS * sizeof *c.count, sizeof(int));
    return c;
}

// Means of two points, by how many lines each has.
static void join(const report_curve *c, int to, int x, int y)
{
    for (int f = 0; f < REPORT_FIGURES; f++) {
        int m = c->count[x][f], n = c->count[y][f];
        double a = m ? c->at[x].v[f] * m : 0, b = n ? c->at[y].v[f] * n : 0;
        c->at[to].v[f] = m + n ? (a + b) / (m + n) : NAN;
        c->count[to][f] = m + n;
    }
}

static void halve(report_curve *c)
{
    for (int i = 0; i < REPORT_POINTS / 2; i++)
        join(c, i, 2 * i, 2 * i + 1);
    c->n = REPORT_POINTS / 2;
    c->stride *= 2;
    c->filling = c->stride;
}

static void curve_add(report_curve *c, const report_row *row)
{
    if (c->n && c->filling < c->stride) {
        c->filling++;
    } else {
        if (c->n == REPORT_POINTS)
            halve(c);
        memset(c->count[c->n], 0, sizeof *c->count);
        c->n++, c->filling = 1;
    }
    for (int f = 0; f < REPORT_FIGURES; f++) {
        int n = c->count[c->n - 1][f];
        double *mean = &c->at[c->n - 1].v[f];
        if (isfinite(row->v[f]))
            *mean = n ? *mean + (row->v[f] - *mean) / (n + 1) : row->v[f], c->count[c->n - 1][f]++;
        else if (!n)
            *mean = NAN;
    }
}

// Lines

static report_row row_of(const json *j)
{
    report_row row;
    for (int f = 0; f < REPORT_FIGURES; f++)
        row.v[f] = json_num(json_get(j, report_names[f]), NAN);
    return row;
}

static void keep_confusion(report_record *r, const json *list, arena *a)
{
    size_t n = json_len(list);
    if (!n || n > REPORT_CLASSES)
        return;
    if (!r->confusion)
        r->confusion = NEW(a, long long, (size_t)REPORT_CLASSES *REPORT_CLASSES);
    r->classes = (int)n;
    for (size_t i = 0; i < n * n; i++)
        r->confusion[i] = json_int(json_at(json_at(list, i / n), i % n), 0);
}

// By the monitored figure, as the trainer judges; for records whose lines don't say.
static bool is_better(const report_record *r, const report_row *row)
{
    for (int f = 0; f < REPORT_FIGURES; f++)
        if (!strcmp(report_names[f], r->monitor)) {
            double now = row->v[f], was = r->has_best ? r->best.v[f] : NAN;
            return !isnan(now) &&
                   (isnan(was) || (metrics_higher_is_better(r->monitor) ? now > was : now < was));
        }
    return false;
}

static void add_evaluation(report_record *r, const json *j, arena *a)
{
    report_row row = row_of(j);
    const json *baseline = json_get(j, "baseline");
    bool best = json_bool(json_get(j, "best"), false);
    curve_add(&r->eval, &row);
    r->last[r->evaluations++ % REPORT_LAST] = row;
    if (baseline)
        r->baseline = row_of(baseline), r->has_baseline = true;
    if (!best && (r->flagged || !is_better(r, &row)))
        return;
    r->flagged = best, r->has_best = true;
    r->best = row;
    keep_confusion(r, json_get(j, "confusion"), a);
}

static bool add_line(report_record *r, const char *line, size_t n, arena *a, err *e)
{
    json *j = json_parse(line, n, e);
    if (!j)
        return false;
    if (!strcmp(json_str(json_get(j, "kind"), ""), "eval")) {
        add_evaluation(r, j, a);
    } else {
        r->last_train = row_of(j);
        curve_add(&r->train, &r->last_train);
    }
    json_free(j);
    return true;
}

// A last line without its end is being written, or was cut by a kill: it is left out.
static bool read_metrics(const char *path, report_record *r, arena *a, err *e)
{
    FILE *f = fopen(path, "r");
    char *line = arena_alloc(a, LINE, 1);
    if (!f)
        return err_errno(e, "cannot open '%s'", path);
    bool ok = true;
    for (long long number = 1; ok && fgets(line, LINE, f); number++) {
        size_t n = strlen(line);
        if (n && line[n - 1] == '\n')
            ok = add_line(r, line, n - 1, a, e) || err_trail(e, "%s:%lld", path, number);
        else if (!feof(f))
            ok = err_set(e, ERR_FORMAT, "%s:%lld: a line of more than %d bytes", path, number,
                         LINE - 2);
    }
    fclose(f);
    return ok;
}

// What else the folder says

static void read_config(report_record *r, arena *a)
{
    config *c = config_open(&train_table, a);
    r->monitor = "loss";
    if (!config_load(c, arena_printf(a, "%s/config.yaml", r->run), NULL))
        return;
    r->monitor = config_text(c, "train.early_stopping.monitor");
    r->smoothing = config_num(c, "train.label_smoothing");
    r->model = config_text(c, "model");
}

static json *read_json(const char *path, arena *a)
{
    size_t n;
    char *text = file_exists(path) ? file_read(a, path, SMALL, &n, NULL) : NULL;
    return text ? json_parse(text, n, NULL) : NULL;
}

static void read_environment(report_record *r, arena *a)
{
    json *j = read_json(arena_printf(a, "%s/environment.json", r->run), a);
    const json *train = json_get(j, "train"), *model = json_get(j, "model");
    r->dataset = arena_strdup(a, json_str(json_get(train, "dataset"), ""));
    r->synthetic = json_bool(json_get(train, "synthetic"), false);
    r->train_items = json_int(json_get(train, "items"), -1);
    r->val_items = json_int(json_get(json_get(j, "val"), "items"), -1);
    r->parameters = json_int(json_get(model, "parameters"), -1);
    r->trainable = json_int(json_get(model, "trainable"), -1);
    json_free(j);
}

// Label names, and which step the best checkpoint is of.
static void read_checkpoint(report_record *r, arena *a)
{
    const char *best = arena_printf(a, "%s/checkpoints/best.h5", r->run);
    char *path = checkpoint_find(a, r->run, "best", NULL);
    checkpoint *k = path ? checkpoint_open(path, a, NULL) : NULL;
    size_t n;
    r->best_file_step = k && k->has_state && file_exists(best) ? k->state.step : -1;
    if (k && (!meta_texts(&k->meta, "labels", a, &r->labels, &n, NULL) || (int)n != r->classes))
        r->labels = NULL;
    checkpoint_close(k);
}

static void read_mark(report_record *r, arena *a)
{
    static const char *const marks[][2] = {
        {"DONE", "done"}, {"STOPPED", "stopped"}, {"ENDED", "ended"}, {"FAILED", "failed"}};
    r->state = lock_look(r->run, NULL) == LOCK_FREE ? "stopped" : "running";
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *path = arena_printf(a, "%s/%s", r->run, marks[i][0]);
        size_t n;
        if (file_exists(path))
            r->state = marks[i][1], r->why = file_read(a, path, SMALL, &n, NULL);
    }
}

bool report_read(const char *path, report_record *r, arena *a, err *e)
{
    *r = (report_record){.run = path, .train = curve_open(a), .eval = curve_open(a)};
    read_config(r, a);
    if (!read_metrics(arena_printf(a, "%s/metrics.jsonl", path), r, a, e))
        return false;
    read_environment(r, a);
    read_checkpoint(r, a);
    read_mark(r, a);
    return true;
}
