// SPDX-License-Identifier: GPL-3.0-or-later
// optim.c: the table of optimisers, and what they share: the walk over parameters, the global norm, the moving average.
//
// Weights and gradients have different layouts where parameters are frozen, so the walk goes parameter by parameter and cuts each into
// chunks of CHUNK elements. A chunk belongs to a thread by its number alone, and the norm is the sum of the chunks' sums in order: no
// result depends on how many threads there are.
#include "autograd/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OPTIM(name) VARIANT_EXTERN(optim_def, optim_##name)
#include "autograd/optim/optim.def"
#undef OPTIM

static const optim_def *const table[][VARIANT_COUNT] = {
#define OPTIM(name) VARIANT_ROW(optim_##name),
#include "autograd/optim/optim.def"
#undef OPTIM
};

enum { N_OPTIM = (int)(sizeof table / sizeof *table), CHUNK = 16384, SERIAL = 65536, LANES = 8 };

const optim_def *optim_at(int i)
{
    return i >= 0 && i < N_OPTIM ? table[i][variant_best()] : NULL;
}

const optim_def *optim_find(const char *name)
{
    for (int i = 0; i < N_OPTIM; i++)
        if (!strcmp(table[i][0]->name, name))
            return table[i][variant_best()];
    return NULL;
}

// --- the walk ---------------------------------------------------------------------------------

typedef struct walk walk;
struct walk {
    const params *p;
    void (*visit)(const walk *k, int64_t weight, int64_t grad, int64_t n, int64_t chunk); // element offsets in both layouts
    const optim_def *optim;
    const optim_hyper *hyper;
    float *shadow, decay;
    double *sums; // by chunk
};

// Visits the chunks whose number is in this thread's part.
static void walk_part(void *arg, int index, int count)
{
    const walk *k = arg;
    int64_t chunks = 0, lo, hi, at = 0;
    for (int i = 0; i < k->p->n; i++)
        if (k->p->list[i].goffset >= 0)
            chunks += (k->p->list[i].count + CHUNK - 1) / CHUNK;
    threads_part(chunks, 1, index, count, &lo, &hi);
    for (int i = 0; i < k->p->n; i++) {
        const param *q = &k->p->list[i];
        for (int64_t from = 0; q->goffset >= 0 && from < q->count; from += CHUNK, at++)
            if (at >= lo && at < hi)
                k->visit(k, q->offset + from, q->goffset + from, q->count - from < CHUNK ? q->count - from : CHUNK, at);
    }
}

static void walk_all(walk *k, threads *pool, int count)
{
    if (k->p->grads_len < SERIAL || threads_count(pool) < count)
        count = 1;
    threads_run(pool, count, walk_part, k);
}

// --- update -----------------------------------------------------------------------------------

static void visit_update(const walk *k, int64_t weight, int64_t grad, int64_t n, int64_t chunk)
{
    (void)chunk;
    float *moment[PARAMS_MOMENTS];
    for (int i = 0; i < k->p->n_moments; i++)
        moment[i] = k->p->moment[i] + grad;
    k->optim->update(k->hyper, k->p->weights + weight, k->p->grads + grad, moment, n);
}

void optim_step(const optim_def *o, const optim_hyper *h, params *p, threads *pool, int count)
{
    CHECK(p->n_moments >= o->moments);
    walk k = {.p = p, .visit = visit_update, .optim = o, .hyper = h};
    walk_all(&k, pool, count);
}

// --- norm -------------------------------------------------------------------------------------

static void visit_norm(const walk *k, int64_t weight, int64_t grad, int64_t n, int64_t chunk)
{
    (void)weight;
    const float *g = k->p->grads + grad;
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            lane[j] += (double)g[i + j] * (double)g[i + j];
    for (; i < n; i++)
        lane[0] += (double)g[i] * (double)g[i];
    for (int j = 1; j < LANES; j++)
        lane[0] += lane[j];
    k->sums[chunk] = lane[0];
}

double optim_grad_norm(const params *p, threads *pool, int count)
{
    enum { ON_STACK = 4096 }; // 64 million trainable elements; the largest model has 25 million
    double sums[ON_STACK], total = 0;
    int64_t chunks = 0;
    for (int i = 0; i < p->n; i++)
        if (p->list[i].goffset >= 0)
            chunks += (p->list[i].count + CHUNK - 1) / CHUNK;
    CHECK(chunks <= ON_STACK);
    walk k = {.p = p, .visit = visit_norm, .sums = sums};
    walk_all(&k, pool, count);
    for (int64_t i = 0; i < chunks; i++)
        total += sums[i];
    return sqrt(total);
}

float optim_clip_factor(double norm, double max_norm)
{
    double factor = max_norm / (norm + 1e-6);
    return max_norm > 0 && factor < 1 ? (float)factor : 1.0f;
}

// --- moving average ---------------------------------------------------------------------------

static void visit_ema(const walk *k, int64_t weight, int64_t grad, int64_t n, int64_t chunk)
{
    (void)chunk;
    const float *w = k->p->weights + weight;
    float *s = k->shadow + grad, keep = k->decay, take = 1 - k->decay;
    for (int64_t i = 0; i < n; i++)
        s[i] = keep * s[i] + take * w[i];
}

void optim_ema(float *shadow, float decay, const params *p, threads *pool, int count)
{
    walk k = {.p = p, .visit = visit_ema, .shadow = shadow, .decay = decay};
    walk_all(&k, pool, count);
}
