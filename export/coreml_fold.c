// SPDX-License-Identifier: GPL-3.0-or-later
// coreml_fold.c: what becomes of constants, computed before the program is written: tables of
// angles, masks, the rows of a table of biases. In f32, where the program may have halves alone:
// an angle of position 1000 is off by half a radian there.
#include <math.h>
#include <string.h>

#include "export/coreml_work.h"

// One node: its inputs, and the numbers of an output.
typedef struct fold {
    const coreml_work *work;
    const onnx_node *node;
    const coreml_value *in[RULE_IN];
    const coreml_value *out;
    int which; // of the outputs
    double *y; // [count of out]
} fold;

static double number(const coreml_value *v, int64_t i)
{
    return v->ints ? (double)v->ints[i] : (double)v->floats[i];
}

// Element i of a tensor as an index for each axis.
static void indices(const onnx_known *s, int64_t i, int64_t at[ONNX_RANK])
{
    for (int k = s->rank; k-- > 0; i /= s->dim[k])
        at[k] = i % s->dim[k];
}

static int64_t place(const onnx_known *s, const int64_t at[])
{
    int64_t i = 0;
    for (int k = 0; k < s->rank; k++)
        i = i * s->dim[k] + at[k];
    return i;
}

// Where `at` of a broadcast tensor lies in one of `s`, whose axes are its last ones.
static int64_t broadcast_place(const onnx_known *s, int rank, const int64_t at[])
{
    int64_t i = 0;
    for (int k = 0; k < s->rank; k++)
        i = i * s->dim[k] + (s->dim[k] == 1 ? 0 : at[rank - s->rank + k]);
    return i;
}

static int axis_of(const fold *f, int64_t fallback, int rank)
{
    int64_t axis = onnx_attr_value(f->node, "axis", fallback);
    return (int)(axis < 0 ? axis + rank : axis);
}

#define EACH(f, i) for (int64_t i = 0, n_ = coreml_count((f)->out); i < n_; i++)

static bool copied(fold *f)
{
    EACH(f, i)
    f->y[i] = number(f->in[0], i);
    return true;
}

static bool transposed(fold *f)
{
    const onnx_attr *perm = onnx_attr_find(f->node, "perm");
    int64_t at[ONNX_RANK], from[ONNX_RANK];
    EACH(f, i)
    {
        indices(&f->out->like, i, at);
        for (int k = 0; k < f->out->like.rank; k++)
            from[perm->ints[k]] = at[k];
        f->y[i] = number(f->in[0], place(&f->in[0]->like, from));
    }
    return true;
}

static bool gathered(fold *f)
{
    const onnx_known *x = &f->in[0]->like, *where = &f->in[1]->like;
    int axis = axis_of(f, 0, x->rank);
    int64_t at[ONNX_RANK], from[ONNX_RANK];
    EACH(f, i)
    {
        indices(&f->out->like, i, at);
        int64_t row = f->in[1]->ints[place(where, at + axis)];
        for (int k = 0; k < x->rank; k++)
            from[k] = k < axis ? at[k] : k == axis ? row : at[k + where->rank - 1];
        f->y[i] = number(f->in[0], place(x, from));
    }
    return true;
}

static bool sliced(fold *f)
{
    const coreml_value *begin = f->in[1], *axes = f->in[3];
    const onnx_known *x = &f->in[0]->like;
    int64_t at[ONNX_RANK];
    EACH(f, i)
    {
        indices(&f->out->like, i, at);
        for (int k = 0; k < axes->like.n; k++) {
            int64_t axis = axes->ints[k], from = begin->ints[k];
            axis += axis < 0 ? x->rank : 0;
            at[axis] += from < 0 ? from + x->dim[axis] : from;
        }
        f->y[i] = number(f->in[0], place(x, at));
    }
    return true;
}

static bool split(fold *f)
{
    const onnx_known *x = &f->in[0]->like;
    int axis = axis_of(f, 0, x->rank);
    int64_t at[ONNX_RANK];
    EACH(f, i)
    {
        indices(&f->out->like, i, at);
        at[axis] += f->which * f->out->like.dim[axis];
        f->y[i] = number(f->in[0], place(x, at));
    }
    return true;
}

static bool joined(fold *f)
{
    int axis = axis_of(f, 0, f->out->like.rank);
    int64_t at[ONNX_RANK];
    EACH(f, i)
    {
        int part = 0;
        indices(&f->out->like, i, at);
        while (at[axis] >= f->in[part]->like.dim[axis])
            at[axis] -= f->in[part++]->like.dim[axis];
        f->y[i] = number(f->in[part], place(&f->in[part]->like, at));
    }
    return true;
}

