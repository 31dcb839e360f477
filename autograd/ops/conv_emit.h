// SPDX-License-Identifier: GPL-3.0-or-later
// conv_emit.h: conv2d in standard nodes. In ONNX channels stand second: pictures come and go
// transposed, so that nothing stands between two convolutions in a row. Where all that a norm of
// running statistics needs is known, its factors go into the convolution's weight and bias.
#ifndef KMIDI_AUTOGRAD_OPS_CONV_EMIT_H
#define KMIDI_AUTOGRAD_OPS_CONV_EMIT_H

#include "autograd/op.h"
#include "autograd/ops/norm_factors.h"

enum { CONV_X, CONV_F, CONV_BIAS, CONV_FACTOR };

typedef struct conv_form {
    const int64_t *kernel;
    int64_t stride, padding;
    activation act;
} conv_form;

// What a node of norm_factors is made of; false: not all of it is known.
static inline bool conv_norm_known(emitter *m, const node *norm, norm_values *v)
{
    const float *in[NORM_INPUTS];
    for (int i = 0; i < NORM_INPUTS; i++) {
        in[i] = norm->in[i] ? emit_param_values(m, norm, i) : NULL;
        if (norm->in[i] && !in[i])
            return false;
    }
    *v = (norm_values){in[NORM_WEIGHT], in[NORM_BIAS], in[NORM_MEAN], in[NORM_VARIANCE],
                       in[NORM_SHIFT]};
    return true;
}

// Weight [O, C, KH, KW] and bias with the factors of `v` in them, in place of in[1] and in[2].
static inline void conv_fold(emitter *m, const node *filters, const norm_values *v,
                             const char *in[3])
{
    const tensor *w = filters->in[0];
    const float *from = emit_param_values(m, filters, 0);
    int64_t outputs = w->shape.d[0], each = shape_count(w->shape) / outputs;
    arena a = {.name = "folded"};
    float *weight = NEW(&a, float, (size_t)(outputs * each)),
          *bias = NEW(&a, float, (size_t)outputs);
    for (int64_t o = 0; o < outputs; o++) {
        norm_factor f = norm_factor_at(v, o);
        bias[o] = (float)f.offset;
        for (int64_t i = o * each; i < (o + 1) * each; i++)
            weight[i] = (float)(f.factor * (double)from[i]);
    }
    in[CONV_F] = emit_f32(m, 4, w->shape.d, weight);
    in[CONV_BIAS] = emit_f32(m, 1, &outputs, bias);
    arena_free(&a);
}

// The convolution alone, or with its bias; true: with its factors, too.
static inline bool conv_operands(const node *n, emitter *m, const char *in[3])
{
    static const int64_t first[] = {0, 3, 1, 2}, weight[] = {3, 2, 0, 1};
    const node *filters = n->in[CONV_F]->from,
               *norm = n->in[CONV_FACTOR] ? n->in[CONV_FACTOR]->from : NULL;
    norm_values v;
    in[CONV_X] = emit_in_permuted(m, n, CONV_X, 4, first);
    bool folded = norm && norm->op == op_get(OP_norm_factors) && filters &&
                  filters->op == op_get(OP_filters) && n->in[CONV_BIAS] == norm->out[1] &&
                  emit_param_values(m, filters, 0) && conv_norm_known(m, norm, &v);
    if (folded) {
        conv_fold(m, filters, &v, in);
        return true;
    }
    in[CONV_F] = emit_in_permuted(m, n, CONV_F, 4, weight);
    in[CONV_BIAS] = n->in[CONV_FACTOR] ? "" : emit_in(m, n, CONV_BIAS);
    return !n->in[CONV_FACTOR];
}

// factor y + bias, channels second: vectors [O] as [O, 1, 1].
static inline const char *conv_scaled(const node *n, emitter *m, const char *y)
{
    const int64_t dims[] = {-1, 1, 1};
    static const char *const op[] = {[CONV_BIAS] = "Add", [CONV_FACTOR] = "Mul"};
    for (int k = CONV_FACTOR; k >= CONV_BIAS; k--)
        if (n->in[k]) {
            const char *in[] = {emit_in(m, n, k), emit_i64(m, 3, dims)};
            y = emit_op(m, op[k], 2, (const char *[]){y, emit_op(m, "Reshape", 2, in, 0, NULL)}, 0,
                        NULL);
        }
    return y;
}

static inline void conv_emit(const node *n, emitter *m, const conv_form *form)
{
    static const char *const names[] = {
        [ACT_NONE] = NULL, [ACT_RELU] = "Relu", [ACT_TANH] = "Tanh", [ACT_SIGMOID] = "Sigmoid"};
    static const int64_t last[] = {0, 2, 3, 1};
    const int64_t p = form->padding, pads[] = {p, p, p, p}, steps[] = {form->stride, form->stride};
    const emit_attr attrs[] = {
        {.name = "kernel_shape", .kind = EMIT_INTS, .ints = form->kernel, .n = 2},
        {.name = "pads", .kind = EMIT_INTS, .ints = pads, .n = 4},
        {.name = "strides", .kind = EMIT_INTS, .ints = steps, .n = 2}};
    const char *in[3];
    bool done = conv_operands(n, m, in);
    const char *y = emit_op(m, "Conv", *in[CONV_BIAS] ? 3 : 2, in, 3, attrs);
    if (!done)
        y = conv_scaled(n, m, y);
    if (names[form->act])
        y = emit_op(m, names[form->act], 1, &y, 0, NULL);
    emit_out_permuted(m, n, y, 4, last);
}
#endif
