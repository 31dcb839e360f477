// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_rules.c: what each operator that our files use makes of shapes, as the specification of
// opset 17 says. To add one: a rule, and its line in the table at the end.
#include <string.h>

#include "export/onnx_rules.h"

const onnx_attr *onnx_attr_find(const onnx_node *n, const char *name)
{
    for (int i = 0; i < n->n_attr; i++)
        if (!strcmp(n->attrs[i].name, name))
            return &n->attrs[i];
    return NULL;
}

int64_t onnx_attr_value(const onnx_node *n, const char *name, int64_t fallback)
{
    const onnx_attr *t = onnx_attr_find(n, name);
    return t ? t->i : fallback;
}

static int axis_of(int64_t axis, int rank)
{
    int64_t k = axis < 0 ? axis + rank : axis;
    return k >= 0 && k < rank ? (int)k : 0;
}

static void same(const rule_call *c)
{
    *c->out[0] = *c->in[0];
}

static int64_t combined(const char *op, int64_t a, int64_t b)
{
    switch (*op) {
    case 'E': // Equal
        return a == b;
    case 'L': // LessOrEqual
        return a <= b;
    case 'A':
        return a + b;
    case 'S':
        return a - b;
    case 'D':
        return b ? a / b : 0;
    default:
        return !strcmp(op, "Mul") ? a * b : !strcmp(op, "Max") == (a > b) ? a : b;
    }
}

static void broadcast(const rule_call *c)
{
    const onnx_known *a = c->in[0], *b = c->in[1];
    onnx_known *y = c->out[0];
    y->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int k = 1; k <= y->rank; k++) {
        int64_t x = k <= a->rank ? a->dim[a->rank - k] : 1,
                z = k <= b->rank ? b->dim[b->rank - k] : 1;
        y->dim[y->rank - k] = x == 1 ? z : x;
    }
    if (a->n < 0 || b->n < 0 || (a->n != b->n && a->n != 1 && b->n != 1))
        return;
    y->n = a->n > b->n ? a->n : b->n;
    for (int i = 0; i < y->n; i++)
        y->data[i] = combined(c->node->op, a->data[a->n == 1 ? 0 : i], b->data[b->n == 1 ? 0 : i]);
}

static void where(const rule_call *c)
{
    const onnx_known *chosen = c->in[0]->n == 1 ? c->in[c->in[0]->data[0] ? 1 : 2] : NULL;
    broadcast(&(rule_call){.node = c->node, .in = {c->in[1], c->in[2]}, .out = {c->out[0]}});
    c->out[0]->n = -1;
    for (int i = 0; chosen && i < chosen->n; i++)
        c->out[0]->data[i] = chosen->data[i], c->out[0]->n = i + 1;
}

static void gemm(const rule_call *c)
{
    *c->out[0] = (onnx_known){
        .rank = 2,
        .n = -1,
        .dim = {c->in[0]->dim[0], c->in[1]->dim[onnx_attr_value(c->node, "transB", 0) ? 0 : 1]}};
}

static void product(const rule_call *c)
{
    onnx_known a = *c->in[0], b = *c->in[1], *y = c->out[0];
    if (a.rank < 2 || b.rank < 2)
        return;
    int64_t rows = a.dim[a.rank - 2], columns = b.dim[b.rank - 1];
    a.rank -= 2, b.rank -= 2, a.n = b.n = -1;
    broadcast(&(rule_call){.node = c->node, .in = {&a, &b}, .out = {y}});
    y->dim[y->rank] = rows, y->dim[y->rank + 1] = columns;
    y->rank += 2;
}

static void transpose(const rule_call *c)
{
    const onnx_attr *perm = onnx_attr_find(c->node, "perm");
    *c->out[0] = *c->in[0];
    for (int k = 0; perm && k < c->in[0]->rank && k < perm->n; k++)
        c->out[0]->dim[k] = c->in[0]->dim[axis_of(perm->ints[k], c->in[0]->rank)];
    c->out[0]->n = -1;
}

static int64_t count_of(const onnx_known *v)
{
    int64_t n = 1;
    for (int k = 0; k < v->rank; k++)
        n *= v->dim[k];
    return n;
}

static void reshape(const rule_call *c)
{
    const onnx_known *x = c->in[0], *to = c->in[1];
    onnx_known *y = c->out[0];
    int64_t rest = count_of(x);
    int open = -1;
    for (int k = 0; k < to->n; k++) {
        y->dim[k] = to->data[k] == 0 && k < x->rank ? x->dim[k] : to->data[k];
        if (y->dim[k] < 0)
            open = k;
        else
            rest /= y->dim[k] ? y->dim[k] : 1;
    }
    y->rank = to->n;
    if (open >= 0)
        y->dim[open] = rest;
}

static bool has_axis(const onnx_known *axes, int k, int rank)
{
    for (int i = 0; i < axes->n; i++)
        if (axis_of(axes->data[i], rank) == k)
            return true;
    return false;
}

