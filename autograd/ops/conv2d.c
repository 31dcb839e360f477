// SPDX-License-Identifier: GPL-3.0-or-later
// conv2d: y = act(factor conv(x, f) + b) of pictures with their channels last, as
// torch.nn.functional.conv2d of channels_last tensors: x [B, H, W, C], f [KH, KW, C, O]
// (filters.c), b and factor [O] or none.
//     conv[b, i, j, o] = sum over p, q, c of f[p, q, c, o] x[b, i s + p - z, j s + q - z, c]
// with steps s and padding z, of zeros. With p = act_back(y, d) and e = factor p:
//     dx = conv2d_input(e, f), df = conv2d_weight(x, e); over pixels, db = sum p, dfactor = sum p
//     conv.
// Windows become rows of a matrix, a block at a time (conv.h); factor, bias and activation are done
// while a block's outputs are near. A kernel of one pixel needs no copy: x is that matrix. By AMX,
// of bf16 with 32 channels or a multiple, there are no rows of windows but bands (conv_bands.h).
#include "autograd/ops/conv2d_bands.h"
#include "autograd/ops/conv2d_quads.h"
#include "autograd/ops/conv_emit.h"

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape x = n->in[IN_X]->shape, f = n->in[IN_F]->shape;
    if (x.rank != 4 || f.rank != 4 || x.d[3] != f.d[2])
        return rule_fail(e, "pictures %s (channels last) do not fit filters %s", shape_text(x, a),
                         shape_text(f, b));
    for (int i = IN_BIAS; i <= IN_FACTOR; i++)
        if (n->in[i] && !shape_same(n->in[i]->shape, shape_of(1, f.d[3])))
            return rule_fail(e, "bias or factor %s of filters %s", shape_text(n->in[i]->shape, a),
                             shape_text(f, b));
    conv v = conv_at(n);
    if (v.stride < 1 || v.padding < 0 || v.oh < 1 || v.ow < 1)
        return rule_fail(e,
                         "a window of %lld x %lld with padding %lld in steps of %lld does not fit "
                         "into pictures of %lld x %lld; take larger ones",
                         (long long)v.kh, (long long)v.kw, (long long)v.padding,
                         (long long)v.stride, (long long)v.h, (long long)v.w);
    n->out[0]->type = DT_F32;
    n->out[0]->shape = shape_of(4, x.d[0], v.oh, v.ow, v.o);
    n->out[0]->shape.sym[0] = x.sym[0];
    return operands_fit(n, e) && form_fits(n, &v, e);
}

static int64_t block_of(const call *c, const conv *v)
{
    return windows_block(v->kh * v->kw * v->c, operands_type(c));
}

// Numbers of a block's row: AMX reads whole pieces of 32.
static int64_t row_of(const call *c, const conv *v)
{
    int64_t width = v->kh * v->kw * v->c;
    return operands_tiled(c) ? (width + AMX_DEEP - 1) / AMX_DEEP * AMX_DEEP : width;
}

// Floats of a thread: a block of windows, and of sums.
static size_t room_each(const call *c, const conv *v)
{
    size_t at = 0;
    if (!is_bare(v))
        (void)workspace_take(NULL, &at,
                             operand_room(operands_type(c), block_of(c, v) * row_of(c, v)));
    if (writes_bf16(c))
        (void)workspace_take(NULL, &at, block_of(c, v) * v->o);
    return at;
}

static size_t workspace(const call *c)
{
    conv v = conv_at(c->n);
    if (banded(c, &v))
        return room_in_bands(c, &v) * sizeof(float);
    if (in_quads(c, &v))
        return room_in_quads(c, &v) * sizeof(float);
    return (operands_room(c) + room_each(c, &v) * (size_t)c->threads) * sizeof(float);
}

static double cost(const call *c)
{
    conv v = conv_at(c->n);
    int64_t rows = v.b * v.oh * v.ow, width = v.kh * v.kw * v.c;
    return gemm_cost(&c->kit->products, rows, v.o, width) + 0.2 * (double)(rows * width) +
           activation_cost(((const conv_attrs *)c->attrs)->act) * (double)(rows * v.o);
}

static double flops(const node *n)
{
    conv v = conv_at(n);
    return conv_flops(&v);
}

