// SPDX-License-Identifier: GPL-3.0-or-later
// rtneural.c (tests): `kmidi export --format rtneural`: what of our networks RTNeural has, and that
// RTNeural makes of it what we do. The latter where RTNEURAL names its sources (`make
// check-rtneural`).
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "export/rtneural.h"
#include "tests/export/filled.h"
#include "tests/test.h"

#define RUN(want, ...) EXPECT_INT(test_shell(&out, __VA_ARGS__), want)

static const char *const small[] = {"dynamics_engine", "groove_predictor", "harmony_predictor",
                                    "melody_transformer", "emotion_recognizer"};
enum { SMALL = sizeof small / sizeof *small };

// A checkpoint NAME.h5 in the test's folder.
static void make(const char *name)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find(name);
    params *p = params_open(&a);
    EXPECT_OK(model_build(m, p, &(model_dims){.batch = 1, .time = 1}, &a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    for (int64_t i = 0; i < p->weights_len; i++)
        p->weights[i] = test_fill(3, (uint32_t)i, 0.1f);
    EXPECT_OK(checkpoint_save(test_path(arena_printf(&a, "%s.h5", name)),
                              &(checkpoint_content){.model = m, .params = p}, &e),
              e);
    params_release(p);
    arena_free(&a);
}

static json *read_json(const char *name, arena *a)
{
    err e = {0};
    size_t n;
    char *text = file_read(a, test_path(arena_printf(a, "%s.json", name)), 1 << 26, &n, &e);
    json *j = text ? json_parse(text, n, &e) : NULL;
    test_expect(j != NULL, __FILE__, __LINE__, "%s", e.text);
    return j;
}

static double number(const json *j, int layer, int a, int b, int c)
{
    const json *w =
        json_at(json_get(json_at(json_get(j, "layers"), (size_t)layer), "weights"), (size_t)a);
    w = json_at(w, (size_t)b);
    return json_num(c < 0 ? w : json_at(w, (size_t)c), 99);
}

TEST(rtneural_has_the_five_small_models)
{
    const char *out, *d = test_dir(), *k = test_kmidi();
    for (int i = 0; i < SMALL; i++) {
        make(small[i]);
        RUN(0, "%s export '%s/%s.h5' --format rtneural -o '%s/%s.json' --json", k, d, small[i], d,
            small[i]);
        err e = {0};
        json *j = json_parse(out, strlen(out), &e);
        EXPECT(json_num(json_get(j, "max_difference"), 1) < 1e-5 &&
               json_num(json_get(j, "output_max"), 0) > 0.01);
        json_free(j);
    }
}

// Kernels are [in][out], an LSTM's gates i f c o with one bias.
TEST(rtneural_turns_weights_as_keras_has_them)
{
    arena a = {0};
    err e = {0};
    const char *out, *d = test_dir(), *k = test_kmidi();
    make("melody_transformer");
    RUN(0, "%s export '%s/melody_transformer.h5' -f rtneural -o '%s/melody_transformer.json'", k, d,
        d);
    checkpoint *file = checkpoint_open(test_path("melody_transformer.h5"), &a, &e);
    params *p = params_open(&a);
    EXPECT_OK(file && model_build(file->model, p, &(model_dims){.batch = 1, .time = 1}, &a, &e) &&
                  params_allocate(p, 0, &e) && checkpoint_weights(file, p, &e),
              e);
    json *j = read_json("melody_transformer", &a);
    const float *fc1 = params_at(p, params_find(p, "fc1.weight")),
                *w = params_at(p, params_find(p, "lstm.weight_ih_l0")),
                *u = params_at(p, params_find(p, "lstm.weight_hh_l0")),
                *bi = params_at(p, params_find(p, "lstm.bias_ih_l0")),
                *bh = params_at(p, params_find(p, "lstm.bias_hh_l0"));
    EXPECT_INT(json_len(json_get(j, "layers")), 4);
    EXPECT_NEAR(number(j, 0, 0, 3, 200), fc1[200 * 64 + 3], 1e-9);
    for (int gate = 0; gate < 4; gate++) { // torch's order is that of Keras
        int row = gate * 256 + 17;
        EXPECT_NEAR(number(j, 1, 0, 5, row), w[row * 256 + 5], 1e-9);
        EXPECT_NEAR(number(j, 1, 1, 9, row), u[row * 256 + 9], 1e-9);
        EXPECT_NEAR(number(j, 1, 2, row, -1), (double)(bi[row] + bh[row]), 1e-7);
    }
    EXPECT_INT(json_len(json_get(j, "note_codes")), 129);
    EXPECT_INT(json_len(json_get(j, "input_batch")), 20);
    EXPECT_HAS(json_str(json_get(json_get(j, "metadata"), "input"), ""), "note_codes[");
    json_free(j);
    params_release(p);
    checkpoint_close(file);
    arena_free(&a);
}

TEST(rtneural_refuses_what_it_has_not_by_name)
{
    static const char *const cases[][2] = {
        {"instrument_recognizer", "needs Conv with strides in time"},
        {"emotion_node_classifier", "needs Conv with strides in time"},
        {"spectocloud_vit", "needs Conv"}};
    arena a = {0};
    err e = {0};
    const char *out, *d = test_dir(), *k = test_kmidi();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        params *p = filled_params(model_find(cases[i][0]), &a);
        EXPECT_ERR(rtneural_build(model_find(cases[i][0]), p, &a, &e), e, ERR_VALUE, cases[i][1]);
        EXPECT_HAS(e.text, "it has dense layers, LSTMs and tanh, relu, sigmoid, softmax");
        EXPECT_HAS(e.text, "export it as onnx or coreml");
        params_release(p);
    }
    const model_def *m = model_configure(model_find("emotion_midi_transformer"),
                                         "layers=1 dim=16 heads=2 ffn=16 cross=0", &a, &e);
    params *p = m ? filled_params(m, &a) : NULL;
    EXPECT_ERR(!p || rtneural_build(m, p, &a, &e), e, ERR_VALUE, "needs the operation ");
    params_release(p);
    make("dynamics_engine");
    RUN(2, "%s export '%s/dynamics_engine.h5' -f rtneural --front-end -o '%s/x'", k, d, d);
    EXPECT_HAS(out, "--front-end and --with-past are of onnx");
    arena_free(&a);
}

