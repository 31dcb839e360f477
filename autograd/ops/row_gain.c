// SPDX-License-Identifier: GPL-3.0-or-later
// row_gain: what DoRA multiplies an adapted layer's outputs by (Liu et al. 2024, equation 5;
// peft/tuners/lora/dora.py): with m [O], W [O, ..] and the factors B [O, R], A [R, ..],
//     y_o = m_o / n_o,  n_o = |row o of W + scale B A|            output 1: 1 / n_o
//     dm = d / n
// The norm follows the factors, and is taken for a constant on the way back (section 4.3 there,
// and so in PEFT): W, A and B get no gradient here.
//
// The sum of a row is made piece by piece in the first cache and never stored.
#include <math.h>

#include "autograd/ops/kernel.h"

enum { IN_M, IN_W, IN_A, IN_B, INPUTS };
enum { PIECE = 512 };

typedef struct row_gain_attrs {
    float scale;
} row_gain_attrs;

static bool rule(const node *n, err *e)
{
    char s[3][64];
    shape m = n->in[IN_M]->shape, w = n->in[IN_W]->shape, a = n->in[IN_A]->shape,
          b = n->in[IN_B]->shape;
    bool fits = m.rank == 1 && w.rank >= 2 && a.rank >= 2 && b.rank == 2 && w.d[0] == m.d[0] &&
                b.d[0] == m.d[0] && b.d[1] == a.d[0] &&
                shape_count(w) * a.d[0] == shape_count(a) * w.d[0];
    if (!fits)
        return rule_fail(e, "%s %s do not make rows of %s", shape_text(b, s[0]),
                         shape_text(a, s[1]), shape_text(w, s[2]));
    n->out[1]->type = DT_F32, n->out[1]->shape = m;
    return rule_same(n, e);
}

static double cost(const call *c)
{
    return 0.06 * (double)shape_count(c->n->in[IN_W]->shape) *
           (double)(1 + c->n->in[IN_A]->shape.d[0]);
}

static int64_t width(const call *c)
{
    return shape_count(c->n->in[IN_W]->shape) / c->n->in[IN_W]->shape.d[0];
}

// The squares of columns [from, from + n) of row o, added up.
static float squares(const call *c, int64_t o, int64_t from, int64_t n)
{
    float x[PIECE], scale = ((const row_gain_attrs *)c->attrs)->scale;
    int64_t wide = width(c), rank = c->n->in[IN_A]->shape.d[0];
    const float *w = (const float *)c->in[IN_W] + o * wide + from,
                *b = (const float *)c->in[IN_B] + o * rank;
    for (int64_t i = 0; i < n; i++)
        x[i] = w[i];
    for (int64_t r = 0; r < rank; r++) {
        const float *a = (const float *)c->in[IN_A] + r * wide + from, by = scale * b[r];
        for (int64_t i = 0; i < n; i++)
            x[i] += by * a[i];
    }
    return lanes_dot(x, x, n);
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    int64_t wide = width(c);
    for (int64_t o = lo; o < hi; o++) {
        double sum = 0;
        for (int64_t i = 0; i < wide; i += PIECE)
            sum += (double)squares(c, o, i, wide - i < PIECE ? wide - i : PIECE);
        double inverse = 1 / sqrt(sum);
        ((float *)c->out[0])[o] = (float)((double)((const float *)c->in[IN_M])[o] * inverse);
        ((float *)c->out[1])[o] = (float)inverse;
    }
}

static void forward(const call *c)
{
    op_parallel(c, c->n->in[IN_M]->shape.d[0], 16, part);
}

static void reference(const call *c)
{
    int64_t wide = width(c), rank = c->n->in[IN_A]->shape.d[0];
    const float *w = c->in[IN_W], *a = c->in[IN_A], *b = c->in[IN_B];
    double scale = (double)((const row_gain_attrs *)c->attrs)->scale;
    for (int64_t o = 0; o < c->n->in[IN_M]->shape.d[0]; o++) {
        double sum = 0;
        for (int64_t i = 0; i < wide; i++) {
            double x = (double)w[o * wide + i];
            for (int64_t r = 0; r < rank; r++)
                x += scale * (double)b[o * rank + r] * (double)a[r * wide + i];
            sum += x * x;
        }
        ((float *)c->out[0])[o] = (float)((double)((const float *)c->in[IN_M])[o] / sqrt(sum));
        ((float *)c->out[1])[o] = (float)(1 / sqrt(sum));
    }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    if (want[IN_M])
        din[IN_M] = op_mul(g, dout[0], n->out[1]);
}

#define FIXED(r, ...)                                                                              \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1, .no_gradient = true             \
    }
static tensor *build(graph *g, tensor *const in[])
{
    return op_row_gain(g, in, 0.5f);
}
static const op_sample samples[] = {
    {.what = "a linear layer",
     .n = 4,
     .in = {VALUES(1, 19), FIXED(2, 19, 37), FIXED(2, 3, 37), FIXED(2, 19, 3)},
     .build = build},
    {.what = "a convolution",
     .n = 4,
     .in = {VALUES(1, 5), FIXED(4, 5, 3, 2, 2), FIXED(4, 2, 3, 2, 2), FIXED(2, 5, 2)},
     .build = build},
    {.what = "rows longer than a piece, several parts",
     .n = 4,
     .in = {VALUES(1, 70), FIXED(2, 70, 1100), FIXED(2, 8, 1100), FIXED(2, 70, 8)},
     .build = build},
};

const op_def VARIANT(op_row_gain) = {
    .name = "row_gain",
    OP_F32(INPUTS, 2),
    .flags = OP_EXACT,
    .shape = rule,
    .cost = cost,
    .forward = forward,
    .reference = reference,
    .gradient = gradient,
    .no_portable = "adapters are merged before a model is exported",
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_row_gain(graph *g, tensor *const mwab[4], float scale)
{
    return graph_add(g, OP_row_gain, &(row_gain_attrs){scale}, sizeof(row_gain_attrs), INPUTS,
                     mwab);
}
#endif
