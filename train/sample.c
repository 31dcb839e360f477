// SPDX-License-Identifier: GPL-3.0-or-later
// sample.c: random batches from a model's ports.
#include "train/sample.h"

#include "base/rng.h"

static void fill(const port *q, int below, rng r, uint64_t step, batch_field *f)
{
    int64_t n = 1;
    for (int i = 0; i < f->rank; i++)
        n *= f->dim[i];
    for (int64_t i = 0; i < n; i++)
        if (f->type == BATCH_I32)
            ((int32_t *)f->data)[i] =
                q->low + (int32_t)rng_below(r, step, (uint32_t)i, (uint32_t)(below - q->low));
        else
            ((float *)f->data)[i] = (float)rng_normal(r, step, (uint32_t)i);
}

static batch_field field_of(const port *q, const char *name, const model_dims *d, arena *a)
{
    batch_field f = {
        .name = name, .type = q->type == DT_I32 ? BATCH_I32 : BATCH_F32, .rank = q->rank};
    size_t n = 1;
    for (int i = 0; i < q->rank; i++) {
        f.dim[i] = q->sym[i] == SYM_BATCH ? d->batch : q->sym[i] == SYM_TIME ? d->time : q->dim[i];
        n *= (size_t)f.dim[i];
    }
    f.data = arena_alloc(a, n, 4);
    return f;
}

batch *sample_batch(const model_def *m, const model_dims *d, uint64_t seed, uint64_t index,
                    arena *a)
{
    batch *b = NEW(a, batch, 1);
    for (int i = 0; i < m->n_inputs; i++) {
        b->field[b->n_fields] = field_of(&m->inputs[i], m->inputs[i].name, d, a);
        fill(&m->inputs[i], m->inputs[i].below, rng_stream(seed, m->inputs[i].name, 0), index,
             &b->field[b->n_fields++]);
    }
    batch_field target = field_of(&m->target, "target", d, a), weight = target;
    fill(&m->target, m->probe && d->classes ? d->classes : m->target.below,
         rng_stream(seed, "target", 0), index, &target);
    weight.name = "weight", weight.type = BATCH_F32;
    if (m->target.type == DT_F32)
        weight.rank = 1;
    size_t n = 1;
    for (int i = 0; i < weight.rank; i++)
        n *= (size_t)weight.dim[i];
    weight.data = NEW(a, float, n);
    for (size_t i = 0; i < n; i++)
        ((float *)weight.data)[i] = 1;
    b->field[b->n_fields++] = target;
    b->field[b->n_fields++] = weight;
    b->items = d->batch;
    b->weight = m->n_groups ? (double)d->batch : (double)n;
    b->index = index;
    return b;
}

static const batch *next_batch(void *self, err *e)
{
    sample_set *s = self;
    (void)e;
    batch *b = s->list[s->at];
    b->epoch = s->epoch;
    if (++s->at == s->n)
        s->at = 0, s->epoch++;
    return b;
}

static void seek_batch(void *self, uint64_t epoch, uint64_t index)
{
    sample_set *s = self;
    s->epoch = epoch, s->at = index;
}

source sample_source(sample_set *s)
{
    uint64_t items = 0;
    for (uint64_t i = 0; i < s->n; i++)
        items += (uint64_t)s->list[i]->items;
    return (source){
        .self = s, .next = next_batch, .seek = seek_batch, .batches = s->n, .items = items};
}
