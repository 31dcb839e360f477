// SPDX-License-Identifier: GPL-3.0-or-later
// metrics.c: sums and figures of an evaluation.
#include "train/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/larger.h"
#include "data/music/tokens.h"
#include "train/metrics_cloud.h"

struct metrics {
    model_task task;
    int width, classes; // numbers a row; of the confusion matrix
    bool performance;   // its tokens are events of a performance
    metrics_sums sums;
    int64_t *confusion;
    double *mean;  // [width]: logits of an item's rows, added up
    int64_t heard; // rows in it
    double heard_weight;
    double path_loss, path_weight; // of the rows of one path so far
    const model_group *groups;     // TASK_GROUPS; each is judged as if it were the task
    int n_groups;
    metrics **group;         // [n_groups]
    metrics_result *results; // the same, as metrics_close found them
};

static metrics *open_one(model_task task, int width, arena *a)
{
    metrics *m = NEW(a, metrics, 1);
    m->task = task;
    m->width = width;
    m->classes = task == TASK_CLASSES ? width : 0;
    m->confusion = NEW(a, int64_t, (size_t)m->classes * (size_t)m->classes + 1);
    m->mean = NEW(a, double, (size_t)width);
    return m;
}

metrics *metrics_open(const model_def *d, int width, arena *a)
{
    metrics *m = open_one(d->task, width, a);
    m->groups = d->groups, m->n_groups = d->n_groups;
    m->performance = d->dialect && !strcmp(d->dialect, TOKENS_DIALECT);
    m->group = NEW(a, metrics *, (size_t)d->n_groups + 1);
    m->results = NEW(a, metrics_result, (size_t)d->n_groups + 1);
    for (int k = 0; k < d->n_groups; k++)
        m->group[k] = open_one(TASK_CLASSES, d->groups[k].size, a);
    return m;
}

