// SPDX-License-Identifier: GPL-3.0-or-later
// listen_file.c: files heard in little memory, several at a time, hours of sound among them
// (listen.h).
//
// Windows are spread evenly from the first frame to the last, so where they lie is known only when
// all frames have been counted. Those of a file of usual length are kept meanwhile; a longer one is
// counted first, and read again: frames come, and stay while a window may need them. Windows go
// through the network (listen_windows.c) in the same order either way.
#include <stdlib.h>
#include <string.h>

#include "data/features/feature_stream.h"
#include "infer/listen_internal.h"

typedef struct course {
    listener *l;
    int slot;
    listen_file *file;
    feature_stream *stream;
    int bands;
    int64_t n, kept, room; // frames so far; that may be kept, and that there is room for
    float *frames;         // the first of them; in the second reading those from `base` on
    bool all;              // every frame is kept
    // the second reading
    int64_t base, total;
    int count, next; // windows, and the one that comes next
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
    if (c->file->brief && c->n + n > c->kept) {
        c->file->longer = true;
        return err_set(e, ERR_VALUE, "it has more than %lld frames", (long long)c->kept);
    }
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
    append(c, frames, n, c->n - c->base);
    c->n += n;
    for (; c->next < c->count && begin_of(c, c->next) + l->time <= c->n; c->next++)
        if (!listen_window(l, c->slot, c->frames, c->n - c->base, begin_of(c, c->next) - c->base,
                           e))
            return false;
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

// ---- All windows of a file

bool listen_windows(listener *l, int slot, const float *frames, int64_t n, int count, int64_t time,
                    err *e)
{
    listen_begin(l, slot);
    if (!listen_expect(l, time, count, e))
        return false;
    for (int k = 0; k < count; k++)
        if (!listen_window(l, slot, frames, n, loader_begin(l->d->hear.crop, k, count, n, time), e))
            return false;
    return true;
}

static bool hear_again(course *c, const char *path, clip *info, err *e)
{
    listen_begin(c->l, c->slot);
    if (!listen_expect(c->l, c->l->d->hear.window, c->count, e) ||
        !read_file(c, path, pass, info, e))
        return false;
    return (c->n == c->total && c->next == c->count) ||
           err_set(e, ERR_IO, "'%s' changed while it was read; try again", path);
}

// Its windows are heard now, or wait to be heard with others.
static bool hear_one(listener *l, int slot, listen_file *f, int64_t kept, err *e)
{
    course c = {.l = l, .slot = slot, .file = f, .bands = l->d->mel->n_mels, .all = true};
    int64_t window = l->d->hear.window;
    c.kept = window > 0 ? (kept > 2 * window ? kept : 2 * window) : INT64_MAX;
    bool ok = read_file(&c, f->path, keep, &f->info, e);
    c.total = c.n;
    c.count = (int)loader_windows(l->d->hear.views, c.n, window ? window : c.n);
    if (ok && c.all)
        ok = listen_windows(l, slot, c.frames, c.n, c.count, window ? window : c.n, e) ||
             err_trail(e, "'%s'", f->path);
    else if (ok)
        ok = hear_again(&c, f->path, &f->info, e);
    free(c.frames);
    f->heard = (heard){.windows = c.count, .frames = c.total};
    return ok;
}

// ---- Several files

// What windows were lost by is every file's that may have had one among them.
static void end_one(listener *l, int slot, listen_file *f)
{
    if (f->ok && l->broke.code) {
        f->e = l->broke;
        f->ok = err_trail(&f->e, "'%s'", f->path);
    }
    if (f->ok)
        f->heard = listen_finish(l, slot, f->heard.windows, f->heard.frames);
}

void listener_hear_files(listener *l, listen_file *files, int n, int64_t kept)
{
    err e = {0};
    CHECK(n <= LISTEN_MOST);
    l->broke = e;
    for (int i = 0; i < n; i++) {
        listen_file *f = &files[i];
        f->e = e, f->info = (clip){0}, f->heard = (heard){0}, f->longer = false;
        f->ok = !env_stop(l->v) || err_set(&f->e, ERR_STOPPED, "stopped before '%s'", f->path);
        f->ok = f->ok && hear_one(l, i, f, kept, &f->e);
    }
    (void)!listen_flush(l, &e); // l->broke
    for (int i = 0; i < n; i++)
        end_one(l, i, &files[i]);
}