// Windows lo .. hi as a matrix.
static operand gathered(const call *c, const conv *v, float *work, int64_t lo, int64_t hi)
{
    operand x = operand_of(c, IN_X), to = {(char *)work, x.type, 0, operands_tiled(c)};
    windows w = windows_forward(v);
    int64_t row = row_of(c, v), numbers = (hi - lo) * row;
    if (is_bare(v))
        return operand_add(&x, lo * v->c);
    if (row > windows_width(&w))
        memset(work, 0, (size_t)operand_room(x.type, numbers) * sizeof *work);
    windows_gather(&w, x.at, operand_size(&x), lo, hi, work, row);
    if (x.low) {
        to.low = numbers;
        windows_gather(&w, operand_add(&x, x.low).at, sizeof(bf16), lo, hi, (bf16 *)work + to.low,
                       row);
    }
    return to;
}

static void block(const call *c, float *work, int64_t item)
{
    conv v = conv_at(c->n);
    int64_t width = v.kh * v.kw * v.c, rows = v.b * v.oh * v.ow, lo = item * block_of(c, &v),
            hi = lo + block_of(c, &v) < rows ? lo + block_of(c, &v) : rows;
    operand a = gathered(c, &v, work, lo, hi), f = operand_of(c, IN_F);
    float *y = writes_bf16(c) ? work + room_each(c, &v) - (block_of(c, &v) * v.o + 15) / 16 * 16
                              : (float *)c->out[0] + lo * v.o;
    operands_multiply(c,
                      &(gemm){.m = hi - lo,
                              .n = v.o,
                              .k = width,
                              .lda = is_bare(&v) ? width : row_of(c, &v),
                              .ldb = v.o,
                              .c = y,
                              .ldc = v.o},
                      &a, &f);
    finish(c, y, v.o, lo, hi - lo, 0, v.o);
}

static void forward(const call *c)
{
    conv v = conv_at(c->n);
    int64_t rows = v.b * v.oh * v.ow, most = block_of(c, &v);
    if (banded(c, &v)) {
        forward_in_bands(c, &v);
        return;
    }
    if (in_quads(c, &v)) {
        forward_in_quads(c, &v);
        return;
    }
    operands_ready(c);
    jobs_run(c, block, (rows + most - 1) / most, (float *)c->work + operands_room(c),
             room_each(c, &v));
}

// Of output pixel (b, i, j): the sum of all taps that lie in the picture.
static double pixel(const call *c, const conv *v, int64_t b, int64_t i, int64_t j, int64_t o)
{
    double total = 0;
    for (int64_t p = 0; p < v->kh; p++)
        for (int64_t q = 0; q < v->kw; q++) {
            int64_t y = i * v->stride + p - v->padding, x = j * v->stride + q - v->padding;
            bool inside = y >= 0 && y < v->h && x >= 0 && x < v->w;
            for (int64_t k = 0; inside && k < v->c; k++)
                total += operand_number(c, IN_X, ((b * v->h + y) * v->w + x) * v->c + k) *
                         operand_number(c, IN_F, ((p * v->kw + q) * v->c + k) * v->o + o);
        }
    if (c->in[IN_FACTOR])
        total *= (double)((const float *)c->in[IN_FACTOR])[o];
    return total + (c->in[IN_BIAS] ? (double)((const float *)c->in[IN_BIAS])[o] : 0);
}

static void reference(const call *c)
{
    conv v = conv_at(c->n);
    const conv_attrs *t = c->attrs;
    float *y = c->out[0];
    bf16 *narrow = c->out[0];
    for (int64_t at = 0; at < v.b * v.oh * v.ow; at++)
        for (int64_t o = 0; o < v.o; o++) {
            float value = (float)activation_exact(
                t->act, pixel(c, &v, at / v.ow / v.oh, at / v.ow % v.oh, at % v.ow, o));
            if (writes_bf16(c))
                narrow[at * v.o + o] = bf16_round(value);
            else
                y[at * v.o + o] = t->rounded ? bf16_widen(bf16_round(value)) : value;
        }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    const conv_attrs *t = n->attrs;
    tensor *x = n->in[IN_X], *f = n->in[IN_F], *p = op_act_back(g, n->out[0], dout[0], t->act),
           *e = n->in[IN_FACTOR] ? op_mul(g, p, n->in[IN_FACTOR]) : p;
    if (want[IN_F])
        din[IN_F] = op_conv2d_weight(g, x, e, f->shape, t->stride, t->padding);
    if (want[IN_X])
        din[IN_X] = op_conv2d_input(g, e, f, x->shape, t->stride, t->padding);
    if (n->in[IN_BIAS] && want[IN_BIAS])
        din[IN_BIAS] = op_sum(g, p, 7, false);
    if (n->in[IN_FACTOR] && want[IN_FACTOR])
        din[IN_FACTOR] = op_sum(
            g,
            op_mul(g, p,
                   op_conv2d(g, (tensor *[]){x, f, NULL, NULL}, t->stride, t->padding, ACT_NONE)),
            7, false);
}

