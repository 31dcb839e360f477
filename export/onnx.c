// SPDX-License-Identifier: GPL-3.0-or-later
// onnx.c: the whole model: network, inputs and outputs, metadata, and the proof that the file says
// what was meant.
//
// The graph is built with a batch and a length that are large primes. Were one of them ever written
// into a constant or an attribute, where a free dimension belongs, it would be found there: no file
// leaves that only works at one size.
#include "export/onnx.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "export/onnx_emit.h"

enum { PRIME_BATCH = 1009, PRIME_TIME = 10007 };

// ---- Inputs and outputs

static void bind_input(emitter *m, onnx_model *model, const tensor *t)
{
    CHECK(emitter_reserve(m, t->name));
    onnx_add_input(model,
                   emitter_value(t->name, t->type == DT_I32 ? ONNX_INT64 : ONNX_FLOAT, &t->shape));
    const char *value = t->name;
    if (t->type == DT_I32) {
        emit_attr to = attr_int("to", ONNX_INT32);
        value = emit_op(m, "Cast", 1, &value, 1, &to);
    }
    emitter_bind(m, t, value);
}

// The waveform takes the place of the network's first input.
static void bind_front(emitter *m, onnx_model *model, const tensor *t, const onnx_front *f,
                       const char **count)
{
    CHECK(emitter_reserve(m, "waveform"));
    onnx_add_input(
        model, (onnx_value){
                   .name = "waveform", .type = ONNX_FLOAT, .rank = 2, .sym = {"batch", "samples"}});
    emitter_bind(m, t, onnx_front_emit(m, f, "waveform", count));
}

static bool check_front(const network *n, const onnx_front *f, err *e)
{
    const port *in = &n->model->inputs[0];
    if ((n->model->n_inputs != 1 && !f->columns) || (in->rank != 3 && in->rank != 4) ||
        in->type != DT_F32)
        return err_set(
            e, ERR_VALUE,
            "model %s takes no mel frames, so there is no front end for it; leave out --front-end",
            n->model->name);
    if (in->dim[2] != f->n_mels)
        return err_set(e, ERR_SHAPE, "the front end makes %d bands, model %s takes %" PRId64,
                       f->n_mels, n->model->name, in->dim[2]);
    return true;
}

// ---- Words

static const char *input_sentence(const network *n, const onnx_options *o, arena *a)
{
    const onnx_front *f = o->front;
    if (f && f->columns)
        return arena_printf(a,
                            "waveform: mono audio at %d Hz, -1 to 1, [batch, samples], at least %d "
                            "samples; log-mel frames, standardisation and the picture of all of "
                            "them in %lld columns are inside",
                            f->sample_rate, f->center ? f->n_fft / 2 + 1 : f->n_fft,
                            (long long)f->columns);
    if (f)
        return arena_printf(a,
                            "waveform: mono audio at %d Hz, -1 to 1, [batch, samples], at least %d "
                            "samples; log-mel frames, "
                            "standardisation, padding and cropping are inside",
                            f->sample_rate, f->center ? f->n_fft / 2 + 1 : f->n_fft);
    if (o->past)
        return "past_key_values.N.key and .value: none (past 0) at first, then what the step "
               "before gave as present.N.key and .value; "
               "tokens: "
               "only those behind them, one or several; emotion: in each step";
    if (!strcmp(n->model->inputs[0].name, "mel"))
        return "mel: log-mel frames, standardised per band with the metadata mean and deviation: "
               "(log_mel - mean) / deviation";
    return NULL;
}

static void add_words(onnx_model *model, const network *n, const onnx_options *o, arena *a)
{
    char hex[65];
    const char *input = input_sentence(n, o, a);
    for (int i = 0; o->meta && i < o->meta->n; i++)
        meta_set(&model->meta, o->meta->keys[i], o->meta->values[i]);
    params_fingerprint(n->p, hex);
    meta_set(&model->meta, "model", n->model->name);
    meta_set(&model->meta, "fingerprint", hex);
    if (o->front)
        meta_set(&model->meta, "sample_rate", arena_printf(a, "%d", o->front->sample_rate));
    if (input)
        meta_set(&model->meta, "input", input);
    model->name = arena_strdup(a, n->model->name);
    model->doc = arena_printf(a, "%s: %s.%s%s", n->model->name, n->model->summary,
                              input ? " Input " : "", input ? input : "");
}

// ---- No size of this build may be in the file

static bool is_size(int64_t v)
{
    return v > 0 && (v % PRIME_BATCH == 0 || v % PRIME_TIME == 0);
}

static bool check_free(const onnx_model *m, err *e)
{
    for (int i = 0; i < m->n_tensors; i++) {
        const onnx_tensor *t = &m->tensors[i];
        for (size_t k = 0; t->type == ONNX_INT64 && k < t->bytes / sizeof(int64_t); k++)
            if (is_size(((const int64_t *)t->data)[k]))
                return err_set(e, ERR_INTERNAL, "constant '%s' has the size of a free dimension",
                               t->name);
        for (int k = 0; k < t->rank; k++)
            if (is_size(t->dim[k]))
                return err_set(e, ERR_INTERNAL, "constant '%s' is as long as a free dimension",
                               t->name);
    }
    for (int i = 0; i < m->n_nodes; i++)
        for (int k = 0; k < m->nodes[i].n_attr; k++)
            for (int q = 0; q < m->nodes[i].attrs[k].n; q++)
                if (is_size(m->nodes[i].attrs[k].ints[q]))
                    return err_set(e, ERR_INTERNAL, "%s node '%s' has the size of a free dimension",
                                   m->nodes[i].op, m->nodes[i].name);
    return true;
}

