// SPDX-License-Identifier: GPL-3.0-or-later
// listen_file.c: hours of sound heard in little memory (listen.h).
//
// Windows are spread evenly from the first frame to the last, so where they lie is known only when
// all frames have been counted. Those of a file of usual length are kept meanwhile and heard then;
// of a longer one it is counted first, and read again: frames come, stay while a window may need
// them, and sixteen windows at a time go through the network, in the order and in the batches in
// which a file that is kept whole is heard.
#include <stdlib.h>
#include <string.h>

#include "data/features/feature_stream.h"
#include "infer/listen_internal.h"

typedef struct course {
    listener *l;
    feature_stream *stream;
    int bands;
    int64_t n, kept, room; // frames so far; that may be kept, and that there is room for
    float *frames;         // the first of them; in the second reading those from `base` on
    bool all;              // every frame is kept
    // the second reading
    int64_t base, total;
    int count, next; // windows, and the one that comes next
    int64_t waiting; // windows in the network's input
} course;

static void append(course *c, const float *frames, int64_t n, int64_t have)
{
    size_t each = (size_t)c->bands * sizeof *frames;
    if (have + n > c->room) {
        c->room = 2 * (have + n);
        c->frames =
            base_checked(realloc(c->frames, (size_t)c->room * each), (size_t)c->room * each);
    }
    memcpy(c->frames + have * c->bands, frames, (size_t)n * each);
}

// The first reading: counts, and keeps what may be kept.
static bool keep(void *user, const float *frames, int64_t n, err *e)
{
    course *c = user;
    (void)e;
    if (c->all && !c->l->feature->whole && c->n + n > c->kept) {
        c->all = false;
        free(c->frames);
        c->frames = NULL, c->room = 0;
    }
    if (c->all)
        append(c, frames, n, c->n);
    c->n += n;
    return true;
}

static int64_t begin_of(const course *c, int k)
{
    return loader_begin(c->l->d->hear.crop, k, c->count, c->total, c->l->time);
}

static void hear_waiting(course *c)
{
    session_go(c->l->s);
    for (int64_t k = 0; k < c->waiting; k++)
        listen_add(c->l, k);
    c->waiting = 0;
}

// Frames before the next window, which may begin behind all that came yet, are let go.
static void let_go(course *c)
{
    int64_t next = c->next < c->count ? begin_of(c, c->next) : c->n,
            from = next < c->n ? next : c->n, gone = from - c->base;
    if (gone <= c->l->time)
        return;
    memmove(c->frames, c->frames + gone * c->bands,
            (size_t)((c->n - from) * c->bands) * sizeof *c->frames);
    c->base = from;
}

// The second: windows whose last frame is there are heard.
static bool pass(void *user, const float *frames, int64_t n, err *e)
{
    course *c = user;
    listener *l = c->l;
    float *in = session_input(l->s, l->d->model->inputs[0].name);
    (void)e;
    append(c, frames, n, c->n - c->base);
    c->n += n;
    for (; c->next < c->count && begin_of(c, c->next) + l->time <= c->n; c->next++) {
        listen_fill(l, c->frames, c->n - c->base, begin_of(c, c->next) - c->base,
                    in + c->waiting++ * l->time * c->bands);
        if (c->waiting == l->chunk || c->next + 1 == c->count)
            hear_waiting(c);
    }
    let_go(c);
    return true;
}

// ---- A reading

static bool push(void *user, const float *samples, int64_t n, err *e)
{
    course *c = user;
    return feature_stream_push(c->stream, samples, n, e);
}

static bool read_file(course *c, const char *path, feature_sink *sink, clip *info, err *e)
{
    c->n = 0;
    c->stream = feature_stream_open(c->l->feature, sink, c, e);
    clip_stream *s = c->stream ? clip_stream_open(path, c->l->d->mel->sample_rate, 0, 0, e) : NULL;
    bool ok = s && clip_stream_run(s, push, c, e) &&
              (feature_stream_finish(c->stream, e) || err_trail(e, "'%s'", path));
    if (ok)
        *info = *clip_stream_info(s);
    if (ok && c->all && c->l->feature->whole)
        feature_finish(c->l->feature, c->frames, c->n, feature_stream_most(c->stream));
    clip_stream_close(s);
    feature_stream_close(c->stream);
    return ok;
}

static bool hear_again(course *c, const char *path, clip *info, err *e)
{
    int64_t chunk = c->count < LISTEN_CHUNK ? c->count : LISTEN_CHUNK;
    if (!listen_ready(c->l, c->l->d->hear.window, chunk, e) || !read_file(c, path, pass, info, e))
        return false;
    return (c->n == c->total && c->next == c->count) ||
           err_set(e, ERR_IO, "'%s' changed while it was read; try again", path);
}

bool listener_hear_file(listener *l, const char *path, int64_t kept, clip *info, heard *out, err *e)
{
    course c = {.l = l, .bands = l->d->mel->n_mels, .all = true};
    int64_t window = l->d->hear.window;
    c.kept = window > 0 ? (kept > 2 * window ? kept : 2 * window) : INT64_MAX;
    bool ok = read_file(&c, path, keep, info, e);
    c.total = c.n;
    c.count = (int)loader_windows(l->d->hear.views, c.n, window ? window : c.n);
    listen_begin(l);
    if (ok && c.all)
        ok = listen_windows(l, c.frames, c.n, c.count, window ? window : c.n, e) ||
             err_trail(e, "'%s'", path);
    else if (ok)
        ok = hear_again(&c, path, info, e);
    free(c.frames);
    *out = (heard){l->means, ok ? listen_finish(l, c.count) : NULL, c.count, c.total};
    return ok;
}
