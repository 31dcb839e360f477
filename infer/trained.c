// SPDX-License-Identifier: GPL-3.0-or-later
// trained.c: reading a checkpoint's metadata. The file may come from anywhere: every number is
// checked.
#include "infer/trained.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT_MOST = 8192 };

static bool read_labels(trained *d, err *e)
{
    const char *text = meta_get(&d->file->meta, "labels");
    if (!text || !d->classes)
        return true;
    json *j = json_parse(text, strlen(text), e);
    bool ok = j && json_len(j) == (size_t)d->classes;
    d->labels = NEW(d->arena, const char *, (size_t)d->classes);
    for (int i = 0; ok && i < d->classes; i++) {
        const char *label = json_str(json_at(j, (size_t)i), NULL);
        ok = label != NULL;
        d->labels[i] = arena_strdup(d->arena, label ? label : "");
    }
    json_free(j);
    return ok || err_set(e, ERR_DAMAGED,
                         "'%s': its label names do not fit its %d classes; take another checkpoint "
                         "of the run",
                         d->path, d->classes);
}

static bool build(trained *d, err *e)
{
    d->file = checkpoint_open(d->path, d->arena, e);
    if (!d->file)
        return false;
    d->model = d->file->model;
    d->classes = d->file->classes;
    d->p = params_open(d->arena);
    return model_build(d->model, d->p, &(model_dims){.batch = 1, .time = 1, .classes = d->classes},
                       d->arena, e) &&
           params_allocate(d->p, 0, e) && checkpoint_weights(d->file, d->p, e) && read_labels(d, e);
}

trained *trained_open(const char *name, arena *a, err *e)
{
    trained *d = NEW(a, trained, 1);
    d->arena = a;
    d->path = checkpoint_find(a, name, "best", e);
    if (d->path && build(d, e))
        return d;
    trained_close(d);
    return NULL;
}

void trained_close(trained *d)
{
    if (!d)
        return;
    checkpoint_close(d->file);
    params_release(d->p);
    d->file = NULL;
    d->p = NULL;
}

// ---- The way from samples to frames

static bool read_settings(trained *d, err *e)
{
    const char *text = meta_get(&d->file->meta, "settings");
    if (!text)
        return err_set(e, ERR_MISMATCH,
                       "'%s' does not say how its input is made from audio (imported weights have "
                       "no feature settings)",
                       d->path);
    json *j = json_parse(text, strlen(text), e);
    const json *mel = json_get(j, "mel");
    d->feature = feature_find("mel", e);
    void *s = d->feature ? feature_settings(d->feature, d->arena) : NULL;
    bool ok = s &&
              (mel || err_set(e, ERR_MISMATCH, "'%s' was not trained on mel frames", d->path)) &&
              feature_from_json(d->feature, s, mel, e);
    d->mel = s;
    json_free(j);
    return ok || err_trail(e, "feature settings of '%s'", d->path);
}

// A list of n finite numbers, each above `above`.
static const float *read_numbers(trained *d, const char *key, int n, double above)
{
    const char *text = meta_get(&d->file->meta, key);
    json *j = text ? json_parse(text, strlen(text), NULL) : NULL;
    float *out = NEW(d->arena, float, (size_t)n);
    bool ok = json_len(j) == (size_t)n;
    for (int i = 0; ok && i < n; i++) {
        double v = json_num(json_at(j, (size_t)i), NAN);
        ok = isfinite(v) && v > above && fabs(v) < 1e30;
        out[i] = (float)v;
    }
    json_free(j);
    return ok ? out : NULL;
}

static int64_t read_count(const trained *d, const char *key, int64_t fallback)
{
    const char *text = meta_get(&d->file->meta, key);
    long long v = text ? strtoll(text, NULL, 10) : fallback;
    return v >= 0 && v <= 1 << 24 ? v : fallback;
}

int trained_context(const trained *d, int fallback)
{
    int64_t window = read_count(d, "window", fallback);
    return window >= 2 && window <= CONTEXT_MOST ? (int)window
           : window > CONTEXT_MOST               ? CONTEXT_MOST
                                                 : fallback;
}

bool trained_mel(trained *d, err *e)
{
    const port *in = &d->model->inputs[0];
    if (strcmp(in->name, "mel"))
        return err_set(e, ERR_MISMATCH, "'%s' is a %s, which does not take audio", d->path,
                       d->model->name);
    if (!read_settings(d, e))
        return false;
    if (d->mel->n_mels != in->dim[in->rank - 1])
        return err_set(e, ERR_MISMATCH, "'%s': its features have %d bands, the model takes %lld",
                       d->path, d->mel->n_mels, (long long)in->dim[in->rank - 1]);
    if (meta_get(&d->file->meta, "mean")) {
        d->mean = read_numbers(d, "mean", d->mel->n_mels, -INFINITY);
        d->deviation = read_numbers(d, "deviation", d->mel->n_mels, 0);
        if (!d->mean || !d->deviation)
            return err_set(e, ERR_DAMAGED,
                           "'%s': mean and deviation of its %d bands are not all there; take "
                           "another checkpoint of the run",
                           d->path, d->mel->n_mels);
    }
    return hear_read(&d->file->meta, d->path, &d->hear, e);
}

void trained_front(const trained *d, onnx_front *f)
{
    static const onnx_crop crops[] = {[LOADER_LAST] = ONNX_CROP_LAST,
                                      [LOADER_CENTER] = ONNX_CROP_CENTER,
                                      [LOADER_FIRST] = ONNX_CROP_FIRST};
    const mel_settings *s = d->mel;
    float *window = NEW(d->arena, float, (size_t)s->n_fft),
          *bank = NEW(d->arena, float, (size_t)s->n_mels *(size_t)(s->n_fft / 2 + 1));
    mel_window(s, window);
    mel_bank(s, bank);
    *f = (onnx_front){
        .sample_rate = s->sample_rate,
        .n_fft = s->n_fft,
        .hop = s->hop_length,
        .n_mels = s->n_mels,
        .window = window,
        .bank = bank,
        .power = s->power,
        .center = s->center,
        .reflect = s->pad == MEL_REFLECT,
        .log = s->log != MEL_LOG_NONE,
        .ln = s->log == MEL_LOG_LN || s->log == MEL_LOG_LN_CLAMP,
        .add_floor = s->log == MEL_LOG_LN,
        .floor = (float)s->log_floor,
        .top_db = s->log == MEL_LOG_DB ? (float)s->top_db : 0,
        .mean = d->mean,
        .deviation = d->deviation,
        .frames = d->hear.window,
        .crop = crops[d->hear.crop],
        .views = d->hear.views,
    };
}
