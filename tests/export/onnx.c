// SPDX-License-Identifier: GPL-3.0-or-later
// onnx.c: every model's file is well formed, free in batch and length, and (where $PEERS_PYTHON
// names a Python with onnx and onnxruntime) accepted by onnx.checker and equal to our own run.
#include "export/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/run.h"
#include "base/file.h"
#include "export/safetensors.h"
#include "tests/export/onnx_peer.h"
#include "tests/models/small_model.h"
#include "tests/test.h"

enum { CLASSES = 5 };

// Parameters of a model, the probe's too where it has one, filled as the goldens are.
static params *filled_params(const model_def *m, arena *a)
{
    err e = {0};
    params *p = params_open(a);
    network *n = model_build(
        m, p, &(model_dims){.batch = 1, .time = 2, .classes = m->probe ? CLASSES : 0}, a, &e);
    if (!test_expect(n && params_allocate(p, 0, &e), __FILE__, __LINE__, "%s: %s", m->name, e.text))
        return NULL;
    for (int i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->list[i].count; k++)
            params_at(p, i)[k] =
                test_fill(100 + (uint32_t)i, (uint32_t)k,
                          1 / sqrtf((float)p->list[i].shape.d[p->list[i].shape.rank - 1]));
    return p;
}

static onnx_options options_of(const model_def *m)
{
    return (onnx_options){.classes = m->probe ? CLASSES : 0, .probabilities = m->probe};
}

TEST(onnx_models_are_well_formed)
{
    for (int i = 0; model_at(i); i++) {
        arena a = {0};
        const model_def *m = small_model(i, &a);
        err e = {0};
        params *p = filled_params(m, &a);
        if (!p)
            return;
        onnx_options o = options_of(m);
        const char *path = test_path("m.onnx");
        EXPECT_OK(onnx_export(path, m, p, &o, &e), e);
        const onnx_model *x = onnx_read(path, &a, &e);
        if (!test_expect(x != NULL, __FILE__, __LINE__, "%s: %s", m->name, e.text))
            continue;
        EXPECT_OK(onnx_check(x, path, &e), e);
        EXPECT_INT(x->ir, 8);
        EXPECT_INT(x->opset, 17);
        EXPECT_STR(x->producer, "kmidi");
        EXPECT_STR(meta_get(&x->meta, "model"), m->name);
        EXPECT_INT(strlen(meta_get(&x->meta, "fingerprint")), 64);
        EXPECT_INT(x->n_inputs, m->n_inputs);
        EXPECT_INT(x->n_outputs, m->probe ? 2 : 1);
        EXPECT_STR(x->outputs[0].name, m->output.name);
        EXPECT_STR(x->outputs[0].sym[0], "batch");
        for (int k = 0; k < m->n_inputs; k++) {
            EXPECT_STR(x->inputs[k].name, m->inputs[k].name);
            EXPECT_STR(x->inputs[k].sym[0], "batch");
            for (int d = 0; d < m->inputs[k].rank; d++)
                if (m->inputs[k].sym[d] == SYM_TIME)
                    EXPECT_STR(x->inputs[k].sym[d], "time");
        }
        for (int k = 0; k < x->n_nodes; k++)
            EXPECT(*x->nodes[k].name && !*x->nodes[k].domain);
        params_release(p);
        arena_free(&a);
    }
}

// ---- Against ONNX Runtime

