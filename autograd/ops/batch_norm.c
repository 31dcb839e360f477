// SPDX-License-Identifier: GPL-3.0-or-later
// batch_norm: y = act((x - mean) / sqrt(var + eps) * w + b) of x [.., C], mean and variance of each
// channel over all rows of the batch (torch.nn.BatchNorm2d in training, channels last; Ioffe and
// Szegedy 2015), eps 1e-5.
//     dx, dw, db by batch_norm_back.
// Output 1 keeps mean and 1 / sqrt(var + eps), [2, C], for the way back. Outputs 2 and 3 are what
// the running statistics are to become, a tenth of the way from what they are:
//     0.9 running_mean + 0.1 (mean + shift)        0.9 running_var + 0.1 var n / (n - 1)
// shift, or NULL, is a bias that the layer below leaves out: it would be taken off again with the
// mean, so that it moves nothing but the running mean, and its gradient is zero.
// x and y may be bf16, where casts are fused (fuse.h).
// The variance is taken around each block's own mean and put together as Chan, Golub and LeVeque
// 1979 do, so that a mean far from zero costs no digits.
#include "autograd/ops/batch_norm.h"

enum { IN_X, IN_W, IN_B, IN_MEAN, IN_VAR, IN_SHIFT, INPUTS };
enum { OUT_Y, OUT_STATS, OUT_MEAN, OUT_VAR, OUTPUTS };

static bool rule(const node *n, err *e)
{
    char a[64];
    const tensor *x = n->in[IN_X];
    activation act = ((const activation_attrs *)n->attrs)->act;
    if (!norm_fits(n, IN_X, IN_W, INPUTS - IN_W, e))
        return false;
    if (shape_rows(x->shape) < 2)
        return rule_fail(e, "one row, %s, has no variance; take a batch of two or more",
                         shape_text(x->shape, a));
    if (act != ACT_NONE && act != ACT_RELU)
        return rule_fail(e, "it has no activation but relu");
    for (int i = OUT_STATS; i < OUTPUTS; i++)
        n->out[i]->type = DT_F32, n->out[i]->shape = shape_of(1, norm_channels(x));
    n->out[OUT_STATS]->shape = shape_of(2, 2, norm_channels(x));
    return rule_same(n, e);
}

// Sums of blocks; then factor and offset of each channel.
static size_t workspace(const call *c)
{
    const tensor *x = c->n->in[IN_X];
    return norm_sums_bytes(x) + (size_t)(2 * norm_channels(x)) * sizeof(float);
}

static double cost(const call *c)
{
    return 0.5 * (double)shape_count(c->n->in[IN_X]->shape);
}

// Mean of each channel over n rows, and the sum of squares around it.
NORM_LOOP void measure(const void *x, bool narrow, int64_t n, int64_t channels,
                       float *restrict mean, float *restrict square)
{
    memset(mean, 0, (size_t)channels * sizeof *mean);
    memset(square, 0, (size_t)channels * sizeof *square);
    for (int64_t r = 0; r < n; r++)
        for (int64_t i = 0; i < channels; i++)
            mean[i] += norm_read(x, narrow, r * channels + i);
    for (int64_t i = 0; i < channels; i++)
        mean[i] /= (float)n;
    for (int64_t r = 0; r < n; r++)
        for (int64_t i = 0; i < channels; i++) {
            float z = norm_read(x, narrow, r * channels + i) - mean[i];
            square[i] += z * z;
        }
}

static void measure_part(const call *c, int64_t lo, int64_t hi) // blocks
{
    int64_t channels = norm_channels(c->n->in[IN_X]), rows = shape_rows(c->n->in[IN_X]->shape);
    for (int64_t k = lo; k < hi; k++) {
        int64_t at = k * NORM_BLOCK, n = rows - at < NORM_BLOCK ? rows - at : NORM_BLOCK;
        float *sums = (float *)c->work + 2 * k * channels;
        bool narrow = c->n->in[IN_X]->type == DT_BF16;
        const void *x = norm_at(c->in[IN_X], narrow, at * channels);
        if (narrow)
            measure(x, true, n, channels, sums, sums + channels);
        else
            measure(x, false, n, channels, sums, sums + channels);
    }
}

