// SPDX-License-Identifier: GPL-3.0-or-later
// pictures.c: what networks of pictures make of sound in `kmidi predict`, and what they make of it
// as `export --front-end` has written them.
#include "infer/listen.h"
#include "infer/painter.h"

#include <stdlib.h>
#include <string.h>

#include "export/safetensors.h"
#include "tests/cmd/recogniser.h"
#include "tests/export/filled.h"
#include "tests/export/onnx_peer.h"
#include "tests/test.h"

enum { RATE = 16000, HOP = 160, EMOTION = 64, MIDI = 32, MOST = 41000 };

// Weights under which what is heard makes a difference to what comes out.
static void wake(const params *p)
{
    for (int i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->list[i].count; k++)
            if (p->list[i].shape.rank > 1)
                params_at(p, i)[k] *= 2;
            else if (strstr(p->list[i].name, "weight"))
                params_at(p, i)[k] += 1; // of a norm
}

// A network that was never trained, at RATE.
static trained *open_pictures(const char *model, arena *a)
{
    err e = {0};
    const model_def *m = model_find(model);
    params *p = filled_params(m, a);
    wake(p);
    model_meta meta = {.arena = a};
    float mean[128], deviation[128];
    for (int i = 0; i < 128; i++)
        mean[i] = test_fill(5, (uint32_t)i, 2) - 4, deviation[i] = test_fill(6, (uint32_t)i, 1) + 3;
    meta_set(&meta, "settings",
             "{\"mel\": {\"sample_rate\": 16000, \"n_fft\": 512, \"hop_length\": 160, "
             "\"n_mels\": 128}}");
    meta_set_floats(&meta, "mean", mean, 128);
    meta_set_floats(&meta, "deviation", deviation, 128);
    meta_set_int(&meta, "window", model_frames(model_mel(m)));
    const char *path = test_path("pictures.h5");
    EXPECT_OK(
        checkpoint_save(path, &(checkpoint_content){.model = m, .meta = &meta, .params = p}, &e),
        e);
    params_release(p);
    trained *d = trained_open(path, a, &e);
    EXPECT_OK(d && trained_mel(d, &e), e);
    return d;
}

static void fill(float *x, int n, uint32_t seed)
{
    for (int i = 0; i < n; i++)
        x[i] = test_fill(seed, (uint32_t)i, 1);
}

// Fewer frames than columns, as many, somewhat and many more.
TEST(pictures_of_clouds_and_the_onnx_front_end_agree)
{
    static const int64_t lengths[] = {9 * HOP, 64 * HOP - HOP, 101 * HOP + 7, MOST};
    arena a = {0};
    err e = {0};
    onnx_front front;
    trained *d = open_pictures("spectocloud_vit", &a);
    painter *p = d ? painter_open(d, &(env){0}, &a, &e) : NULL;
    if (!test_expect(p != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    trained_front(d, &front);
    EXPECT_OK(
        onnx_export(test_path("cloud.onnx"), d->model, d->p, &(onnx_options){.front = &front}, &e),
        e);
    float *wave = NEW(&a, float, MOST), emotion[EMOTION], midi[MIDI],
          *points = NEW(&a, float, CLOUD_POINTS *CLOUD_WIDTH);
    for (int k = 0; k < 4; k++) {
        int64_t n = lengths[k];
        recogniser_sound(wave, n, 11 + (uint32_t)k);
        fill(emotion, EMOTION, 21 + (uint32_t)k), fill(midi, MIDI, 31 + (uint32_t)k);
        scene s = {.samples = wave, .n = n, .midi = midi, .emotion = emotion};
        EXPECT_OK(painter_draw(p, &s, points, &e), e);
        weights_source list[] = {{"waveform", 2, {1, n}, wave, false},
                                 {"emotion", 2, {1, EMOTION}, emotion, false},
                                 {"midi", 2, {1, MIDI}, midi, false},
                                 {"points", 3, {1, CLOUD_POINTS, CLOUD_WIDTH}, points, false}};
        EXPECT_OK(safetensors_write(arena_printf(&a, "%s/cloud.%d.safetensors", test_dir(), k),
                                    list, 4, NULL, &e),
                  e);
    }
    painter_close(p);
    trained_close(d);
    arena_free(&a);
    // and as a user writes it, with an example inside
    EXPECT_INT(test_shell(NULL, "%s export '%s' -f onnx --front-end -o '%s/user.onnx'",
                          test_kmidi(), test_path("pictures.h5"), test_dir()),
               0);
    if (!getenv("PEERS_PYTHON")) {
        test_skip("PEERS_PYTHON does not name a Python with onnx and onnxruntime");
        return;
    }
    onnx_peer_checks("PEERS_QUANTISE=1");
}

static void hear_pictures(const char *model, arena *a)
{
    static const int64_t lengths[] = {9 * HOP, 100 * HOP, MOST};
    err e = {0};
    onnx_front front;
    trained *d = open_pictures(model, a);
    listener *l = d ? listener_open(d, NULL, a, &e) : NULL;
    if (!test_expect(l != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    trained_front(d, &front);
    int64_t width = d->model->output.dim[1];
    float *wave = NEW(a, float, MOST);
    EXPECT_OK(onnx_export(arena_printf(a, "%s/%s.onnx", test_dir(), model), d->model, d->p,
                          &(onnx_options){.probabilities = true, .front = &front}, &e),
              e);
    for (int k = 0; k < 3; k++) {
        heard h;
        recogniser_sound(wave, lengths[k], 11 + (uint32_t)k);
        EXPECT_OK(listener_hear(l, wave, lengths[k], &h, &e), e);
        weights_source list[] = {{"waveform", 2, {1, lengths[k]}, wave, false},
                                 {d->model->output.name, 2, {1, width}, h.embedding, false},
                                 {"probabilities", 2, {1, width}, h.probabilities, false}};
        EXPECT_OK(safetensors_write(arena_printf(a, "%s/%s.%d.safetensors", test_dir(), model, k),
                                    list, 3, NULL, &e),
                  e);
    }
    listener_close(l);
    trained_close(d);
}

TEST(pictures_heard_and_the_onnx_front_end_agree)
{
    arena a = {0};
    hear_pictures("instrument_recognizer", &a);
    hear_pictures("emotion_node_classifier", &a);
    arena_free(&a);
    if (!getenv("PEERS_PYTHON")) {
        test_skip("PEERS_PYTHON does not name a Python with onnx and onnxruntime");
        return;
    }
    onnx_peer_checks("PEERS_QUANTISE=1");
}
