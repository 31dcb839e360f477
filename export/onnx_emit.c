// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_emit.c: constants and nodes of an emitter (autograd/emitter.h) as initialisers and nodes of
// an ONNX model.
#include "export/onnx_emit.h"

static const char *const symbol_names[] = {[SYM_BATCH] = "batch", [SYM_TIME] = "time"};

onnx_value emitter_value(const char *name, int type, const shape *s)
{
    onnx_value v = {.name = name, .type = type, .rank = s->rank};
    for (int i = 0; i < s->rank; i++) {
        v.dim[i] = s->d[i];
        v.sym[i] = s->sym[i] ? symbol_names[s->sym[i]] : NULL;
    }
    return v;
}

static void put_constant(void *to, const emit_constant *c)
{
    static const int types[] = {
        [EMIT_F32] = ONNX_FLOAT, [EMIT_I32] = ONNX_INT32, [EMIT_I64] = ONNX_INT64};
    onnx_tensor t = {.name = c->name,
                     .type = types[c->type],
                     .rank = c->shape.rank,
                     .data = c->data,
                     .bytes = c->bytes};
    for (int i = 0; i < c->shape.rank; i++)
        t.dim[i] = c->shape.d[i];
    onnx_add_tensor(to, &t);
}

static onnx_attr attr_struct(const emit_attr *t)
{
    static const int types[] = {[EMIT_INT] = ONNX_ATTR_INT,
                                [EMIT_FLOAT] = ONNX_ATTR_FLOAT,
                                [EMIT_INTS] = ONNX_ATTR_INTS,
                                [EMIT_STRING] = ONNX_ATTR_STRING};
    return (onnx_attr){.name = t->name,
                       .type = types[t->kind],
                       .i = t->i,
                       .f = t->f,
                       .n = t->n,
                       .ints = t->ints,
                       .s = t->s};
}

// A node is called after its first output that has a name.
static void put_node(void *to, const emit_call *c)
{
    onnx_attr list[16] = {0};
    CHECK(c->n_attr <= 16);
    for (int i = 0; i < c->n_attr; i++)
        list[i] = attr_struct(&c->attrs[i]);
    const char *named = c->out[0];
    for (int i = 1; i < c->n_out && !*named; i++)
        named = c->out[i];
    onnx_add_node(to, &(onnx_node){.op = c->op,
                                   .name = named,
                                   .n_in = c->n_in,
                                   .in = (const char **)c->in,
                                   .n_out = c->n_out,
                                   .out = (const char **)c->out,
                                   .n_attr = c->n_attr,
                                   .attrs = list});
}

emitter *emitter_open(onnx_model *model, const char *format, const graph *g, const params *p,
                      arena *a)
{
    emit_form *form = NEW(a, emit_form, 1);
    *form = (emit_form){format, put_constant, put_node};
    return emitter_make(form, model, g, p, a);
}