TEST(rtneural_reads_its_own_files_alone)
{
    static const char *const files[] = {
        "",
        "{",
        "[]",
        "{\"layers\": []}",
        "{\"in_shape\": [null, null, 2], \"layers\": [1]}",
        "{\"in_shape\": [null, null, 2], \"layers\": [{\"type\": \"dense\", \"activation\": \"\", "
        "\"shape\": [null, null, 65536], \"weights\": [[[1], [2]], [1]]}]}",
        "{\"in_shape\": [null, null, 1], \"layers\": [{\"type\": \"gru\", \"activation\": \"\", "
        "\"shape\": [null, null, 1], \"weights\": []}]}",
        "{\"in_shape\": [null, null, 1], \"layers\": [{\"type\": \"dense\", \"activation\": \"\", "
        "\"shape\": [null, null, 1], \"weights\": [[[\"x\"]], [1]]}]}"};
    err e = {0};
    const char *path = test_path("x.json");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        arena a = {0};
        EXPECT_OK(file_write(path, files[i], strlen(files[i]), &e), e);
        e = (err){0};
        EXPECT(!rtneural_read(path, &a, &e) && e.text[0]);
        arena_free(&a);
    }
}

TEST(rtneural_itself_agrees)
{
    const char *out, *d = test_dir(), *k = test_kmidi(), *from = getenv("RTNEURAL");
    if (!from || test_shell(&out, "test -e '%s/RTNeural/RTNeural.h'", from)) {
        test_skip("RTNEURAL does not name a folder of RTNeural's (make check-rtneural)");
        return;
    }
    RUN(0,
        "c++ -std=c++17 -O2 -w -I\"$RTNEURAL\" tests/rtneural/check.cpp "
        "\"$RTNEURAL\"/RTNeural/RTNeural.cpp -o '%s/check'",
        d);
    for (int i = 0; i < SMALL; i++) {
        make(small[i]);
        RUN(0, "%s export '%s/%s.h5' -f rtneural -o '%s/%s.json' && '%s/check' '%s/%s.json'", k, d,
            small[i], d, small[i], d, d, small[i]);
        const char *last = strrchr(out, '\n');
        while (last && last > out && last[-1] != '\n')
            last--;
        EXPECT_BELOW(last ? atof(last) : 1, 1e-5);
        if (getenv("PEERS_SHOW"))
            test_expect(true, __FILE__, __LINE__, "%s", out);
    }
}
