// SPDX-License-Identifier: GPL-3.0-or-later
// conv2d_input: the gradient of conv2d's pictures (torch.nn.grad.conv2d_input): d [B, OH, OW, O],
// f [KH, KW, C, O] -> dx [B, H, W, C],
//     dx[b, y, x, c] = sum over taps p, q with y + pad - p and x + pad - q multiples of s, and over
//                      o, of d[b, (y + pad - p) / s, (x + pad - q) / s, o] f[p, q, c, o].
// The taps that reach a pixel are those of its phase, (y + pad) mod s by (x + pad) mod s: of each
// phase dx is a convolution of d in steps of 1. Its windows lie in d from left to right where its
// taps are taken from the last to the first, so the filters are put down in that order, [O, C] for
// each tap, before all else; a pixel is reached once by each tap of a phase and by no other, so no
// multiplication is by a zero but at the edges. By AMX, of bf16 with 32 outputs or a multiple, all
// phases go over one band of d (conv2d_phases.h).
#include "autograd/ops/conv2d_input_quads.h"

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape d = n->in[IN_D]->shape, f = n->in[IN_F]->shape;
    if (d.rank != 4 || f.rank != 4)
        return rule_fail(e, "gradient %s and filters %s are not pictures", shape_text(d, a),
                         shape_text(f, b));
    conv v = conv_at(n);
    if (!shape_same(d, shape_of(4, v.b, v.oh, v.ow, v.o)))
        return rule_fail(e, "gradient %s of filters %s", shape_text(d, a), shape_text(f, b));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = shape_of(4, v.b, v.h, v.w, v.c);
    n->out[0]->shape.sym[0] = d.sym[0];
    return operands_fit(n, e);
}

// ---- Filters

static int64_t phase_blocks(const call *c, const phase *p)
{
    int64_t most = windows_block(windows_width(&p->w), operands_type(c));
    return (p->rows + most - 1) / most;
}

static int64_t filters_count(const conv *v)
{
    return v->kh * v->kw * v->c * v->o;
}

static operand mirrored_filters(const call *c, const conv *v)
{
    dtype type = operands_type(c);
    return (operand){(const char *)((float *)c->work + operands_room(c)), type,
                     type == DT_BF16X2 ? filters_count(v) : 0, false};
}

// y [n, c] = x^T, of which o0 .. o0 + n are columns of `ld`.
#define TRANSPOSE(name, T)                                                                         \
    static void name(T *restrict y, const T *restrict x, int64_t ld, int64_t n, int64_t c)         \
    {                                                                                              \
        for (int64_t k = 0; k < c; k += GROUP)                                                     \
            for (int64_t o = 0; o < n; o++)                                                        \
                for (int64_t i = k; i < c && i < k + GROUP; i++)                                   \
                    y[o * c + i] = x[i * ld + o];                                                  \
    }
TRANSPOSE(transpose_f32, float)
TRANSPOSE(transpose_bf16, bf16)

static int64_t groups_of(const conv *v)
{
    return (v->o + GROUP - 1) / GROUP;
}

// Groups of outputs of all taps, and of pairs of their low halves.
static void mirror(const call *c, int64_t lo, int64_t hi)
{
    conv v = conv_at(c->n);
    operand from = operand_of(c, IN_F), to = mirrored_filters(c, &v);
    for (int64_t i = lo; i < hi; i++) {
        int64_t groups = groups_of(&v), tap = i / groups % (v.kh * v.kw), o = i % groups * GROUP,
                n = v.o - o < GROUP ? v.o - o : GROUP, low = i / groups / (v.kh * v.kw);
        operand x = operand_add(&from, low * from.low + tap * v.c * v.o + o),
                y = operand_add(
                    &to, low * to.low + (mirrored_tap(&v, tap / v.kw, tap % v.kw) * v.o + o) * v.c);
        if (x.type == DT_F32)
            transpose_f32((float *)(uintptr_t)y.at, (const float *)x.at, v.o, n, v.c);
        else
            transpose_bf16((bf16 *)(uintptr_t)y.at, (const bf16 *)x.at, v.o, n, v.c);
    }
}

