// SPDX-License-Identifier: GPL-3.0-or-later
// listen.c: a feature, a small network run over windows, and averages in f64.
#include "infer/listen_internal.h"

static const env nothing;

listener *listener_open(const trained *d, const env *v, arena *a, err *e)
{
    listener *l = NEW(a, listener, 1);
    *l = (listener){.d = d,
                    .v = v ? v : &nothing,
                    .nets = {.name = "listener"},
                    .feature = feature_open(d->feature, d->mel, e)};
    l->width = d->model->output.dim[1], l->said = l->width + d->classes;
    l->sums = NEW(a, double, (size_t)(LISTEN_MOST * l->said));
    l->means = NEW(a, float, (size_t)(LISTEN_MOST * (l->said + l->width)));
    return l->feature ? l : NULL;
}

void listener_close(listener *l)
{
    if (!l)
        return;
    listen_release(l);
    feature_close(l->feature);
    l->feature = NULL;
}

bool listener_hear(listener *l, const float *samples, int64_t n, heard *out, err *e)
{
    int64_t frames = feature_frames(l->feature, n),
            time = l->d->hear.window ? l->d->hear.window : frames;
    size_t bytes = (size_t)(frames > 0 ? frames : 1) * (size_t)l->d->mel->n_mels * sizeof(float);
    float *mel = base_pages(bytes);
    if (!mel)
        return err_set(e, ERR_MEMORY, "no memory for %lld frames; cut the file into parts",
                       (long long)frames);
    int count = (int)loader_windows(l->d->hear.views, frames, time);
    bool ok = feature_compute(l->feature, samples, n, mel, l->v->pool, e) &&
              listen_windows(l, 0, mel, frames, count, time, e) && listen_flush(l, e);
    base_pages_free(mel, bytes);
    *out = ok ? listen_finish(l, 0, count, frames) : (heard){0};
    return ok;
}
