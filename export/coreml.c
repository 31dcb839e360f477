// SPDX-License-Identifier: GPL-3.0-or-later
// coreml.c: the whole package: the network in portable nodes with the sizes that it is to have,
// these as a program, inputs, outputs and words.
#include "export/coreml.h"

#include <string.h>

#include "export/coreml_ops.h"
#include "export/onnx_emit.h"

void coreml_translate(coreml_work *w, const onnx_node *n)
{
    static const coreml_rule *const lists[] = {coreml_shapes, coreml_layers, coreml_math};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const coreml_rule *r = lists[i]; r->op; r++)
            if (!strcmp(r->op, n->op)) {
                r->say(w, n);
                return;
            }
    coreml_fail(w, "the operation '%s' has no CoreML form; export as onnx", n->op);
}

// ---- The network in portable nodes

typedef struct outputs {
    int n;
    tensor *list[2];
    const char *name[2];
} outputs;

static onnx_model *portable_form(network *n, const outputs *outs, arena *a, err *e)
{
    onnx_model *model = onnx_model_open(a);
    emitter *m = emitter_open(model, "CoreML", n->g, n->p, a);
    for (int i = 0; i < n->model->n_inputs; i++) {
        const tensor *t = n->in[i];
        CHECK(emitter_reserve(m, t->name));
        onnx_add_input(
            model, emitter_value(t->name, t->type == DT_I32 ? ONNX_INT32 : ONNX_FLOAT, &t->shape));
        emitter_bind(m, t, t->name);
    }
    for (int i = 0; i < outs->n; i++) {
        emitter_call(m, outs->list[i], outs->name[i]);
        if (!emitter_reach(m, outs->list[i], e))
            return NULL;
    }
    return model;
}

// ---- The program

static mil_type type_of(const shape *s, mil_kind kind)
{
    mil_type t = {.kind = kind, .rank = s->rank};
    CHECK(s->rank <= MIL_RANK);
    for (int i = 0; i < s->rank; i++)
        t.dim[i] = s->d[i];
    return t;
}

static void say_input(coreml_work *w, const tensor *t)
{
    mil_type type = type_of(&t->shape, t->type == DT_I32 ? MIL_I32 : MIL_F32);
    coreml_said(coreml_find(w, t->name), type.kind, mil_input(w->program, t->name, &type));
}

// Under its own name, which may be nobody else's: `identity`, or the way back from halves.
static void say_output(coreml_work *w, const tensor *t, const char *name)
{
    mil_type type = type_of(&t->shape, MIL_F32);
    const char *y = coreml_say(w, coreml_find(w, name), w->form);
    if (w->failed)
        return;
    mil_call c = mil_begin(w->program, w->form == MIL_F32 ? "identity" : "cast");
    mil_put(&c, "x", y);
    if (w->form != MIL_F32)
        mil_put_text(&c, "dtype", "fp32");
    mil_give_as(&c, name, &type);
    mil_finish(&c);
    mil_output(w->program, name, &type);
}

static mil_program *program_of(network *n, const coreml_options *o, arena *a, err *e)
{
    bool second = o->probabilities && (n->logits != n->out || n->model->n_groups);
    outputs outs = {
        1, {n->out, second ? model_probabilities(n) : NULL}, {n->out->name, "probabilities"}};
    outs.n += second;
    const onnx_model *model = graph_ok(n->g, e) ? portable_form(n, &outs, a, e) : NULL;
    if (!model)
        return NULL;
    mil_program *p = mil_open(a);
    for (int i = 0; i < outs.n; i++)
        mil_reserve(p, outs.name[i]);
    coreml_work *w = coreml_work_open(model, p, o->wide ? MIL_F32 : MIL_F16, a, e);
    for (int i = 0; i < n->model->n_inputs && !w->failed; i++)
        say_input(w, n->in[i]);
    for (int i = 0; i < outs.n && !w->failed; i++)
        say_output(w, outs.list[i], outs.name[i]);
    return w->failed ? NULL : p;
}

// ---- Words

static void add_words(mil_program *p, const network *n, const coreml_options *o, arena *a)
{
    char hex[65];
    for (int i = 0; o->meta && i < o->meta->n; i++)
        meta_set(&p->meta, o->meta->keys[i], o->meta->values[i]);
    params_fingerprint(n->p, hex);
    meta_set(&p->meta, "model", n->model->name);
    meta_set(&p->meta, "fingerprint", hex);
    meta_set(&p->meta, "precision", o->wide ? "f32" : "f16, LSTM in f32");
    p->summary = arena_printf(a, "%s: %s", n->model->name, n->model->summary);
}

bool coreml_export(const char *path, const model_def *m, params *p, const coreml_options *o,
                   int64_t *bytes, err *e)
{
    arena a = {.name = "coreml"};
    model_dims dims = {.batch = o->batch ? o->batch : 1,
                       .time = o->time ? o->time : 1,
                       .classes = o->probabilities ? o->classes : 0};
    network *n = model_build(m, p, &dims, &a, e);
    mil_program *program = n ? program_of(n, o, &a, e) : NULL;
    if (program)
        add_words(program, n, o, &a);
    bool ok = program && mil_write(program, path, bytes, e);
    arena_free(&a);
    return ok;
}