// Of n numbers of which `before` came earlier: mean and squares of all of them.
typedef struct moments {
    double n, mean, square;
} moments;

static moments moments_join(moments a, moments b)
{
    double n = a.n + b.n, d = b.mean - a.mean;
    return (moments){n, a.mean + d * b.n / n, a.square + b.square + d * d * a.n * b.n / n};
}

static moments channel_moments(const call *c, int64_t i)
{
    int64_t channels = norm_channels(c->n->in[IN_X]), rows = shape_rows(c->n->in[IN_X]->shape);
    moments all = {0};
    for (int64_t k = 0; k < norm_blocks(c->n->in[IN_X]); k++) {
        int64_t n = rows - k * NORM_BLOCK;
        const float *sums = (const float *)c->work + 2 * k * channels + i;
        moments one = {n < NORM_BLOCK ? (double)n : NORM_BLOCK, (double)sums[0],
                       (double)sums[channels]};
        all = k ? moments_join(all, one) : one;
    }
    return all;
}

// What is kept of a channel's moments. Returns what a deviation of 1 becomes.
static double settle(const call *c, int64_t i, moments m)
{
    int64_t channels = norm_channels(c->n->in[IN_X]);
    double r = 1 / sqrt(m.square / m.n + (double)BATCH_NORM_EPS), keep = 1 - BATCH_NORM_MOMENTUM,
           shift = c->in[IN_SHIFT] ? (double)((const float *)c->in[IN_SHIFT])[i] : 0;
    float *stats = c->out[OUT_STATS];
    stats[i] = (float)m.mean, stats[channels + i] = (float)r;
    ((float *)c->out[OUT_MEAN])[i] =
        (float)(keep * (double)((const float *)c->in[IN_MEAN])[i] + (1 - keep) * (m.mean + shift));
    ((float *)c->out[OUT_VAR])[i] = (float)(keep * (double)((const float *)c->in[IN_VAR])[i] +
                                            (1 - keep) * m.square / (m.n - 1));
    return r * (double)((const float *)c->in[IN_W])[i];
}

// Of each channel what x is multiplied by, and what is then added.
static float *factors_of(const call *c)
{
    return (float *)c->work + norm_sums_bytes(c->n->in[IN_X]) / sizeof(float);
}

NORM_LOOP void norm_row(const void *x, bool from, void *y, bool to, const float *f, const float *t,
                        bool relu, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        float v = norm_read(x, from, i) * f[i] + t[i];
        norm_write(y, to, i, relu && !(v > 0) ? 0 : v);
    }
}

#define ROW(name, from, to, relu)                                                                  \
    static void name(const void *x, void *y, const float *f, const float *t, int64_t n)            \
    {                                                                                              \
        norm_row(x, from, y, to, f, t, relu, n);                                                   \
    }
ROW(row, false, false, false)
ROW(row_relu, false, false, true)
ROW(row_to, false, true, false)
ROW(row_to_relu, false, true, true)
ROW(row_from, true, false, false)
ROW(row_from_relu, true, false, true)
ROW(row_narrow, true, true, false)
ROW(row_narrow_relu, true, true, true)

typedef void row_fn(const void *x, void *y, const float *f, const float *t, int64_t n);

static void part(const call *c, int64_t lo, int64_t hi) // rows
{
    static row_fn *const rows[2][2][2] = {
        {{row, row_relu}, {row_to, row_to_relu}},
        {{row_from, row_from_relu}, {row_narrow, row_narrow_relu}}};
    int64_t channels = norm_channels(c->n->in[IN_X]);
    bool from = c->n->in[IN_X]->type == DT_BF16, to = c->n->out[OUT_Y]->type == DT_BF16;
    const float *f = factors_of(c);
    row_fn *fn = rows[from][to][((const activation_attrs *)c->attrs)->act == ACT_RELU];
    for (int64_t r = lo; r < hi; r++)
        fn(norm_at(c->in[IN_X], from, r * channels), norm_at(c->out[OUT_Y], to, r * channels), f,
           f + channels, channels);
}

