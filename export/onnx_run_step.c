// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run_step.c: the table of operations, and what they share (onnx_run.h).
#include <stdlib.h>
#include <string.h>

#include "export/onnx_run.h"

static const struct {
    const char *op;
    onnx_step_fn *run;
} operations[] = {
    {"Add", onnx_run_binary},
    {"Sub", onnx_run_binary},
    {"Mul", onnx_run_binary},
    {"Div", onnx_run_binary},
    {"Max", onnx_run_binary},
    {"Min", onnx_run_binary},
    {"Equal", onnx_run_binary},
    {"LessOrEqual", onnx_run_binary},
    {"Where", onnx_run_where},
    {"Relu", onnx_run_unary},
    {"Tanh", onnx_run_unary},
    {"Sigmoid", onnx_run_unary},
    {"Erf", onnx_run_unary},
    {"Sqrt", onnx_run_unary},
    {"Sin", onnx_run_unary},
    {"Cos", onnx_run_unary},
    {"Log", onnx_run_unary},
    {"Cast", onnx_run_cast},
    {"Identity", onnx_run_identity},
    {"MatMul", onnx_run_matmul},
    {"Gemm", onnx_run_gemm},
    {"LSTM", onnx_run_lstm},
    {"Conv", onnx_run_conv},
    {"AveragePool", onnx_run_average_pool},
    {"GlobalAveragePool", onnx_run_global_average_pool},
    {"LayerNormalization", onnx_run_layer_norm},
    {"Softmax", onnx_run_softmax},
    {"ReduceSum", onnx_run_reduce},
    {"ReduceMean", onnx_run_reduce},
    {"ReduceMax", onnx_run_reduce},
    {"DequantizeLinear", onnx_run_dequantize},
    {"DynamicQuantizeLinear", onnx_run_quantize},
    {"MatMulInteger", onnx_run_matmul_integer},
    {"Transpose", onnx_run_transpose},
    {"Reshape", onnx_run_reshape},
    {"Squeeze", onnx_run_squeeze},
    {"Unsqueeze", onnx_run_unsqueeze},
    {"Concat", onnx_run_concat},
    {"Slice", onnx_run_slice},
    {"Split", onnx_run_split},
    {"Gather", onnx_run_gather},
    {"Expand", onnx_run_expand},
    {"Shape", onnx_run_shape},
    {"Range", onnx_run_range},
    {"Trilu", onnx_run_trilu},
    {"Pad", onnx_run_pad},
    {"DFT", onnx_run_dft},
};

onnx_step_fn *onnx_step_find(const char *op)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (!strcmp(operations[i].op, op))
            return operations[i].run;
    return NULL;
}

// ---- Arrays

static int64_t count(const onnx_array *x)
{
    int64_t n = 1;
    for (int i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

static onnx_array array_of(int rank, const int64_t *dim)
{
    onnx_array x = {.rank = rank};
    if (rank)
        memcpy(x.dim, dim, sizeof *dim * (size_t)rank);
    x.n = count(&x);
    return x;
}

onnx_array onnx_array_f32(int rank, const int64_t *dim, const float *f)
{
    onnx_array x = array_of(rank, dim);
    x.f = f;
    return x;
}

onnx_array onnx_array_i64(int rank, const int64_t *dim, const int64_t *i)
{
    onnx_array x = array_of(rank, dim);
    x.i = i;
    return x;
}

static void *make_room(onnx_array *x, size_t each)
{
    x->n = count(x);
    size_t bytes = sizeof(onnx_block) + ((size_t)x->n + 1) * each;
    x->block = base_checked(calloc(1, bytes), bytes);
    return x->block + 1;
}

float *onnx_step_f32(onnx_step *s, int k)
{
    float *f = make_room(&s->out[k], sizeof *f);
    s->out[k].f = f;
    return f;
}

int64_t *onnx_step_i64(onnx_step *s, int k)
{
    int64_t *i = make_room(&s->out[k], sizeof *i);
    s->out[k].i = i;
    return i;
}

// ---- What an operation asks

const onnx_attr *onnx_step_attr(const onnx_step *s, const char *name)
{
    for (int i = 0; i < s->node->n_attr; i++)
        if (!strcmp(s->node->attrs[i].name, name))
            return &s->node->attrs[i];
    return NULL;
}

int64_t onnx_step_int(const onnx_step *s, const char *name, int64_t fallback)
{
    const onnx_attr *t = onnx_step_attr(s, name);
    return t ? t->i : fallback;
}

int onnx_step_axis(int64_t axis, int rank)
{
    int64_t k = axis < 0 ? axis + rank : axis;
    return k >= 0 && k < rank ? (int)k : -1;
}
