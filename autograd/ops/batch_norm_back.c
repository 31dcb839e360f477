// SPDX-License-Identifier: GPL-3.0-or-later
// batch_norm_back: the gradients of batch_norm, with z = (x - mean) r and r = 1 / sqrt(var + eps)
// (torch's native_batch_norm_backward, in training):
//     p = d, with relu 0 where w z + b <= 0
//     dw = sum over rows of p z        db = sum over rows of p
//     dx = w r (p - mean(p) - z mean(p z))
// Inputs: d and x [.., C], w and b [C], stats [2, C] = (mean, r). What relu let through is told
// from x again, so that y need not be kept for it. x may be bf16; dx is where casts are fused
// (fuse.h).
#include "autograd/ops/batch_norm.h"

enum { IN_D, IN_X, IN_W, IN_B, IN_STATS, INPUTS };

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    if (!norm_fits(n, IN_X, IN_W, 2, e))
        return false;
    if (!shape_same(n->in[IN_D]->shape, n->in[IN_X]->shape) ||
        !shape_same(n->in[IN_STATS]->shape, shape_of(2, 2, norm_channels(n->in[IN_X]))))
        return rule_fail(e, "gradient %s does not fit its input or its channels' statistics %s",
                         shape_text(n->in[IN_D]->shape, a), shape_text(n->in[IN_STATS]->shape, b));
    for (int i = 1; i < 3; i++)
        n->out[i]->type = DT_F32, n->out[i]->shape = n->in[IN_W]->shape;
    return rule_same(n, e);
}

// Sums of blocks; then the vectors of `terms`.
enum { TERMS = 5 };
static size_t workspace(const call *c)
{
    const tensor *x = c->n->in[IN_X];
    return norm_sums_bytes(x) + (size_t)(TERMS * norm_channels(x)) * sizeof(float);
}

static double cost(const call *c)
{
    return 0.7 * (double)shape_count(c->n->in[IN_X]->shape);
}

// A number a channel: relu lets x through where x f + t > 0; dx = p f + (x - mean) u + v.
typedef struct terms {
    float *f, *t, *mean, *u, *v;
} terms;

static terms terms_of(const call *c)
{
    int64_t n = norm_channels(c->n->in[IN_X]);
    float *at = (float *)c->work + norm_sums_bytes(c->n->in[IN_X]) / sizeof(float);
    return (terms){at, at + n, at + 2 * n, at + 3 * n, at + 4 * n};
}

static bool has_relu(const call *c)
{
    return ((const activation_attrs *)c->attrs)->act == ACT_RELU;
}

// Over n numbers: p, of which relu's are let through, and what is done with it.
#define EACH_CHANNEL(statement)                                                                    \
    if (relu) {                                                                                    \
        INDEPENDENT                                                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            float xi = norm_read(x, from, i), p = xi * k->f[i] + k->t[i] > 0 ? d[i] : 0;           \
            statement;                                                                             \
        }                                                                                          \
    } else {                                                                                       \
        INDEPENDENT                                                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            float xi = norm_read(x, from, i), p = d[i];                                            \
            statement;                                                                             \
        }                                                                                          \
    }

NORM_LOOP void sum_row(const terms *k, const float *d, const void *x, bool from, bool relu,
                       float *restrict db, float *restrict dz, int64_t n)
{
    EACH_CHANNEL(db[i] += p; dz[i] += p * (xi - k->mean[i]))
}

NORM_LOOP void input_row(const terms *k, const float *d, const void *x, bool from, bool relu,
                         void *dx, bool to, int64_t n)
{
    EACH_CHANNEL(norm_write(dx, to, i, p * k->f[i] + (xi - k->mean[i]) * k->u[i] + k->v[i]))
}

static void sum_part(const call *c, int64_t lo, int64_t hi) // blocks
{
    int64_t n = norm_channels(c->n->in[IN_X]), rows = shape_rows(c->n->in[IN_X]->shape);
    const terms k = terms_of(c);
    bool from = c->n->in[IN_X]->type == DT_BF16, relu = has_relu(c);
    for (int64_t b = lo; b < hi; b++) {
        float *sums = (float *)c->work + 2 * b * n;
        memset(sums, 0, (size_t)(2 * n) * sizeof *sums);
        for (int64_t r = b * NORM_BLOCK; r < rows && r < (b + 1) * NORM_BLOCK; r++) {
            const float *d = (const float *)c->in[IN_D] + r * n;
            const void *x = norm_at(c->in[IN_X], from, r * n);
            if (from)
                sum_row(&k, d, x, true, relu, sums, sums + n, n);
            else
                sum_row(&k, d, x, false, relu, sums, sums + n, n);
        }
    }
}

static void input_part(const call *c, int64_t lo, int64_t hi) // rows
{
    int64_t n = norm_channels(c->n->in[IN_X]);
    const terms k = terms_of(c);
    bool from = c->n->in[IN_X]->type == DT_BF16, to = c->n->out[0]->type == DT_BF16,
         relu = has_relu(c);
    for (int64_t r = lo; r < hi; r++) {
        const float *d = (const float *)c->in[IN_D] + r * n;
        const void *x = norm_at(c->in[IN_X], from, r * n);
        void *dx = norm_at(c->out[0], to, r * n);
        if (from && to)
            input_row(&k, d, x, true, relu, dx, true, n);
        else if (from)
            input_row(&k, d, x, true, relu, dx, false, n);
        else if (to)
            input_row(&k, d, x, false, relu, dx, true, n);
        else
            input_row(&k, d, x, false, relu, dx, false, n);
    }
}