// The source of one named array for the peer: integers travel as f32.
static safetensors_source as_source(arena *a, const char *name, const tensor *t, const void *data)
{
    int64_t n = shape_count(t->shape);
    float *copy = NEW(a, float, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        copy[i] = t->type == DT_I32 ? (float)((const int32_t *)data)[i] : ((const float *)data)[i];
    safetensors_source s = {.name = name, .rank = t->shape.rank, .data = copy};
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = t->shape.d[i];
    return s;
}

static void fill_input(const port *q, const tensor *t, uint32_t seed, void *data)
{
    int64_t n = shape_count(t->shape);
    for (int64_t i = 0; i < n; i++) {
        float u = test_fill(seed, (uint32_t)i, 1);
        if (t->type == DT_I32)
            ((int32_t *)data)[i] =
                q->low + (int32_t)((u + 1) / 2 * (float)(q->below - q->low) * 0.999f);
        else
            ((float *)data)[i] = u;
    }
}

// Runs the model at one size and writes inputs and outputs where the peer finds them.
static void write_case(const model_def *m, params *p, int64_t batch, int64_t time, const char *path)
{
    arena a = {0};
    err e = {0};
    network *n = model_build(
        m, p, &(model_dims){.batch = batch, .time = time, .classes = m->probe ? CLASSES : 0}, &a,
        &e);
    tensor *outs[2] = {n ? n->out : NULL};
    int n_outs = 1, n_list = 0;
    if (n && m->probe)
        outs[n_outs++] = op_softmax(n->g, n->logits);
    plan *pl = n ? plan_make(n->g,
                             &(plan_options){
                                 .threads = 1, .outputs = outs, .n_outputs = n_outs, .params = p},
                             &a, &e)
                 : NULL;
    run *r = pl ? run_open(pl, p, NULL, &a, &e) : NULL;
    if (!test_expect(r != NULL, __FILE__, __LINE__, "%s: %s", m->name, e.text))
        return;
    safetensors_source list[MODEL_PORTS + 2];
    for (int i = 0; i < m->n_inputs; i++) {
        fill_input(&m->inputs[i], n->in[i], 1001 + (uint32_t)i, run_input(r, m->inputs[i].name));
        list[n_list++] =
            as_source(&a, m->inputs[i].name, n->in[i], run_input(r, m->inputs[i].name));
    }
    run_step(r, 1, 1, false);
    list[n_list++] = as_source(&a, m->output.name, n->out, run_data(r, n->out));
    if (n_outs > 1)
        list[n_list++] = as_source(&a, "probabilities", outs[1], run_data(r, outs[1]));
    EXPECT_OK(safetensors_write(path, list, n_list, NULL, &e), e);
    run_close(r);
    arena_free(&a);
}

// Every model as `form`, and what we make of the first `n_sizes` sizes, in the test's folder.
static void export_every_model(quantise_form form, size_t n_sizes)
{
    static const int64_t sizes[][2] = {{1, 1}, {2, 7}, {5, 33}, {16, 150}};
    for (int i = 0; model_at(i); i++) {
        arena a = {0};
        const model_def *m = small_model(i, &a);
        err e = {0};
        params *p = filled_params(m, &a);
        model_meta meta = {.arena = &a};
        onnx_options o = options_of(m);
        o.form = form, o.meta = form ? &meta : NULL;
        meta_set(&meta, "weights", quantise_name(form));
        if (!p)
            return;
        EXPECT_OK(quantise_params(p, form, &e), e);
        const char *name = arena_printf(&a, "%s/%s-%d", test_dir(), m->name, form);
        EXPECT_OK(onnx_export(arena_printf(&a, "%s.onnx", name), m, p, &o, &e), e);
        for (size_t k = 0; k < n_sizes; k++)
            write_case(m, p, sizes[k][0], sizes[k][1],
                       arena_printf(&a, "%s.%zu.safetensors", name, k));
        params_release(p);
        arena_free(&a);
    }
}

TEST(onnx_runtime_agrees_on_every_model_and_size)
{
    if (!getenv("PEERS_PYTHON")) {
        test_skip("PEERS_PYTHON does not name a Python with onnx and onnxruntime");
        return;
    }
    export_every_model(QUANTISE_NONE, 4);
    onnx_peer_checks("PEERS_QUANTISE=1");
}

TEST(onnx_runtime_agrees_on_rounded_weights)
{
    if (!getenv("PEERS_PYTHON")) {
        test_skip("PEERS_PYTHON does not name a Python with onnx and onnxruntime");
        return;
    }
    export_every_model(QUANTISE_F16, 2);
    export_every_model(QUANTISE_INT8, 2);
    onnx_peer_checks("");
}

// ---- With a past

static const onnx_value *value_named(const onnx_value *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i].name, name))
            return &list[i];
    return NULL;
}

static void expect_cache(const onnx_value *v, const char *length)
{
    if (!test_expect(v && v->rank == 4, __FILE__, __LINE__, "a cache of 4 axes is missing"))
        return;
    EXPECT_STR(v->sym[0], "batch");
    EXPECT_INT(v->dim[1], 3);
    EXPECT_STR(v->sym[2], length);
    EXPECT_INT(v->dim[3], 12);
}

