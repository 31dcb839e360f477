// SPDX-License-Identifier: GPL-3.0-or-later
// mil_run_ops.c: each operation of Core ML that we write, as portable nodes (mil_run.h). To add
// one: a translation, and its line in the table.
#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "export/mil_run_internal.h"

static bool plain(mil_work *w)
{
    static const char *const names[][2] = {
        {"add", "Add"},         {"sub", "Sub"},           {"mul", "Mul"},      {"real_div", "Div"},
        {"maximum", "Max"},     {"minimum", "Min"},       {"relu", "Relu"},    {"tanh", "Tanh"},
        {"sigmoid", "Sigmoid"}, {"erf", "Erf"},           {"sqrt", "Sqrt"},    {"cos", "Cos"},
        {"sin", "Sin"},         {"identity", "Identity"}, {"cast", "Identity"}};
    const char *x = mil_value_of(w, "x"), *y = mil_value_of(w, "y");
    for (size_t i = 0; x && i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i][0], w->op->type)) {
            mil_give_node(w, 0,
                          y ? mil_two(w, names[i][1], x, y) : mil_one(w, names[i][1], x, NULL));
            return true;
        }
    return false;
}

// x / 2 (1 + erf(x / sqrt 2))
static bool gelu(mil_work *w)
{
    const char *x = mil_value_of(w, "x");
    if (!x || !mil_says(w, "mode", "EXACT"))
        return false;
    const char *e = mil_one(w, "Erf", mil_two(w, "Mul", x, mil_number(w, sqrtf(0.5f))), NULL);
    mil_give_node(w, 0,
                  mil_two(w, "Mul", mil_two(w, "Mul", x, mil_number(w, 0.5f)),
                          mil_two(w, "Add", e, mil_number(w, 1))));
    return true;
}

// The last two axes of y turned.
static const char *turned(mil_work *w, const char *y)
{
    const mil_type *t = mil_type_of(w, y);
    int64_t *perm = NEW(w->arena, int64_t, MIL_RANK);
    for (int k = 0; t && k < t->rank; k++)
        perm[k] = k < t->rank - 2 ? k : 2 * t->rank - 3 - k;
    onnx_attr attr = mil_ints_attr("perm", t ? t->rank : 0, perm);
    return mil_one(w, "Transpose", y, &attr);
}

static bool linear(mil_work *w)
{
    const char *x = mil_value_of(w, "x"), *k = mil_value_of(w, "weight"),
               *b = mil_value_of(w, "bias");
    const mil_type *t = mil_type_of(w, k);
    if (!x || !b || !t || t->rank != 2)
        return false;
    mil_give_node(w, 0, mil_two(w, "Add", mil_two(w, "MatMul", x, turned(w, k)), b));
    return true;
}

static bool matmul(mil_work *w)
{
    const char *x = mil_value_of(w, "x"), *y = mil_value_of(w, "y");
    if (!x || !y || mil_is_set(w, "transpose_x"))
        return false;
    mil_give_node(w, 0, mil_two(w, "MatMul", x, mil_is_set(w, "transpose_y") ? turned(w, y) : y));
    return true;
}

static bool layer_norm(mil_work *w)
{
    const char *in[] = {mil_value_of(w, "x"), mil_value_of(w, "gamma"), mil_value_of(w, "beta")};
    const mil_type *t = mil_type_of(w, in[0]);
    int64_t axis;
    float epsilon;
    if (!in[0] || !in[1] || !in[2] || !t || !mil_int_of(w, "axes", &axis) || axis != t->rank - 1 ||
        !mil_float_of(w, "epsilon", &epsilon))
        return false;
    onnx_attr attrs[] = {mil_int_attr("axis", -1),
                         {.name = "epsilon", .type = ONNX_ATTR_FLOAT, .f = epsilon}};
    mil_give_node(w, 0, mil_node(w, "LayerNormalization", 3, in, 2, attrs));
    return true;
}

// Steps and margins, as both have them.
static bool windows(mil_work *w, const char *kernel, onnx_attr attrs[3])
{
    const mil_type *t = kernel ? mil_type_of(w, kernel) : NULL;
    int n, n_pad, n_size = 2;
    const int64_t *steps = mil_ints_of(w, "strides", &n), *pad = mil_ints_of(w, "pad", &n_pad),
                  *size = t && t->rank == 4 ? t->dim + 2 : mil_ints_of(w, "kernel_sizes", &n_size);
    if (!steps || !pad || !size || n != 2 || n_pad != 4 || n_size != 2 ||
        !mil_says(w, "pad_type", "custom"))
        return false;
    int64_t *pads = NEW(w->arena, int64_t, 4);
    for (int i = 0; i < 4; i++)
        pads[i] = pad[i % 2 * 2 + i / 2];
    attrs[0] = mil_ints_attr("kernel_shape", 2, size);
    attrs[1] = mil_ints_attr("strides", 2, steps);
    attrs[2] = mil_ints_attr("pads", 4, pads);
    return true;
}

