// SPDX-License-Identifier: GPL-3.0-or-later
// listen.c: a feature, a small network run in chunks of windows, and averages in f64.
#include "infer/listen_internal.h"

#include <math.h>
#include <string.h>

static const env nothing;

listener *listener_open(const trained *d, const env *v, arena *a, err *e)
{
    listener *l = NEW(a, listener, 1);
    *l = (listener){.d = d,
                    .v = v ? v : &nothing,
                    .nets = {.name = "listener"},
                    .feature = feature_open(d->feature, d->mel, e)};
    l->width = d->model->output.dim[1];
    l->sums = NEW(a, double, (size_t)(l->width + d->classes));
    l->means = NEW(a, float, (size_t)(2 * l->width + d->classes));
    return l->feature ? l : NULL;
}

static void release_network(listener *l)
{
    session_close(l->s);
    l->s = NULL;
    l->time = 0;
    arena_free(&l->nets);
}

void listener_close(listener *l)
{
    if (!l)
        return;
    release_network(l);
    feature_close(l->feature);
    l->feature = NULL;
}

// A network for `chunk` windows of `time` frames, kept while that stays the same.
bool listen_ready(listener *l, int64_t time, int64_t chunk, err *e)
{
    if (l->time == time && l->chunk == chunk)
        return true;
    release_network(l);
    const trained *d = l->d;
    session_setup o = {.model = d->model,
                       .params = d->p,
                       .gives = SESSION_OUT | (d->classes > 0 ? SESSION_LOGITS : 0),
                       .batch = chunk,
                       .time = time,
                       .classes = d->classes,
                       .stay = true,
                       .pool = l->v->pool,
                       .kit = l->v->kit};
    l->s = session_open(&o, &l->nets, e);
    if (d->model->inputs[0].rank == 4)
        l->row = NEW(&l->nets, float, (size_t)(time * d->mel->n_mels));
    l->time = l->s ? time : 0;
    l->chunk = chunk;
    return l->s != NULL;
}

// A window from frame `begin` on, as a loader makes a row: a shorter item stands at its end.
void listen_fill(const listener *l, const float *frames, int64_t n, int64_t begin, float *row)
{
    const trained *d = l->d;
    loader_row(frames, n, begin, l->time, d->mel->n_mels, d->hear.mean, d->hear.deviation,
               l->row ? l->row : row);
    if (l->row)
        loader_turn(l->row, l->time, d->mel->n_mels, row);
}

void listen_begin(listener *l)
{
    memset(l->sums, 0, (size_t)(l->width + l->d->classes) * sizeof *l->sums);
}

void listen_add(listener *l, int64_t row)
{
    const float *embedding = session_data(l->s, l->s->net->out),
                *logits = session_data(l->s, l->s->net->logits);
    for (int64_t i = 0; i < l->width; i++)
        l->sums[i] += (double)embedding[row * l->width + i];
    for (int i = 0; i < l->d->classes; i++)
        l->sums[l->width + i] += (double)logits[row * l->d->classes + i];
}

bool listen_windows(listener *l, const float *frames, int64_t n, int count, int64_t time, err *e)
{
    int bands = l->d->mel->n_mels;
    int64_t chunk = count < LISTEN_CHUNK ? count : LISTEN_CHUNK;
    if (!listen_ready(l, time, chunk, e))
        return false;
    float *in = session_input(l->s, l->d->model->inputs[0].name);
    for (int first = 0; first < count; first += LISTEN_CHUNK) {
        for (int64_t k = 0; k < chunk && first + k < count; k++)
            listen_fill(l, frames, n, loader_begin(l->d->hear.crop, first + k, count, n, time),
                        in + k * time * bands);
        session_go(l->s);
        for (int64_t k = 0; k < chunk && first + k < count; k++)
            listen_add(l, k);
    }
    return true;
}

static void softmax(const double *x, int64_t n, float *p)
{
    double most = -INFINITY, total = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, x[i]);
    for (int64_t i = 0; i < n; i++)
        total += exp(x[i] - most);
    for (int64_t i = 0; i < n; i++)
        p[i] = (float)(exp(x[i] - most) / total);
}

// Averages; logits become probabilities, of one softmax or of each group's.
const float *listen_finish(listener *l, int count)
{
    const model_def *m = l->d->model;
    int classes = l->d->classes;
    float *p = l->means + l->width;
    for (int64_t i = 0; i < l->width + classes; i++)
        l->means[i] = (float)(l->sums[i] /= count);
    if (classes)
        softmax(l->sums + l->width, classes, p);
    for (int k = 0; k < m->n_groups; k++)
        softmax(l->sums + m->groups[k].offset, m->groups[k].size, p + m->groups[k].offset);
    return classes || m->n_groups ? p : NULL;
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
    bool ok = feature_compute(l->feature, samples, n, mel, l->v->pool, e);
    listen_begin(l);
    ok = ok && listen_windows(l, mel, frames, count, time, e);
    base_pages_free(mel, bytes);
    *out = (heard){l->means, ok ? listen_finish(l, count) : NULL, count, frames};
    return ok;
}
