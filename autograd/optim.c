// SPDX-License-Identifier: GPL-3.0-or-later
// optim.c: the table of optimisers, and passes over all trainable parameters.
//
// Weights and gradients have the same layout but for the gaps that frozen parameters leave in the
// weights, so a part of the gradient buffer is walked in runs between such gaps; a model with
// nothing frozen is one run. Threads take parts in multiples of a fixed grain and each element's
// update depends on nothing else: the result has the same bits for any number of them.
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
    return i >= 0 && i < OPTIMISERS ? table[i][VARIANT_BASE] : NULL;
}

// The same with kernels of that width.
static const optim_def *of_width(const optim_def *o, variant width)
{
    for (int i = 0; i < OPTIMISERS; i++)
        if (table[i][VARIANT_BASE] == o)
            return table[i][width];
    return o;
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
    const kit *kit;
    float *shadow, decay;
    bool by_matrix; // leave out what is updated as whole matrices
    float *work;
    int64_t work_each; // of a thread
};

// A matrix between two layers, not a table, a training-only head or an adapter's factor.
static bool is_matrix(const param *q)
{
    return q->trainable && q->counted && !q->adapter && !q->table && q->shape.rank == 2;
}

static int next_in_pass(const pass *s, int i)
{
    while (i < s->p->n && (!s->p->list[i].trainable || (s->by_matrix && is_matrix(&s->p->list[i]))))
        i++;
    return i;
}

static void pass_part(void *arg, int index, int64_t lo, int64_t hi)
{
    const pass *s = arg;
    const param *list = s->p->list;
    (void)index;
    for (int i = next_in_pass(s, 0); i < s->p->n; i = next_in_pass(s, i)) {
        int64_t gap = list[i].offset - list[i].goffset, from = list[i].goffset, end = from;
        for (; i < s->p->n && next_in_pass(s, i) == i && list[i].goffset == end &&
               list[i].offset - end == gap;
             i++)
            end += params_padded(list[i].count);
        from = from > lo ? from : lo, end = end < hi ? end : hi;
        if (from < end)
            s->run(s, from + gap, from, end - from);
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
    threads_share(pool, worth(s.p, count), s.p->grads_len, GRAIN, pass_part, &s);
}

// The optimiser's moments of the gradient's element g and those behind it.
static void moments_at(const pass *s, int64_t g, float *moment[PARAMS_MOMENTS])
{
    for (int i = 0; i < PARAMS_MOMENTS; i++)
        moment[i] = i < s->optim->moments ? s->p->moment[i] + g : NULL;
}

static void run_update(const pass *s, int64_t w, int64_t g, int64_t n)
{
    float *moment[PARAMS_MOMENTS];
    moments_at(s, g, moment);
    s->optim->update(s->hyper, s->p->weights + w, s->p->grads + g, moment, n);
}

// ---- Whole matrices: each is one thread's from its first to its last element

static int64_t most_work(const optim_def *o, const params *p)
{
    int64_t most = 0;
    for (int i = 0; o->matrix && i < p->n; i++) {
        const param *q = &p->list[i];
        int64_t n = is_matrix(q) ? o->matrix_work(q->shape.d[0], q->shape.d[1]) : 0;
        most = n > most ? n : most;
    }
    return (most + GRAIN - 1) / GRAIN * GRAIN;
}

int64_t optim_work(const optim_def *o, const params *p, int count)
{
    return most_work(o, p) * count;
}

// Parameters lo .. hi, those of them that are matrices.
static void matrix_part(void *arg, int index, int64_t lo, int64_t hi)
{
    const pass *s = arg;
    float *work = s->work + s->work_each * index;
    for (int64_t i = lo; i < hi; i++) {
        const param *q = &s->p->list[i];
        if (!is_matrix(q))
            continue;
        float *moment[PARAMS_MOMENTS];
        moments_at(s, q->goffset, moment);
        s->optim->matrix(s->hyper, s->p->weights + q->offset, s->p->grads + q->goffset, moment,
                         q->shape.d[0], q->shape.d[1], &s->kit->products, work);
    }
}

void optim_step(const optim_def *o, const optim_hyper *h, params *p, float *work, const kit *k,
                threads *pool, int count)
{
    int64_t each = most_work(o, p);
    CHECK(p->n_moments >= o->moments && h->step >= 1 && (work || !each));
    pass s = {.run = run_update,
              .p = p,
              .optim = of_width(o, k->width),
              .hyper = h,
              .kit = k,
              .by_matrix = o->matrix != NULL,
              .work = work,
              .work_each = each};
    pass_over(s, pool, count);
    if (o->matrix && work)
        threads_share(pool, count, p->n, 1, matrix_part, &s);
}

static void run_blend(const pass *s, int64_t w, int64_t g, int64_t n)
{
    passes[s->kit->width]->blend(s->shadow + g, s->p->weights + w, s->decay, n);
}

void optim_ema(float *shadow, float decay, const params *p, const kit *k, threads *pool, int count)
{
    pass_over((pass){.run = run_blend,
                     .p = (params *)(uintptr_t)p,
                     .kit = k,
                     .shadow = shadow,
                     .decay = decay},
              pool, count);
}

typedef struct squares {
    const params *p;
    variant width;
    int chunks; // by the length, or the number, of what is summed alone
    double (*of)(const struct squares *s, int chunk);
    double chunk[CHUNKS];
} squares;

static double grads_of(const squares *s, int chunk)
{
    int64_t lo, hi;
    threads_part(s->p->grads_len, GRAIN, chunk, s->chunks, &lo, &hi);
    return passes[s->width]->squares(s->p->grads + lo, hi - lo);
}

static double weights_of(const squares *s, int chunk)
{
    int64_t lo, hi;
    double sum = 0;
    threads_part(s->p->n, 1, chunk, s->chunks, &lo, &hi);
    for (int64_t k = lo; k < hi; k++)
        if (s->p->list[k].trainable)
            sum += passes[s->width]->squares(params_at(s->p, (int)k), s->p->list[k].count);
    return sum;
}

static void squares_part(void *arg, int index, int count)
{
    squares *s = arg;
    int64_t first, last;
    threads_part(s->chunks, 1, index, count, &first, &last);
    for (int64_t i = first; i < last; i++)
        s->chunk[i] = s->of(s, (int)i);
}

// Chunks are added in order, whatever the threads.
static double norm_of(squares *s, int64_t chunks, threads *pool, int count)
{
    double total = 0;
    s->chunks = chunks < CHUNKS ? (int)chunks : CHUNKS;
    threads_run(pool, worth(s->p, count), squares_part, s);
    for (int i = 0; i < s->chunks; i++)
        total += s->chunk[i];
    return sqrt(total);
}

double optim_grad_norm(const params *p, const kit *k, threads *pool, int count)
{
    squares s = {.p = p, .width = k->width, .of = grads_of};
    return norm_of(&s, p->grads_len / LEAST + 1, pool, count);
}

double optim_weight_norm(const params *p, const kit *k, threads *pool, int count)
{
    squares s = {.p = p, .width = k->width, .of = weights_of};
    return norm_of(&s, p->n, pool, count);
}

float optim_clip_factor(double norm, double max_norm)
{
    double factor = max_norm / (norm + 1e-6);
    return max_norm > 0 && factor < 1 ? (float)factor : 1;
}