TEST(onnx_step_with_past_equals_the_whole_sequence)
{
    arena a = {0};
    err e = {0};
    const model_def *m =
        model_configure(model_find("emotion_midi_transformer"),
                        "layers=3 dim=36 heads=3 ffn=48 cross=0,2 emotion_tokens=3", &a, &e);
    params *p = m ? filled_params(m, &a) : NULL;
    const char *whole = arena_strdup(&a, test_path("whole.onnx")),
               *step = arena_strdup(&a, test_path("step.onnx")), *out;
    if (!test_expect(p != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_OK(onnx_export(whole, m, p, &(onnx_options){0}, &e), e);
    EXPECT_OK(onnx_export(step, m, p, &(onnx_options){.past = true}, &e), e);
    const onnx_model *x = onnx_read(step, &a, &e);
    if (!test_expect(x != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(x->n_inputs, 2 + 2 * 3);
    EXPECT_INT(x->n_outputs, 1 + 2 * 3);
    EXPECT_STR(x->inputs[0].sym[1], "time");
    expect_cache(value_named(x->inputs, x->n_inputs, "past_key_values.2.value"), "past");
    expect_cache(value_named(x->outputs, x->n_outputs, "present.0.key"), "present");
    EXPECT_HAS(meta_get(&x->meta, "input"), "present.N.key");
    if (!getenv("PEERS_PYTHON"))
        test_skip("PEERS_PYTHON does not name a Python with onnx and onnxruntime");
    else {
        int status = test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/onnx_past_check.py '%s' '%s'",
                                whole, step);
        test_expect(status == 0, __FILE__, __LINE__, "%s", out);
        if (getenv("PEERS_SHOW"))
            fprintf(stderr, "%s", out);
    }
    params_release(p);
    arena_free(&a);
}

TEST(onnx_past_is_refused_without_a_step)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find("dynamics_engine");
    params *p = filled_params(m, &a);
    if (!p)
        return;
    EXPECT_ERR(onnx_export(test_path("m.onnx"), m, p, &(onnx_options){.past = true}, &e), e,
               ERR_VALUE, "keeps no past");
    params_release(p);
    arena_free(&a);
}

// ---- Files from elsewhere

TEST(onnx_reader_survives_damage)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find("dynamics_engine");
    params *p = filled_params(m, &a);
    onnx_options o = options_of(m);
    const char *path = test_path("m.onnx");
    if (!p)
        return;
    EXPECT_OK(onnx_export(path, m, p, &o, &e), e);
    size_t n;
    char *bytes = file_read(&a, path, 1 << 24, &n, &e);
    // truncated anywhere: an error or, between two fields, a smaller model
    for (size_t cut = 0; cut < n; cut += 997) {
        arena b = {0};
        const onnx_model *x = onnx_decode("cut", bytes, cut, &b, &e);
        if (x)
            (void)!onnx_check(x, "cut", &e);
        arena_free(&b);
    }
    for (uint32_t i = 0; i < 2000; i++) { // one byte changed
        arena b = {0};
        size_t at = (size_t)(fabsf(test_fill(7, i, 1)) * (i % 2 ? 2000 : (float)n)) % n;
        char was = bytes[at];
        bytes[at] = (char)(was ^ (1 << i % 8));
        const onnx_model *x = onnx_decode("flip", bytes, n, &b, &e);
        if (x)
            (void)!onnx_check(x, "flip", &e);
        bytes[at] = was;
        arena_free(&b);
    }
    params_release(p);
    arena_free(&a);
}

// A graph inside an attribute inside a node inside a graph ..., as deep as the file is long.
TEST(onnx_reader_refuses_endless_nesting)
{
    enum { LEVELS = 100000 };
    arena a = {0};
    err e = {0};
    size_t size = (size_t)LEVELS * 8, n = 0, at = size;
    uint8_t *b = NEW(&a, uint8_t, size);
    static const uint8_t fields[] = {6, 5, 1}; // attribute.g, node.attribute, graph.node
    for (int i = 0; at > 16; i++) {
        uint8_t length[8];
        size_t k = 0;
        for (size_t v = n; k == 0 || v; v >>= 7)
            length[k++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
        at -= k;
        memcpy(b + at, length, k);
        b[--at] = (uint8_t)(fields[i % 3] << 3 | 2);
        n += k + 1;
        if (i > 6 && at <= 24 && i % 3 == 2)
            break;
    }
    uint8_t head[8] = {7 << 3 | 2};
    size_t k = 1;
    for (size_t v = n; v; v >>= 7)
        head[k++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
    memcpy(b + at - k, head, k);
    EXPECT_ERR(onnx_decode("deep.onnx", b + at - k, n + k, &a, &e), e, ERR_DAMAGED, "deep.onnx");
    arena_free(&a);
}

TEST(onnx_check_names_what_is_wrong)
{
    arena a = {0};
    err e = {0};
    onnx_model *m = onnx_model_open(&a);
    EXPECT_ERR(onnx_check(m, "x.onnx", &e), e, ERR_DAMAGED, "no output");
    onnx_add_output(m, (onnx_value){.name = "y", .type = ONNX_FLOAT, .rank = 1, .dim = {1}});
    EXPECT_ERR(onnx_check(m, "x.onnx", &e), e, ERR_DAMAGED, "nothing computes the output 'y'");
    onnx_node n = {.op = "Relu",
                   .name = "r",
                   .n_in = 1,
                   .in = (const char *[]){"x"},
                   .n_out = 1,
                   .out = (const char *[]){"y"}};
    onnx_add_node(m, &n);
    EXPECT_ERR(onnx_check(m, "x.onnx", &e), e, ERR_DAMAGED, "uses 'x' before anything defines it");
    onnx_tensor t = {
        .name = "x", .type = ONNX_FLOAT, .rank = 1, .dim = {2}, .data = "....", .bytes = 4};
    onnx_add_tensor(m, &t);
    EXPECT_ERR(onnx_check(m, "x.onnx", &e), e, ERR_DAMAGED, "its shape needs 8");
    m->tensors[0].dim[0] = 1;
    EXPECT_OK(onnx_check(m, "x.onnx", &e), e);
    onnx_add_node(m, &n);
    EXPECT_ERR(onnx_check(m, "x.onnx", &e), e, ERR_DAMAGED, "'y' is assigned twice");
    arena_free(&a);
}

// An initialiser that is an input too is that input's default; a model may be of another domain's
// operators alone.
TEST(onnx_models_of_others_are_sound)
{
    static const float data[2] = {1, 2};
    arena a = {0};
    err e = {0};
    onnx_model *m = onnx_model_open(&a);
    onnx_value x = {.name = "x", .type = ONNX_FLOAT, .rank = 1, .dim = {2}}, y = x;
    y.name = "y";
    onnx_add_input(m, x);
    onnx_add_tensor(m, &(onnx_tensor){.name = "x",
                                      .type = ONNX_FLOAT,
                                      .rank = 1,
                                      .dim = {2},
                                      .data = data,
                                      .bytes = sizeof data});
    onnx_add_node(m, &(onnx_node){.op = "Relu",
                                  .n_in = 1,
                                  .in = (const char *[]){"x"},
                                  .n_out = 1,
                                  .out = (const char *[]){"y"}});
    onnx_add_output(m, y);
    EXPECT_OK(onnx_check(m, "m.onnx", &e), e);
    onnx_add_input(m, x);
    EXPECT_ERR(onnx_check(m, "m.onnx", &e), e, ERR_DAMAGED, "'x' is assigned twice");
    m->n_inputs--;
    EXPECT_OK(onnx_write(m, test_path("own.onnx"), &e), e);
    // The same file with its operator set (a domain of no letters) called by another name: as a
    // tool of ai.onnx.ml writes it.
    size_t n;
    char *bytes = file_read(&a, test_path("own.onnx"), 1 << 20, &n, &e);
    EXPECT(bytes && n > 8);
    static const char own[] = {0x42, 4, 0x0a, 0, 0x10, 17},
                      other[] = {0x42, 6, 0x0a, 2, 'm', 'l', 0x10, 17};
    for (size_t i = 0; bytes && i + sizeof own <= n; i++)
        if (!memcmp(bytes + i, own, sizeof own)) {
            char *moved = NEW(&a, char, n + 2);
            memcpy(moved, bytes, i), memcpy(moved + i, other, sizeof other);
            memcpy(moved + i + sizeof other, bytes + i + sizeof own, n - i - sizeof own);
            const onnx_model *got = onnx_decode("other.onnx", moved, n + 2, &a, &e);
            EXPECT_OK(got && onnx_check(got, "other.onnx", &e), e);
            EXPECT_INT(got ? got->opset : 0, 17);
            arena_free(&a);
            return;
        }
    EXPECT(false);
}

TEST(onnx_models_of_its_own_tests_are_sound)
{
    const char *out;
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import onnx' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with onnx");
        return;
    }
    int status = test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/onnx_models.py %s '%s'",
                            test_kmidi(), test_dir());
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
}