static void squeeze(const rule_call *c)
{
    const onnx_known *x = c->in[0];
    onnx_known *y = c->out[0];
    y->rank = 0;
    for (int k = 0; k < x->rank; k++)
        if (c->node->n_in > 1 ? !has_axis(c->in[1], k, x->rank) : x->dim[k] != 1)
            y->dim[y->rank++] = x->dim[k];
    y->n = x->n;
    memcpy(y->data, x->data, sizeof y->data);
}

static void unsqueeze(const rule_call *c)
{
    const onnx_known *x = c->in[0], *axes = c->in[1];
    onnx_known *y = c->out[0];
    y->rank = x->rank + (axes->n > 0 ? axes->n : 0);
    for (int k = 0, from = 0; k < y->rank && y->rank <= ONNX_RANK; k++)
        y->dim[k] = has_axis(axes, k, y->rank) ? 1 : x->dim[from++];
    y->n = x->n;
    memcpy(y->data, x->data, sizeof y->data);
}

static int64_t clamped(int64_t at, int64_t size)
{
    at = at < 0 ? at + size : at;
    return at < 0 ? 0 : at > size ? size : at;
}

static void slice(const rule_call *c)
{
    const onnx_known *x = c->in[0], *axes = c->in[3];
    onnx_known *y = c->out[0];
    *y = *x;
    y->n = -1;
    for (int i = 0; i < axes->n && i < c->in[1]->n && i < c->in[2]->n; i++) {
        int k = axis_of(axes->data[i], x->rank);
        int64_t from = clamped(c->in[1]->data[i], x->dim[k]),
                to = clamped(c->in[2]->data[i], x->dim[k]);
        y->dim[k] = to > from ? to - from : 0;
        if (x->rank != 1 || x->n < 0)
            continue;
        for (y->n = 0; y->n < y->dim[0]; y->n++)
            y->data[y->n] = x->data[from + y->n];
    }
}

static void concat(const rule_call *c)
{
    onnx_known *y = c->out[0];
    *y = *c->in[0];
    int k = axis_of(onnx_attr_value(c->node, "axis", 0), y->rank);
    for (int i = 1; i < c->node->n_in; i++) {
        const onnx_known *x = c->in[i];
        y->dim[k] += x->dim[k];
        if (y->n < 0 || x->n < 0 || y->n + x->n > RULE_DATA) {
            y->n = -1;
            continue;
        }
        memcpy(y->data + y->n, x->data, sizeof *x->data * (size_t)x->n);
        y->n += x->n;
    }
}

static void split(const rule_call *c)
{
    int k = axis_of(onnx_attr_value(c->node, "axis", 0), c->in[0]->rank);
    for (int i = 0; i < c->node->n_out; i++) {
        *c->out[i] = *c->in[0];
        c->out[i]->n = -1;
        c->out[i]->dim[k] /= c->node->n_out;
    }
}

static void gather(const rule_call *c)
{
    const onnx_known *x = c->in[0], *at = c->in[1];
    onnx_known *y = c->out[0];
    int k = axis_of(onnx_attr_value(c->node, "axis", 0), x->rank);
    if (x->rank - 1 + at->rank > ONNX_RANK)
        return;
    y->rank = 0;
    for (int i = 0; i < k; i++)
        y->dim[y->rank++] = x->dim[i];
    for (int i = 0; i < at->rank; i++)
        y->dim[y->rank++] = at->dim[i];
    for (int i = k + 1; i < x->rank; i++)
        y->dim[y->rank++] = x->dim[i];
    for (int i = 0; x->rank == 1 && x->n >= 0 && i < at->n; i++)
        y->data[i] = at->data[i] < x->n ? x->data[axis_of(at->data[i], x->n)] : 0, y->n = i + 1;
}

static void shape_value(const rule_call *c)
{
    *c->out[0] = (onnx_known){.rank = 1, .dim = {c->in[0]->rank}, .n = c->in[0]->rank};
    memcpy(c->out[0]->data, c->in[0]->dim, sizeof c->in[0]->dim);
}

static void range(const rule_call *c)
{
    int64_t from = c->in[0]->data[0], to = c->in[1]->data[0], by = c->in[2]->data[0];
    if (c->in[0]->n == 1 && c->in[1]->n == 1 && c->in[2]->n == 1 && by > 0)
        *c->out[0] =
            (onnx_known){.rank = 1, .dim = {to > from ? (to - from + by - 1) / by : 0}, .n = -1};
}

static void expand(const rule_call *c)
{
    onnx_known to = {.rank = c->in[1]->n, .n = -1}, x = *c->in[0];
    memcpy(to.dim, c->in[1]->data, sizeof to.dim);
    x.n = -1;
    if (to.rank >= 0)
        broadcast(&(rule_call){.node = c->node, .in = {&x, &to}, .out = {c->out[0]}});
}