// ---- Building

static bool emit_inputs(emitter *m, onnx_model *model, network *n, const onnx_front *f,
                        const char **count, err *e)
{
    if (f && !check_front(n, f, e))
        return false;
    for (int i = 0; i < n->model->n_inputs; i++)
        if (f && i == 0)
            bind_front(m, model, n->in[i], f, count);
        else
            bind_input(m, model, n->in[i]);
    if (n->dims.form == FORM_STEP)
        onnx_past_inputs(m, model, n);
    return true;
}

// The network's own output. With several windows a row it is averaged before anything else sees it
// (the probe is linear: averaging its logits, as evaluation does, is the same).
static bool emit_output(emitter *m, onnx_model *model, network *n, const char *count, err *e)
{
    const char *name = n->out->name;
    bool several = count != NULL;
    emitter_call(m, n->out, several ? "windows" : name);
    if (!emitter_reach(m, n->out, e))
        return false;
    if (several) {
        CHECK(emitter_reserve(m, name));
        onnx_front_average(m, "windows", count, n->out->shape.d[1], name);
        emitter_bind(m, n->out, name);
    }
    onnx_add_output(model, emitter_value(name, ONNX_FLOAT, &n->out->shape));
    if (n->dims.form == FORM_STEP)
        onnx_past_outputs(m, model, n);
    return true;
}

static bool emit_network(onnx_model *model, network *n, const onnx_options *o, err *e)
{
    bool probe = o->probabilities && (n->logits != n->out || n->model->n_groups);
    tensor *probabilities = probe ? model_probabilities(n) : NULL;
    if (!graph_ok(n->g, e))
        return false;
    emitter *m = emitter_open(model, "ONNX", n->g, n->p, model->arena);
    const char *count = NULL; // of windows, where the front end makes some
    if (!emit_inputs(m, model, n, o->front, &count, e) || !emit_output(m, model, n, count, e))
        return false;
    if (probe) {
        emitter_call(m, probabilities, "probabilities");
        if (!emitter_reach(m, probabilities, e))
            return false;
        onnx_add_output(model, emitter_value("probabilities", ONNX_FLOAT, &probabilities->shape));
    }
    return check_free(model, e) && onnx_shapes(model, e);
}

onnx_model *onnx_build(const model_def *m, params *p, const onnx_options *o, arena *a, err *e)
{
    model_dims dims = {
        .batch = PRIME_BATCH, .time = PRIME_TIME, .classes = o->probabilities ? o->classes : 0};
    if (o->past && !model_caches(m)) {
        (void)err_set(e, ERR_VALUE,
                      "model %s keeps no past, so it has no form with one; leave out --with-past",
                      m->name);
        return NULL;
    }
    if (o->past)
        dims.form = FORM_STEP;
    network *n = model_build(m, p, &dims, a, e);
    onnx_model *model = onnx_model_open(a);
    if (!n || !emit_network(model, n, o, e))
        return NULL;
    onnx_quantise(model, p, o->form);
    add_words(model, n, o, a);
    return model;
}

// ---- Reading back

static bool same_tensor(const onnx_tensor *x, const onnx_tensor *y)
{
    bool same = !strcmp(x->name, y->name) && x->type == y->type && x->rank == y->rank &&
                x->bytes == y->bytes && y->data;
    for (int i = 0; same && i < x->rank; i++)
        same = x->dim[i] == y->dim[i];
    return same && !memcmp(x->data, y->data, x->bytes);
}

static bool check_read_back(const char *path, const onnx_model *wrote, err *e)
{
    arena a = {.name = "onnx check"};
    const onnx_model *got = onnx_read(path, &a, e);
    bool ok = got && onnx_check(got, path, e);
    if (ok && (got->n_nodes != wrote->n_nodes || got->n_tensors != wrote->n_tensors ||
               got->n_inputs != wrote->n_inputs || got->n_outputs != wrote->n_outputs ||
               got->meta.n != wrote->meta.n))
        ok = err_set(e, ERR_INTERNAL, "'%s' reads back differently", path);
    for (int i = 0; ok && i < wrote->n_tensors; i++)
        if (!same_tensor(&wrote->tensors[i], &got->tensors[i]))
            ok = err_set(e, ERR_INTERNAL, "'%s': tensor '%s' reads back differently", path,
                         wrote->tensors[i].name);
    arena_free(&a);
    return ok;
}

bool onnx_export(const char *path, const model_def *m, params *p, const onnx_options *o, err *e)
{
    arena a = {.name = "onnx"};
    const onnx_model *model = onnx_build(m, p, o, &a, e);
    bool ok = model && onnx_check(model, path, e) && onnx_write(model, path, e) &&
              (file_special(path) || check_read_back(path, model, e));
    arena_free(&a);
    return ok;
}