// ---- Products

// The widest matrix of a phase has as many numbers in a block as any.
static int64_t block_numbers(const call *c, const conv *v)
{
    int64_t most = 0;
    for (int64_t i = 0; i < v->stride * v->stride; i++) {
        phase p = phase_of(v, i);
        int64_t width = windows_width(&p.w), n = width * windows_block(width, operands_type(c));
        most = n > most ? n : most;
    }
    return most;
}

static size_t room_shared(const call *c, const conv *v)
{
    size_t at = operands_room(c);
    (void)workspace_take(NULL, &at, operand_room(operands_type(c), filters_count(v)));
    return at;
}

// Floats of a thread: a block of windows, and of gradients that are then spread over the pixels.
static size_t room_each(const call *c, const conv *v)
{
    size_t at = 0;
    (void)workspace_take(NULL, &at, operand_room(operands_type(c), block_numbers(c, v)));
    if (v->stride > 1)
        (void)workspace_take(NULL, &at, CONV_ROWS_MOST * v->c);
    return at;
}

static size_t workspace(const call *c)
{
    conv v = conv_at(c->n);
    if (banded(c, &v))
        return room_in_bands(c, &v) * sizeof(float);
    if (quads_fit(c, &v))
        return room_in_quads(c, &v) * sizeof(float);
    return (room_shared(c, &v) + room_each(c, &v) * (size_t)c->threads) * sizeof(float);
}

static double cost(const call *c)
{
    conv v = conv_at(c->n);
    int64_t rows = v.b * v.oh * v.ow, width = v.kh * v.kw * v.c;
    return gemm_cost(&c->kit->products, rows, v.o, width) +
           0.2 * (double)(rows * v.kh * v.kw * v.o + 2 * v.b * v.h * v.w * v.c);
}

static double flops(const node *n)
{
    conv v = conv_at(n);
    return conv_flops(&v);
}

// Windows lo .. hi of a phase, as a matrix.
static operand gathered(const call *c, const phase *p, float *work, int64_t lo, int64_t hi)
{
    operand d = operand_of(c, IN_D), to = {(char *)work, d.type, 0, false};
    windows_gather(&p->w, d.at, operand_size(&d), lo, hi, work, windows_width(&p->w));
    if (d.low) {
        to.low = (hi - lo) * windows_width(&p->w);
        windows_gather(&p->w, operand_add(&d, d.low).at, sizeof(bf16), lo, hi,
                       (bf16 *)work + to.low, windows_width(&p->w));
    }
    return to;
}

// Rows lo .. hi of a phase to their pixels.
static void spread(const call *c, const conv *v, const phase *p, const float *from, int64_t lo,
                   int64_t hi)
{
    int64_t j = lo % p->w.across, i = lo / p->w.across;
    for (int64_t r = lo; r < hi; r++, from += v->c) {
        int64_t y = i / p->w.down * v->h + p->y.first + i % p->w.down * v->stride,
                x = p->x.first + j * v->stride;
        memcpy((float *)c->out[0] + (y * v->w + x) * v->c, from, (size_t)v->c * sizeof *from);
        if (++j == p->w.across)
            j = 0, i++;
    }
}

static void phase_block(const call *c, const conv *v, const phase *p, float *work, int64_t item)
{
    int64_t width = windows_width(&p->w), most = windows_block(width, operands_type(c)),
            lo = item * most, hi = lo + most < p->rows ? lo + most : p->rows;
    size_t at = 0;
    float *block = workspace_take(work, &at, operand_room(operands_type(c), block_numbers(c, v))),
          *dx = v->stride > 1 ? workspace_take(work, &at, CONV_ROWS_MOST * v->c)
                              : (float *)c->out[0] + lo * v->c;
    operand d = gathered(c, p, block, lo, hi), f = mirrored_filters(c, v);
    f = operand_add(&f, p->taps * v->o * v->c);
    operands_multiply(
        c,
        &(gemm){
            .m = hi - lo, .n = v->c, .k = width, .lda = width, .ldb = v->c, .c = dx, .ldc = v->c},
        &d, &f);
    if (v->stride > 1)
        spread(c, v, p, dx, lo, hi);
}

