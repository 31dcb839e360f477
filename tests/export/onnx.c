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
#include "tests/export/case.h"
#include "tests/export/filled.h"
#include "tests/export/onnx_peer.h"
#include "tests/models/small_model.h"
#include "tests/test.h"

TEST(onnx_models_are_well_formed)
{
    for (int i = 0; model_at(i); i++) {
        arena a = {0};
        const model_def *m = small_model(i, &a);
        err e = {0};
        params *p = filled_params(m, &a);
        if (!p)
            return;
        onnx_options o = filled_options(m);
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
        onnx_options o = filled_options(m);
        o.form = form, o.meta = form ? &meta : NULL;
        meta_set(&meta, "weights", quantise_name(form));
        if (!p)
            return;
        EXPECT_OK(quantise_params(p, form, &e), e);
        const char *name = arena_printf(&a, "%s/%s-%d", test_dir(), m->name, form);
        EXPECT_OK(onnx_export(arena_printf(&a, "%s.onnx", name), m, p, &o, &e), e);
        for (size_t k = 0; k < n_sizes; k++)
            case_write(m, p, sizes[k][0], sizes[k][1],
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
    export_every_model(QUANTISE_DYNAMIC, 2);
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
    const model_def *m = model_configure(
        model_find("emotion_midi_transformer"),
        "layers=3 dim=36 heads=3 ffn=48 cross=0,2 emotion_tokens=3 qk_norm=1", &a, &e);
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
