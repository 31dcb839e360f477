// SPDX-License-Identifier: GPL-3.0-or-later
// trained.c: weights and what is said of their input, from a file that may come from anywhere.
#include "infer/trained.h"

#include <string.h>

#include "data/features/chroma_turn.h"

enum { CONTEXT_MOST = 8192 };

static bool read_hear(trained *t, err *e)
{
    if (!hear_read(&t->file->meta, t->path, t->arena, &t->hear, e))
        return false;
    if (!t->hear.labels || !t->classes)
        return true;
    t->labels = t->hear.labels;
    return t->hear.n_labels == (size_t)t->classes ||
           err_set(e, ERR_DAMAGED,
                   "'%s': its 'labels' are %zu names for %d classes; take another checkpoint of "
                   "the run",
                   t->path, t->hear.n_labels, t->classes);
}

static bool build(trained *t, err *e)
{
    t->file = checkpoint_open(t->path, t->arena, e);
    if (!t->file)
        return false;
    t->model = t->file->model;
    t->classes = t->file->classes;
    t->p = params_open(t->arena);
    return model_build(t->model, t->p, &(model_dims){.batch = 1, .time = 1, .classes = t->classes},
                       t->arena, e) &&
           params_allocate(t->p, 0, e) && checkpoint_weights(t->file, t->p, e) && read_hear(t, e);
}

trained *trained_open(const char *name, arena *a, err *e)
{
    trained *t = NEW(a, trained, 1);
    t->arena = a;
    t->path = checkpoint_find(a, name, "best", e);
    if (t->path && build(t, e))
        return t;
    trained_close(t);
    return NULL;
}

void trained_close(trained *t)
{
    if (!t)
        return;
    checkpoint_close(t->file);
    params_release(t->p);
    t->file = NULL;
    t->p = NULL;
}

bool trained_adapt(trained *t, const lora_use *uses, int n, err *e)
{
    return n == 0 || lora_apply(t->p, t->model, &t->file->meta, uses, n, e);
}

int trained_context(const trained *t, int fallback)
{
    int64_t window = t->hear.window;
    return window < 2 ? fallback : window > CONTEXT_MOST ? CONTEXT_MOST : (int)window;
}

// ---- The way from samples to frames

static bool read_mel(trained *t, err *e)
{
    hear_feature f;
    if (!t->hear.settings)
        return err_set(e, ERR_MISMATCH,
                       "'%s' does not say how its input is made from audio (imported weights have "
                       "no feature settings)",
                       t->path);
    if (!hear_settings(t->hear.settings, t->path, "mel", t->arena, &f, e))
        return false;
    t->feature = f.def, t->mel = f.settings;
    return f.said || err_set(e, ERR_MISMATCH, "'%s' was not trained on mel frames", t->path);
}

bool trained_mel(trained *t, err *e)
{
    const port *in = &t->model->inputs[0];
    if (strcmp(in->name, "mel"))
        return err_set(e, ERR_MISMATCH, "'%s' is of %s, which does not take audio", t->path,
                       t->model->name);
    if (!read_mel(t, e))
        return false;
    if (t->mel->n_mels != model_bands(in))
        return err_set(e, ERR_MISMATCH, "'%s': its features have %d bands, the model takes %lld",
                       t->path, t->mel->n_mels, (long long)model_bands(in));
    return !t->hear.mean || t->hear.n_bands == (size_t)t->mel->n_mels ||
           err_set(e, ERR_DAMAGED,
                   "'%s': its 'mean' and 'deviation' are of %zu bands, its features of %d; take "
                   "another checkpoint of the run",
                   t->path, t->hear.n_bands, t->mel->n_mels);
}

void trained_front(const trained *t, onnx_front *f)
{
    static const onnx_crop crops[] = {[LOADER_LAST] = ONNX_CROP_LAST,
                                      [LOADER_CENTER] = ONNX_CROP_CENTER,
                                      [LOADER_FIRST] = ONNX_CROP_FIRST};
    const mel_settings *s = t->mel;
    bool whole = t->model->task == TASK_CLOUDS; // as painter.c looks at it
    float *window = NEW(t->arena, float, (size_t)s->n_fft),
          *bank = NEW(t->arena, float, (size_t)s->n_mels *(size_t)(s->n_fft / 2 + 1));
    chroma_turn *turn = NEW(t->arena, chroma_turn, 1);
    chroma_turn_open(turn);
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
        .keys = s->chroma == MEL_CHROMA_KEY ? &turn->keys[0][0] : NULL,
        .keys_least = (float)CHROMA_LEAST,
        .level = s->level,
        .normal = s->normalise != MEL_NORMALISE_NONE,
        .normal_bands = s->normalise == MEL_NORMALISE_BANDS,
        .normal_least = (float)NORMAL_LEAST,
        .mean = t->hear.mean,
        .deviation = t->hear.deviation,
        .frames = whole ? 0 : t->hear.window,
        .columns = whole ? model_frames(model_mel(t->model)) : 0,
        .picture = t->model->inputs[0].rank == 4,
        .crop = crops[t->hear.crop],
        .views = t->hear.views,
    };
}
