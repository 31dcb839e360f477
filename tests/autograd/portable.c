// SPDX-License-Identifier: GPL-3.0-or-later
// portable.c: every op's ONNX form, from the table. Each sample becomes a file of its own; ONNX
// Runtime (where $PEERS_PYTHON names a Python that has it) must give what our kernels give. Without
// it, the files must still be well formed.
#include <stdio.h>
#include <stdlib.h>

#include "export/onnx_emit.h"
#include "export/safetensors.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

typedef struct form {
    const op_def *op;
    const op_sample *sample;
    arena arena;
    graph *g;
    tensor *x[OP_IN_MAX], *y;
    onnx_model *model;
    const char *path; // without its ending
} form;

static bool build(form *f, const char *dir, int number)
{
    err e = {0};
    f->g = graph_open(&f->arena);
    for (int i = 0; i < f->sample->n; i++)
        f->x[i] = graph_input(f->g, arena_printf(&f->arena, "x%d", i), f->sample->in[i].type,
                              f->sample->in[i].shape);
    f->y = f->sample->build(f->g, f->x);
    f->path = arena_printf(&f->arena, "%s/%s%d", dir, f->op->name, number);
    return test_expect(graph_ok(f->g, &e), __FILE__, __LINE__, "%s, %s: %s", f->op->name,
                       f->sample->what, e.text);
}

// Whole numbers enter as int64, as in an exported model.
static void add_input(form *f, emitter *m, const tensor *t)
{
    bool whole = t->type == DT_I32;
    const char *value = t->name;
    emit_attr to = attr_int("to", ONNX_INT32);
    EXPECT(emitter_reserve(m, t->name));
    onnx_add_input(f->model, emitter_value(t->name, whole ? ONNX_INT64 : ONNX_FLOAT, &t->shape));
    emitter_bind(m, t, whole ? emit_op(m, "Cast", 1, &value, 1, &to) : value);
}

static void write_model(form *f)
{
    err e = {0};
    f->model = onnx_model_open(&f->arena);
    f->model->name = f->op->name;
    emitter *m = emitter_open(f->model, "ONNX", f->g, NULL, &f->arena);
    for (int i = 0; i < f->sample->n; i++)
        add_input(f, m, f->x[i]);
    emitter_call(m, f->y, "y");
    onnx_add_output(f->model, emitter_value("y", ONNX_FLOAT, &f->y->shape));
    const char *path = arena_printf(&f->arena, "%s.onnx", f->path);
    bool ok = emitter_reach(m, f->y, &e) && onnx_check(f->model, path, &e) &&
              onnx_write(f->model, path, &e);
    test_expect(ok, __FILE__, __LINE__, "%s, %s: %s", f->op->name, f->sample->what, e.text);
}

// Values of one tensor for the peer, whole numbers as f32.
static weights_source source(arena *a, const char *name, const tensor *t, const void *data)
{
    weights_source s = {.name = name, .rank = t->shape.rank, .data = data};
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = t->shape.d[i];
    if (t->type == DT_I32) {
        float *copy = NEW(a, float, (size_t)shape_count(t->shape));
        for (int64_t i = 0; i < shape_count(t->shape); i++)
            copy[i] = (float)((const int32_t *)data)[i];
        s.data = copy;
    }
    return s;
}

static void write_values(form *f)
{
    err e = {0};
    weights_source list[OP_IN_MAX + 1];
    int n = 0;
    eval *ev = eval_open(f->g, &f->arena);
    for (int i = 0; i < f->sample->n; i++)
        eval_fill(ev->data[f->x[i]->id], &f->sample->in[i], f->sample->in[i].type, i);
    eval_run(ev, &(eval_how){.width = variant_best(), .threads = 1, .idle = true});
    for (; n < f->sample->n; n++)
        list[n] = source(&f->arena, f->x[n]->name, f->x[n], ev->data[f->x[n]->id]);
    list[n++] = source(&f->arena, "y", f->y, ev->data[f->y->id]);
    EXPECT_OK(
        safetensors_write(arena_printf(&f->arena, "%s.0.safetensors", f->path), list, n, NULL, &e),
        e);
}

static void write_all(const char *dir)
{
    for (int i = 0; i < OP_COUNT; i++) {
        const op_def *op = op_get((op_id)i);
        for (int k = 0; op->portable && k < op->n_samples; k++) {
            form f = {.op = op, .sample = &op->samples[k], .arena = {.name = "form"}};
            if (!f.sample->unexported && build(&f, dir, k)) {
                write_model(&f);
                write_values(&f);
            }
            arena_free(&f.arena);
        }
    }
}

TEST(ops_have_well_formed_onnx)
{
    write_all(test_dir());
}

TEST(ops_in_onnx_runtime_agree)
{
    const char *out;
    if (!getenv("PEERS_PYTHON")) {
        test_skip("PEERS_PYTHON does not name a Python with onnx and onnxruntime");
        return;
    }
    write_all(test_dir());
    int status = test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/onnx_check.py '%s'", test_dir());
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    if (getenv("PEERS_SHOW"))
        fprintf(stderr, "%s", out);
}