static void lstm(const rule_call *c)
{
    int64_t hidden = onnx_attr_value(c->node, "hidden_size", 0), time = c->in[0]->dim[0],
            batch = c->in[0]->dim[1];
    *c->out[0] = (onnx_known){.rank = 4, .dim = {time, 1, batch, hidden}, .n = -1};
}

static void reduce(const rule_call *c)
{
    const onnx_known *x = c->in[0];
    onnx_known *y = c->out[0], axes = {.n = -1};
    const onnx_attr *given = onnx_attr_find(c->node, "axes");
    for (int i = 0; given && i < given->n && i < RULE_DATA; i++)
        axes.data[i] = given->ints[i], axes.n = i + 1;
    if (c->node->n_in > 1)
        axes = *c->in[1];
    y->rank = 0;
    for (int k = 0; k < x->rank; k++) {
        bool gone = axes.n < 0 || has_axis(&axes, k, x->rank);
        if (!gone || onnx_attr_value(c->node, "keepdims", 1))
            y->dim[y->rank++] = gone ? 1 : x->dim[k];
    }
}

static int64_t int_of(const onnx_attr *list, int i, int64_t fallback)
{
    return list && i < list->n ? list->ints[i] : fallback;
}

// Windows of kernel_shape over all axes behind the channels; Conv's outputs are as many as its
// filters, a pool's as its inputs.
static void windows(const rule_call *c)
{
    const onnx_known *x = c->in[0];
    onnx_known *y = c->out[0];
    const onnx_attr *size = onnx_attr_find(c->node, "kernel_shape"),
                    *pads = onnx_attr_find(c->node, "pads"),
                    *steps = onnx_attr_find(c->node, "strides");
    int axes = x->rank - 2;
    *y = *x;
    y->n = -1;
    if (c->node->n_in > 1)
        y->dim[1] = c->in[1]->dim[0];
    for (int k = 0; k < axes; k++)
        y->dim[k + 2] =
            (x->dim[k + 2] + int_of(pads, k, 0) + int_of(pads, k + axes, 0) - int_of(size, k, 1)) /
                int_of(steps, k, 1) +
            1;
}

static void whole(const rule_call *c)
{
    *c->out[0] = *c->in[0];
    for (int k = 2; k < c->in[0]->rank; k++)
        c->out[0]->dim[k] = 1;
}

static void pad(const rule_call *c)
{
    const onnx_known *x = c->in[0], *pads = c->in[1];
    if (pads->n != 2 * x->rank)
        return;
    *c->out[0] = *x;
    c->out[0]->n = -1;
    for (int k = 0; k < x->rank; k++)
        c->out[0]->dim[k] += pads->data[k] + pads->data[k + x->rank];
}

static void spectrum(const rule_call *c)
{
    onnx_known *y = c->out[0];
    *y = *c->in[0];
    int k = axis_of(onnx_attr_value(c->node, "axis", 1), y->rank);
    y->dim[k] = onnx_attr_value(c->node, "onesided", 0) ? y->dim[k] / 2 + 1 : y->dim[k];
    y->dim[y->rank - 1] = 2;
}

static const struct {
    const char *op;
    void (*rule)(const rule_call *c);
} rules[] = {
    {"Where", where},
    {"LessOrEqual", broadcast},
    {"Equal", broadcast},
    {"Add", broadcast},
    {"Sub", broadcast},
    {"Mul", broadcast},
    {"Div", broadcast},
    {"Max", broadcast},
    {"Min", broadcast},
    {"Gemm", gemm},
    {"MatMul", product},
    {"Transpose", transpose},
    {"Reshape", reshape},
    {"Squeeze", squeeze},
    {"Unsqueeze", unsqueeze},
    {"Slice", slice},
    {"Concat", concat},
    {"Split", split},
    {"Gather", gather},
    {"Shape", shape_value},
    {"Range", range},
    {"Expand", expand},
    {"LSTM", lstm},
    {"Conv", windows},
    {"AveragePool", windows},
    {"GlobalAveragePool", whole},
    {"ReduceSum", reduce},
    {"ReduceMean", reduce},
    {"ReduceMax", reduce},
    {"Pad", pad},
    {"DFT", spectrum},
    {"Cast", same},
    {"Identity", same},
    {"Relu", same},
    {"Tanh", same},
    {"Sigmoid", same},
    {"Erf", same},
    {"Log", same},
    {"Sqrt", same},
    {"Cos", same},
    {"Sin", same},
    {"Softmax", same},
    {"LayerNormalization", same},
    {"BatchNormalization", same},
    {"Trilu", same},
    {"Floor", same},
    {"Ceil", same},
};

void onnx_rule_apply(const rule_call *c)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!strcmp(rules[i].op, c->node->op))
            rules[i].rule(c);
}
