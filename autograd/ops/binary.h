// SPDX-License-Identifier: GPL-3.0-or-later
// binary.h: the kernels of add, sub and mul. The including file defines `apply`, the operation on
// two numbers.
#ifndef KMIDI_AUTOGRAD_OPS_BINARY_H
#define KMIDI_AUTOGRAD_OPS_BINARY_H

#include "autograd/ops/broadcast.h"
#include "autograd/ops/kernel.h"

static inline float apply(float a, float b);

static void binary_row(int64_t n, const float *a, int64_t sa, const float *b, int64_t sb, float *y)
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

static void binary_part(const call *c, int64_t lo, int64_t hi)
{
    loops l = loops_of(c->n->in[0]->shape, c->n->in[1]->shape, c->n->out[0]->shape);
    const float *a = c->in[0], *b = c->in[1];
    float *y = c->out[0];
    int64_t inner = l.d[l.rank - 1], sa = l.sa[l.rank - 1], sb = l.sb[l.rank - 1];
    for (int64_t i = lo; i < hi;) {
        int64_t col = i % inner, n = inner - col < hi - i ? inner - col : hi - i, at, bt;
        loops_row(&l, i / inner, &at, &bt);
        binary_row(n, a + at + col * sa, sa, b + bt + col * sb, sb, y + i);
        i += n;
    }
}

static void binary_forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, binary_part);
}

static void binary_reference(const call *c)
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

#endif
