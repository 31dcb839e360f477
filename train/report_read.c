// SPDX-License-Identifier: GPL-3.0-or-later
// report_read.c: the record of a run, read line by line (report.h).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "data/hear/hear.h"
#include "train/lock.h"
#include "train/metrics.h"
#include "train/options.h"
#include "train/report.h"
#include "train/shards.h"

// Bytes of a line, which holds a confusion matrix and paths; of a file read whole. Values that no
// axis could show.
enum { LINE = 64 << 20, SMALL = 1 << 20 };
#define HUGEST     1e30
#define MOST_STEPS 9007199254740992.0 // which a double counts one by one
#define MOST_ITEMS (1LL << 36)        // so that no sum of them overflows

const char *const report_names[REPORT_FIGURES] = {[REPORT_STEP] = "step",
                                                  [REPORT_EPOCH] = "epoch",
                                                  [REPORT_LOSS] = "loss",
                                                  [REPORT_ACCURACY] = "accuracy",
                                                  [REPORT_MACRO_F1] = "macro_f1",
                                                  [REPORT_UAR] = "uar",
                                                  [REPORT_PERPLEXITY] = "perplexity",
                                                  [REPORT_NATS_PER_NOTE] = "nats_per_note",
                                                  [REPORT_NATS_PER_SECOND] = "nats_per_second",
                                                  [REPORT_MSE] = "mse",
                                                  [REPORT_MAE] = "mae",
                                                  [REPORT_ITEMS] = "items",
                                                  [REPORT_LR] = "lr",
                                                  [REPORT_GRAD_NORM] = "grad_norm",
                                                  [REPORT_WEIGHT_NORM] = "weight_norm",
                                                  [REPORT_RATE] = "samples_per_s",
                                                  [REPORT_SECONDS] = "seconds"};

// ---- Lines

static report_row row_of(const json *j)
{
    report_row row;
    for (int f = 0; f < REPORT_FIGURES; f++) {
        row.v[f] = json_num(json_get(j, report_names[f]), NAN);
        if (!(fabs(row.v[f]) < HUGEST))
            row.v[f] = NAN;
    }
    return row;
}

static void keep_cell(report_record *r, int64_t truth, int64_t said, int64_t n, arena *a)
{
    if (n <= 0 || n > MOST_ITEMS || truth < 0 || truth >= r->classes || said < 0 ||
        said >= r->classes)
        return;
    if (r->n_cells == r->room) {
        size_t most = r->room ? 2 * r->room : 64;
        report_cell *cells = NEW(a, report_cell, most);
        if (r->n_cells)
            memcpy(cells, r->cells, r->n_cells * sizeof *cells);
        r->cells = cells, r->room = most;
    }
    r->cells[r->n_cells++] = (report_cell){(int)truth, (int)said, n};
}

// Rows of all columns, or {"classes": N, "cells": [[true, said, n], ...]} of many classes.
static void keep_confusion(report_record *r, const json *j, arena *a)
{
    const json *cells = json_get(j, "cells");
    size_t n = json_len(j);
    int64_t classes = cells ? json_int(json_get(j, "classes"), 0) : (int64_t)n;
    r->n_cells = 0;
    r->classes = classes > 0 && classes <= REPORT_CLASSES ? (int)classes : 0;
    for (size_t i = 0; cells && i < json_len(cells); i++) {
        const json *c = json_at(cells, i);
        keep_cell(r, json_int(json_at(c, 0), -1), json_int(json_at(c, 1), -1),
                  json_int(json_at(c, 2), 0), a);
    }
    for (size_t i = 0; !cells && i < n; i++)
        for (size_t k = 0; k < n && k < json_len(json_at(j, i)); k++)
            keep_cell(r, (int64_t)i, (int64_t)k, json_int(json_at(json_at(j, i), k), 0), a);
}

static void keep_worst(report_record *r, const json *list, arena *a)
{
    size_t n = json_len(list);
    r->n_worst = n < REPORT_WORST ? n : REPORT_WORST;
    if (r->n_worst && !r->worst)
        r->worst = NEW(a, report_case, REPORT_WORST);
    for (size_t i = 0; i < r->n_worst; i++) {
        const json *c = json_at(list, i);
        r->worst[i] = (report_case){.path = arena_strdup(a, json_str(json_get(c, "path"), "")),
                                    .truth = (int)json_int(json_get(c, "true"), -1),
                                    .said = (int)json_int(json_get(c, "said"), -1),
                                    .p = json_num(json_get(c, "p"), NAN),
                                    .p_truth = json_num(json_get(c, "p_true"), NAN),
                                    .loss = json_num(json_get(c, "loss"), NAN)};
    }
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
    report_curve_add(&r->eval, &row);
    r->last[r->evaluations++ % REPORT_LAST] = row;
    if (baseline)
        r->baseline = row_of(baseline), r->has_baseline = true;
    if (!best && (r->flagged || !is_better(r, &row)))
        return;
    r->flagged = best, r->has_best = true;
    r->best = row;
    keep_confusion(r, json_get(j, "confusion"), a);
    keep_worst(r, json_get(j, "worst"), a);
    report_keep_groups(r, json_get(j, "groups"), a);
}

