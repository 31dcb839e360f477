// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run.c (tests): files of ours run plainly give what our networks give; a weight that differs
// is seen, and what cannot be run is said.
#include "export/onnx_run.h"

#include <math.h>
#include <string.h>

#include "infer/session.h"
#include "tests/export/filled.h"
#include "tests/test.h"

enum { TIME = 6 };

// Inputs of the network and of the file alike.
static onnx_array fill(const port *q, uint32_t seed, void *ours, arena *a)
{
    int64_t dim[RANK_MAX];
    for (int i = 0; i < q->rank; i++)
        dim[i] = q->sym[i] == SYM_BATCH ? 2 : q->sym[i] == SYM_TIME ? TIME : q->dim[i];
    onnx_array x = onnx_array_f32(q->rank, dim, NULL);
    float *f = NEW(a, float, (size_t)x.n + 1);
    int64_t *n = NEW(a, int64_t, (size_t)x.n + 1);
    for (int64_t i = 0; i < x.n; i++) {
        f[i] = test_fill(seed, (uint32_t)i, 1);
        n[i] = q->below > 0 ? (int64_t)(test_fill_u32(seed, (uint32_t)i) % (uint32_t)q->below) : 0;
        if (q->type == DT_I32)
            ((int32_t *)ours)[i] = (int32_t)n[i];
        else
            ((float *)ours)[i] = f[i];
    }
    *(q->type == DT_I32 ? (const void **)&x.i : (const void **)&x.f) =
        q->type == DT_I32 ? (const void *)n : f;
    return x;
}

