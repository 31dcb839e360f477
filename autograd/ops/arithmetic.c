// SPDX-License-Identifier: GPL-3.0-or-later
// arithmetic.c: add, sub and mul with NumPy broadcasting (torch.add, torch.sub, torch.mul).
//
//     y = a + b        da = d,      db = d
//     y = a - b        da = d,      db = -d
//     y = a * b        da = d * b,  db = d * a
//
// each gradient summed over the axes along which its input was repeated.
#include "autograd/ops/broadcast.h"
#include "autograd/ops/kernel.h"

// One loop for all: `apply` is known where it is inlined.
#define INLINED static inline __attribute__((always_inline))
typedef float apply_fn(float a, float b);

INLINED float add(float a, float b)
{
    return a + b;
}
INLINED float sub(float a, float b)
{
    return a - b;
}
INLINED float mul(float a, float b)
{
    return a * b;
}

INLINED void binary_row(apply_fn *apply, int64_t n, const float *a, int64_t sa, const float *b,
                        int64_t sb, float *y)
{
    float a0 = *a, b0 = *b;
    if (sa && sb) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            y[i] = apply(a[i], b[i]);
    } else if (sa) {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            y[i] = apply(a[i], b0);
    } else {
        INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            y[i] = apply(a0, sb ? b[i] : b0);
    }
}

INLINED void binary_part(apply_fn *apply, const call *c, int64_t lo, int64_t hi)
{
    loops l = loops_of(c->n->in[0]->shape, c->n->in[1]->shape, c->n->out[0]->shape);
    const float *a = c->in[0], *b = c->in[1];
    float *y = c->out[0];
    int64_t inner = l.d[l.rank - 1], sa = l.sa[l.rank - 1], sb = l.sb[l.rank - 1];
    for (int64_t i = lo; i < hi;) {
        int64_t col = i % inner, n = inner - col < hi - i ? inner - col : hi - i, at, bt;
        loops_row(&l, i / inner, &at, &bt);
        binary_row(apply, n, a + at + col * sa, sa, b + bt + col * sb, sb, y + i);
        i += n;
    }
}

INLINED void binary_reference(apply_fn *apply, const call *c)
{
    shape a = c->n->in[0]->shape, b = c->n->in[1]->shape, y = c->n->out[0]->shape;
    for (int64_t i = 0; i < shape_count(y); i++)
        ((float *)c->out[0])[i] = apply(((const float *)c->in[0])[broadcast_index(a, y, i)],
                                        ((const float *)c->in[1])[broadcast_index(b, y, i)]);
}

static void binary_emit(const node *n, emitter *m, const char *onnx_op)
{
    emit_node(m, onnx_op, 2, (const char *[]){emit_in(m, n, 0), emit_in(m, n, 1)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static void add_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                         const bool want[])
{
    for (int i = 0; i < 2; i++)
        if (want[i])
            din[i] = rule_unbroadcast(g, dout[0], n->in[i]->shape);
}

static void sub_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                         const bool want[])
{
    if (want[0])
        din[0] = rule_unbroadcast(g, dout[0], n->in[0]->shape);
    if (want[1]) // summed first: the negation is then as small as b
        din[1] = op_scale(g, rule_unbroadcast(g, dout[0], n->in[1]->shape), -1.0f);
}

static void mul_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                         const bool want[])
{
    for (int i = 0; i < 2; i++)
        if (want[i])
            din[i] = rule_unbroadcast(g, op_mul(g, dout[0], n->in[1 - i]), n->in[i]->shape);
}

