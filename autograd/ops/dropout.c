// SPDX-License-Identifier: GPL-3.0-or-later
// dropout: y = x / (1 - p) where kept, 0 where not, in training; y = x otherwise
// (torch.nn.functional.dropout).
//     dx = d / (1 - p) where kept: the same op on d, as the mask is a function of (seed, stream,
//     index, step, element) and is drawn again instead of stored.
// An element is kept where its 32 random bits are at least p 2^32.
#include <math.h>
#include <string.h>

#include "autograd/ops/kernel.h"
#include "base/philox.h"

// Numbers drawn at a time: they stay in the first cache.
enum { DRAWN = 512 };

typedef struct dropout_attrs {
    float p;
    int index;
    const char *stream; // in the graph's arena
} dropout_attrs;

static bool rule(const node *n, err *e)
{
    const dropout_attrs *a = n->attrs;
    if (!(a->p >= 0 && a->p < 1))
        return rule_fail(e, "p is %g; it must lie in [0, 1)", (double)a->p);
    if (shape_count(n->in[0]->shape) > UINT32_MAX)
        return rule_fail(e, "%lld elements are more than the 2^32 that a mask counts",
                         (long long)shape_count(n->in[0]->shape));
    return rule_same(n, e);
}

static double cost(const call *c)
{
    return 0.8 * (double)shape_count(c->n->out[0]->shape);
}

static uint32_t threshold(float p)
{
    return (uint32_t)lrint((double)p * 4294967296.0);
}

static void block(const float *x, float *y, const uint32_t *u, int64_t n, uint32_t limit,
                  float scale)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = u[i] >= limit ? x[i] * scale : 0.0f;
}

// Number of element i in the whole that this batch may be a part of.
static uint64_t element(const call *c, int64_t i)
{
    return c->part * (uint64_t)shape_count(c->n->out[0]->shape) + (uint64_t)i;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    const dropout_attrs *a = c->attrs;
    const float *x = c->in[0];
    float *y = c->out[0];
    rng r = rng_stream(c->seed, a->stream, (uint32_t)a->index);
    uint32_t u[DRAWN + 4];
    for (int64_t i = lo; i < hi; i += DRAWN) {
        int64_t n = hi - i < DRAWN ? hi - i : DRAWN;
        uint64_t first = element(c, i), inside = first % 4;
        rng_fill_blocks(r, c->step, (uint32_t)(first / 4), u,
                        (uint32_t)((inside + (uint64_t)n + 3) / 4));
        block(x + i, y + i, u + inside, n, threshold(a->p), 1.0f / (1.0f - a->p));
    }
}

static void forward(const call *c)
{
    int64_t n = shape_count(c->n->out[0]->shape);
    if (c->training)
        op_parallel(c, n, GRAIN, part);
    else if (c->in[0] != c->out[0])
        memcpy(c->out[0], c->in[0], (size_t)n * sizeof(float));
}

static void reference(const call *c)
{
    const dropout_attrs *a = c->attrs;
    const float *x = c->in[0];
    rng r = rng_stream(c->seed, a->stream, (uint32_t)a->index);
    for (int64_t i = 0; i < shape_count(c->n->out[0]->shape); i++) {
        bool kept = !c->training ||
                    rng_u32(r, c->step, (uint32_t)element(c, i)) >= (double)a->p * 4294967296.0;
        double scale = c->training ? 1.0 / (1.0 - (double)a->p) : 1.0;
        ((float *)c->out[0])[i] = kept ? (float)(x[i] * scale) : 0.0f;
    }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    const dropout_attrs *a = n->attrs;
    (void)want;
    din[0] = op_dropout(g, dout[0], a->p, a->stream, a->index);
}

static void portable(const node *n, emitter *m)
{
    emit_node(m, "Identity", 1, (const char *[]){emit_in(m, n, 0)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static tensor *build_few(graph *g, tensor *const in[])
{
    return op_dropout(g, in[0], 0.3f, "sample", 7);
}
static tensor *build_many(graph *g, tensor *const in[])
{
    return op_dropout(g, in[0], 0.9f, "sample", 8);
}
static const op_sample samples[] = {
    {.what = "p 0.3", .n = 1, .in = {VALUES(2, 9, 11)}, .build = build_few},
    {.what = "six axes", .n = 1, .in = {VALUES(6, 2, 3, 1, 2, 2, 7)}, .build = build_few},
    {.what = "p 0.9, several parts", .n = 1, .in = {VALUES(2, 33, 97)}, .build = build_many},
};

const op_def VARIANT(op_dropout) = {
    .name = "dropout",
    OP_F32(1, 1),
    .flags = OP_INPLACE0 | OP_RANDOM,
    .shape = rule,
    .cost = cost,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_dropout(graph *g, tensor *x, float p, const char *stream, int index)
{
    if (p == 0)
        return x;
    dropout_attrs a = {p, index, arena_strdup(graph_arena(g), stream)};
    return graph_add(g, OP_dropout, &a, sizeof a, 1, (tensor *[]){x});
}
#endif