static tensor *narrow(graph *g, const node *n, tensor *const in[], bool rounded)
{
    conv_attrs t = *(const conv_attrs *)n->attrs;
    t.rounded = rounded;
    return graph_add(g, OP_conv2d, &t, sizeof t, INPUTS,
                     (tensor *[]){in[0], in[1], n->in[IN_BIAS], n->in[IN_FACTOR], NULL});
}

static void portable(const node *n, emitter *m)
{
    const conv_attrs *t = n->attrs;
    shape f = n->in[IN_F]->shape;
    conv_emit(n, m, &(conv_form){f.d, t->stride, t->padding, t->act});
}

static tensor *build_3(graph *g, tensor *const in[])
{
    return op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), in[2], NULL}, 2, 1, ACT_NONE);
}
static tensor *build_relu(graph *g, tensor *const in[])
{
    return op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), in[2], NULL}, 1, 1, ACT_RELU);
}
static tensor *build_1(graph *g, tensor *const in[])
{
    return op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), NULL, NULL}, 1, 0, ACT_NONE);
}
static tensor *build_formed(graph *g, tensor *const in[])
{
    conv_attrs t = conv_attrs_of(in[0]->shape, 2, 2);
    return graph_add(
        g, OP_conv2d, &t, sizeof t, INPUTS,
        (tensor *[]){in[0], op_filters(g, in[1]), in[2], NULL, op_filters_quads(g, in[1])});
}
static tensor *build_bare_3(graph *g, tensor *const in[])
{
    return op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), in[2], NULL}, 2, 0, ACT_RELU);
}
static tensor *build_7(graph *g, tensor *const in[])
{
    return op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), in[2], NULL}, 2, 3, ACT_NONE);
}
static tensor *build_4(graph *g, tensor *const in[])
{
    return op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), in[2], NULL}, 4, 0, ACT_NONE);
}
static tensor *build_sparse(graph *g, tensor *const in[])
{
    return op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), NULL, NULL}, 3, 2, ACT_TANH);
}
static tensor *build_two(graph *g, tensor *const in[])
{
    tensor *h = op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), NULL, NULL}, 1, 1, ACT_TANH);
    return op_conv2d(g, (tensor *[]){h, op_filters(g, in[2]), NULL, NULL}, 2, 1, ACT_GELU);
}
static tensor *build_scaled(graph *g, tensor *const in[])
{
    return op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), in[2], in[3]}, 2, 1, ACT_TANH);
}
static tensor *build_normed(graph *g, tensor *const in[])
{
    tensor *t, *f = op_norm_factors(g, in + 2, NULL, &t);
    return op_conv2d(g, (tensor *[]){in[0], op_filters(g, in[1]), t, f}, 1, 1, ACT_NONE);
}
static tensor *build_narrow(graph *g, tensor *const in[], dtype type)
{
    conv_attrs t = conv_attrs_of(in[0]->shape, 2, 1);
    t.act = ACT_TANH;
    return graph_add(g, OP_conv2d, &t, sizeof t, INPUTS,
                     (tensor *[]){op_cast(g, in[0], type), op_cast(g, op_filters(g, in[1]), type),
                                  in[2], NULL, NULL});
}
static tensor *build_bf16(graph *g, tensor *const in[])
{
    return build_narrow(g, in, DT_BF16);
}
static tensor *build_pairs(graph *g, tensor *const in[])
{
    return build_narrow(g, in, DT_BF16X2);
}
#define PICTURES(b, h, w, c) VALUES(4, b, h, w, c)
#define LAYER(o, c, kh, kw)  VALUES(4, o, c, kh, kw), VALUES(1, o)
#define FIXED(r, ...)                                                                              \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1.0f, .no_gradient = true          \
    }