// The shapes that matter: equal, a row, a column, both ways, a middle axis, a scalar, and more than
// one part.
#define BINARY_SAMPLES(build_)                                                                     \
    {                                                                                              \
        {.what = "equal shapes",                                                                   \
         .n = 2,                                                                                   \
         .in = {VALUES(2, 3, 5), VALUES(2, 3, 5)},                                                 \
         .build = build_},                                                                         \
            {.what = "a row",                                                                      \
             .n = 2,                                                                               \
             .in = {VALUES(3, 2, 3, 37), VALUES(1, 37)},                                           \
             .build = build_},                                                                     \
            {.what = "a column",                                                                   \
             .n = 2,                                                                               \
             .in = {VALUES(2, 4, 19), VALUES(2, 4, 1)},                                            \
             .build = build_},                                                                     \
            {.what = "outer", .n = 2, .in = {VALUES(2, 3, 1), VALUES(2, 1, 5)}, .build = build_},  \
            {.what = "a middle axis on the left",                                                  \
             .n = 2,                                                                               \
             .in = {VALUES(3, 2, 1, 4), VALUES(3, 2, 3, 4)},                                       \
             .build = build_},                                                                     \
            {.what = "four axes",                                                                  \
             .n = 2,                                                                               \
             .in = {VALUES(4, 2, 1, 3, 1), VALUES(3, 4, 1, 5)},                                    \
             .build = build_},                                                                     \
            {.what = "five axes",                                                                  \
             .n = 2,                                                                               \
             .in = {VALUES(5, 2, 3, 2, 1, 5), VALUES(4, 3, 1, 4, 5)},                              \
             .build = build_},                                                                     \
            {.what = "six axes",                                                                   \
             .n = 2,                                                                               \
             .in = {VALUES(6, 2, 1, 3, 1, 2, 1), VALUES(6, 1, 3, 1, 2, 1, 7)},                     \
             .build = build_},                                                                     \
            {.what = "a scalar", .n = 2, .in = {VALUES(2, 3, 5), VALUES(0, 0)}, .build = build_},  \
            {.what = "scalar and scalar",                                                          \
             .n = 2,                                                                               \
             .in = {VALUES(0, 0), VALUES(2, 1, 1)},                                                \
             .build = build_},                                                                     \
            {.what = "several parts",                                                              \
             .n = 2,                                                                               \
             .in = {VALUES(3, 3, 41, 67), VALUES(3, 3, 1, 67)},                                    \
             .build = build_},                                                                     \
            {.what = "rows longer than a part",                                                    \
             .n = 2,                                                                               \
             .in = {VALUES(2, 2, 2600), VALUES(1, 2600)},                                          \
             .build = build_},                                                                     \
    }

// The kernels of `op`, its form in ONNX and its samples.
#define BINARY(op, onnx)                                                                           \
    static void op##_part(const call *c, int64_t lo, int64_t hi)                                   \
    {                                                                                              \
        binary_part(op, c, lo, hi);                                                                \
    }                                                                                              \
    static void op##_forward(const call *c)                                                        \
    {                                                                                              \
        op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, op##_part);                        \
    }                                                                                              \
    static void op##_reference(const call *c)                                                      \
    {                                                                                              \
        binary_reference(op, c);                                                                   \
    }                                                                                              \
    static void op##_portable(const node *n, emitter *m)                                           \
    {                                                                                              \
        binary_emit(n, m, onnx);                                                                   \
    }                                                                                              \
    static tensor *op##_build(graph *g, tensor *const in[])                                        \
    {                                                                                              \
        return op_##op(g, in[0], in[1]);                                                           \
    }                                                                                              \
    static const op_sample op##_samples[] = BINARY_SAMPLES(op##_build);
#define BINARY_DEF(op)                                                                             \
    {                                                                                              \
        .name = #op, .n_in_min = 2, .n_in_max = 2, .n_out = 1, .flags = OP_INPLACE_ANY,            \
        .types = TYPE_BIT(DT_F32), .shape = rule_broadcast, .forward = op##_forward,               \
        .reference = op##_reference, .gradient = op##_gradient, .portable = op##_portable,         \
        .samples = op##_samples, .n_samples = LENGTH(op##_samples),                                \
    }

BINARY(add, "Add")
BINARY(sub, "Sub")
BINARY(mul, "Mul")

const op_def VARIANT(op_add) = BINARY_DEF(add);
const op_def VARIANT(op_sub) = BINARY_DEF(sub);
const op_def VARIANT(op_mul) = BINARY_DEF(mul);

#ifdef KMIDI_VARIANT_base
tensor *op_add(graph *g, tensor *a, tensor *b)
{
    return graph_add(g, OP_add, NULL, 0, 2, (tensor *[]){a, b});
}
tensor *op_sub(graph *g, tensor *a, tensor *b)
{
    return graph_add(g, OP_sub, NULL, 0, 2, (tensor *[]){a, b});
}
tensor *op_mul(graph *g, tensor *a, tensor *b)
{
    return graph_add(g, OP_mul, NULL, 0, 2, (tensor *[]){a, b});
}
#endif
