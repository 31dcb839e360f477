// SPDX-License-Identifier: GPL-3.0-or-later
// coreml.c: every model's package is whole, and (where $COREML_PYTHON names a Python with
// coremltools) valid, typed and equal to our own run.
#include "export/coreml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "export/coreml_work.h"
#include "tests/export/case.h"
#include "tests/export/filled.h"
#include "tests/models/small_model.h"
#include "tests/test.h"

TEST(coreml_tools_agree_on_every_model)
{
    const char *out;
    if (!getenv("COREML_PYTHON")) {
        test_skip("COREML_PYTHON does not name a Python with coremltools");
        return;
    }
    for (int i = 0; model_at(i); i++)
        for (coreml_form form = COREML_F16; form <= COREML_F32; form++) {
            static const char *const names[] = {"f16", "f16-weights", "f32"};
            arena a = {0};
            const model_def *m = small_model(i, &a);
            err e = {0};
            int64_t bytes;
            params *p = filled_params(m, &a);
            if (!p)
                return;
            coreml_options o = {.batch = 1,
                                .time = 7,
                                .classes = m->probe ? FILLED_CLASSES : 0,
                                .probabilities = m->probe,
                                .form = form};
            const char *name = arena_printf(&a, "%s/%s-%s", test_dir(), m->name, names[form]);
            EXPECT_OK(coreml_export(arena_printf(&a, "%s.mlpackage", name), m, p, &o, &bytes, &e),
                      e);
            case_write(m, p, 1, 7, arena_printf(&a, "%s.safetensors", name));
            params_release(p);
            arena_free(&a);
        }
    int status =
        test_shell(&out, "\"$COREML_PYTHON\" tests/peers/coreml_check.py '%s'", test_dir());
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    if (getenv("PEERS_SHOW"))
        fprintf(stderr, "%s", out);
}

// ---- Without Python

// A network of one operation as portable nodes: what becomes of it.
static coreml_work *translated(onnx_model *m, arena *a, err *e)
{
    coreml_work *w = coreml_work_open(m, mil_open(a), MIL_F32, a, e);
    coreml_said(coreml_find(w, "x"), MIL_F32, "x");
    (void)coreml_say(w, coreml_find(w, "y"), MIL_F32);
    return w;
}

static onnx_model *one_node(const char *op, int rank, const int64_t *dim, onnx_attr *attr, arena *a)
{
    onnx_model *m = onnx_model_open(a);
    onnx_value x = {.name = "x", .type = ONNX_FLOAT, .rank = rank};
    memcpy(x.dim, dim, sizeof *dim * (size_t)rank);
    onnx_add_input(m, x);
    onnx_add_node(m, &(onnx_node){.op = op,
                                  .name = "y",
                                  .n_in = 1,
                                  .n_out = 1,
                                  .in = (const char *[]){"x"},
                                  .out = (const char *[]){"y"},
                                  .n_attr = attr ? 1 : 0,
                                  .attrs = attr});
    return m;
}

TEST(coreml_names_what_it_lacks)
{
    static const int64_t dim[] = {1, 8, 2};
    arena a = {0};
    err e = {0};
    EXPECT(translated(one_node("DFT", 3, dim, NULL, &a), &a, &e)->failed);
    EXPECT_HAS(e.text, "the operation 'DFT' has no CoreML form; export as onnx");
    arena_free(&a);
}

static const int32_t *constant_named(const mil_program *p, const char *name)
{
    for (int i = 0; i < p->n_ops; i++)
        if (!strcmp(p->ops[i].out[0].name, name))
            return p->ops[i].data;
    return NULL;
}

// Numbers as an operation of the program moves them.
static void moved(const mil_program *p, const mil_op *q, const mil_type *from, float *x, arena *a)
{
    const int32_t *perm = constant_named(p, q->args[1].values[0]);
    const mil_type *to = &q->out[0].type;
    int64_t n = mil_count(to);
    float *y = NEW(a, float, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        int64_t at[MIL_RANK] = {0}, rest = i, j = 0;
        for (int k = to->rank; k-- > 0; rest /= to->dim[k])
            at[perm[k]] = rest % to->dim[k];
        for (int k = 0; k < from->rank; k++)
            j = j * from->dim[k] + at[k];
        y[i] = x[j];
    }
    memcpy(x, y, sizeof *x * (size_t)n);
}

