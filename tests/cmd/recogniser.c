// SPDX-License-Identifier: GPL-3.0-or-later
// recogniser.c: weights as the goldens fill them, metadata as training writes it.
#include "tests/cmd/recogniser.h"

#include <math.h>

#include "checkpoint/checkpoint.h"
#include "data/features/feature.h"
#include "tests/test.h"

const recogniser_setup recogniser_ear = {
    "ear",
    {{"preset", "librosa"}, {"sample_rate", "16000"}, {"n_fft", "512"}, {"hop_length", "160"}},
    "60",
    "last",
    "0"};

const char *recogniser_checkpoint(const recogniser_setup *u, const char *name, arena *a)
{
    err e = {0};
    const model_def *m = model_find("emotion_recognizer");
    params *p = params_open(a);
    network *n = model_build(m, p, &(model_dims){.batch = 1, .time = 1, .classes = 3}, a, &e);
    EXPECT_OK(n && params_allocate(p, 0, &e), e);
    for (int i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->list[i].count; k++)
            params_at(p, i)[k] =
                test_fill(100 + (uint32_t)i, (uint32_t)k,
                          1 / sqrtf((float)p->list[i].shape.d[p->list[i].shape.rank - 1]));
    const feature_def *d = feature_find("mel", &e);
    void *s = feature_settings(d, a);
    for (int i = 0; u->mel[i][0]; i++)
        EXPECT_OK(feature_set(d, s, u->mel[i][0], u->mel[i][1], &e), e);
    EXPECT_OK(feature_resolve(d, s, &e), e);
    json *j = json_object();
    strbuf text = {0}, mean = {0}, deviation = {0};
    json_set(j, "mel", feature_json(d, s));
    json_dump(j, 0, &text);
    json_free(j);
    for (int i = 0; i < 128; i++) {
        strbuf_printf(&mean, "%s%g", i ? ", " : "[", (double)test_fill(5, (uint32_t)i, 2) - 4);
        strbuf_printf(&deviation, "%s%g", i ? ", " : "[", (double)test_fill(6, (uint32_t)i, 1) + 3);
    }
    strbuf_printf(&mean, "]");
    strbuf_printf(&deviation, "]");
    model_meta meta = {.arena = a};
    meta_set(&meta, "labels", "[\"anger\", \"joy\", \"calm\"]");
    meta_set(&meta, "settings", text.s);
    meta_set(&meta, "mean", mean.s);
    meta_set(&meta, "deviation", deviation.s);
    meta_set(&meta, "window", u->window);
    meta_set(&meta, "eval_crop", u->crop);
    meta_set(&meta, "eval_views", u->views);
    const char *path = test_path(name);
    EXPECT_OK(
        checkpoint_save(path, &(checkpoint_content){.model = m, .meta = &meta, .params = p}, &e),
        e);
    strbuf_free(&text);
    strbuf_free(&mean);
    strbuf_free(&deviation);
    params_release(p);
    return path;
}

void recogniser_sound(float *x, int64_t n, uint32_t seed)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 0.3f * sinf((float)i * (0.05f + 0.00001f * (float)(i % 9000))) +
               test_fill(seed, (uint32_t)i, 0.1f);
}