static void block(const call *c, float *work, int64_t item)
{
    conv v = conv_at(c->n);
    phase p = phase_of(&v, 0);
    for (int64_t i = 1; item >= phase_blocks(c, &p); i++) {
        item -= phase_blocks(c, &p);
        p = phase_of(&v, i);
    }
    phase_block(c, &v, &p, work, item);
}

static void forward(const call *c)
{
    conv v = conv_at(c->n);
    int64_t blocks = 0, halves = operands_type(c) == DT_BF16X2 ? 2 : 1;
    if (banded(c, &v)) {
        forward_in_bands(c, &v);
        return;
    }
    if (quads_fit(c, &v)) {
        forward_in_quads(c, &v);
        return;
    }
    for (int64_t i = 0; i < v.stride * v.stride; i++) {
        phase p = phase_of(&v, i);
        blocks += phase_blocks(c, &p);
    }
    operands_ready(c);
    op_parallel(c, halves * v.kh * v.kw * groups_of(&v), 1, mirror);
    jobs_run(c, block, blocks, (float *)c->work + room_shared(c, &v), room_each(c, &v));
}

// What of d and f reaches channel k of the input pixel (b, y, x).
static double pixel(const call *c, const conv *v, int64_t b, int64_t y, int64_t x, int64_t k)
{
    double total = 0;
    for (int64_t p = 0; p < v->kh; p++)
        for (int64_t q = 0; q < v->kw; q++) {
            int64_t i = y + v->padding - p, j = x + v->padding - q;
            bool reached = i >= 0 && j >= 0 && i % v->stride == 0 && j % v->stride == 0 &&
                           i / v->stride < v->oh && j / v->stride < v->ow;
            int64_t at = (b * v->oh + i / v->stride) * v->ow + j / v->stride;
            for (int64_t o = 0; reached && o < v->o; o++)
                total += operand_number(c, IN_D, at * v->o + o) *
                         operand_number(c, IN_F, ((p * v->kw + q) * v->c + k) * v->o + o);
        }
    return total;
}

static void reference(const call *c)
{
    conv v = conv_at(c->n);
    for (int64_t at = 0; at < v.b * v.h * v.w; at++)
        for (int64_t k = 0; k < v.c; k++)
            ((float *)c->out[0])[at * v.c + k] =
                (float)pixel(c, &v, at / v.w / v.h, at / v.w % v.h, at % v.w, k);
}

static tensor *narrow(graph *g, const node *n, tensor *const in[], bool rounded)
{
    (void)rounded;
    return graph_add(g, OP_conv2d_input, n->attrs, sizeof(conv_attrs), INPUTS, in);
}

