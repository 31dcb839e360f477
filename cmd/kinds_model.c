// SPDX-License-Identifier: GPL-3.0-or-later
// kinds_model.c: what there is to say about models: checkpoints, ONNX, and files of weights
// (kinds.h).
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "cmd/kinds.h"
#include "export/mil.h"
#include "export/onnx.h"
#include "export/onnx_file.h"
#include "export/weights.h"

static void put_meta(json *o, const model_meta *m)
{
    json *meta = json_object();
    for (int i = 0; i < m->n; i++)
        json_set_str(meta, m->keys[i], m->values[i]);
    json_set(o, "metadata", meta);
}

// ---- Checkpoints

static void put_state(json *o, const checkpoint_state *s)
{
    json *state = json_object();
#define STATE_INT(name, least, most, help) json_set_int(state, #name, s->name);
#define STATE_NUM(name, least, most, help) json_set_num(state, #name, s->name);
#define STATE_ANY(name, help)              json_set_num(state, #name, s->name);
#define STATE_LATER                        STATE_INT
#include "checkpoint/checkpoint_state.def"
#undef STATE_INT
#undef STATE_NUM
#undef STATE_ANY
#undef STATE_LATER
    json_set(o, "state", state);
}

static bool describe_checkpoint(const char *path, json *o, arena *a, err *e)
{
    checkpoint *k = checkpoint_open(path, a, e);
    if (!k)
        return false;
    json_set_str(o, "model", k->model->name);
    json_set_int(o, "classes", k->classes);
    json_set_bool(o, "ema", k->has_ema);
    if (k->has_state)
        put_state(o, &k->state);
    put_meta(o, &k->meta);
    checkpoint_close(k);
    return true;
}

// Its checksums, and that its weights are those of its model.
static bool verify_checkpoint(const char *path, arena *a, err *e)
{
    size_t n;
    checkpoint *k = checkpoint_open(path, a, e);
    if (!k)
        return false;
    params *p = params_open(a);
    bool ok = h5_verify(k->file, &n, e) &&
              model_build(k->model, p, &(model_dims){.batch = 1, .time = 1, .classes = k->classes},
                          a, e) &&
              params_allocate(p, 0, e) && checkpoint_weights(k, p, e);
    params_release(p);
    checkpoint_close(k);
    return ok;
}

const file_kind kind_checkpoint = {
    .name = "checkpoint", .describe = describe_checkpoint, .verify = verify_checkpoint};

// ---- ONNX

static json *dims_json(const onnx_value *v)
{
    json *dims = json_array();
    for (int i = 0; i < v->rank; i++)
        if (v->sym[i])
            json_push_str(dims, v->sym[i]);
        else
            json_push_int(dims, v->dim[i]);
    return dims;
}

static void put_values(json *o, const char *name, const onnx_value *v, int n)
{
    json *list = json_object();
    for (int i = 0; i < n; i++)
        json_set(list, v[i].name, dims_json(&v[i]));
    json_set(o, name, list);
}

static bool describe_onnx(const char *path, json *o, arena *a, err *e)
{
    onnx_model *m = onnx_read(path, a, e);
    if (!m)
        return false;
    uint64_t bytes = 0;
    for (int i = 0; i < m->n_tensors; i++)
        bytes += m->tensors[i].bytes;
    json_set_int(o, "ir", m->ir);
    json_set_int(o, "opset", m->opset);
    json_set_str(o, "producer", m->producer ? m->producer : "");
    json_set_int(o, "nodes", m->n_nodes);
    json_set_int(o, "initialisers", m->n_tensors);
    json_set_int(o, "initialiser_bytes", (int64_t)bytes);
    put_values(o, "inputs", m->inputs, m->n_inputs);
    put_values(o, "outputs", m->outputs, m->n_outputs);
    put_meta(o, &m->meta);
    return true;
}

static bool verify_onnx(const char *path, arena *a, err *e)
{
    onnx_model *m = onnx_read(path, a, e);
    return m && onnx_check(m, path, e);
}

const file_kind kind_onnx = {.name = "onnx", .describe = describe_onnx, .verify = verify_onnx};

// ---- Core ML

static void put_arrays(json *o, const char *name, const mil_value *v, int n)
{
    json *list = json_object();
    for (int i = 0; i < n; i++) {
        json *dims = json_array();
        for (int k = 0; k < v[i].type.rank; k++)
            json_push_int(dims, v[i].type.dim[k]);
        json_set(list, v[i].name, dims);
    }
    json_set(o, name, list);
}

static bool describe_package(const char *path, json *o, arena *a, err *e)
{
    const mil_program *p = mil_read(path, a, e);
    int constants = 0;
    if (!p)
        return false;
    for (int i = 0; i < p->n_ops; i++)
        constants += !strcmp(p->ops[i].type, "const");
    json_set_int(o, "specification", p->specification);
    json_set_str(o, "summary", p->summary);
    json_set_int(o, "operations", p->n_ops - constants);
    json_set_int(o, "constants", constants);
    json_set_int(o, "arrays", p->n_blobs);
    json_set_int(o, "array_bytes", p->blob_bytes);
    put_arrays(o, "inputs", p->inputs, p->n_inputs);
    put_arrays(o, "outputs", p->outputs, p->n_outputs);
    put_meta(o, &p->meta);
    return true;
}

// Its structure, and every record of its file of numbers.
static bool verify_package(const char *path, arena *a, err *e)
{
    const mil_program *p = mil_read(path, a, e);
    return p && mil_check(p, path, e);
}

const file_kind kind_coreml = {
    .name = "coreml", .describe = describe_package, .verify = verify_package};

// ---- Weights: safetensors and PyTorch's

static bool describe_weights(const char *path, json *o, arena *a, err *e)
{
    weights *w = weights_open(path, a, e);
    if (!w)
        return false;
    const weights_index *x = w->index;
    json *arrays = json_object(), *types = json_object();
    int64_t numbers = 0, foreign = 0;
    for (int i = 0; i < x->n; i++) {
        json *dims = json_array();
        for (int k = 0; k < x->list[i].rank; k++)
            json_push_int(dims, x->list[i].dim[k]);
        json_set(arrays, x->list[i].name, dims);
        json_set_int(types, x->list[i].dtype, 1 + json_int(json_get(types, x->list[i].dtype), 0));
        numbers += x->list[i].count;
        foreign += !x->list[i].is_float;
    }
    json_set_int(o, "parameters", numbers);
    json_set(o, "types", types);
    if (foreign)
        json_set_str(o, "import",
                     "no: weights are F32, F16, BF16 or F64, and other types are among these");
    json_set(o, "arrays", arrays);
    put_meta(o, &x->meta);
    weights_close(w);
    return true;
}

// The header was checked when it was opened; each array is read.
static bool verify_weights(const char *path, arena *a, err *e)
{
    weights *w = weights_open(path, a, e);
    bool ok = w && w->verify(w->of, e);
    weights_close(w);
    return ok;
}

const file_kind kind_safetensors = {
    .name = "safetensors", .describe = describe_weights, .verify = verify_weights};
const file_kind kind_torch = {
    .name = "torch", .describe = describe_weights, .verify = verify_weights};
