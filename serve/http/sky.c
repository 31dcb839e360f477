// SPDX-License-Identifier: GPL-3.0-or-later
// sky.c: see sky.h.
#include "serve/http/sky.h"

#include <stdlib.h>

#include "data/audio/clip.h"
#include "data/features/feature.h"
#include "data/music/additive.h"
#include "data/music/emotions.h"
#include "infer/painter.h"

// What prepares spectoclouds (configs/data/emopia_rendered.yaml) has these, too.
enum { RATE = 22050 };

typedef struct heard_sound {
    const float *samples;
    int64_t n;
    float *played; // whose they are,
    clip read;     // or these
} heard_sound;

static bool take_sound(sky *s, int rate, heard_sound *x, err *e)
{
    *x = (heard_sound){0};
    if (s->sound) {
        if (!clip_read(s->sound, rate, 0, 0, &x->read, e))
            return false;
        x->samples = x->read.samples, x->n = x->read.frames;
        s->seconds = s->seconds > 0 ? s->seconds : x->read.seconds;
        return true;
    }
    bool ok = additive_render_to(s->song, rate, &x->played, &x->n, e);
    x->samples = x->played;
    return ok;
}

static void free_sound(heard_sound *x)
{
    clip_free(&x->read);
    free(x->played);
}

static bool by_model(const house *h, sky *s, float *points, err *e)
{
    const trained *d = shelf_by(h->models, SHELF_CLOUDS);
    painter *p = bench_painter(h->bench, h->models, h->env, e);
    float emotion[EMOTION_SIZE];
    heard_sound x;
    if (!p || !take_sound(s, d->mel->sample_rate, &x, e))
        return false;
    emotion_vector(s->emotion.valence, s->emotion.arousal, s->emotion.intensity, emotion);
    scene sc = {.samples = x.samples, .n = x.n, .song = s->song, .emotion = emotion};
    bool ok = painter_draw(p, &sc, points, e);
    if (ok && s->song)
        cloud_read(s->song, s->seconds, s->slices);
    free_sound(&x);
    return ok;
}

static bool frames_of(const mel_settings *m, const heard_sound *x, arena *a, float **frames,
                      int64_t *n, err *e)
{
    const feature_def *d = feature_find("mel", e);
    feature *f = d ? feature_open(d, m, e) : NULL;
    bool ok = f != NULL;
    if (ok) {
        *n = feature_frames(f, x->n);
        *frames = NEW(a, float, (size_t)(*n + 1) * (size_t)m->n_mels);
        ok = feature_compute(f, x->samples, x->n, *frames, NULL, e);
    }
    feature_close(f);
    return ok;
}

static bool by_rule(sky *s, arena *a, float *points, err *e)
{
    mel_settings m = {0};
    heard_sound x;
    float *frames = NULL;
    int64_t n = 0;
    if (!mel_set(&m, "preset", "librosa", e) || !mel_set(&m, "sample_rate", "22050", e) ||
        !mel_resolve(&m, e) || !take_sound(s, RATE, &x, e))
        return false;
    bool ok = frames_of(&m, &x, a, &frames, &n, e);
    if (ok) {
        cloud_hear(&m, frames, n, s->slices);
        if (s->song)
            cloud_read(s->song, s->seconds, s->slices);
        cloud_make(s->slices, &s->emotion, points);
        s->heard = true;
    }
    free_sound(&x);
    return ok;
}

bool sky_draw(const house *h, sky *s, arena *a, float *points, const char **by, err *e)
{
    const trained *d = shelf_by(h->models, SHELF_CLOUDS);
    *by = d ? d->model->name : "rule";
    return d ? by_model(h, s, points, e) : by_rule(s, a, points, e);
}