static bool conv(mil_work *w)
{
    const char *in[] = {mil_value_of(w, "x"), mil_value_of(w, "weight"), mil_value_of(w, "bias")};
    onnx_attr attrs[3];
    int64_t groups;
    if (!in[0] || !in[1] || !in[2] || !windows(w, in[1], attrs) ||
        !mil_int_of(w, "groups", &groups) || groups != 1)
        return false;
    mil_give_node(w, 0, mil_node(w, "Conv", 3, in, 3, attrs));
    return true;
}

static bool pool(mil_work *w)
{
    const char *x = mil_value_of(w, "x");
    onnx_attr attrs[3];
    if (!x || !windows(w, NULL, attrs))
        return false;
    mil_give_node(w, 0, mil_node(w, "AveragePool", 1, &x, 3, attrs));
    return true;
}

// Gates i f o z of Core ML as i o f c of ONNX: [4 H, width] -> [1, 4 H, width]; or [4 H] ->
// [1, 8 H] with nought for the second bias.
static const char *gates(mil_work *w, const char *arg, bool bias)
{
    static const int from_gate[] = {0, 2, 1, 3};
    const mil_op *half = mil_constant_of(w, arg, MIL_F16),
                 *q = half ? half : mil_constant_of(w, arg, MIL_F32);
    const mil_type *t = q ? &q->out->type : NULL;
    if (!t || t->rank != (bias ? 1 : 2) || t->dim[0] % 4)
        return NULL;
    int64_t width = bias ? 1 : t->dim[1], gate = t->dim[0] / 4 * width;
    float *y = NEW(w->arena, float, (size_t)(8 * gate) + 1);
    for (int64_t i = 0; i < 4 * gate; i++) {
        int64_t from = from_gate[i / gate] * gate + i % gate;
        y[i] = half ? f16_widen(((const f16 *)q->data)[from]) : ((const float *)q->data)[from];
    }
    return mil_tensor(w, ONNX_FLOAT, bias ? 2 : 3,
                      (const int64_t[]){1, bias ? 2 * t->dim[0] : t->dim[0], width}, y);
}

static const char *reshaped(mil_work *w, const char *x, int rank, const int64_t *dim)
{
    int64_t *copy = NEW(w->arena, int64_t, (size_t)rank + 1);
    memcpy(copy, dim, sizeof *dim * (size_t)rank);
    return mil_two(w, "Reshape", x, mil_whole(w, rank, copy));
}

static bool lstm(mil_work *w)
{
    const char *x = mil_value_of(w, "x"), *h = mil_value_of(w, "initial_h"),
               *c = mil_value_of(w, "initial_c"), *wi = gates(w, "weight_ih", false),
               *wh = gates(w, "weight_hh", false), *b = gates(w, "bias", true);
    const mil_type *y = &w->op->out[0].type;
    if (!x || !h || !c || !wi || !wh || !b || w->op->n_out != 3 || y->rank != 3 ||
        !mil_says(w, "direction", "forward") || !mil_is_set(w, "output_sequence"))
        return false;
    const int64_t state[] = {1, y->dim[1], y->dim[2]};
    const char *in[] = {x, wi, wh, b, "", reshaped(w, h, 3, state), reshaped(w, c, 3, state)},
               *out[3];
    onnx_attr hidden = mil_int_attr("hidden_size", y->dim[2]);
    mil_nodes(w, "LSTM", 7, in, 3, out, &hidden);
    for (int k = 0; k < 3; k++)
        mil_give_node(w, k, reshaped(w, out[k], w->op->out[k].type.rank, w->op->out[k].type.dim));
    return true;
}

// One input and an axis.
static bool along(mil_work *w)
{
    const char *in[] = {mil_value_of(w, "x"), mil_value_of(w, "indices")};
    bool gathers = !strcmp(w->op->type, "gather");
    int64_t axis;
    if (!in[0] || !mil_int_of(w, "axis", &axis) || (gathers && !in[1]))
        return false;
    onnx_attr attr = mil_int_attr("axis", axis);
    mil_give_node(w, 0, mil_node(w, gathers ? "Gather" : "Softmax", gathers ? 2 : 1, in, 1, &attr));
    return true;
}