void metrics_clear(metrics *m)
{
    for (int k = 0; k < m->n_groups; k++)
        metrics_clear(m->group[k]);
    m->sums = (metrics_sums){0};
    m->heard = 0;
    m->path_loss = m->path_weight = 0;
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

// ---- The worst

static const char *path_of(const metrics_rows *r, int64_t row)
{
    int64_t i = r->paths ? row / r->per_path : 0;
    return r->paths && i < r->n_paths ? r->paths[i] : NULL;
}

static void drop(metrics *m, int i)
{
    memmove(m->sums.worst + i, m->sums.worst + i + 1,
            sizeof *m->sums.worst * (size_t)(m->sums.n_worst - 1 - i));
    m->sums.n_worst--;
}

// A file is in the list once, with its worst.
static void consider(metrics *m, const char *path, const metrics_case *c)
{
    int at = 0;
    if (!path || !*path || !isfinite(c->loss))
        return;
    for (int i = 0; i < m->sums.n_worst; i++)
        if (!strncmp(m->sums.worst[i].path, path, METRICS_PATH - 1)) {
            if (m->sums.worst[i].loss >= c->loss)
                return;
            drop(m, i);
            break;
        }
    while (at < m->sums.n_worst && m->sums.worst[at].loss >= c->loss)
        at++;
    if (at == METRICS_WORST)
        return;
    if (m->sums.n_worst == METRICS_WORST)
        m->sums.n_worst--;
    memmove(m->sums.worst + at + 1, m->sums.worst + at,
            sizeof *m->sums.worst * (size_t)(m->sums.n_worst - at));
    m->sums.worst[at] = *c;
    snprintf(m->sums.worst[at].path, METRICS_PATH, "%s", path);
    m->sums.n_worst++;
}

// Rows of one path are judged together.
static void add_to_path(metrics *m, const metrics_rows *r, int64_t row, double weight, double loss)
{
    if (!r->paths)
        return;
    m->path_loss += weight * loss, m->path_weight += weight;
    if ((row + 1) % r->per_path)
        return;
    if (m->path_weight > 0)
        consider(m, path_of(r, row),
                 &(metrics_case){.truth = -1,
                                 .said = -1,
                                 .p = NAN,
                                 .p_truth = NAN,
                                 .loss = m->path_loss / m->path_weight});
    m->path_loss = m->path_weight = 0;
}

static void add_case(metrics *m, const metrics_rows *r, int64_t row, int32_t target, int64_t said,
                     double loss)
{
    if (said != target)
        consider(m, path_of(r, row),
                 &(metrics_case){.truth = target,
                                 .said = (int)said,
                                 .p = exp(m->mean[said] - m->mean[target] - loss),
                                 .p_truth = exp(-loss),
                                 .loss = loss});
}

// ---- Sums

static const float *out_at(const metrics_rows *r, int64_t row)
{
    return r->same ? r->out : r->out + row * (r->step ? r->step : r->width);
}

// Of a row's class and weight.
static int64_t place_of(const metrics_rows *r, int64_t row)
{
    return row * (r->every ? r->every : 1);
}

static void add_class(metrics *m, const metrics_rows *r, int64_t row)
{
    if (!m->heard) {
        m->heard_weight = 0;
        memset(m->mean, 0, sizeof *m->mean * (size_t)r->width);
    }
    m->heard++;
    m->heard_weight += (double)r->weight[place_of(r, row)];
    for (int64_t j = 0; j < r->width; j++)
        m->mean[j] += (double)out_at(r, row)[j];
    if (r->more && r->more[row] > 0)
        return;
    for (int64_t j = 0; j < r->width; j++)
        m->mean[j] /= (double)m->heard;
    m->heard = 0;
    double weight = m->heard_weight, loss = 0;
    int32_t target = r->classes[place_of(r, row)];
    bool counts = weight > 0 && target >= 0 && target < r->width;
    int64_t best = 0;
    if (counts) {
        loss = cross_entropy(m->mean, r->width, target, &best);
        m->sums.loss += weight * loss;
        m->sums.weight += weight;
        m->sums.items++;
        m->sums.hits += best == target;
    }
    if (counts && m->performance) {
        m->sums.notes += tokens_begins_note(target) ? weight : 0;
        m->sums.seconds += weight * tokens_seconds(target);
    }
    if (!m->classes)
        add_to_path(m, r, row, counts ? weight : 0, loss);
    else if (counts)
        m->confusion[target * m->classes + best]++, add_case(m, r, row, target, best, loss);
}

static void add_cloud(metrics *m, const metrics_rows *r, int64_t row)
{
    double weight = r->weight[row];
    cloud_distance d = {0};
    if (weight > 0) {
        d = cloud_compare(out_at(r, row), r->values + row * r->width, r->width);
        m->sums.loss += weight * d.loss, m->sums.weight += weight;
        m->sums.chamfer += weight * d.chamfer, m->sums.colours += weight * d.colours;
        m->sums.items++;
    }
    add_to_path(m, r, row, weight > 0 ? weight : 0, d.loss);
}

static void add_values(metrics *m, const metrics_rows *r, int64_t row)
{
    double weight = r->weight[row], squares = 0, absolute = 0;
    if (weight <= 0) {
        add_to_path(m, r, row, 0, 0);
        return;
    }
    for (int64_t j = 0; j < r->width; j++) {
        double d = (double)out_at(r, row)[j] - (double)r->values[row * r->width + j];
        squares += d * d;
        absolute += fabs(d);
    }
    m->sums.loss += weight * squares / (double)r->width;
    m->sums.absolute += weight * absolute / (double)r->width;
    m->sums.weight += weight;
    m->sums.items++;
    add_to_path(m, r, row, weight, squares / (double)r->width);
}

// What the groups of a row count together is the row's weight: the largest of its groups'.
static void add_item(metrics *m, const metrics_rows *r, int64_t row)
{
    double weight = 0;
    for (int k = 0; k < m->n_groups; k++)
        weight = larger(weight, (double)r->weight[place_of(r, row) + k]);
    m->sums.weight += weight;
    m->heard_weight += weight;
    if (r->more && r->more[row] > 0)
        return;
    m->sums.items += m->heard_weight > 0;
    m->heard_weight = 0;
}

static void add_groups(metrics *m, const metrics_rows *r)
{
    for (int64_t i = 0; i < r->rows; i++)
        add_item(m, r, i);
    for (int k = 0; k < m->n_groups; k++) {
        metrics_rows own = *r;
        own.out += m->groups[k].offset, own.step = r->width, own.width = m->groups[k].size;
        own.classes += k, own.weight += k;
        metrics_add(m->group[k], &own);
    }
}

void metrics_add(metrics *m, const metrics_rows *r)
{
    CHECK(r->width == m->width);
    if (m->task == TASK_GROUPS) {
        add_groups(m, r);
        return;
    }
    for (int64_t i = 0; i < r->rows; i++)
        m->task == TASK_CLOUDS       ? add_cloud(m, r, i)
        : m->task == TASK_REGRESSION ? add_values(m, r, i)
                                     : add_class(m, r, i);
}

metrics_sums metrics_take(const metrics *m)
{
    CHECK(!m->classes && !m->n_groups);
    return m->sums;
}

void metrics_put(metrics *m, const metrics_sums *list, int n)
{
    metrics_clear(m);
    for (int i = 0; i < n; i++) {
        m->sums.items += list[i].items, m->sums.hits += list[i].hits;
        m->sums.loss += list[i].loss, m->sums.weight += list[i].weight;
        m->sums.absolute += list[i].absolute;
        m->sums.notes += list[i].notes, m->sums.seconds += list[i].seconds;
        m->sums.chamfer += list[i].chamfer, m->sums.colours += list[i].colours;
        for (int k = 0; k < list[i].n_worst; k++)
            consider(m, list[i].worst[k].path, &list[i].worst[k]);
    }
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

static double recall(const metrics *m)
{
    double sum = 0;
    int present = 0;
    for (int k = 0; k < m->classes; k++) {
        int64_t truth = 0;
        for (int j = 0; j < m->classes; j++)
            truth += m->confusion[k * m->classes + j];
        present += truth > 0;
        sum += truth > 0 ? (double)m->confusion[k * m->classes + k] / (double)truth : 0;
    }
    return present ? sum / present : NAN;
}

// Means over the groups that have items, and the first of them for what cannot be averaged.
static void sum_up(const metrics *m, metrics_result *r)
{
    double loss = 0, accuracy = 0, f1 = 0, uar = 0;
    int n = 0;
    for (int k = m->n_groups - 1; k >= 0; k--) {
        metrics_result *one = &m->results[k];
        *one = metrics_close(m->group[k]);
        if (!one->items)
            continue;
        loss += (double)m->groups[k].weight * m->group[k]->sums.loss;
        accuracy += one->accuracy, f1 += one->macro_f1, uar += one->uar;
        n++, r->main = k;
    }
    r->group = m->results, r->groups = m->groups, r->n_groups = m->n_groups;
    if (!n)
        return;
    const metrics_result *first = &m->results[r->main];
    r->loss = loss / m->sums.weight;
    r->accuracy = accuracy / n, r->macro_f1 = f1 / n, r->uar = uar / n;
    r->classes = first->classes, r->confusion = first->confusion;
    r->worst = first->worst, r->n_worst = first->n_worst;
}

metrics_result metrics_close(const metrics *m)
{
    metrics_result r = {.items = m->sums.items,
                        .worst = m->sums.worst,
                        .n_worst = m->sums.n_worst,
                        .accuracy = NAN,
                        .macro_f1 = NAN,
                        .uar = NAN,
                        .perplexity = NAN,
                        .nats_per_note = NAN,
                        .nats_per_second = NAN,
                        .mse = NAN,
                        .mae = NAN,
                        .chamfer = NAN,
                        .colours = NAN};
    r.loss = m->sums.weight > 0 ? m->sums.loss / m->sums.weight : NAN;
    if (m->task == TASK_GROUPS)
        sum_up(m, &r);
    if (m->task == TASK_CLASSES || m->task == TASK_TOKENS)
        r.accuracy = m->sums.items ? (double)m->sums.hits / (double)m->sums.items : NAN;
    if (m->task == TASK_CLASSES)
        r.macro_f1 = macro_f1(m), r.uar = recall(m), r.classes = m->classes,
        r.confusion = m->confusion;
    if (m->task == TASK_TOKENS)
        r.perplexity = exp(r.loss);
    if (m->sums.notes > 0)
        r.nats_per_note = m->sums.loss / m->sums.notes;
    if (m->sums.seconds > 0)
        r.nats_per_second = m->sums.loss / m->sums.seconds;
    if (m->task == TASK_CLOUDS && m->sums.weight > 0)
        r.chamfer = m->sums.chamfer / m->sums.weight, r.colours = m->sums.colours / m->sums.weight;
    if (m->task == TASK_REGRESSION)
        r.mse = r.loss, r.mae = m->sums.weight > 0 ? m->sums.absolute / m->sums.weight : NAN;
    return r;
}