// The largest difference of the file's output from ours, of the largest of ours.
static double distance(const model_def *m, params *p, const onnx_model *file)
{
    arena a = {0};
    err e = {0};
    onnx_array in[MODEL_PORTS], y = {0};
    double d = NAN;
    session *s = session_open(
        &(session_setup){.model = m, .params = p, .gives = SESSION_OUT, .batch = 2, .time = TIME},
        &a, &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return d;
    for (int i = 0; i < m->n_inputs; i++)
        in[i] = fill(&m->inputs[i], 70 + (uint32_t)i, session_data(s, s->net->in[i]), &a);
    session_go(s);
    EXPECT_OK(onnx_run(file, in, &y, &a, &e), e);
    EXPECT_INT(y.n, shape_count(s->net->out->shape));
    if (y.f && y.n == shape_count(s->net->out->shape))
        d = test_distance(y.f, session_data(s, s->net->out), (size_t)y.n);
    session_close(s);
    arena_free(&a);
    return d;
}

static void agrees(const model_def *m)
{
    arena a = {0};
    err e = {0};
    onnx_options o = filled_options(m);
    params *p = filled_params(m, &a);
    onnx_model *file = p ? onnx_build(m, p, &o, &a, &e) : NULL;
    if (!test_expect(file != NULL, __FILE__, __LINE__, "%s: %s", m->name, e.text))
        return;
    double d = distance(m, p, file);
    test_expect(d < 1e-5, __FILE__, __LINE__, "%s is off by %g", m->name, d);
    // one number of a weight: it is seen
    for (int i = 0; i < file->n_tensors; i++)
        if (file->tensors[i].type == ONNX_FLOAT && file->tensors[i].rank > 1) {
            float *w = NEW(&a, float, file->tensors[i].bytes / sizeof(float));
            memcpy(w, file->tensors[i].data, file->tensors[i].bytes);
            for (size_t k = 0; k < file->tensors[i].bytes / sizeof(float); k++)
                w[k] = -w[k];
            file->tensors[i].data = w;
            break;
        }
    d = distance(m, p, file);
    test_expect(d > 1e-4, __FILE__, __LINE__, "%s: a changed weight makes %g", m->name, d);
    params_release(p);
    arena_free(&a);
}

TEST(onnx_run_gives_what_small_networks_give)
{
    static const char *const names[] = {"dynamics_engine", "groove_predictor", "harmony_predictor",
                                        "melody_transformer", "emotion_recognizer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        agrees(model_find(names[i]));
}

TEST(onnx_run_gives_what_networks_with_attention_and_pictures_give)
{
    arena a = {0};
    err e = {0};
    agrees(model_configure(model_find("emotion_midi_transformer"),
                           "layers=3 dim=32 heads=2 ffn=48 cross=1", &a, &e));
    agrees(
        model_configure(model_find("instrument_recognizer"), "bands=64 frames=64 width=8", &a, &e));
    arena_free(&a);
}

static onnx_model *one_node(const char *op, arena *a)
{
    onnx_model *m = onnx_model_open(a);
    onnx_add_input(m, (onnx_value){.name = "x", .type = ONNX_FLOAT, .rank = 2, .dim = {2, 3}});
    onnx_add_output(m, (onnx_value){.name = "y", .type = ONNX_FLOAT, .rank = 2, .dim = {2, 3}});
    onnx_add_node(m, &(onnx_node){.op = op,
                                  .name = "n",
                                  .n_in = 2,
                                  .in = (const char *[]){"x", "x"},
                                  .n_out = 1,
                                  .out = (const char *[]){"y"}});
    return m;
}

// A node of constants alone, or of the input and a constant.
static bool runs(const char *op, const onnx_tensor *given, int n, bool of_input, err *e)
{
    static const float x[6] = {0};
    arena a = {0};
    onnx_model *m = onnx_model_open(&a);
    const char *in[4] = {"x"};
    onnx_add_input(m, (onnx_value){.name = "x", .type = ONNX_FLOAT, .rank = 2, .dim = {2, 3}});
    onnx_add_output(m, (onnx_value){.name = "y", .type = ONNX_FLOAT, .rank = 2, .dim = {2, 3}});
    for (int i = 0; i < n; i++)
        onnx_add_tensor(m, &given[i]), in[of_input + i] = given[i].name;
    onnx_add_node(m, &(onnx_node){.op = op,
                                  .name = "n",
                                  .n_in = n + of_input,
                                  .in = in,
                                  .n_out = 2,
                                  .out = (const char *[]){"y", "z"}});
    onnx_array given_x = onnx_array_f32(2, (int64_t[]){2, 3}, x), y;
    bool ok = onnx_run(m, &given_x, &y, &a, e);
    arena_free(&a);
    return ok;
}

TEST(onnx_run_refuses_numbers_that_do_not_fit)
{
    static const int64_t yes[1] = {1}, sizes[2] = {1, INT64_MAX};
    static const int8_t bytes[1] = {1};
    const onnx_tensor where[] = {{"c", ONNX_INT64, 1, {1}, yes, sizeof yes, false},
                                 {"a", ONNX_INT8, 1, {1}, bytes, 1, false},
                                 {"b", ONNX_INT8, 1, {1}, bytes, 1, false}},
                      split[] = {{"s", ONNX_INT64, 1, {2}, sizes, sizeof sizes, false}};
    err e = {0};
    EXPECT_ERR(runs("Where", where, 3, false, &e), e, ERR_VALUE, "does not fit its inputs");
    EXPECT_ERR(runs("Split", split, 1, true, &e), e, ERR_VALUE, "does not fit its inputs");
}

TEST(onnx_run_says_what_it_cannot_run)
{
    static const float x[6] = {1, 2, 3, 4, 5, 6};
    static const char *const wrong[] = {
        "MatMul", "Gemm",      "LSTM",   "Conv",  "AveragePool", "Reshape",         "Slice",
        "Expand", "Unsqueeze", "Gather", "Range", "ReduceSum",   "DequantizeLinear"};
    arena a = {0};
    err e = {0};
    onnx_array in = onnx_array_f32(2, (int64_t[]){2, 3}, x), y;
    EXPECT_OK(onnx_run(one_node("Add", &a), &in, &y, &a, &e), e);
    EXPECT(y.f && y.f[5] == 12);
    EXPECT_ERR(onnx_run(one_node("Loop", &a), &in, &y, &a, &e), e, ERR_VALUE,
               "the operation Loop cannot be run here");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        EXPECT_ERR(onnx_run(one_node(wrong[i], &a), &in, &y, &a, &e), e, ERR_VALUE,
                   "does not fit its inputs");
    arena_free(&a);
}
