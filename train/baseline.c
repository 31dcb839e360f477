// SPDX-License-Identifier: GPL-3.0-or-later
// baseline.c: frequencies and means of the training data's targets (baseline.h).
#include "train/baseline.h"

#include <math.h>

#include "train/feed.h"

// What is summed over targets: how often each class comes, or each number's sum.
typedef struct tally {
    double *sum; // [width]
    double weight;
    int width;
} tally;

static void add_batch(tally *t, const batch *b)
{
    const batch_field *target = feed_find(b, "target"), *weight = feed_find(b, "weight");
    int64_t rows = 1;
    for (int i = 0; i < weight->rank; i++)
        rows *= weight->dim[i];
    for (int64_t i = 0; i < rows; i++) {
        double w = (double)((const float *)weight->data)[i];
        t->weight += w;
        if (target->type == BATCH_I32 && w > 0)
            t->sum[((const int32_t *)target->data)[i]] += w;
        for (int k = 0; target->type == BATCH_F32 && k < t->width; k++)
            t->sum[k] += w * (double)((const float *)target->data)[i * t->width + k];
    }
}

static bool read_examples(tally *t, const dataset *d, const loader_options *o, err *e)
{
    loader_options plain = *o;
    plain.shuffle = true;
    plain.drop_last = plain.balanced = false;
    plain.crop = LOADER_FIRST; // windows one behind the other: every target once
    plain.midi = (augment_midi){0};
    loader *l = loader_open(d, &plain, e);
    bool ok = l != NULL;
    for (uint64_t i = 0; ok && i < loader_batches(l) && t->weight < BASELINE_TARGETS; i++) {
        const batch *b = loader_next(l, e);
        ok = b != NULL;
        if (ok)
            add_batch(t, b);
    }
    loader_close(l);
    return ok;
}

static void count_labels(tally *t, const dataset *d)
{
    for (size_t k = 0; k < d->n_labels; k++) {
        t->sum[k] = (double)d->label_count[k];
        t->weight += t->sum[k];
    }
}

// Of each group as if it were alone; one that no item has an answer to says nothing.
static float *measure_groups(const dataset *d, const int *groups, const model_def *m, arena *a,
                             int *width)
{
    const model_group *last = &m->groups[m->n_groups - 1];
    *width = last->offset + last->size;
    float *out = NEW(a, float, (size_t)*width);
    for (int k = 0; k < m->n_groups; k++) {
        const model_group *q = &m->groups[k];
        const int64_t *count = groups[k] >= 0 ? dataset_class_count(d, groups[k]) : NULL;
        double all = 0;
        for (int i = 0; count && i < q->size; i++)
            all += (double)count[i];
        for (int i = 0; count && i < q->size; i++)
            out[q->offset + i] = (float)log(((double)count[i] + 1) / (all + q->size));
    }
    return out;
}

// Of a row.
static int numbers_of(const port *p)
{
    int n = 1;
    for (int i = 1; i < p->rank; i++)
        n *= (int)p->dim[i];
    return n;
}

float *baseline_measure(const dataset *d, const loader_options *o, const model_def *m, int classes,
                        arena *a, int *width, err *e)
{
    bool values = m->target.type == DT_F32;
    if (m->n_groups)
        return measure_groups(d, o->groups, m, a, width);
    tally t = {.width = classes ? classes : values ? numbers_of(&m->target) : m->target.below};
    t.sum = NEW(a, double, (size_t)t.width);
    if (d->example->labelled)
        count_labels(&t, d);
    else if (!read_examples(&t, d, o, e))
        return NULL;
    float *out = NEW(a, float, (size_t)t.width);
    for (int k = 0; k < t.width; k++)
        out[k] = (float)(values ? t.sum[k] / fmax(t.weight, 1)
                                : log((t.sum[k] + 1) / (t.weight + t.width)));
    *width = t.width;
    return out;
}
