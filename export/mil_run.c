// SPDX-License-Identifier: GPL-3.0-or-later
// mil_run.c: the whole program in portable nodes, and what the translations of its operations share
// (mil_run.h).
#include "export/mil_run_internal.h"

#include <string.h>

#include "base/f16.h"

// ---- What an operation says

const mil_arg *mil_arg_of(const mil_op *q, const char *name)
{
    for (int i = 0; i < q->n_args; i++)
        if (!strcmp(q->args[i].name, name))
            return &q->args[i];
    return NULL;
}

// The value of an argument; NULL: there is none, or several.
const char *mil_value_of(const mil_work *w, const char *arg)
{
    const mil_arg *t = mil_arg_of(w->op, arg);
    return t && t->n == 1 && *t->values[0] ? t->values[0] : NULL;
}

const mil_type *mil_type_of(const mil_work *w, const char *value)
{
    for (int i = 0; value && i < w->p->n_inputs; i++)
        if (!strcmp(w->p->inputs[i].name, value))
            return &w->p->inputs[i].type;
    for (int i = 0; value && i < w->p->n_ops; i++)
        for (int k = 0; k < w->p->ops[i].n_out; k++)
            if (!strcmp(w->p->ops[i].out[k].name, value))
                return &w->p->ops[i].out[k].type;
    return NULL;
}

const mil_op *mil_constant_of(const mil_work *w, const char *arg, mil_kind kind)
{
    const char *v = mil_value_of(w, arg);
    for (int i = 0; v && i < w->p->n_ops; i++) {
        const mil_op *q = &w->p->ops[i];
        if (q->data && q->n_out == 1 && !strcmp(q->out[0].name, v))
            return mil_stored(q).kind == kind ? q : NULL;
    }
    return NULL;
}

// *n of them; NULL: they are not there.
const int64_t *mil_ints_of(mil_work *w, const char *arg, int *n)
{
    const mil_op *q = mil_constant_of(w, arg, MIL_I32);
    int64_t *out = NULL;
    *n = q ? (int)mil_count(&q->out->type) : 0;
    if (*n > 0 && *n <= ONNX_RANK) {
        out = NEW(w->arena, int64_t, (size_t)*n);
        for (int i = 0; i < *n; i++)
            out[i] = ((const int32_t *)q->data)[i];
    }
    return out;
}

bool mil_int_of(mil_work *w, const char *arg, int64_t *v)
{
    int n;
    const int64_t *list = mil_ints_of(w, arg, &n);
    *v = list && n == 1 ? *list : 0;
    return list && n == 1;
}

bool mil_float_of(const mil_work *w, const char *arg, float *v)
{
    const mil_op *half = mil_constant_of(w, arg, MIL_F16), *wide = mil_constant_of(w, arg, MIL_F32),
                 *q = half ? half : wide;
    if (!q || mil_count(&q->out->type) != 1)
        return false;
    *v = half ? f16_widen(*(const f16 *)half->data) : *(const float *)wide->data;
    return true;
}

bool mil_is_set(const mil_work *w, const char *arg)
{
    const mil_op *q = mil_constant_of(w, arg, MIL_BOOL);
    return q && *(const bool *)q->data;
}

bool mil_says(const mil_work *w, const char *arg, const char *text)
{
    const mil_op *q = mil_constant_of(w, arg, MIL_STRING);
    return q && !strcmp(q->data, text);
}

// ---- Nodes

const char *mil_fresh(mil_work *w)
{
    return arena_printf(w->arena, "%s/%d", w->op->out[0].name, w->fresh++);
}

static void add_node(mil_work *w, const char *op, int n_in, const char *const *in, int n_out,
                     const char **out, int n_attr, const onnx_attr *attrs)
{
    onnx_add_node(w->m, &(onnx_node){.op = op,
                                     .name = out[0],
                                     .n_in = n_in,
                                     .in = (const char **)in,
                                     .n_out = n_out,
                                     .out = out,
                                     .n_attr = n_attr,
                                     .attrs = (onnx_attr *)attrs});
}

const char *mil_node(mil_work *w, const char *op, int n_in, const char *const *in, int n_attr,
                     const onnx_attr *attrs)
{
    const char *y = mil_fresh(w);
    add_node(w, op, n_in, in, 1, &y, n_attr, attrs);
    return y;
}

void mil_nodes(mil_work *w, const char *op, int n_in, const char *const *in, int n_out,
               const char **out, const onnx_attr *attr)
{
    for (int k = 0; k < n_out; k++)
        out[k] = mil_fresh(w);
    add_node(w, op, n_in, in, n_out, out, 1, attr);
}

