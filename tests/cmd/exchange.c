// SPDX-License-Identifier: GPL-3.0-or-later
// exchange.c: import, export and predict as a user calls them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "data/audio/clip.h"
#include "export/onnx_file.h"
#include "tests/cmd/recogniser.h"
#include "tests/test.h"

static const recogniser_setup plain = {
    "plain",
    {{"preset", "librosa"}, {"sample_rate", "16000"}, {"n_fft", "512"}, {"hop_length", "160"}},
    "40",
    "last",
    "1"};

static const char *make_wav(const char *name, int64_t frames, int rate)
{
    arena a = {0};
    err e = {0};
    float *x = NEW(&a, float, (size_t)frames);
    recogniser_sound(x, frames, 9);
    const char *path = test_path(name);
    EXPECT_OK(clip_write_wav(path, x, frames, rate, &e), e);
    arena_free(&a);
    return path;
}

TEST(exchange_weights_go_out_and_come_back)
{
    arena a = {0};
    err e = {0};
    const char *out, *first = arena_strdup(&a, recogniser_checkpoint(&plain, "a.h5", &a));
    EXPECT_INT(test_shell(&out, "%s export '%s' --format safetensors --probe -o '%s/a.safetensors'",
                          test_kmidi(), first, test_dir()),
               0);
    EXPECT_INT(
        test_shell(&out,
                   "%s import '%s/a.safetensors' --model emotion_recognizer -o '%s/b.h5' --json",
                   test_kmidi(), test_dir(), test_dir()),
        0);
    EXPECT_HAS(out, "\"params\": 403264");
    checkpoint *x = checkpoint_open(first, &a, &e), *y = checkpoint_open(test_path("b.h5"), &a, &e);
    if (!test_expect(x && y, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(y->classes, 3);
    EXPECT_STR(meta_get(&y->meta, "settings"), meta_get(&x->meta, "settings"));
    EXPECT_STR(meta_get(&y->meta, "labels"), meta_get(&x->meta, "labels"));
    params *p = params_open(&a), *q = params_open(&a);
    model_dims dims = {.batch = 1, .time = 1, .classes = 3};
    EXPECT_OK(model_build(x->model, p, &dims, &a, &e) && params_allocate(p, 0, &e) &&
                  checkpoint_weights(x, p, &e),
              e);
    EXPECT_OK(model_build(y->model, q, &dims, &a, &e) && params_allocate(q, 0, &e) &&
                  checkpoint_weights(y, q, &e),
              e);
    EXPECT(!memcmp(p->weights, q->weights, sizeof(float) * (size_t)p->weights_len));
    params_release(p);
    params_release(q);
    checkpoint_close(x);
    checkpoint_close(y);
    arena_free(&a);
}

TEST(exchange_export_writes_onnx_with_labels)
{
    arena a = {0};
    err e = {0};
    const char *out, *path = arena_strdup(&a, recogniser_checkpoint(&plain, "a.h5", &a)),
                     *onnx = test_path("a.onnx");
    EXPECT_INT(test_shell(&out, "%s export '%s' --format onnx -o '%s'", test_kmidi(), path, onnx),
               0);
    const onnx_model *m = onnx_read(onnx, &a, &e);
    EXPECT(m && m->n_outputs == 2 && !strcmp(m->outputs[1].name, "probabilities"));
    EXPECT_STR(meta_get(&m->meta, "labels"), "[\"anger\", \"joy\", \"calm\"]");
    EXPECT_STR(m->inputs[0].name, "mel");
    EXPECT_INT(test_shell(&out,
                          "%s export '%s' --format onnx -o '%s' --front-end --no-probe --overwrite",
                          test_kmidi(), path, onnx),
               0);
    m = onnx_read(onnx, &a, &e);
    EXPECT(m && m->n_outputs == 1);
    EXPECT_STR(m->inputs[0].name, "waveform");
    EXPECT_STR(m->inputs[0].sym[1], "samples");
    EXPECT_STR(meta_get(&m->meta, "sample_rate"), "16000");
    arena_free(&a);
}

TEST(exchange_refusals)
{
    arena a = {0};
    err e = {0};
    const char *out, *path = arena_strdup(&a, recogniser_checkpoint(&plain, "a.h5", &a)),
                     *k = test_kmidi(), *d = test_dir();
    EXPECT_INT(test_shell(&out, "%s export '%s' --format onyx -o '%s/x'", k, path, d), 2);
    EXPECT_HAS(
        out,
        "--format takes onnx, onnx-fp16, onnx-int8, coreml, rtneural, safetensors, pt, adapter "
        "or mlx-adapter, not 'onyx'");
    EXPECT_INT(test_shell(&out, "%s export '%s' -f onnx-int8 --quant odd -o '%s/x'", k, path, d),
               2);
    EXPECT_HAS(out, "--quant takes weights or dynamic, not 'odd'");
    EXPECT_INT(test_shell(&out, "%s export '%s' -f onnx --quant dynamic -o '%s/x'", k, path, d), 2);
    EXPECT_HAS(out, "--quant is for --format onnx-int8, not onnx");
    EXPECT_INT(test_shell(&out, "%s export '%s' --format onnx --with-past -o '%s/x'", k, path, d),
               1);
    EXPECT_HAS(out, "model emotion_recognizer keeps no past");
    EXPECT_INT(test_shell(&out, "%s export '%s/none.h5' --format onnx -o '%s/x'", k, d, d), 1);
    EXPECT_HAS(out, "none.h5");
    EXPECT_INT(
        test_shell(&out, "%s export '%s' --format onnx -o '%s/no/such/folder/x.onnx'", k, path, d),
        1);
    EXPECT_HAS(out, "no/such/folder");
    EXPECT_INT(
        test_shell(&out, "%s import '%s' --model emotion_recognizer -o '%s/x.h5'", k, path, d), 1);
    EXPECT_HAS(out, "no safetensors file");
    EXPECT_INT(
        test_shell(&out, "%s import '%s' --model emotion_recogniser -o '%s/x.h5'", k, path, d), 2);
    EXPECT_HAS(out, "did you mean 'emotion_recognizer'?");
    EXPECT_INT(
        test_shell(&out, "%s export '%s' --format safetensors -o '%s/a.safetensors'", k, path, d),
        0);
    EXPECT_INT(test_shell(&out,
                          "%s import '%s/a.safetensors' --model groove_predictor -o '%s/x.h5'", k,
                          d, d),
               1);
    EXPECT_HAS(out, "holds a model called emotion_recognizer, not groove_predictor");
    EXPECT(!file_exists(test_path("x.h5")));
    // Bytes of any file may change: every byte of a header, and some behind it.
    size_t n;
    char *bytes = file_read(&a, test_path("a.safetensors"), 1 << 24, &n, &e);
    for (size_t i = 0; bytes && i < 60; i++) {
        size_t at = i < 40 ? i * 7 : n - 1 - i * 1000;
        char was = bytes[at];
        bytes[at] = (char)(was ^ 0x55);
        EXPECT_OK(file_write(test_path("bad.safetensors"), bytes, n, &e), e);
        int status = test_shell(
            &out, "%s import '%s/bad.safetensors' --model emotion_recognizer -o '%s/bad.h5'", k, d,
            d);
        test_expect(status == 0 || status == 1, __FILE__, __LINE__, "byte %zu: status %d, %s", at,
                    status, out);
        bytes[at] = was;
    }
    arena_free(&a);
}

TEST(exchange_predict_judges_good_files_and_names_bad_ones)
{
    arena a = {0};
    err e = {0};
    const char *out, *k = test_kmidi(),
                     *path = arena_strdup(&a, recogniser_checkpoint(&plain, "a.h5", &a));
    const char *good = arena_strdup(&a, make_wav("good.wav", 30000, 16000)),
               *other = arena_strdup(&a, make_wav("other.wav", 300000, 44100));
    EXPECT_OK(file_write(test_path("empty.wav"), "", 0, &e), e);
    EXPECT_OK(file_write(test_path("text.wav"), "not audio at all, but words", 27, &e), e);
    EXPECT_INT(test_shell(&out, "%s predict '%s' '%s' --json", k, path, good), 0);
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_STR(json_str(json_get(j, "file"), ""), good);
    const json *p = json_get(j, "probabilities");
    EXPECT_NEAR(json_num(json_get(p, "anger"), 0) + json_num(json_get(p, "joy"), 0) +
                    json_num(json_get(p, "calm"), 0),
                1, 1e-6);
    EXPECT(json_num(json_get(p, json_str(json_get(j, "label"), "")), 0) > 1.0 / 3);
    EXPECT(json_type(json_get(j, "valence")) == JSON_NUMBER &&
           json_type(json_get(j, "arousal")) == JSON_NUMBER);
    json_free(j);
    EXPECT_INT(test_shell(&out,
                          "%s predict '%s' '%s/empty.wav' '%s' '%s/text.wav' '%s/none.wav' '%s'", k,
                          path, test_dir(), good, test_dir(), test_dir(), other),
               1);
    EXPECT_HAS(out, "good.wav: ");
    EXPECT_HAS(out, "other.wav: ");
    EXPECT_HAS(out, "empty.wav");
    EXPECT_HAS(out, "text.wav");
    EXPECT_HAS(out, "none.wav");
    EXPECT_HAS(out, "3 of 5 files could not be judged");
    EXPECT_INT(test_shell(&out, "%s predict '%s' '%s/none.wav'", k, path, test_dir()), 1);
    EXPECT_INT(test_shell(&out, "%s predict '%s'", k, path), 2);
    arena_free(&a);
}

// The example inside an exported model is what the model gives (judged by ONNX Runtime).
TEST(exchange_exported_models_test_themselves)
{
    arena a = {0};
    err e = {0};
    const char *out, *k = test_kmidi(), *d = test_dir(),
                     *path = arena_strdup(&a, recogniser_checkpoint(&plain, "a.h5", &a));
    EXPECT_INT(test_shell(&out, "%s export '%s' --format onnx -o '%s/network.onnx'", k, path, d),
               0);
    EXPECT_INT(
        test_shell(&out, "%s export '%s' --format onnx --front-end -o '%s/front.onnx'", k, path, d),
        0);
    for (int i = 0; i < 4; i++) {
        const char *format = i % 2 ? "onnx-int8" : "onnx-fp16", *front = i / 2 ? "--front-end" : "";
        EXPECT_INT(test_shell(&out, "%s export '%s' --format %s %s -o '%s/%d.onnx'", k, path,
                              format, front, d, i),
                   0);
        EXPECT_HAS(out, "output of an example off by ");
    }
    for (int i = 0; i < 2; i++)
        EXPECT_INT(test_shell(&out,
                              "%s export '%s' --format onnx-int8 --quant dynamic %s "
                              "-o '%s/dynamic%d.onnx'",
                              k, path, i ? "--front-end" : "", d, i),
                   0);
    const onnx_model *m = onnx_read(test_path("front.onnx"), &a, &e);
    EXPECT(m && meta_get(&m->meta, "selftest"));
    EXPECT_HAS(meta_get(&m->meta, "selftest"), "\"shape\": [1, 9600]");
    arena_free(&a);
    if (!getenv("PEERS_PYTHON")) {
        test_skip("PEERS_PYTHON does not name a Python with onnx and onnxruntime");
        return;
    }
    int status = test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/onnx_check.py '%s'", d);
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
}
