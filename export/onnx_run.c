// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run.c: values by name, and the table of operations (onnx_run.h).
#include "export/onnx_run.h"

#include <string.h>

#include "base/f16.h"

static const struct {
    const char *op;
    onnx_step_fn *run;
} operations[] = {
    {"Add", onnx_run_binary},
    {"Sub", onnx_run_binary},
    {"Mul", onnx_run_binary},
    {"Div", onnx_run_binary},
    {"Relu", onnx_run_unary},
    {"Tanh", onnx_run_unary},
    {"Sigmoid", onnx_run_unary},
    {"Erf", onnx_run_unary},
    {"Sqrt", onnx_run_unary},
    {"Sin", onnx_run_unary},
    {"Cos", onnx_run_unary},
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
    {"ReduceSum", onnx_run_reduce_sum},
    {"DequantizeLinear", onnx_run_dequantize},
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
};

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

float *onnx_step_f32(onnx_step *s, int k)
{
    s->out[k].n = count(&s->out[k]);
    float *f = NEW(s->a, float, (size_t)s->out[k].n + 1);
    s->out[k].f = f;
    return f;
}

int64_t *onnx_step_i64(onnx_step *s, int k)
{
    s->out[k].n = count(&s->out[k]);
    int64_t *i = NEW(s->a, int64_t, (size_t)s->out[k].n + 1);
    s->out[k].i = i;
    return i;
}

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

// ---- Values

typedef struct values {
    const char **name;
    onnx_array *list;
    int n;
} values;

static const onnx_array *find(const values *v, const char *name)
{
    for (int i = v->n - 1; i >= 0; i--)
        if (!strcmp(v->name[i], name))
            return &v->list[i];
    return NULL;
}

static void put(values *v, const char *name, onnx_array x)
{
    v->name[v->n] = name;
    v->list[v->n++] = x;
}

// As the file has it, little-endian, into one of the three kinds; false: of another type.
static bool constant(const onnx_tensor *t, arena *a, onnx_array *x)
{
    *x = array_of(t->rank, t->dim);
    size_t n = (size_t)x->n, each = n ? t->bytes / n : 0;
    float *f = t->type == ONNX_FLOAT || t->type == ONNX_FLOAT16 ? NEW(a, float, n + 1) : NULL;
    int64_t *i = t->type == ONNX_INT64 || t->type == ONNX_INT32 ? NEW(a, int64_t, n + 1) : NULL;
    x->f = f, x->i = i, x->b = t->type == ONNX_INT8 ? t->data : NULL;
    if (!t->data || (n && t->bytes != n * each) || (!f && !i && !x->b))
        return false;
    for (size_t k = 0; k < n; k++) {
        const uint8_t *from = (const uint8_t *)t->data + k * each;
        f16 half = 0;
        int32_t narrow = 0;
        if (t->type == ONNX_FLOAT && each == sizeof *f)
            memcpy(&f[k], from, sizeof *f);
        else if (t->type == ONNX_FLOAT16 && each == sizeof half)
            memcpy(&half, from, sizeof half), f[k] = f16_widen(half);
        else if (t->type == ONNX_INT64 && each == sizeof *i)
            memcpy(&i[k], from, sizeof *i);
        else if (t->type == ONNX_INT32 && each == sizeof narrow)
            memcpy(&narrow, from, sizeof narrow), i[k] = narrow;
        else if (t->type != ONNX_INT8 || each != 1)
            return false;
    }
    return true;
}

// ---- Nodes

static bool gather_inputs(const values *v, onnx_step *s)
{
    if (s->node->n_in > ONNX_RUN_IN || s->node->n_out > ONNX_RUN_OUT)
        return false;
    s->n_in = s->node->n_in, s->n_out = s->node->n_out;
    for (int i = 0; i < s->n_in; i++) {
        s->in[i] = find(v, s->node->in[i]);
        if (!s->in[i] && *s->node->in[i])
            return false;
    }
    return s->n_in > 0 && s->in[0];
}

static onnx_step_fn *operation(const char *op)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (!strcmp(operations[i].op, op))
            return operations[i].run;
    return NULL;
}

bool onnx_run_has(const onnx_model *m)
{
    for (int i = 0; i < m->n_nodes; i++)
        if (!operation(m->nodes[i].op))
            return false;
    return true;
}

static bool step(values *v, const onnx_node *n, arena *a, err *e)
{
    onnx_step *s = NEW(a, onnx_step, 1);
    *s = (onnx_step){.node = n, .a = a};
    onnx_step_fn *run = operation(n->op);
    if (!run)
        return err_set(e, ERR_VALUE, "the operation %s cannot be run here", n->op);
    if (!gather_inputs(v, s) || !run(s))
        return err_set(e, ERR_VALUE, "node '%s' (%s) does not fit its inputs", n->name, n->op);
    for (int i = 0; i < n->n_out; i++)
        put(v, n->out[i], s->out[i]);
    return true;
}

bool onnx_run(const onnx_model *m, const onnx_array *in, onnx_array *out, arena *a, err *e)
{
    size_t most = (size_t)m->n_tensors + (size_t)m->n_inputs + 1;
    for (int i = 0; i < m->n_nodes; i++)
        most += (size_t)m->nodes[i].n_out;
    values v = {NEW(a, const char *, most), NEW(a, onnx_array, most), 0};
    for (int i = 0; i < m->n_tensors; i++) {
        onnx_array x;
        if (!constant(&m->tensors[i], a, &x))
            return err_set(e, ERR_VALUE, "the constant '%s' is of a type that cannot be run here",
                           m->tensors[i].name);
        put(&v, m->tensors[i].name, x);
    }
    for (int i = 0; i < m->n_inputs; i++)
        put(&v, m->inputs[i].name, in[i]);
    for (int i = 0; i < m->n_nodes; i++)
        if (!step(&v, &m->nodes[i], a, e))
            return false;
    const onnx_array *y = m->n_outputs ? find(&v, m->outputs[0].name) : NULL;
    if (y)
        *out = *y;
    return y || err_set(e, ERR_VALUE, "there is no output");
}
