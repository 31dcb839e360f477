// SPDX-License-Identifier: GPL-3.0-or-later
// avg_pool: pictures [B, H, W, C], channels last, as means of down x across parts of them
// (torch.nn.functional.adaptive_avg_pool2d; 1 x 1 is the mean of all pixels). Part i of n goes from
// floor(i H / n) to ceil((i + 1) H / n), so that parts overlap by a pixel where n does not divide
// H.
//     dx of a pixel: the sum of d / (pixels of the part) over the parts that it lies in, by
//     avg_pool_back.
#include <string.h>

#include "autograd/ops/kernel.h"

typedef struct pool_attrs {
    int64_t down, across, h, w;
} pool_attrs;

typedef struct span {
    int64_t lo, hi;
} span;

// Pixels of part i of n.
static span span_of(int64_t i, int64_t n, int64_t size)
{
    return (span){i * size / n, ((i + 1) * size + n - 1) / n};
}

static bool rule(const node *n, err *e)
{
    char a[64];
    const pool_attrs *t = n->attrs;
    shape x = n->in[0]->shape;
    if (x.rank != 4 || t->down < 1 || t->across < 1 || t->down > t->h || t->across > t->w)
        return rule_fail(e, "pictures %s have no %lld x %lld parts", shape_text(x, a),
                         (long long)t->down, (long long)t->across);
    n->out[0]->type = DT_F32;
    n->out[0]->shape = shape_of(4, x.d[0], t->down, t->across, x.d[3]);
    n->out[0]->shape.sym[0] = x.sym[0];
    return true;
}

static double cost(const call *c)
{
    return 0.2 * (double)shape_count(c->n->in[0]->shape);
}

// Parts lo .. hi of all pictures, one row of channels each.
static void part(const call *c, int64_t lo, int64_t hi)
{
    const pool_attrs *t = c->attrs;
    int64_t channels = c->n->out[0]->shape.d[3];
    for (int64_t k = lo; k < hi; k++) {
        int64_t b = k / t->across / t->down;
        span ys = span_of(k / t->across % t->down, t->down, t->h),
             xs = span_of(k % t->across, t->across, t->w);
        float *restrict y = (float *)c->out[0] + k * channels;
        float each = 1.0f / (float)((ys.hi - ys.lo) * (xs.hi - xs.lo));
        memset(y, 0, (size_t)channels * sizeof *y);
        for (int64_t i = ys.lo; i < ys.hi; i++)
            for (int64_t j = xs.lo; j < xs.hi; j++) {
                const float *restrict x =
                    (const float *)c->in[0] + ((b * t->h + i) * t->w + j) * channels;
                for (int64_t p = 0; p < channels; p++)
                    y[p] += x[p];
            }
        for (int64_t p = 0; p < channels; p++)
            y[p] *= each;
    }
}

static void forward(const call *c)
{
    op_parallel(c, shape_rows(c->n->out[0]->shape), 1, part);
}

static void reference(const call *c)
{
    const pool_attrs *t = c->attrs;
    int64_t channels = c->n->out[0]->shape.d[3];
    for (int64_t k = 0; k < shape_count(c->n->out[0]->shape); k++) {
        int64_t at = k / channels, b = at / t->across / t->down;
        span ys = span_of(at / t->across % t->down, t->down, t->h),
             xs = span_of(at % t->across, t->across, t->w);
        double total = 0;
        for (int64_t i = ys.lo; i < ys.hi; i++)
            for (int64_t j = xs.lo; j < xs.hi; j++)
                total +=
                    (double)((const float *)
                                 c->in[0])[((b * t->h + i) * t->w + j) * channels + k % channels];
        ((float *)c->out[0])[k] = (float)(total / (double)((ys.hi - ys.lo) * (xs.hi - xs.lo)));
    }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    (void)want;
    din[0] = op_avg_pool_back(g, dout[0], n->in[0]->shape);
}

// Where all parts are alike GlobalAveragePool or AveragePool, else parts that are joined.
static const char *emit_part(emitter *m, const char *x, span ys, span xs)
{
    const int64_t lo[] = {ys.lo, xs.lo}, hi[] = {ys.hi, xs.hi}, axes[] = {2, 3};
    const emit_attr a[] = {{.name = "axes", .kind = EMIT_INTS, .ints = axes, .n = 2},
                           {.name = "keepdims", .kind = EMIT_INT, .i = 1}};
    const char *in[] = {x, emit_i64(m, 2, lo), emit_i64(m, 2, hi), emit_i64(m, 2, axes)};
    const char *cut = emit_op(m, "Slice", 4, in, 0, NULL);
    return emit_op(m, "ReduceMean", 1, &cut, 2, a);
}

static const char *emit_joined(emitter *m, const char *x, const pool_attrs *t)
{
    enum { MOST = 16 };
    const char *rows[MOST], *parts[MOST];
    CHECK(t->down <= MOST && t->across <= MOST);
    for (int64_t i = 0; i < t->down; i++) {
        for (int64_t j = 0; j < t->across; j++)
            parts[j] = emit_part(m, x, span_of(i, t->down, t->h), span_of(j, t->across, t->w));
        rows[i] = emit_op(m, "Concat", (int)t->across, parts, 1,
                          &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = 3});
    }
    return emit_op(m, "Concat", (int)t->down, rows, 1,
                   &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = 2});
}

