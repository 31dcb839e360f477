// SPDX-License-Identifier: GPL-3.0-or-later
// metrics.c: sums and figures of an evaluation.
#include "train/metrics.h"

#include <math.h>
#include <string.h>

struct metrics {
    model_task task;
    int width, classes; // numbers a row; of the confusion matrix
    int64_t items, hits;
    double loss, weight, absolute;
    int64_t *confusion;
    double *mean;  // [width]: logits of an item's rows, added up
    int64_t heard; // rows in it
    double heard_weight;
};

metrics *metrics_open(model_task task, int width, arena *a)
{
    metrics *m = NEW(a, metrics, 1);
    m->task = task;
    m->width = width;
    m->classes = task == TASK_CLASSES ? width : 0;
    m->confusion = NEW(a, int64_t, (size_t)m->classes * (size_t)m->classes + 1);
    m->mean = NEW(a, double, (size_t)width);
    return m;
}

void metrics_clear(metrics *m)
{
    m->items = m->hits = m->heard = 0;
    m->loss = m->weight = m->absolute = 0;
    memset(m->confusion, 0, sizeof *m->confusion * (size_t)m->classes * (size_t)m->classes);
}

// log(sum exp x) - x[target], and the largest element's index
static double cross_entropy(const double *x, int64_t n, int32_t target, int64_t *best)
{
    int64_t top = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[top])
            top = i;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - x[top]);
    *best = top;
    return log(sum) + x[top] - x[target];
}

static const float *out_at(const metrics_rows *r, int64_t row)
{
    return r->same ? r->out : r->out + row * r->width;
}

static void add_class(metrics *m, const metrics_rows *r, int64_t row)
{
    if (!m->heard) {
        m->heard_weight = 0;
        memset(m->mean, 0, sizeof *m->mean * (size_t)r->width);
    }
    m->heard++;
    m->heard_weight += (double)r->weight[row];
    for (int64_t j = 0; j < r->width; j++)
        m->mean[j] += (double)out_at(r, row)[j];
    if (r->more && r->more[row] > 0)
        return;
    for (int64_t j = 0; j < r->width; j++)
        m->mean[j] /= (double)m->heard;
    m->heard = 0;
    double weight = m->heard_weight;
    int32_t target = r->classes[row];
    if (weight <= 0 || target < 0 || target >= r->width)
        return;
    int64_t best;
    m->loss += weight * cross_entropy(m->mean, r->width, target, &best);
    m->weight += weight;
    m->items++;
    m->hits += best == target;
    if (m->classes)
        m->confusion[target * m->classes + best]++;
}

static void add_values(metrics *m, const metrics_rows *r, int64_t row)
{
    double weight = r->weight[row], squares = 0, absolute = 0;
    if (weight <= 0)
        return;
    for (int64_t j = 0; j < r->width; j++) {
        double d = (double)out_at(r, row)[j] - (double)r->values[row * r->width + j];
        squares += d * d;
        absolute += fabs(d);
    }
    m->loss += weight * squares / (double)r->width;
    m->absolute += weight * absolute / (double)r->width;
    m->weight += weight;
    m->items++;
}

void metrics_add(metrics *m, const metrics_rows *r)
{
    CHECK(r->width == m->width);
    for (int64_t i = 0; i < r->rows; i++)
        m->task == TASK_REGRESSION ? add_values(m, r, i) : add_class(m, r, i);
}

static double macro_f1(const metrics *m)
{
    double sum = 0;
    int present = 0;
    for (int k = 0; k < m->classes; k++) {
        int64_t truth = 0, said = 0, hit = m->confusion[k * m->classes + k];
        for (int j = 0; j < m->classes; j++) {
            truth += m->confusion[k * m->classes + j];
            said += m->confusion[j * m->classes + k];
        }
        present += truth + said > 0;
        sum += truth + said > 0 ? 2.0 * (double)hit / (double)(truth + said) : 0;
    }
    return present ? sum / present : 0;
}

metrics_result metrics_close(const metrics *m)
{
    metrics_result r = {.items = m->items,
                        .accuracy = NAN,
                        .macro_f1 = NAN,
                        .perplexity = NAN,
                        .mse = NAN,
                        .mae = NAN};
    r.loss = m->weight > 0 ? m->loss / m->weight : NAN;
    if (m->task != TASK_REGRESSION)
        r.accuracy = m->items ? (double)m->hits / (double)m->items : NAN;
    if (m->task == TASK_CLASSES)
        r.macro_f1 = macro_f1(m), r.classes = m->classes, r.confusion = m->confusion;
    if (m->task == TASK_TOKENS)
        r.perplexity = exp(r.loss);
    if (m->task == TASK_REGRESSION)
        r.mse = r.loss, r.mae = m->weight > 0 ? m->absolute / m->weight : NAN;
    return r;
}

static const struct {
    const char *name;
    size_t offset;
    bool higher;
} figures[] = {
    {"loss", offsetof(metrics_result, loss), false},
    {"accuracy", offsetof(metrics_result, accuracy), true},
    {"macro_f1", offsetof(metrics_result, macro_f1), true},
    {"perplexity", offsetof(metrics_result, perplexity), false},
    {"mse", offsetof(metrics_result, mse), false},
    {"mae", offsetof(metrics_result, mae), false},
};
enum { N_FIGURES = sizeof figures / sizeof *figures };

metrics_figure metrics_at(const metrics_result *r, int i)
{
    for (int k = 0; k < N_FIGURES; k++) {
        double value = *(const double *)((const char *)r + figures[k].offset);
        if (!isnan(value) && i-- == 0)
            return (metrics_figure){figures[k].name, value, figures[k].higher};
    }
    return (metrics_figure){0};
}

metrics_figure metrics_find(const metrics_result *r, const char *name)
{
    metrics_figure f;
    for (int i = 0; (f = metrics_at(r, i)).name; i++)
        if (!strcmp(f.name, name))
            return f;
    return (metrics_figure){0};
}

bool metrics_higher_is_better(const char *name)
{
    for (int k = 0; k < N_FIGURES; k++)
        if (!strcmp(figures[k].name, name))
            return figures[k].higher;
    return false;
}
