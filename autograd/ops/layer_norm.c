// SPDX-License-Identifier: GPL-3.0-or-later
// layer_norm: y = (x - mean) / sqrt(var + eps) * w + b over the last axis
// (torch.nn.functional.layer_norm, eps 1e-5; Ba et al. 2016).
//     dx, dw, db by layer_norm_back.
// Output 1 keeps mean and 1 / sqrt(var + eps) of each row for the way back; the variance is taken
// around the mean, in a second pass over a row that is near by then.
#include <math.h>

#include "autograd/ops/layer_norm.h"

static bool rule(const node *n, err *e)
{
    if (!layer_norm_fits(n->in[0], n->in[1], n->in[2], e))
        return false;
    n->out[1]->type = DT_F32;
    n->out[1]->shape = shape_of(2, shape_rows(n->in[0]->shape), 2);
    return rule_same(n, e);
}

static double cost(const call *c)
{
    return 0.4 * (double)shape_count(c->n->in[0]->shape);
}

// Sums of x - mean, or of its squares, in lanes as lanes_sum has them once their halves are added.
ROW_INLINE vf row_moment(const float *x, int64_t n, float mean, bool square)
{
    vf sum[2] = {{0}};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        ROW_EACH(h, 2)
        {
            vf v = vf_load(x + i + h * VLANES) - mean;
            if (square)
                v *= v;
            sum[h] += v;
        }
    if (i < n) {
        float lane[LANES];
        memcpy(lane, sum, sizeof lane);
        for (int64_t k = 0; k < n - i; k++) {
            float v = x[i + k] - mean;
            lane[k] += square ? v * v : v;
        }
        memcpy(sum, lane, sizeof lane);
    }
    return sum[0] + sum[1];
}

// Rows r .. r + count: of short ones the sums of lanes cost more than all else, and here they are
// four for one (row_fold). A row has the bits that it has alone.
ROW_INLINE void norm_rows(const call *c, int64_t r, int64_t n, int count)
{
    const float *x = (const float *)c->in[0] + r * n, *w = c->in[1], *b = c->in[2];
    float *y = (float *)c->out[0] + r * n, *stats = (float *)c->out[1] + 2 * r;
    float mean[4], factor[4];
    vf sum[4] = {{0}};
    ROW_EACH(k, count)
    sum[k] = row_moment(x + k * n, n, 0, false);
    row_fold(sum, mean);
    ROW_EACH(k, count)
    mean[k] /= (float)n, sum[k] = row_moment(x + k * n, n, mean[k], true);
    row_fold(sum, factor);
    for (int k = 0; k < count; k++, x += n, y += n, stats += 2) {
        float m = mean[k], f = 1.0f / sqrtf(factor[k] / (float)n + LAYER_NORM_EPS);
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - m) * f * w[i] + b[i];
        stats[0] = m, stats[1] = f;
    }
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    int64_t n = layer_norm_width(c->n->in[0]), r = lo;
    for (; r + 4 <= hi; r += 4)
        norm_rows(c, r, n, 4);
    for (; r < hi; r++)
        norm_rows(c, r, n, 1);
}

static void forward(const call *c)
{
    op_parallel(c, shape_rows(c->n->in[0]->shape), 4, part);
}

static void reference(const call *c)
{
    int64_t n = layer_norm_width(c->n->in[0]);
    for (int64_t r = 0; r < shape_rows(c->n->in[0]->shape); r++) {
        const float *x = (const float *)c->in[0] + r * n;
        double mean = 0, square = 0;
        for (int64_t i = 0; i < n; i++)
            mean += (double)x[i] / (double)n;
        for (int64_t i = 0; i < n; i++)
            square += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
        double factor = 1 / sqrt(square + (double)LAYER_NORM_EPS);
        for (int64_t i = 0; i < n; i++)
            ((float *)c->out[0])[r * n + i] =
                (float)(((double)x[i] - mean) * factor * (double)((const float *)c->in[1])[i] +
                        (double)((const float *)c->in[2])[i]);
        ((float *)c->out[1])[2 * r] = (float)mean, ((float *)c->out[1])[2 * r + 1] = (float)factor;
    }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    tensor *in[] = {dout[0], n->in[0], n->in[1], n->out[1]};
    if (!want[1] && !want[2]) {
        din[0] = op_layer_norm_input(g, in, NULL);
        return;
    }
    rule_take(op_layer_norm_back(g, in, NULL), 3, din, want);
}

static void portable(const node *n, emitter *m)
{
    const emit_attr attrs[] = {{.name = "axis", .kind = EMIT_INT, .i = -1},
                               {.name = "epsilon", .kind = EMIT_FLOAT, .f = LAYER_NORM_EPS}};
    emit_node(m, "LayerNormalization", 3,
              (const char *[]){emit_in(m, n, 0), emit_in(m, n, 1), emit_in(m, n, 2)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 2, attrs);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_layer_norm(g, in[0], in[1], in[2]);
}
static const op_sample samples[] = {
    {.what = "tokens",
     .n = 3,
     .in = {VALUES(3, 2, 5, 19), VALUES(1, 19), VALUES(1, 19)},
     .build = build},
    {.what = "several blocks of rows",
     .n = 3,
     .in = {VALUES(2, 150, 40), VALUES(1, 40), VALUES(1, 40)},
     .build = build},
    {.what = "rows of heads",
     .n = 3,
     .in = {VALUES(2, 7, 32), VALUES(1, 32), VALUES(1, 32)},
     .build = build},
    {.what = "six axes",
     .n = 3,
     .in = {VALUES(6, 2, 1, 2, 1, 3, 19), VALUES(1, 19), VALUES(1, 19)},
     .build = build},
    {.what = "far from zero",
     .n = 3,
     .in =
         {{.type = DT_F32, .shape = DIMS(2, 3, 70), .scale = 2, .offset = 30, .no_gradient = true},
          VALUES(1, 70),
          VALUES(1, 70)},
     .build = build},
};

const op_def VARIANT(op_layer_norm) = {
    .name = "layer_norm",
    OP_F32(3, 2),
    .flags = OP_INPLACE0 | OP_AGAIN,
    .shape = rule,
    .cost = cost,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_layer_norm(graph *g, tensor *x, tensor *w, tensor *b)
{
    return graph_add(g, OP_layer_norm, NULL, 0, 3, (tensor *[]){x, w, b});
}
#endif
