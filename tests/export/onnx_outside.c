// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_outside.c: ONNX files from elsewhere: damaged, endless, wrong in one thing, and sound ones.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/export/filled.h"
#include "tests/test.h"

TEST(onnx_reader_survives_damage)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find("dynamics_engine");
    params *p = filled_params(m, &a);
    onnx_options o = filled_options(m);
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
