// SPDX-License-Identifier: GPL-3.0-or-later
// quantise.c (tests): numbers of 16 bits against IEEE 754's own, weights of 8 bits and their
// scales, and what becomes of a model that holds them.
#include "export/quantise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/run.h"
#include "base/f16.h"
#include "tests/test.h"

TEST(quantise_f16_rounds_as_ieee_754_says)
{
    static const struct {
        float x;
        f16 bits;
    } cases[] = {{0, 0},
                 {-0.0f, 0x8000},
                 {1, 0x3c00},
                 {-2, 0xc000},
                 {65504, 0x7bff},
                 {65519.996f, 0x7bff},
                 {65520, 0x7c00}, // half way to what would be next: infinite
                 {-1e30f, 0xfc00},
                 {1 + 0x1p-11f, 0x3c00}, // ties go to even
                 {1 + 0x3p-11f, 0x3c02},
                 {2047.5f, 0x6800}, // and carry
                 {0x1p-14f, 0x0400},
                 {0x1p-24f, 0x0001},
                 {0x1p-25f, 0x0000},
                 {0x1.8p-24f, 0x0002},
                 {INFINITY, 0x7c00}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT_INT(f16_round(cases[i].x), cases[i].bits);
    EXPECT(isnan(f16_widen(f16_round(NAN))));
    int wrong = 0;
    for (unsigned h = 0; h < 65536; h++) // there and back
        wrong += !isnan(f16_widen((f16)h)) && f16_round(f16_widen((f16)h)) != h;
    EXPECT_INT(wrong, 0);
}

enum { OUT = 20, IN = 16 };

static params *some_params(arena *a)
{
    err e = {0};
    params *p = params_open(a);
    int w = params_declare(p, "w", shape_of(2, OUT, IN), (init){INIT_ZERO, 0}, &e),
        b = params_declare(p, "b", shape_of(1, OUT), (init){INIT_ZERO, 0}, &e),
        s = params_declare(p, "small", shape_of(2, 100, 3), (init){INIT_ZERO, 0}, &e);
    EXPECT_OK(params_allocate(p, 0, &e), e);
    for (int i = 0; i < OUT * IN; i++)
        params_at(p, w)[i] = test_fill(3, (uint32_t)i, (float)(1 + i / IN)); // rows of other sizes
    params_at(p, w)[5 * IN] = 0.1f;
    params_at(p, b)[0] = params_at(p, s)[0] = 0.1f;
    return p;
}

TEST(quantise_params_keeps_each_row_within_half_a_step)
{
    arena a = {0};
    err e = {0};
    params *p = some_params(&a);
    float before[OUT * IN];
    memcpy(before, params_at(p, 0), sizeof before);
    EXPECT_OK(quantise_params(p, QUANTISE_INT8, &e), e);
    for (int r = 0; r < OUT; r++) {
        float most = 0, off = 0;
        for (int i = r * IN; i < (r + 1) * IN; i++) {
            most = fmaxf(most, fabsf(before[i]));
            off = fmaxf(off, fabsf(params_at(p, 0)[i] - before[i]));
        }
        EXPECT_BELOW(off, most / 127 / 2 * 1.0001);
        EXPECT(off > most / 127 / 20); // it did round
    }
    EXPECT(params_at(p, 1)[0] == 0.1f && params_at(p, 2)[0] == 0.1f); // biases, short channels
    memcpy(before, params_at(p, 0), sizeof before);
    EXPECT_OK(quantise_params(p, QUANTISE_INT8, &e), e);
    for (int i = 0; i < OUT * IN; i++) // what is rounded stays
        EXPECT_NEAR(params_at(p, 0)[i], before[i], 1e-6 * fabsf(before[i]));
    params_release(p);
    arena_free(&a);
}

// A weight that is no number leaves none in its row.
TEST(quantise_params_keeps_what_is_no_number)
{
    arena a = {0};
    err e = {0};
    params *p = some_params(&a);
    params_at(p, 0)[3 * IN + 7] = NAN;
    EXPECT_OK(quantise_params(p, QUANTISE_INT8, &e), e);
    for (int i = 0; i < OUT * IN; i++)
        EXPECT(isnan(params_at(p, 0)[i]) == (i / IN == 3));
    params_release(p);
    arena_free(&a);
}

// What a product in generation makes of w is what it makes of the rounded one.
TEST(quantise_is_one_rule)
{
    arena a = {0};
    err e = {0};
    params *p = some_params(&a);
    graph *g = graph_open(&a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(2, 1, IN)),
           *w = graph_input(g, "w", DT_F32, shape_of(2, OUT, IN)), *scales,
           *steps = op_panels(g, w, DT_I8, &scales),
           *y = op_panel_linear(g, (tensor *[]){x, steps, scales, NULL}, ACT_NONE);
    plan *pl = plan_make(g, &(plan_options){.threads = 1, .outputs = &y, .n_outputs = 1}, &a, &e);
    run *r = pl ? run_open(pl, NULL, NULL, &a, &e) : NULL;
    EXPECT_OK(r != NULL, e);
    memcpy(run_input(r, "w"), params_at(p, 0), OUT * IN * sizeof(float));
    EXPECT_OK(quantise_params(p, QUANTISE_INT8, &e), e);
    for (int k = 0; k < IN; k++) { // a column of w at a time
        float *at = run_input(r, "x");
        for (int i = 0; i < IN; i++)
            at[i] = i == k;
        run_step(r, 0, 0, false);
        for (int j = 0; j < OUT; j++)
            EXPECT(((const float *)run_data(r, y))[j] == params_at(p, 0)[j * IN + k]);
    }
    run_close(r);
    params_release(p);
    arena_free(&a);
}

TEST(quantise_params_refuses_what_f16_has_not)
{
    arena a = {0};
    err e = {0};
    params *p = some_params(&a);
    EXPECT_OK(quantise_params(p, QUANTISE_F16, &e), e);
    EXPECT(params_at(p, 0)[5 * IN] == 0x1.998p-4f); // 0.1
    params_at(p, 0)[7] = 70000;
    EXPECT_ERR(quantise_params(p, QUANTISE_F16, &e), e, ERR_VALUE, "'w' holds a weight beyond");
    params_release(p);
    arena_free(&a);
}

static void add_matrix(onnx_model *m, const char *name, int64_t rows, int64_t columns, float *w)
{
    onnx_tensor t = {.name = name,
                     .type = ONNX_FLOAT,
                     .rank = 2,
                     .dim = {rows, columns},
                     .data = w,
                     .bytes = (size_t)(rows * columns) * sizeof(float)};
    onnx_add_tensor(m, &t);
}

static void add_product(onnx_model *m, const char *op, const char *x, const char *w, const char *y)
{
    onnx_attr turned = {.name = "transB", .type = ONNX_ATTR_INT, .i = 1};
    onnx_add_node(m, &(onnx_node){.op = op,
                                  .name = y,
                                  .n_in = 2,
                                  .in = (const char *[]){x, w},
                                  .n_out = 1,
                                  .out = (const char *[]){y},
                                  .n_attr = !strcmp(op, "Gemm"),
                                  .attrs = &turned});
}

static const onnx_tensor *tensor_named(const onnx_model *m, const char *name)
{
    for (int i = 0; i < m->n_tensors; i++)
        if (!strcmp(m->tensors[i].name, name))
            return &m->tensors[i];
    return NULL;
}

static const char *ops_of(const onnx_model *m, arena *a)
{
    const char *list = "";
    for (int i = 0; i < m->n_nodes; i++)
        list = arena_printf(a, "%s%s%s", list, i ? " " : "", m->nodes[i].op);
    return list;
}

// Two products with the same x, of which one is a Gemm with its matrix turned.
TEST(quantise_dynamic_rounds_an_input_once)
{
    static float w[16 * 20], v[20 * 16];
    arena a = {0};
    err e = {0};
    onnx_model *m = onnx_model_open(&a);
    params *p = params_open(&a);
    (void)params_declare(p, "w", shape_of(2, 20, 16), (init){INIT_ZERO, 0}, &e);
    (void)params_declare(p, "v", shape_of(2, 20, 16), (init){INIT_ZERO, 0}, &e);
    for (int i = 0; i < 16 * 20; i++)
        w[i] = test_fill(1, (uint32_t)i, 1), v[i] = test_fill(2, (uint32_t)i, 1);
    onnx_add_input(m, (onnx_value){.name = "x", .type = ONNX_FLOAT, .rank = 2, .dim = {32, 16}});
    for (int i = 0; i < 2; i++)
        onnx_add_output(
            m, (onnx_value){.name = i ? "z" : "y", .type = ONNX_FLOAT, .rank = 2, .dim = {32, 20}});
    add_matrix(m, "w.transposed", 16, 20, w), add_matrix(m, "v", 20, 16, v);
    add_product(m, "MatMul", "x", "w.transposed", "y"), add_product(m, "Gemm", "x", "v", "z");
    onnx_quantise(m, p, QUANTISE_DYNAMIC);
    EXPECT_OK(onnx_check(m, "test", &e), e);
    EXPECT_STR(ops_of(m, &a), "DynamicQuantizeLinear MatMulInteger Cast Mul Mul "
                              "MatMulInteger Cast Mul Mul");
    const onnx_tensor *q = tensor_named(m, "v.int8"), *s = tensor_named(m, "v.scale");
    if (!test_expect(q && s, __FILE__, __LINE__, "no steps or no scales"))
        return;
    EXPECT(q->dim[0] == 16 && q->dim[1] == 20 && s->dim[0] == 20);
    int most = 0;
    for (int o = 0; o < 20; o++)
        for (int i = 0; i < 16; i++) {
            int step = ((const int8_t *)q->data)[i * 20 + o];
            float scale = ((const float *)s->data)[o];
            EXPECT_NEAR((float)step * scale, v[o * 16 + i], 0.5001 * (double)scale);
            most = abs(step) > most ? abs(step) : most;
        }
    EXPECT_INT(most, 64);
    arena_free(&a);
}

// x -> MatMul by a [16, 20], channels in columns -> Gemm by b [40, 20], in rows -> and c is on the
// left of a product: no weight.
TEST(quantise_finds_the_channels_that_a_reader_means)
{
    static float a[16 * 20], b[40 * 20], c[32 * 32];
    arena scratch = {0};
    err e = {0};
    onnx_model *m = onnx_model_open(&scratch);
    params *p = params_open(&scratch);
    (void)params_declare(p, "a", shape_of(2, 20, 16), (init){INIT_ZERO, 0}, &e);
    (void)params_declare(p, "b", shape_of(2, 40, 20), (init){INIT_ZERO, 0}, &e);
    (void)params_declare(p, "c", shape_of(2, 32, 32), (init){INIT_ZERO, 0}, &e);
    for (int i = 0; i < 16 * 20; i++)
        a[i] = (float)(i % 20 + 1) * test_fill(1, (uint32_t)i, 1);
    for (int i = 0; i < 40 * 20; i++)
        b[i] = test_fill(2, (uint32_t)i, 1);
    onnx_add_input(m, (onnx_value){.name = "x", .type = ONNX_FLOAT, .rank = 2, .dim = {32, 16}});
    onnx_add_output(m, (onnx_value){.name = "z", .type = ONNX_FLOAT, .rank = 2, .dim = {32, 40}});
    add_matrix(m, "a.transposed", 16, 20, a), add_matrix(m, "b", 40, 20, b),
        add_matrix(m, "c", 32, 32, c);
    add_product(m, "MatMul", "x", "a.transposed", "y"), add_product(m, "Gemm", "y", "b", "g");
    add_product(m, "MatMul", "c", "g", "z");
    onnx_quantise(m, p, QUANTISE_INT8);
    EXPECT_OK(onnx_check(m, "test", &e), e);
    EXPECT_INT(m->n_nodes, 5);
    EXPECT_STR(m->nodes[0].op, "DequantizeLinear");
    EXPECT_STR(m->nodes[0].out[0], "a.transposed");
    EXPECT_INT(m->nodes[0].attrs[0].i, 1);
    EXPECT_INT(m->nodes[1].attrs[0].i, 0);
    EXPECT(tensor_named(m, "c") && !tensor_named(m, "a.transposed"));
    const onnx_tensor *q = tensor_named(m, "a.transposed.int8"),
                      *s = tensor_named(m, "a.transposed.scale");
    EXPECT(q && s && q->type == ONNX_INT8 && s->dim[0] == 20);
    for (int i = 0; q && s && i < 16 * 20; i++) {
        float scale = ((const float *)s->data)[i % 20];
        EXPECT_NEAR(((const int8_t *)q->data)[i] * scale, a[i], 0.5001 * (double)scale);
    }
    arena_free(&scratch);
}