enum { AXES = 7, NUMBERS = 2 * 3 * 2 * 2 * 3 * 2 * 2 };
static const int64_t seven[AXES] = {2, 3, 2, 2, 3, 2, 2};

// Seven axes by `perm`, and all of it as one axis, which Core ML has.
static onnx_model *turned_flat(const int64_t perm[AXES], arena *a)
{
    int64_t *flat = NEW(a, int64_t, 1);
    onnx_attr attr = {.name = "perm", .type = ONNX_ATTR_INTS, .n = AXES, .ints = perm};
    onnx_model *m = one_node("Transpose", AXES, seven, &attr, a);
    *flat = NUMBERS;
    onnx_add_tensor(m, &(onnx_tensor){.name = "flat",
                                      .type = ONNX_INT64,
                                      .rank = 1,
                                      .dim = {1},
                                      .data = flat,
                                      .bytes = sizeof *flat});
    onnx_add_node(m, &(onnx_node){.op = "Reshape",
                                  .name = "z",
                                  .n_in = 2,
                                  .n_out = 1,
                                  .in = (const char *[]){"y", "flat"},
                                  .out = (const char *[]){"z"}});
    return m;
}

static void run_moves(const mil_program *p, float x[NUMBERS], arena *a)
{
    const mil_type *now = NULL;
    for (int i = 0; i < p->n_ops; i++) {
        const mil_op *q = &p->ops[i];
        if (!strcmp(q->type, "transpose"))
            moved(p, q, now, x, a);
        if (!q->data)
            now = &q->out[0].type;
    }
}

// Windows of a picture: seven axes of which six move apart, in steps of no more than five.
TEST(coreml_moves_more_axes_than_it_has)
{
    static const int64_t perms[][AXES] = {
        {0, 1, 3, 5, 2, 4, 6}, {0, 1, 4, 2, 5, 3, 6}, {6, 5, 4, 3, 2, 1, 0}, {1, 2, 0, 3, 6, 4, 5}};
    for (size_t t = 0; t < sizeof perms / sizeof *perms; t++) {
        arena a = {0};
        err e = {0};
        float x[NUMBERS];
        coreml_work *w = coreml_work_open(turned_flat(perms[t], &a), mil_open(&a), MIL_F32, &a, &e);
        coreml_said(coreml_find(w, "x"), MIL_F32, "x");
        (void)coreml_say(w, coreml_find(w, "z"), MIL_F32);
        if (!test_expect(!w->failed, __FILE__, __LINE__, "%s", e.text))
            return;
        for (int i = 0; i < NUMBERS; i++)
            x[i] = (float)i;
        run_moves(w->program, x, &a);
        for (int64_t i = 0; i < NUMBERS; i++) {
            int64_t at[AXES], rest = i, from = 0;
            for (int k = AXES; k-- > 0; rest /= seven[perms[t][k]])
                at[perms[t][k]] = rest % seven[perms[t][k]];
            for (int k = 0; k < AXES; k++)
                from = from * seven[k] + at[k];
            EXPECT(x[i] == (float)from);
        }
        arena_free(&a);
    }
}

TEST(coreml_refuses_weights_beyond_halves)
{
    arena a = {0};
    err e = {0};
    int64_t bytes;
    const model_def *m = model_find("dynamics_engine");
    params *p = filled_params(m, &a);
    if (!p)
        return;
    params_at(p, 0)[3] = 1e6f;
    EXPECT_ERR(coreml_export(test_path("x.mlpackage"), m, p, &(coreml_options){0}, &bytes, &e), e,
               ERR_VALUE, "add --f32");
    EXPECT(!file_exists(test_path("x.mlpackage")));
    e = (err){0};
    EXPECT_OK(coreml_export(test_path("x.mlpackage"), m, p, &(coreml_options){.form = COREML_F32},
                            &bytes, &e),
              e);
    params_release(p);
    arena_free(&a);
}
