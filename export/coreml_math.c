// SPDX-License-Identifier: GPL-3.0-or-later
// coreml_math.c: what computes element by element, or sums elements up.
#include <math.h>

#include "export/coreml_ops.h"

static void plain(coreml_work *w, const onnx_node *n)
{
    static const char *const names[][2] = {
        {"Sub", "sub"},     {"Mul", "mul"},   {"Div", "real_div"}, {"Max", "maximum"},
        {"Min", "minimum"}, {"Relu", "relu"}, {"Tanh", "tanh"},    {"Sigmoid", "sigmoid"},
        {"Erf", "erf"},     {"Sqrt", "sqrt"}, {"Cos", "cos"},      {"Sin", "sin"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i][0], n->op))
            coreml_plain(w, n, names[i][1]);
}

// The node that makes input i, where it is an `op` of something and the number c: something.
static coreml_value *operand_of(const coreml_work *w, const onnx_node *n, int i, const char *op,
                                double number)
{
    const onnx_node *q = coreml_in(w, n, i)->from;
    if (!q || strcmp(q->op, op) != 0 || q->n_in != 2)
        return NULL;
    const coreml_value *c = coreml_in(w, q, 1);
    bool is = c->floats && c->like.rank == 0 && fabs((double)*c->floats - number) < 1e-6;
    return is ? coreml_in(w, q, 0) : NULL;
}

// x / 2 (1 + erf(x / sqrt 2)): gelu, which is one operation, and one rounding.
static coreml_value *gelu_of(const coreml_work *w, const onnx_node *n)
{
    coreml_value *x = operand_of(w, n, 0, "Mul", 0.5), *e = operand_of(w, n, 1, "Add", 1);
    const onnx_node *erf = x && e ? e->from : NULL;
    if (!erf || strcmp(erf->op, "Erf") != 0)
        return NULL;
    return operand_of(w, erf, 0, "Mul", sqrt(0.5)) == x ? x : NULL;
}

static void mul(coreml_work *w, const onnx_node *n)
{
    coreml_value *x = gelu_of(w, n);
    if (!x) {
        plain(w, n);
        return;
    }
    mil_call c = mil_begin(w->program, "gelu");
    mil_put(&c, "x", coreml_say(w, x, coreml_kind_of(w, n)));
    mil_put_text(&c, "mode", "EXACT");
    coreml_finish(w, &c, n);
}

static void softmax(coreml_work *w, const onnx_node *n)
{
    mil_call c = mil_begin(w->program, "softmax");
    coreml_put(w, &c, "x", n, 0);
    mil_put_int(&c, "axis", coreml_axis(n, -1, coreml_in(w, n, 0)->like.rank));
    coreml_finish(w, &c, n);
}

static void reduce(coreml_work *w, const onnx_node *n)
{
    const onnx_attr *given = onnx_attr_find(n, "axes");
    int64_t axes[ONNX_RANK];
    int count = 0, rank = coreml_in(w, n, 0)->like.rank;
    if (coreml_has(n, 1))
        for (; count < coreml_in(w, n, 1)->like.n; count++)
            axes[count] = coreml_in(w, n, 1)->ints[count];
    for (int i = 0; given && i < given->n; i++)
        axes[count++] = given->ints[i];
    for (int i = 0; !count && i < rank; i++)
        axes[i] = i;
    mil_call c = mil_begin(w->program, !strcmp(n->op, "ReduceSum")    ? "reduce_sum"
                                       : !strcmp(n->op, "ReduceMean") ? "reduce_mean"
                                                                      : "reduce_max");
    coreml_put(w, &c, "x", n, 0);
    mil_put_ints(&c, "axes", count ? count : rank, axes);
    mil_put_bool(&c, "keep_dims", onnx_attr_value(n, "keepdims", 1) != 0);
    coreml_finish(w, &c, n);
}

// The mean of whole pictures.
static void global(coreml_work *w, const onnx_node *n)
{
    static const int64_t axes[] = {2, 3};
    mil_call c = mil_begin(w->program, "reduce_mean");
    coreml_put(w, &c, "x", n, 0);
    mil_put_ints(&c, "axes", 2, axes);
    mil_put_bool(&c, "keep_dims", true);
    coreml_finish(w, &c, n);
}

const coreml_rule coreml_math[] = {
    {"Sub", plain},        {"Mul", mul},
    {"Div", plain},        {"Max", plain},
    {"Min", plain},        {"Relu", plain},
    {"Tanh", plain},       {"Sigmoid", plain},
    {"Erf", plain},        {"Sqrt", plain},
    {"Cos", plain},        {"Sin", plain},
    {"ReduceSum", reduce}, {"ReduceMean", reduce},
    {"ReduceMax", reduce}, {"GlobalAveragePool", global},
    {"Softmax", softmax},  {0},
};
