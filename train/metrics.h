// SPDX-License-Identifier: GPL-3.0-or-later
// metrics.h: how good a model is on a set: sums over batches in f64, then figures.
//
//     metrics *m = metrics_open(model, 4, &arena);
//     metrics_clear(m);
//     for each batch: metrics_add(m, &(metrics_rows){logits, .classes = target, weight, rows,
//         width});
//     metrics_result r = metrics_close(m);
//
// The loss is the plain one (no label smoothing), weighted as in training: sum w_i l_i / sum w_i.
// Accuracy, macro-F1 and the confusion matrix count every row of weight > 0 once. References:
// scikit-learn's accuracy_score, f1_score(average="macro") over the classes that occur as target or
// prediction, balanced_accuracy_score (uar: the mean over classes of the part of their items that
// was found), and confusion_matrix (rows: true class).
//
// TASK_TOKENS of performance events (a model with a dialect): the same loss by what it tells, too,
// nats_per_note = sum w_i l_i / sum w_i over the events that begin a note, nats_per_second = the
// same over the seconds that pass: figures that compare dialects with other numbers of events.
//
// TASK_CLOUDS: a row is a cloud; chamfer and colours are the first two parts of its loss
// (metrics_cloud.h), unweighted.
//
// TASK_GROUPS: each group has a result of its own, as if it were the task. The loss is the model's,
// the other figures are the means of those of the groups that have items; the matrix and the worst
// are those of the first of them.
#ifndef KMIDI_TRAIN_METRICS_H
#define KMIDI_TRAIN_METRICS_H

#include "base/arena.h"
#include "models/model.h"

typedef struct metrics metrics;

typedef struct metrics_rows {
    const float *out; // [rows, width]: logits, or values
    // [rows] target classes or tokens (TASK_CLASSES, TASK_TOKENS); [rows, n_groups] TASK_GROUPS
    const int32_t *classes;
    const float *values; // [rows, width] target values (TASK_REGRESSION, TASK_CLOUDS)
    const float *weight; // [rows] or [rows, n_groups]; 0: left out
    int64_t rows, width;
    bool same; // `out` is one row, [width], that stands for all
    // numbers from a row to the next, of `out` (0: width), of classes and weights (0: 1)
    int64_t step, every;
    // [rows] TASK_CLASSES: how many rows of the same item follow, in the next call too; the logits
    // of an item's rows are averaged. NULL: none
    const int32_t *more;
    // of row i: paths[i / per_path], as far as there are any; NULL: unknown
    const char *const *paths;
    int64_t n_paths, per_path;
} metrics_rows;

// One of the items of the largest losses: of classes those that were told wrongly; of other tasks
// the worst window of each file. `said`: the class; -1 where the task has none.
enum { METRICS_WORST = 16, METRICS_PATH = 256 };
typedef struct metrics_case {
    char path[METRICS_PATH];
    int truth, said;
    double p, p_truth; // given to `said`, to `truth`; NAN without classes
    double loss;
} metrics_case;

// What a task does not have is NAN.
typedef struct metrics_result {
    int64_t items; // rows (or tokens) counted
    double loss, accuracy, macro_f1, uar, perplexity, nats_per_note, nats_per_second, mse, mae,
        chamfer, colours;
    int classes;               // TASK_CLASSES: of the confusion matrix
    const int64_t *confusion;  // [classes, classes], row: true class; owned by the metrics
    const metrics_case *worst; // [n_worst] the largest loss first; owned by the metrics
    int n_worst;
    const struct metrics_result *group; // [n_groups] TASK_GROUPS; owned by the metrics
    const model_group *groups;          // whose they are
    int n_groups;
    int main; // the group that matrix and worst are of
} metrics_result;

metrics *metrics_open(const model_def *m, int width, arena *a); // of rows of `width` numbers
void metrics_clear(metrics *m);
void metrics_add(metrics *m, const metrics_rows *r); // allocates nothing
metrics_result metrics_close(const metrics *m);
// What rows of one set have come to in several places, put together in their order. Not of
// TASK_CLASSES, where a row may belong to an item of the place before.
typedef struct metrics_sums {
    int64_t items, hits;
    double loss, weight, absolute, chamfer, colours;
    double notes, seconds; // of performance events, weighted
    metrics_case worst[METRICS_WORST];
    int n_worst;
} metrics_sums;
metrics_sums metrics_take(const metrics *m);
void metrics_put(metrics *m, const metrics_sums *list, int n);

// The figures of a result by name, in a fixed order: for (int i = 0; (f = metrics_figure(&r,
// i)).name; i++); those that a task lacks are left out.
typedef struct metrics_figure {
    const char *name;
    double value;
    bool higher; // higher is better
} metrics_figure;
metrics_figure metrics_at(const metrics_result *r, int i); // name NULL behind the last
// name NULL when there is none
metrics_figure metrics_find(const metrics_result *r, const char *name);
bool metrics_higher_is_better(const char *name);

#endif
