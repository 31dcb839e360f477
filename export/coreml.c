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

// The last product and what comes behind it: its sums, its bias and what is given out are not
// rounded, which would be half of the error of all.
static void mark_last(coreml_work *w, coreml_value *v)
{
    static const char *const through[] = {"Add",      "Reshape", "Squeeze", "Unsqueeze",
                                          "Identity", "Softmax", "Sigmoid"};
    const onnx_node *n = v->from;
    if (!n || coreml_fixed(v) || n->n_out > 1)
        return;
    v->wide = true;
    for (size_t i = 0; i < sizeof through / sizeof *through; i++)
        if (!strcmp(n->op, through[i]) && (n->n_in == 1 || coreml_fixed(coreml_in(w, n, 1)))) {
            mark_last(w, coreml_in(w, n, 0));
            return;
        }
}

// Under its own name, which may be nobody else's: `identity`, or the way back from halves.
static void say_output(coreml_work *w, const tensor *t, const char *name)
{
    mil_type type = type_of(&t->shape, MIL_F32);
    const char *y = coreml_say(w, coreml_find(w, name), MIL_F32);
    if (w->failed)
        return;
    mil_call c = mil_begin(w->program, "identity");
    mil_put(&c, "x", y);
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
    coreml_work *w = coreml_work_open(model, p, o->form == COREML_F16 ? MIL_F16 : MIL_F32, a, e);
    w->halved = o->form != COREML_F32;
    for (int i = 0; i < outs.n && !w->failed; i++)
        mark_last(w, coreml_find(w, outs.name[i]));
    for (int i = 0; i < n->model->n_inputs && !w->failed; i++)
        say_input(w, n->in[i]);
    for (int i = 0; i < outs.n && !w->failed; i++)
        say_output(w, outs.list[i], outs.name[i]);
    return w->failed ? NULL : p;
}

// ---- Words

const char *coreml_form_text(coreml_form form)
{
    static const char *const texts[] = {"f16, LSTM and the last product in f32",
                                        "f16 weights, computed in f32", "f32"};
    return texts[form];
}

static void add_words(mil_program *p, const network *n, const coreml_options *o, arena *a)
{
    char hex[65];
    for (int i = 0; o->meta && i < o->meta->n; i++)
        meta_set(&p->meta, o->meta->keys[i], o->meta->values[i]);
    params_fingerprint(n->p, hex);
    meta_set(&p->meta, "model", n->model->name);
    meta_set(&p->meta, "fingerprint", hex);
    meta_set(&p->meta, "precision", coreml_form_text(o->form));
    p->summary = arena_printf(a, "%s: %s", n->model->name, n->model->summary);
}

// What was written says what was meant.
static bool check_read_back(const char *path, const mil_program *wrote, err *e)
{
    arena a = {.name = "coreml check"};
    const mil_program *got = mil_read(path, &a, e);
    bool ok = got && mil_check(got, path, e);
    int at = ok ? mil_differs(wrote, got) : -1;
    if (at >= 0)
        ok = err_set(e, ERR_INTERNAL, "'%s' reads back differently: %s", path,
                     at < wrote->n_ops ? wrote->ops[at].out[0].name : "its inputs or outputs");
    arena_free(&a);
    return ok;
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
    bool ok = program && mil_write(program, path, bytes, e) && check_read_back(path, program, e);
    arena_free(&a);
    return ok;
}