static bool expanded(fold *f)
{
    int64_t at[ONNX_RANK];
    EACH(f, i)
    {
        indices(&f->out->like, i, at);
        f->y[i] = number(f->in[0], broadcast_place(&f->in[0]->like, f->out->like.rank, at));
    }
    return true;
}

static bool combined(fold *f)
{
    int64_t at[ONNX_RANK];
    int rank = f->out->like.rank;
    EACH(f, i)
    {
        indices(&f->out->like, i, at);
        double a = number(f->in[0], broadcast_place(&f->in[0]->like, rank, at)),
               b = number(f->in[1], broadcast_place(&f->in[1]->like, rank, at));
        f->y[i] = *f->node->op == 'A'           ? a + b
                  : *f->node->op == 'S'         ? a - b
                  : !strcmp(f->node->op, "Mul") ? a * b
                                                : a / b;
    }
    return true;
}

static bool mapped(fold *f)
{
    EACH(f, i)
    {
        double x = number(f->in[0], i);
        f->y[i] = *f->node->op == 'C' ? cos(x) : f->node->op[1] == 'i' ? sin(x) : sqrt(x);
    }
    return true;
}

static bool ranged(fold *f)
{
    EACH(f, i)
    f->y[i] = number(f->in[0], 0) + (double)i * number(f->in[2], 0);
    return true;
}

// What lies below the diagonal is nought.
static bool triangle(fold *f)
{
    int64_t at[ONNX_RANK], from = f->node->n_in > 1 ? f->in[1]->ints[0] : 0;
    int rank = f->out->like.rank;
    if (!onnx_attr_value(f->node, "upper", 1))
        return false;
    EACH(f, i)
    {
        indices(&f->out->like, i, at);
        f->y[i] = at[rank - 1] >= at[rank - 2] + from ? number(f->in[0], i) : 0;
    }
    return true;
}

static const struct {
    const char *op;
    bool (*compute)(fold *f);
} rules[] = {
    {"Reshape", copied}, {"Squeeze", copied},  {"Unsqueeze", copied}, {"Identity", copied},
    {"Cast", copied},    {"Gather", gathered}, {"Slice", sliced},     {"Split", split},
    {"Concat", joined},  {"Expand", expanded}, {"Add", combined},     {"Sub", combined},
    {"Mul", combined},   {"Div", combined},    {"Cos", mapped},       {"Sin", mapped},
    {"Sqrt", mapped},    {"Range", ranged},    {"Trilu", triangle},   {"Transpose", transposed},
};

static void keep(coreml_work *w, coreml_value *v, const double *y)
{
    int64_t n = coreml_count(v);
    int64_t *ints = v->whole ? NEW(w->arena, int64_t, (size_t)n + 1) : NULL;
    float *floats = v->whole ? NULL : NEW(w->arena, float, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        if (v->whole)
            ints[i] = (int64_t)y[i];
        else
            floats[i] = (float)y[i];
    v->ints = ints, v->floats = floats;
}

static void keep_known(coreml_work *w, coreml_value *v)
{
    double y[RULE_DATA];
    for (int i = 0; i < v->like.n; i++)
        y[i] = (double)v->like.data[i];
    keep(w, v, y);
}

static bool compute(coreml_work *w, fold *f)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!strcmp(rules[i].op, f->node->op)) {
            arena a = {.name = "constant"};
            f->y = NEW(&a, double, (size_t)coreml_count(f->out) + 1);
            bool known = rules[i].compute(f);
            if (known)
                keep(w, (coreml_value *)f->out, f->y);
            arena_free(&a);
            return known;
        }
    return false;
}

void coreml_fold(coreml_work *w, const onnx_node *n)
{
    fold f = {.work = w, .node = n};
    coreml_value *first = coreml_find(w, n->out[0]);
    if (first->whole && first->like.n >= 0) {
        keep_known(w, first);
        return;
    }
    for (int i = 0; i < n->n_in; i++) {
        f.in[i] = *n->in[i] ? coreml_find(w, n->in[i]) : NULL;
        if (!f.in[i] || !coreml_fixed(f.in[i]))
            return;
    }
    for (int i = 0; i < n->n_out; i++) {
        f.out = coreml_find(w, n->out[i]), f.which = i;
        if (!compute(w, &f))
            return;
    }
}
