// SPDX-License-Identifier: GPL-3.0-or-later
// optim.c: the table of optimisers, and passes over all trainable parameters.
//
// Weights and gradients have the same layout but for the gaps that frozen parameters leave in the weights, so a part of the gradient buffer
// is walked in runs between such gaps; a model with nothing frozen is one run. Threads take parts in multiples of a fixed grain and each
// element's update depends on nothing else: the result has the same bits for any number of them.
#include "autograd/optim.h"

#include <math.h>
#include <string.h>

#include "autograd/optim/passes.h"

#define OPTIM(name) VARIANT_EXTERN(optim_def, optim_##name)
#include "autograd/optim/optim.def"
#undef OPTIM
VARIANT_EXTERN(optim_passes, optim_passes)

static const optim_def *const table[][VARIANT_COUNT] = {
#define OPTIM(name) VARIANT_ROW(optim_##name),
#include "autograd/optim/optim.def"
#undef OPTIM
};
static const optim_passes *const passes[VARIANT_COUNT] = VARIANT_ROW(optim_passes);

enum {
    OPTIMISERS = sizeof table / sizeof *table,
    GRAIN = 1024,
    LEAST = 160 << 10, // elements a thread must have to be worth waking: 20 us of AdamW
    CHUNKS = 64        // of the norm at most, whatever the thread count
};

const optim_def *optim_at(int i)
{
    return i >= 0 && i < OPTIMISERS ? table[i][variant_best()] : NULL;
}

const optim_def *optim_find(const char *name)
{
    for (int i = 0; i < OPTIMISERS; i++)
        if (!strcmp(table[i][0]->name, name))
            return optim_at(i);
    return NULL;
}

// What is done to a run: n elements from `w` of the weights and `g` of the gradients on.
typedef struct pass pass;
struct pass {
    void (*run)(const pass *s, int64_t w, int64_t g, int64_t n);
    params *p;
    const optim_def *optim;
    const optim_hyper *hyper;
    float *shadow, decay;
};

static int next_trainable(const params *p, int i)
{
    while (i < p->n && !p->list[i].trainable)
        i++;
    return i;
}

static void pass_part(void *arg, int index, int count)
{
    const pass *s = arg;
    const param *list = s->p->list;
    int64_t lo, hi;
    threads_part(s->p->grads_len, GRAIN, index, count, &lo, &hi);
    for (int i = next_trainable(s->p, 0), next; lo < hi && i < s->p->n; i = next) {
        int64_t gap = list[i].offset - list[i].goffset;
        for (next = next_trainable(s->p, i + 1); next < s->p->n && list[next].offset - list[next].goffset == gap;)
            next = next_trainable(s->p, next + 1);
        int64_t end = next < s->p->n ? list[next].goffset : s->p->grads_len, n = (end < hi ? end : hi) - lo;
        if (n > 0) {
            s->run(s, lo + gap, lo, n);
            lo += n;
        }
    }
}

// How many of `count` threads get enough to do.
static int worth(const params *p, int count)
{
    int64_t most = p->grads_len / LEAST;
    return most < 1 ? 1 : count < most ? count : (int)most;
}

static void pass_over(pass s, threads *pool, int count)
{
    threads_run(pool, worth(s.p, count), pass_part, &s);
}

static void run_update(const pass *s, int64_t w, int64_t g, int64_t n)
{
    float *moment[PARAMS_MOMENTS] = {0};
    for (int i = 0; i < s->optim->moments; i++)
        moment[i] = s->p->moment[i] + g;
    s->optim->update(s->hyper, s->p->weights + w, s->p->grads + g, moment, n);
}

void optim_step(const optim_def *o, const optim_hyper *h, params *p, threads *pool, int count)
{
    CHECK(p->n_moments >= o->moments && h->step >= 1);
    pass_over((pass){.run = run_update, .p = p, .optim = o, .hyper = h}, pool, count);
}

static void run_blend(const pass *s, int64_t w, int64_t g, int64_t n)
{
    passes[variant_best()]->blend(s->shadow + g, s->p->weights + w, s->decay, n);
}

void optim_ema(float *shadow, float decay, const params *p, threads *pool, int count)
{
    pass_over((pass){.run = run_blend, .p = (params *)(uintptr_t)p, .shadow = shadow, .decay = decay}, pool, count);
}

typedef struct squares {
    const params *p;
    int chunks; // by the gradient's length alone
    double chunk[CHUNKS];
} squares;

static void norm_part(void *arg, int index, int count)
{
    squares *s = arg;
    int64_t first, last;
    threads_part(s->chunks, 1, index, count, &first, &last);
    for (int64_t i = first; i < last; i++) {
        int64_t lo, hi;
        threads_part(s->p->grads_len, GRAIN, (int)i, s->chunks, &lo, &hi);
        s->chunk[i] = passes[variant_best()]->squares(s->p->grads + lo, hi - lo);
    }
}

double optim_grad_norm(const params *p, threads *pool, int count)
{
    int64_t most = p->grads_len / LEAST + 1;
    squares s = {.p = p, .chunks = most < CHUNKS ? (int)most : CHUNKS};
    double total = 0;
    threads_run(pool, worth(p, count), norm_part, &s);
    for (int i = 0; i < s.chunks; i++)
        total += s.chunk[i];
    return sqrt(total);
}

float optim_clip_factor(double norm, double max_norm)
{
    double factor = max_norm / (norm + 1e-6);
    return max_norm > 0 && factor < 1 ? (float)factor : 1;
}