static const op_sample samples[] = {
    {.what = "3 x 3 in steps of 2",
     .n = 3,
     .in = {PICTURES(2, 6, 8, 5), LAYER(7, 5, 3, 3)},
     .build = build_3},
    {.what = "odd pictures in steps of 2",
     .n = 3,
     .in = {PICTURES(2, 5, 7, 3), LAYER(4, 3, 3, 3)},
     .build = build_3},
    {.what = "squares",
     .n = 3,
     .in = {PICTURES(1, 6, 8, 16), LAYER(16, 16, 3, 3)},
     .build = build_3},
    {.what = "squares, filters in their form, a wide padding",
     .n = 3,
     .unexported = true,
     .in = {FIXED(4, 2, 9, 8, 32), FIXED(4, 80, 32, 3, 3), FIXED(1, 80)},
     .build = build_formed},
    {.what = "squares, odd pictures, a panel and a part of one, relu, no padding",
     .n = 3,
     .in = {FIXED(4, 2, 23, 27, 32), FIXED(4, 112, 32, 3, 3), FIXED(1, 112)},
     .build = build_bare_3},
    {.what = "relu",
     .n = 3,
     .in = {PICTURES(1, 3, 2, 2), LAYER(3, 2, 3, 3)},
     .build = build_relu,
     .step = 1e-3f,
     .tolerance = 5e-3f},
    {.what = "one pixel",
     .n = 2,
     .in = {PICTURES(2, 3, 4, 5), VALUES(4, 6, 5, 1, 1)},
     .build = build_1},
    {.what = "one channel, 7 x 7",
     .n = 3,
     .in = {PICTURES(2, 9, 12, 1), LAYER(5, 1, 7, 7)},
     .build = build_7},
    {.what = "patches", .n = 3, .in = {PICTURES(2, 8, 9, 1), LAYER(5, 1, 4, 4)}, .build = build_4},
    {.what = "steps wider than the window, padding as wide",
     .n = 2,
     .in = {PICTURES(2, 6, 7, 3), VALUES(4, 4, 3, 2, 2)},
     .build = build_sparse},
    {.what = "several blocks",
     .n = 3,
     .in = {PICTURES(3, 32, 34, 4), LAYER(6, 4, 3, 3)},
     .build = build_3},
    {.what = "one after another",
     .n = 3,
     .in = {PICTURES(1, 5, 6, 3), VALUES(4, 4, 3, 3, 3), VALUES(4, 3, 4, 3, 3)},
     .build = build_two},
    {.what = "factors",
     .n = 4,
     .in = {PICTURES(2, 4, 5, 3), LAYER(4, 3, 3, 3), VALUES(1, 4)},
     .build = build_scaled},
    {.what = "a norm of running statistics",
     .n = 6,
     .in = {PICTURES(2, 4, 5, 3),
            VALUES(4, 4, 3, 3, 3),
            VALUES(1, 4),
            VALUES(1, 4),
            FIXED(1, 4),
            {.type = DT_F32, .shape = DIMS(1, 4), .scale = 1, .offset = 1.2f, .no_gradient = true}},
     .build = build_normed},
    {.what = "bf16",
     .n = 3,
     .unexported = true,
     .in = {FIXED(4, 2, 16, 18, 6), FIXED(4, 7, 6, 3, 3), FIXED(1, 7)},
     .build = build_bf16},
    {.what = "bf16x2",
     .n = 3,
     .unexported = true,
     .in = {FIXED(4, 2, 16, 18, 2), FIXED(4, 7, 2, 2, 2), FIXED(1, 7)},
     .build = build_pairs},
    {.what = "bf16, 32 channels",
     .n = 3,
     .unexported = true,
     .in = {FIXED(4, 2, 9, 41, 32), FIXED(4, 39, 32, 3, 3), FIXED(1, 39)},
     .build = build_bf16},
    {.what = "bf16, 64 channels, a long sum over several bands",
     .n = 3,
     .unexported = true,
     .in = {FIXED(4, 1, 28, 70, 64), FIXED(4, 39, 64, 3, 3), FIXED(1, 39)},
     .build = build_bf16},
    {.what = "bf16x2, 32 channels",
     .n = 3,
     .unexported = true,
     .in = {{.type = DT_F32, .shape = DIMS(4, 2, 7, 10, 32), .scale = 0.2f, .no_gradient = true},
            FIXED(4, 33, 32, 2, 2),
            FIXED(1, 33)},
     .build = build_pairs},
};

const op_def VARIANT(op_conv2d) = {
    .name = "conv2d",
    OP_F32(INPUTS, 1),
    .optional = 1u << IN_BIAS | 1u << IN_FACTOR | 1u << IN_QUADS,
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    OP_KERNELS(forward, reference, gradient, portable),
    .narrow = narrow,
    .formed = formed,
    .writes_bf16 = true,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_conv2d(graph *g, tensor *const xfb_factor[4], int64_t stride, int64_t padding,
                  activation act)
{
    conv_attrs t =
        conv_attrs_of(xfb_factor[0] ? xfb_factor[0]->shape : (shape){0}, stride, padding);
    t.act = act == ACT_GELU ? ACT_NONE : act;
    tensor *all[INPUTS] = {xfb_factor[0], xfb_factor[1], xfb_factor[2], xfb_factor[3]},
           *y = graph_add(g, OP_conv2d, &t, sizeof t, INPUTS, all);
    return act == ACT_GELU ? op_act(g, y, act) : y;
}
#endif
