// SPDX-License-Identifier: GPL-3.0-or-later
// report.h: what became of a run, for people: report.html (one file, pictures inside) and
// curve.svg, from the run folder's own records.
//
//     metrics.jsonl ...  --report_read-->  report_record  --report_page-->  HTML
//
// by report_read.c, report_page.c, report_parts.c and report_groups.c; charts by report_chart.h.
//
// It is written whenever a run has evaluated, and at its end, so nothing here grows with the length
// of a run: curves are means of at most REPORT_POINTS stretches.
#ifndef KMIDI_TRAIN_REPORT_H
#define KMIDI_TRAIN_REPORT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/svg.h"

// Reads metrics.jsonl, config.yaml and environment.json of the folder; writes report.html and
// curve.svg beside them, whole or not at all.
// `state`: "running", "done", "stopped", "failed"; NULL: as the folder's marks say. `why` may be
// NULL.
bool report_write(const char *run, const char *state, const char *why, err *e) MUST_CHECK;
// The page alone, elsewhere.
bool report_write_to(const char *run, const char *path, err *e) MUST_CHECK;

// ---- The record (report_read.c)

typedef enum report_figure {
    REPORT_STEP,
    REPORT_EPOCH,
    REPORT_LOSS,
    REPORT_ACCURACY,
    REPORT_MACRO_F1,
    REPORT_UAR,
    REPORT_PERPLEXITY,
    REPORT_NATS_PER_NOTE,
    REPORT_NATS_PER_SECOND,
    REPORT_MSE,
    REPORT_MAE,
    REPORT_ITEMS,
    REPORT_LR,
    REPORT_GRAD_NORM,
    REPORT_WEIGHT_NORM,
    REPORT_RATE,
    REPORT_SECONDS,
    REPORT_FIGURES
} report_figure;

extern const char *const report_names[REPORT_FIGURES]; // in metrics.jsonl

enum { REPORT_POINTS = 512, REPORT_LAST = 20, REPORT_CLASSES = 65536, REPORT_WORST = 32 };

typedef struct report_row {
    double v[REPORT_FIGURES]; // NAN: not measured
} report_row;

// A curve of at most REPORT_POINTS points, each the mean of `stride` lines.
typedef struct report_curve {
    report_row *at;
    int (*count)[REPORT_FIGURES];
    int n, stride, filling; // lines in the last point
} report_curve;

// Of a confusion matrix only what is not 0.
typedef struct report_cell {
    int truth, said;
    long long n;
} report_cell;

// An item that the best evaluation got most wrong. `truth` and `said`: classes, -1 where the task
// has none; `p`, `p_truth`: what the model gave to them.
typedef struct report_case {
    const char *path;
    int truth, said;
    double p, p_truth, loss;
} report_case;

// A group of classes (models/model.h) in the best evaluation; `baseline`: of who looks at nothing.
typedef struct report_group {
    const char *name;
    int64_t items;
    double accuracy, macro_f1, uar, baseline;
} report_group;

typedef struct report_record {
    const char *run, *state, *why;
    report_curve train, eval;
    report_row last_train, best, baseline, last[REPORT_LAST]; // last: a ring of evaluations
    int64_t evaluations;
    bool has_best, has_baseline, flagged; // flagged: the lines say which is the best
    report_cell *cells;                   // of the best evaluation's confusion matrix
    size_t n_cells, room;
    int classes;        // 0: no such matrix
    report_case *worst; // of the best evaluation, the worst first
    size_t n_worst;
    const char *const *labels; // [classes], or NULL
    report_group *groups;      // [n_groups] that had items; the matrix is of the first
    size_t n_groups;
    const char *monitor;    // that decides what is best
    double smoothing;       // train.label_smoothing
    double grad_clip;       // train.grad_clip; 0: none
    int64_t best_file_step; // of checkpoints/best.h5; -1: there is none
    const char *model, *dataset;
    int64_t parameters, trainable, train_items, val_items; // -1: not written down
    bool synthetic;
} report_record;

bool report_read(const char *run, report_record *r, arena *a, err *e) MUST_CHECK;
// Its configuration and its lines alone: no checkpoint is opened, no mark looked at. On failure
// what stood before the damage is there.
bool report_read_lines(const char *run, report_record *r, arena *a, err *e) MUST_CHECK;

// ---- Curves (report_curve.c)

report_curve report_curve_open(arena *a);
void report_curve_add(report_curve *c, const report_row *row);
// Neighbouring points become one until there are at most `most`.
void report_thin(report_curve *c, int most);

// ---- The page

void report_page(const report_record *r, arena *a, strbuf *out);
void report_loss_chart(const report_record *r, bool alone, strbuf *out);
// Its parts (report_parts.c).
void report_headline(const report_record *r, strbuf *out);
void report_evaluations(const report_record *r, strbuf *out);
report_figure report_main_figure(const report_record *r);                // that its headline tells
const char *report_figure_name(report_figure f);                         // "validation loss"
void report_keep_groups(report_record *r, const json *groups, arena *a); // report_groups.c
void report_groups(const report_record *r, strbuf *out);
// Of the best evaluation (report_confusion.c). `small`: beside others.
void report_confusion(const report_record *r, strbuf *out);
bool report_has_confusion(const report_record *r);
void report_matrix(const report_record *r, bool small, strbuf *out);
void report_mistakes(const report_record *r, strbuf *out);
void report_value(report_figure f, double v, strbuf *out);   // "88.9%", "12.31"
extern const char report_style[], report_style_of_several[]; // CSS (report_style.c)

#endif