const char *mil_two(mil_work *w, const char *op, const char *x, const char *y)
{
    return mil_node(w, op, 2, (const char *const[]){x, y}, 0, NULL);
}

const char *mil_one(mil_work *w, const char *op, const char *x, const onnx_attr *attr)
{
    return mil_node(w, op, 1, &x, attr ? 1 : 0, attr);
}

onnx_attr mil_int_attr(const char *name, int64_t v)
{
    return (onnx_attr){.name = name, .type = ONNX_ATTR_INT, .i = v};
}

onnx_attr mil_ints_attr(const char *name, int n, const int64_t *v)
{
    return (onnx_attr){.name = name, .type = ONNX_ATTR_INTS, .n = n, .ints = v};
}

const char *mil_tensor(mil_work *w, int type, int rank, const int64_t *dim, const void *data)
{
    onnx_tensor t = {.name = mil_fresh(w), .type = type, .rank = rank, .data = data, .bytes = 1};
    for (int k = 0; k < rank; k++)
        t.dim[k] = dim[k], t.bytes *= (size_t)dim[k];
    t.bytes *= type == ONNX_INT64 ? sizeof(int64_t) : sizeof(float);
    onnx_add_tensor(w->m, &t);
    return t.name;
}

const char *mil_number(mil_work *w, float v)
{
    float *x = NEW(w->arena, float, 1);
    *x = v;
    return mil_tensor(w, ONNX_FLOAT, 0, NULL, x);
}

const char *mil_whole(mil_work *w, int n, const int64_t *v)
{
    int64_t dim = n;
    return mil_tensor(w, ONNX_INT64, 1, &dim, v);
}

// The result under the k-th output's name, rounded to its kind.
void mil_give_node(mil_work *w, int k, const char *y)
{
    const mil_value *v = &w->op->out[k];
    onnx_attr to = mil_int_attr("to", v->type.kind == MIL_F16   ? ONNX_FLOAT16
                                      : v->type.kind == MIL_F32 ? ONNX_FLOAT
                                                                : ONNX_INT32);
    add_node(w, "Cast", 1, &y, 1, (const char *[]){v->name}, 1, &to);
}

// ---- The program

static bool translate(mil_work *w)
{
    for (const mil_translation *t = mil_translations; t->type; t++)
        if (!strcmp(t->type, w->op->type))
            return t->say(w);
    return false;
}

static int onnx_type_of(mil_kind kind)
{
    return kind == MIL_F16 ? ONNX_FLOAT16 : kind == MIL_F32 ? ONNX_FLOAT : ONNX_INT32;
}

static void add_constant(onnx_model *m, const mil_op *q)
{
    const mil_type t = mil_stored(q);
    onnx_tensor x = {.name = q->out->name, .type = onnx_type_of(t.kind), .rank = t.rank};
    if (t.kind != MIL_F16 && t.kind != MIL_F32 && t.kind != MIL_I32)
        return; // words: what reads them looks for them
    memcpy(x.dim, t.dim, sizeof *t.dim * (size_t)t.rank);
    x.data = q->data, x.bytes = (size_t)mil_bytes(&t);
    onnx_add_tensor(m, &x);
}

static onnx_value port_of(const mil_value *v)
{
    onnx_value x = {.name = v->name, .type = onnx_type_of(v->type.kind), .rank = v->type.rank};
    memcpy(x.dim, v->type.dim, sizeof *v->type.dim * (size_t)v->type.rank);
    return x;
}

onnx_model *mil_portable(const mil_program *p, arena *a, err *e)
{
    mil_work w = {.p = p, .m = onnx_model_open(a), .arena = a};
    w.m->meta = p->meta;
    for (int i = 0; i < p->n_inputs; i++)
        onnx_add_input(w.m, port_of(&p->inputs[i]));
    for (int i = 0; i < p->n_outputs; i++)
        onnx_add_output(w.m, port_of(&p->outputs[i]));
    for (int i = 0; i < p->n_ops; i++) {
        w.op = &p->ops[i];
        if (w.op->data)
            add_constant(w.m, w.op);
        else if (!w.op->n_out || !translate(&w))
            return (void)err_set(e, ERR_VALUE, "the operation %s ('%s') cannot be run here",
                                 w.op->type, w.op->n_out ? w.op->out[0].name : ""),
                   NULL;
    }
    return w.m;
}