static void forward(const call *c)
{
    const tensor *x = c->n->in[IN_X];
    op_parallel(c, norm_blocks(x), 1, measure_part);
    float *f = factors_of(c), *t = f + norm_channels(x);
    for (int64_t i = 0; i < norm_channels(x); i++) {
        moments m = channel_moments(c, i);
        double factor = settle(c, i, m);
        f[i] = (float)factor;
        t[i] = (float)((double)((const float *)c->in[IN_B])[i] - m.mean * factor);
    }
    op_parallel(c, shape_rows(x->shape), 16, part);
}

static double number(const call *c, int64_t at)
{
    return (double)norm_read(c->in[IN_X], c->n->in[IN_X]->type == DT_BF16, at);
}

static void reference(const call *c)
{
    int64_t channels = norm_channels(c->n->in[IN_X]), rows = shape_rows(c->n->in[IN_X]->shape);
    activation act = ((const activation_attrs *)c->attrs)->act;
    for (int64_t i = 0; i < channels; i++) {
        moments m = {.n = (double)rows};
        for (int64_t r = 0; r < rows; r++)
            m.mean += number(c, r * channels + i) / m.n;
        for (int64_t r = 0; r < rows; r++)
            m.square +=
                (number(c, r * channels + i) - m.mean) * (number(c, r * channels + i) - m.mean);
        double factor = settle(c, i, m), b = (double)((const float *)c->in[IN_B])[i];
        for (int64_t r = 0; r < rows; r++) {
            int64_t at = r * channels + i;
            float y = (float)activation_exact(act, (number(c, at) - m.mean) * factor + b);
            norm_write(c->out[OUT_Y], c->n->out[OUT_Y]->type == DT_BF16, at, y);
        }
    }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    tensor *in[] = {dout[0], n->in[IN_X], n->in[IN_W], n->in[IN_B], n->out[OUT_STATS]};
    rule_take(op_batch_norm_back(g, in, ((const activation_attrs *)n->attrs)->act), 3, din, want);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_batch_norm(g, in, NULL, ACT_NONE);
}
static tensor *build_shift(graph *g, tensor *const in[])
{
    return op_batch_norm(g, in, in[IN_SHIFT], ACT_NONE);
}
static tensor *build_relu(graph *g, tensor *const in[])
{
    return op_batch_norm(g, in, NULL, ACT_RELU);
}
#define STATS(c)                                                                                   \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(1, c), .scale = 1, .offset = 1, .no_gradient = true          \
    }
static const op_sample samples[] = {
    {.what = "pictures",
     .n = 5,
     .in = {VALUES(4, 2, 3, 2, 5), VALUES(1, 5), VALUES(1, 5), STATS(5), STATS(5)},
     .build = build},
    {.what = "several blocks, a shift",
     .n = 6,
     .in = {VALUES(4, 3, 8, 13, 21), VALUES(1, 21), VALUES(1, 21), STATS(21), STATS(21), STATS(21)},
     .build = build_shift},
    {.what = "relu",
     .n = 5,
     .in = {VALUES(2, 4, 3), VALUES(1, 3), VALUES(1, 3), STATS(3), STATS(3)},
     .build = build_relu,
     .step = 1e-3f,
     .tolerance = 5e-3f},
    {.what = "far from zero",
     .n = 5,
     .in = {{.type = DT_F32,
             .shape = DIMS(2, 300, 17),
             .scale = 2,
             .offset = 30,
             .no_gradient = true},
            VALUES(1, 17),
            VALUES(1, 17),
            STATS(17),
            STATS(17)},
     .build = build},
};

const op_def VARIANT(op_batch_norm) = {
    .name = "batch_norm",
    OP_F32(INPUTS, OUTPUTS),
    .optional = 1u << IN_SHIFT,
    .flags = OP_INPLACE0,
    .reads_bf16 = 1u << IN_X,
    .writes_bf16 = true,
    .shape = rule,
    OP_PLANNED(workspace, cost, NULL),
    .forward = forward,
    .reference = reference,
    .gradient = gradient,
    .no_portable = "it stands in training alone; what is exported has its factors in the layer "
                   "before it (norm_factors)",
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_batch_norm(graph *g, tensor *const in[5], tensor *shift, activation act)
{
    tensor *all[] = {in[0], in[1], in[2], in[3], in[4], shift};
    return graph_add(g, OP_batch_norm, &(activation_attrs){act}, sizeof(activation_attrs), INPUTS,
                     all);
}
#endif
