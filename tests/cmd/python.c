// SPDX-License-Identifier: GPL-3.0-or-later
// python.c (tests): the modules and examples in python/, by a Python that has what they need
// (tests/peers/python_check.py); and what ONNX files say of the emotion vector.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/safetensors.h"
#include "lora/adapter.h"
#include "tests/cmd/recogniser.h"
#include "tests/test.h"

#define RUN(want, ...) EXPECT_INT(test_shell(&out, __VA_ARGS__), want)

static const char small[] = "layers=8 dim=32 heads=2 ffn=48 cross=0,2,4,6 emotion_tokens=2";

// A network as it begins, as a checkpoint and in both forms for others.
static void make_model(const model_def *m, const char *name, const char *more)
{
    const char *out, *k = test_kmidi(), *d = test_dir();
    arena a = {0};
    err e = {0};
    params *p = params_open(&a);
    model_meta meta = {.arena = &a};
    EXPECT_OK(model_build(m, p, &(model_dims){.batch = 1, .time = 1}, &a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    params_init(p, 7);
    if (m->n_options)
        meta_set(&meta, "sizes", model_sizes(m, &a));
    EXPECT_OK(safetensors_save_params(test_path("weights.safetensors"), p, false, &meta, &e), e);
    RUN(0,
        "%s import '%s/weights.safetensors' --model %s -o '%s/%s.h5' && %s export '%s/%s.h5' "
        "--format onnx %s -o '%s/%s.onnx' && "
        "%s export '%s/%s.h5' --format safetensors -o '%s/%s.safetensors'",
        k, d, m->name, d, name, k, d, name, more, d, name, k, d, name, d, name);
    params_release(p);
    arena_free(&a);
}

static void make_adapter(const char *base, const model_def *m)
{
    static const char *const names[] = {"fc1", "lstm.weight_hh_l0"};
    static const lora_config c = {
        .r = 3, .alpha = 6, .together = true, .targets.names = {names, 2}};
    const char *out, *k = test_kmidi(), *d = test_dir();
    arena a = {0};
    err e = {0};
    strbuf text = {0};
    params *p = params_open(&a);
    model_meta meta = {.arena = &a};
    const adapters *l = lora_match(&c, m, true, &a, &e);
    EXPECT_OK(l && model_build(m, p, &(model_dims){.batch = 1, .time = 1, .adapters = l}, &a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    for (int64_t i = 0; i < p->weights_len; i++)
        p->weights[i] = test_fill(9, (uint32_t)i, 0.2f);
    EXPECT_OK(lora_config_write(&c, m, NULL, &text, &e) &&
                  lora_save(test_path("adapter"), p, l, text.s, &meta, &e),
              e);
    RUN(0,
        "cp '%s/%s.safetensors' '%s/base.safetensors' && %s merge '%s/%s.h5' '%s/adapter' -o "
        "'%s/merged.h5' && %s export '%s/merged.h5' "
        "--format safetensors -o '%s/merged.safetensors'",
        d, base, d, k, d, base, d, d, k, d, d);
    strbuf_free(&text);
    params_release(p);
    arena_free(&a);
}

TEST(python_modules_and_examples_agree_with_kmidi)
{
    const char *out, *k = test_kmidi(), *d = test_dir();
    arena a = {0};
    err e = {0};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import torch, peft, onnxruntime' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch, PEFT and ONNX Runtime");
        return;
    }
    const model_def *transformer =
        model_configure(model_find("emotion_midi_transformer"), small, &a, &e);
    make_model(transformer, "past", "--with-past");
    for (int i = 0; i < model_count(); i++)
        make_model(model_at(i) == model_find(transformer->name) ? transformer : model_at(i),
                   model_at(i)->name, "");
    make_adapter("melody_transformer", model_find("melody_transformer"));
    const recogniser_setup setup = {.mel = {{"preset", "librosa"},
                                            {"sample_rate", "16000"},
                                            {"n_fft", "512"},
                                            {"hop_length", "160"}},
                                    .window = "150",
                                    .crop = "center",
                                    .views = "3"};
    RUN(0, "%s export '%s' --format onnx --front-end -o '%s/front.onnx'", k,
        recogniser_checkpoint(&setup, "front.h5", &a), d);
    RUN(0,
        "%s synth '%s/sounds' -n 4 -s 2 -q && mv \"$(ls '%s'/sounds/wav/*.wav | head -1)\" "
        "'%s/sound.wav'",
        k, d, d, d);
    int status = test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/python_check.py python '%s'", d);
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    if (getenv("PEERS_SHOW"))
        puts(out);
    arena_free(&a);
}

TEST(python_is_told_what_an_emotion_is)
{
    const char *out, *d = test_dir(), *k = test_kmidi();
    make_model(model_find("groove_predictor"), "groove", "");
    RUN(0, "%s inspect '%s/groove.onnx' --json", k, d);
    EXPECT_HAS(out, "emotion_vector");
    EXPECT_HAS(out, "\\\"place\\\": \\\"input emotion, all 64 elements\\\"");
    EXPECT_HAS(out, "\\\"joy\\\": [0.9, 0.8]");
    make_model(model_find("dynamics_engine"), "dynamics", "");
    RUN(0, "%s inspect '%s/dynamics.onnx' --json", k, d);
    EXPECT(!strstr(out, "emotion_vector"));
}