static void portable(const node *n, emitter *m)
{
    static const int64_t first[] = {0, 3, 1, 2}, last[] = {0, 2, 3, 1};
    const pool_attrs *t = n->attrs;
    const int64_t size[] = {t->h / t->down, t->w / t->across};
    const emit_attr a[] = {{.name = "kernel_shape", .kind = EMIT_INTS, .ints = size, .n = 2},
                           {.name = "strides", .kind = EMIT_INTS, .ints = size, .n = 2}};
    const char *x = emit_in_permuted(m, n, 0, 4, first), *y;
    if (t->down == 1 && t->across == 1)
        y = emit_op(m, "GlobalAveragePool", 1, &x, 0, NULL);
    else if (t->h % t->down == 0 && t->w % t->across == 0)
        y = emit_op(m, "AveragePool", 1, &x, 2, a);
    else
        y = emit_joined(m, x, t);
    emit_out_permuted(m, n, y, 4, last);
}

static tensor *build_1(graph *g, tensor *const in[])
{
    return op_avg_pool(g, in[0], 1, 1);
}
static tensor *build_2(graph *g, tensor *const in[])
{
    return op_avg_pool(g, in[0], 2, 2);
}
static tensor *build_3(graph *g, tensor *const in[])
{
    return op_avg_pool(g, in[0], 2, 3);
}
static const op_sample samples[] = {
    {.what = "all pixels", .n = 1, .in = {VALUES(4, 2, 5, 3, 19)}, .build = build_1},
    {.what = "2 x 2 parts", .n = 1, .in = {VALUES(4, 2, 6, 4, 5)}, .build = build_2},
    {.what = "parts that overlap", .n = 1, .in = {VALUES(4, 3, 5, 7, 4)}, .build = build_3},
};

// ---- The way back: as many pixels as a part has, each its share

static bool back_rule(const node *n, err *e)
{
    char a[64];
    const pool_attrs *t = n->attrs;
    shape d = n->in[0]->shape;
    if (d.rank != 4 || d.d[1] != t->down || d.d[2] != t->across || t->down > t->h ||
        t->across > t->w)
        return rule_fail(e, "%s are not parts of pictures of %lld x %lld", shape_text(d, a),
                         (long long)t->h, (long long)t->w);
    n->out[0]->type = DT_F32;
    n->out[0]->shape = shape_of(4, d.d[0], t->h, t->w, d.d[3]);
    n->out[0]->shape.sym[0] = d.sym[0];
    return true;
}

static double back_cost(const call *c)
{
    return 0.2 * (double)shape_count(c->n->out[0]->shape);
}

// A pixel's share of each part that it lies in.
static void back_pixel(const call *c, int64_t b, int64_t y, int64_t x, float *restrict dx)
{
    const pool_attrs *t = c->attrs;
    int64_t channels = c->n->out[0]->shape.d[3];
    memset(dx, 0, (size_t)channels * sizeof *dx);
    for (int64_t i = 0; i < t->down; i++)
        for (int64_t j = 0; j < t->across; j++) {
            span ys = span_of(i, t->down, t->h), xs = span_of(j, t->across, t->w);
            const float *restrict d =
                (const float *)c->in[0] + ((b * t->down + i) * t->across + j) * channels;
            float each = 1.0f / (float)((ys.hi - ys.lo) * (xs.hi - xs.lo));
            bool inside = y >= ys.lo && y < ys.hi && x >= xs.lo && x < xs.hi;
            for (int64_t p = 0; inside && p < channels; p++)
                dx[p] += d[p] * each;
        }
}

static void back_part(const call *c, int64_t lo, int64_t hi) // pixels
{
    const pool_attrs *t = c->attrs;
    for (int64_t k = lo; k < hi; k++)
        back_pixel(c, k / t->w / t->h, k / t->w % t->h, k % t->w,
                   (float *)c->out[0] + k * c->n->out[0]->shape.d[3]);
}

static void back_forward(const call *c)
{
    op_parallel(c, shape_rows(c->n->out[0]->shape), 16, back_part);
}

static tensor *back_build(graph *g, tensor *const in[])
{
    return op_avg_pool_back(g, in[0], shape_of(4, 2, 6, 5, 4));
}
static const op_sample back_samples[] = {
    {.what = "all pixels", .n = 1, .in = {VALUES(4, 2, 1, 1, 4)}, .build = back_build},
    {.what = "parts, some of which overlap",
     .n = 1,
     .in = {VALUES(4, 2, 2, 2, 4)},
     .build = back_build},
};

const op_def VARIANT(op_avg_pool) = {
    .name = "avg_pool",
    OP_F32(1, 1),
    .shape = rule,
    .cost = cost,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_avg_pool_back) = {
    .name = "avg_pool_back",
    OP_F32(1, 1),
    .shape = back_rule,
    .cost = back_cost,
    OP_BACK_KERNELS(back_forward, NULL),
    OP_SAMPLES(back_samples),
};

#ifdef KMIDI_VARIANT_base
static pool_attrs attrs_of(shape x, int64_t down, int64_t across)
{
    return (pool_attrs){down, across, x.rank == 4 ? x.d[1] : 0, x.rank == 4 ? x.d[2] : 0};
}

tensor *op_avg_pool(graph *g, tensor *x, int64_t down, int64_t across)
{
    pool_attrs t = attrs_of(x ? x->shape : (shape){0}, down, across);
    return graph_add(g, OP_avg_pool, &t, sizeof t, 1, (tensor *[]){x});
}

tensor *op_avg_pool_back(graph *g, tensor *d, shape x)
{
    pool_attrs t = d->shape.rank == 4 ? attrs_of(x, d->shape.d[1], d->shape.d[2]) : (pool_attrs){0};
    return graph_add(g, OP_avg_pool_back, &t, sizeof t, 1, (tensor *[]){d});
}
#endif