static bool transpose(mil_work *w)
{
    int n;
    const int64_t *perm = mil_ints_of(w, "perm", &n);
    const char *x = mil_value_of(w, "x");
    if (!x || !perm)
        return false;
    onnx_attr attr = mil_ints_attr("perm", n, perm);
    mil_give_node(w, 0, mil_one(w, "Transpose", x, &attr));
    return true;
}

// To the shape that its output has: `reshape`, `tile` of axes of one number.
static bool shaped(mil_work *w)
{
    const mil_type *t = &w->op->out[0].type;
    const char *x = mil_value_of(w, "x");
    if (!x || t->rank < 1)
        return false;
    mil_give_node(w, 0,
                  mil_two(w, !strcmp(w->op->type, "tile") ? "Expand" : "Reshape", x,
                          mil_whole(w, t->rank, t->dim)));
    return true;
}

static bool slice(mil_work *w)
{
    int n, n_size;
    const int64_t *begin = mil_ints_of(w, "begin", &n), *size = mil_ints_of(w, "size", &n_size);
    const char *x = mil_value_of(w, "x");
    if (!x || !begin || !size || n != n_size)
        return false;
    int64_t *end = NEW(w->arena, int64_t, (size_t)n), *axes = NEW(w->arena, int64_t, (size_t)n);
    for (int k = 0; k < n; k++)
        end[k] = begin[k] + size[k], axes[k] = k;
    const char *in[] = {x, mil_whole(w, n, begin), mil_whole(w, n, end), mil_whole(w, n, axes)};
    mil_give_node(w, 0, mil_node(w, "Slice", 4, in, 0, NULL));
    return true;
}

static bool concat(mil_work *w)
{
    const mil_arg *parts = mil_arg_of(w->op, "values");
    int64_t axis;
    if (!parts || !parts->n || !mil_int_of(w, "axis", &axis) || mil_is_set(w, "interleave"))
        return false;
    onnx_attr attr = mil_int_attr("axis", axis);
    mil_give_node(w, 0, mil_node(w, "Concat", parts->n, parts->values, 1, &attr));
    return true;
}

static bool split(mil_work *w)
{
    const char *x = mil_value_of(w, "x"), **out = NEW(w->arena, const char *, (size_t)w->op->n_out);
    int64_t axis;
    if (!x || !mil_int_of(w, "axis", &axis))
        return false;
    onnx_attr attr = mil_int_attr("axis", axis);
    mil_nodes(w, "Split", 1, &x, w->op->n_out, out, &attr);
    for (int k = 0; k < w->op->n_out; k++)
        mil_give_node(w, k, out[k]);
    return true;
}

static bool reduce(mil_work *w)
{
    int n;
    const int64_t *axes = mil_ints_of(w, "axes", &n);
    const char *x = mil_value_of(w, "x"), *op = !strcmp(w->op->type, "reduce_sum")    ? "ReduceSum"
                                                : !strcmp(w->op->type, "reduce_mean") ? "ReduceMean"
                                                                                      : "ReduceMax";
    if (!x || !axes)
        return false;
    onnx_attr attrs[] = {mil_ints_attr("axes", n, axes),
                         mil_int_attr("keepdims", mil_is_set(w, "keep_dims"))};
    mil_give_node(w, 0, mil_node(w, op, 1, &x, 2, attrs));
    return true;
}

const mil_translation mil_translations[] = {
    {"linear", linear},
    {"matmul", matmul},
    {"layer_norm", layer_norm},
    {"conv", conv},
    {"avg_pool", pool},
    {"lstm", lstm},
    {"gelu", gelu},
    {"softmax", along},
    {"gather", along},
    {"transpose", transpose},
    {"reshape", shaped},
    {"tile", shaped},
    {"concat", concat},
    {"slice_by_size", slice},
    {"split", split},
    {"reduce_sum", reduce},
    {"reduce_mean", reduce},
    {"reduce_max", reduce},
    {"add", plain},
    {"sub", plain},
    {"mul", plain},
    {"real_div", plain},
    {"maximum", plain},
    {"minimum", plain},
    {"relu", plain},
    {"tanh", plain},
    {"sigmoid", plain},
    {"erf", plain},
    {"sqrt", plain},
    {"cos", plain},
    {"sin", plain},
    {"identity", plain},
    {"cast", plain},
    {0},
};