static bool add_line(report_record *r, const char *line, size_t n, arena *a, err *e)
{
    json *j = json_parse(line, n, e);
    double step = json_num(json_get(j, report_names[REPORT_STEP]), NAN);
    bool ok = j && ((step >= 0 && step < MOST_STEPS) ||
                    err_set(e, ERR_FORMAT, "a line without 'step', or one out of range"));
    if (ok && !strcmp(json_str(json_get(j, "kind"), ""), "eval")) {
        add_evaluation(r, j, a);
    } else if (ok) {
        r->last_train = row_of(j);
        report_curve_add(&r->train, &r->last_train);
    }
    json_free(j);
    return ok;
}

// The next line, without its end. A last one without it is being written, or was cut by a kill: it
// is left out. False behind the last, and (with `e`) where one is too long.
static bool next_line(FILE *f, strbuf *line, err *e)
{
    char part[1 << 14];
    line->len = 0;
    while (fgets(part, sizeof part, f)) {
        size_t n = strlen(part);
        bool whole = n && part[n - 1] == '\n';
        if (line->len + n > LINE)
            return err_set(e, ERR_FORMAT, "a line of more than %d MiB", LINE >> 20);
        strbuf_add(line, part, n - whole);
        if (whole)
            return true;
    }
    return false;
}

static bool read_metrics(const char *path, report_record *r, arena *a, err *e)
{
    uint64_t size;
    int fd = file_open(path, &size, e);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    strbuf line = {0};
    err inner = {0};
    long long number = 1;
    while (f && next_line(f, &line, &inner) &&
           add_line(r, line.s ? line.s : "", line.len, a, &inner))
        number++;
    strbuf_free(&line);
    if (f)
        fclose(f);
    if (inner.code && e)
        *e = inner;
    return f && (!inner.code || err_trail(e, "%s:%lld", path, number));
}

// ---- What else the folder says

static void read_config(report_record *r, arena *a)
{
    config *c = config_open(&train_table, a);
    r->monitor = "loss";
    if (!config_load(c, arena_printf(a, "%s/config.yaml", r->run), NULL))
        return;
    r->monitor = config_text(c, "train.early_stopping.monitor");
    r->smoothing = config_num(c, "train.label_smoothing");
    r->grad_clip = config_num(c, "train.grad_clip");
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

// Of the group that the matrix is of.
static const char *const *group_labels(const checkpoint *k, const report_record *r, arena *a,
                                       size_t *n)
{
    hear_rule h;
    const hear_group *g =
        hear_read(&k->meta, k->path, a, &h, NULL) ? hear_find_group(&h, r->groups[0].name) : NULL;
    *n = g ? (size_t)g->group.n : 0;
    return g ? g->group.classes : NULL;
}

// Label names, and which step the best checkpoint is of.
static void read_checkpoint(report_record *r, arena *a)
{
    const char *best = arena_printf(a, "%s/checkpoints/best.h5", r->run);
    char *path = checkpoint_find(a, r->run, "best", NULL);
    checkpoint *k = path ? checkpoint_open(path, a, NULL) : NULL;
    size_t n = 0;
    r->best_file_step = k && k->has_state && file_exists(best) ? k->state.step : -1;
    const char **labels = NULL;
    if (k && r->n_groups)
        r->labels = group_labels(k, r, a, &n);
    else if (k && meta_texts(&k->meta, "labels", a, &labels, &n, NULL))
        r->labels = labels;
    if ((int)n != r->classes)
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

bool report_read_lines(const char *path, report_record *r, arena *a, err *e)
{
    *r = (report_record){.run = path, .train = report_curve_open(a), .eval = report_curve_open(a)};
    read_config(r, a);
    return read_metrics(arena_printf(a, "%s/metrics.jsonl", path), r, a, e);
}

bool report_read(const char *path, report_record *r, arena *a, err *e)
{
    if (!report_read_lines(path, r, a, e))
        return false;
    read_environment(r, a);
    read_checkpoint(r, a);
    read_mark(r, a);
    return true;
}