// What relu needs to know, of channel i.
static void begin_channel(const call *c, const terms *k, int64_t i)
{
    int64_t n = norm_channels(c->n->in[IN_X]);
    const float *stats = c->in[IN_STATS];
    double factor = (double)stats[n + i] * (double)((const float *)c->in[IN_W])[i];
    k->mean[i] = stats[i];
    k->f[i] = (float)factor;
    k->t[i] = (float)((double)((const float *)c->in[IN_B])[i] - (double)stats[i] * factor);
}

// The blocks' sums of channel i together, and what dx takes of them.
static void end_channel(const call *c, const terms *k, int64_t i)
{
    int64_t n = norm_channels(c->n->in[IN_X]);
    double db = 0, dz = 0, rows = (double)shape_rows(c->n->in[IN_X]->shape),
           r = (double)((const float *)c->in[IN_STATS])[n + i],
           factor = r * (double)((const float *)c->in[IN_W])[i];
    for (int64_t b = 0; b < norm_blocks(c->n->in[IN_X]); b++)
        db += (double)((const float *)c->work)[2 * b * n + i],
            dz += (double)((const float *)c->work)[(2 * b + 1) * n + i];
    ((float *)c->out[1])[i] = (float)(dz * r), ((float *)c->out[2])[i] = (float)db;
    k->u[i] = (float)(-factor * r * r * dz / rows), k->v[i] = (float)(-factor * db / rows);
}

static void forward(const call *c)
{
    const tensor *x = c->n->in[IN_X];
    const terms k = terms_of(c);
    for (int64_t i = 0; i < norm_channels(x); i++)
        begin_channel(c, &k, i);
    op_parallel(c, norm_blocks(x), 1, sum_part);
    for (int64_t i = 0; i < norm_channels(x); i++)
        end_channel(c, &k, i);
    op_parallel(c, shape_rows(x->shape), 16, input_part);
}

static void channel_exact(const call *c, int64_t i)
{
    int64_t n = norm_channels(c->n->in[IN_X]), rows = shape_rows(c->n->in[IN_X]->shape);
    const float *d = c->in[IN_D], *stats = c->in[IN_STATS];
    double w = (double)((const float *)c->in[IN_W])[i], b = (double)((const float *)c->in[IN_B])[i],
           mean = (double)stats[i], r = (double)stats[n + i], dw = 0, db = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t at = i; at < rows * n; at += n) {
            double x = (double)norm_read(c->in[IN_X], c->n->in[IN_X]->type == DT_BF16, at),
                   z = (x - mean) * r, p = has_relu(c) && w * z + b <= 0 ? 0 : (double)d[at];
            if (pass)
                ((float *)c->out[0])[at] =
                    (float)(w * r * (p - db / (double)rows - z * dw / (double)rows));
            else
                dw += p * z, db += p;
        }
    ((float *)c->out[1])[i] = (float)dw, ((float *)c->out[2])[i] = (float)db;
}

static void reference(const call *c)
{
    for (int64_t i = 0; i < norm_channels(c->n->in[IN_X]); i++)
        channel_exact(c, i);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_batch_norm_back(g, in, ACT_NONE);
}
static tensor *build_bf16(graph *g, tensor *const in[])
{
    return op_batch_norm_back(
        g, (tensor *[]){in[0], op_cast(g, in[1], DT_BF16), in[2], in[3], in[4]}, ACT_RELU);
}
static tensor *build_relu(graph *g, tensor *const in[])
{
    return op_batch_norm_back(g, in, ACT_RELU);
}
#define PAIR(r, ...) VALUES(r, __VA_ARGS__), VALUES(r, __VA_ARGS__)
static const op_sample samples[] = {
    {.what = "pictures",
     .n = 5,
     .in = {PAIR(4, 2, 3, 2, 5), PAIR(1, 5), VALUES(2, 2, 5)},
     .build = build},
    {.what = "several blocks",
     .n = 5,
     .in = {PAIR(2, 300, 19), PAIR(1, 19), VALUES(2, 2, 19)},
     .build = build},
    {.what = "relu, bf16",
     .n = 5,
     .in = {PAIR(2, 40, 600), PAIR(1, 600), VALUES(2, 2, 600)},
     .build = build_bf16},
    {.what = "relu, several blocks",
     .n = 5,
     .in = {PAIR(3, 3, 101, 21), PAIR(1, 21), VALUES(2, 2, 21)},
     .build = build_relu},
};

const op_def VARIANT(op_batch_norm_back) = {
    .name = "batch_norm_back",
    OP_F32(INPUTS, 3),
    .flags = OP_INPLACE0 | OP_INPLACE1,
    .reads_bf16 = 1u << IN_X,
    .writes_bf16 = true,
    .shape = rule,
    OP_PLANNED(workspace, cost, NULL),
    OP_BACK_KERNELS(forward, reference),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_batch_norm_back(graph *g, tensor *const dxwb_stats[5], activation act)
{
    return graph_add(g, OP_batch_norm_back, &(activation_attrs){act}, sizeof(activation_attrs),
                     INPUTS, dxwb_stats);
}
#endif