static tensor *build_3(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, in[0], in[1], shape_of(4, 2, 6, 8, 5), 2, 1);
}
static tensor *build_odd(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, in[0], in[1], shape_of(4, 2, 5, 7, 5), 2, 1);
}
static tensor *build_quads(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, in[0], in[1], shape_of(4, 2, 6, 8, 16), 2, 1);
}
static tensor *build_odd_quads(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, in[0], in[1], shape_of(4, 3, 15, 27, 112), 2, 0);
}
static tensor *build_wide_quads(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, in[0], in[1], shape_of(4, 50, 1, 2, 16), 2, 2);
}
static tensor *build_1(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, in[0], in[1], shape_of(4, 2, 7, 6, 3), 1, 1);
}
static tensor *build_4(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, in[0], in[1], shape_of(4, 2, 8, 9, 2), 4, 0);
}
static tensor *build_sparse(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, in[0], in[1], shape_of(4, 2, 6, 7, 3), 3, 2);
}
static tensor *build_blocks(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, in[0], in[1], shape_of(4, 3, 64, 62, 4), 2, 1);
}
static tensor *build_bf16(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, op_cast(g, in[0], DT_BF16), op_cast(g, in[1], DT_BF16),
                           shape_of(4, 2, 16, 17, 6), 2, 1);
}
static tensor *build_pairs(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, op_cast(g, in[0], DT_BF16X2), op_cast(g, in[1], DT_BF16X2),
                           shape_of(4, 2, 16, 17, 6), 2, 1);
}
static tensor *build_narrow_sparse(graph *g, tensor *const in[])
{
    return op_conv2d_input(g, op_cast(g, in[0], DT_BF16), op_cast(g, in[1], DT_BF16),
                           shape_of(4, 2, 6, 7, 3), 3, 2);
}
static const op_sample samples[] = {
    {.what = "3 x 3 in steps of 2",
     .n = 2,
     .in = {VALUES(4, 2, 3, 4, 7), VALUES(4, 3, 3, 5, 7)},
     .build = build_3},
    {.what = "odd pictures",
     .n = 2,
     .in = {VALUES(4, 2, 3, 4, 7), VALUES(4, 3, 3, 5, 7)},
     .build = build_odd},
    {.what = "squares of gradients",
     .n = 2,
     .in = {VALUES(4, 2, 3, 4, 16), VALUES(4, 3, 3, 16, 16)},
     .build = build_quads},
    {.what = "squares, odd pictures, a panel and a part of one, no padding",
     .n = 2,
     .in = {VALUES(4, 3, 7, 13, 32), VALUES(4, 3, 3, 112, 32)},
     .build = build_odd_quads},
    {.what = "squares, a wide padding, pictures of two pixels",
     .n = 2,
     .in = {VALUES(4, 50, 2, 2, 48), VALUES(4, 3, 3, 16, 48)},
     .build = build_wide_quads},
    {.what = "steps of 1",
     .n = 2,
     .in = {VALUES(4, 2, 7, 6, 4), VALUES(4, 3, 3, 3, 4)},
     .build = build_1},
    {.what = "patches",
     .n = 2,
     .in = {VALUES(4, 2, 2, 2, 5), VALUES(4, 4, 4, 2, 5)},
     .build = build_4},
    {.what = "pixels that no tap reaches",
     .n = 2,
     .in = {VALUES(4, 2, 3, 4, 4), VALUES(4, 2, 2, 3, 4)},
     .build = build_sparse},
    {.what = "several blocks",
     .n = 2,
     .in = {VALUES(4, 3, 32, 31, 17), VALUES(4, 3, 3, 4, 17)},
     .build = build_blocks},
    {.what = "bf16, 32 outputs",
     .n = 2,
     .in = {VALUES(4, 2, 8, 9, 32), VALUES(4, 3, 3, 6, 32)},
     .build = build_bf16},
    {.what = "bf16x2, 64 outputs",
     .n = 2,
     .in = {VALUES(4, 2, 8, 9, 64), VALUES(4, 3, 3, 6, 64)},
     .build = build_pairs},
    {.what = "bf16, pixels that no tap reaches, few filters",
     .n = 2,
     .in = {VALUES(4, 2, 3, 4, 7), VALUES(4, 2, 2, 3, 7)},
     .build = build_narrow_sparse},
    {.what = "bf16, pixels that no tap reaches",
     .n = 2,
     .in = {VALUES(4, 2, 3, 4, 32), VALUES(4, 2, 2, 3, 32)},
     .build = build_narrow_sparse},
    {.what = "bf16",
     .n = 2,
     .in = {VALUES(4, 2, 8, 9, 7), VALUES(4, 3, 3, 6, 7)},
     .build = build_bf16},
    {.what = "bf16x2",
     .n = 2,
     .in = {VALUES(4, 2, 8, 9, 7), VALUES(4, 3, 3, 6, 7)},
     .build = build_pairs},
};

const op_def VARIANT(op_conv2d_input) = {
    .name = "conv2d_input",
    OP_F32(INPUTS, 1),
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    OP_BACK_KERNELS(forward, reference),
    .narrow = narrow,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_conv2d_input(graph *g, tensor *d, tensor *f, shape x, int64_t stride, int64_t padding)
{
    conv_attrs t = conv_attrs_of(x, stride, padding);
    return graph_add(g, OP_conv2d_input, &t, sizeof t, INPUTS, (tensor *[]){d, f});
}
#endif
