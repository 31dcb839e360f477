// SPDX-License-Identifier: GPL-3.0-or-later
// feature_stream.c: frames of a signal that comes in pieces (feature.h).
//
// Places count from the first filled-up sample: sample i stands at place i + before, frame i begins
// at place i * hop. The buffer holds the places [base, base + held): the part of the next frame
// that has come, and never fewer than the last before + 1 samples, out of which the end is
// reflected. The beginning is filled up as soon as before + 1 samples are there.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/features/feature.h"
#include "data/features/feature_ends.h"
#include "data/features/feature_stream.h"

enum { BLOCK_FRAMES = 64 };

struct feature_stream {
    const feature *f;
    feature_sink *sink;
    void *user;
    float *buffer, *out;
    void *scratch;
    int64_t base, held, capacity; // places
    int64_t samples, next;        // samples that came, the next frame
    bool begun;                   // the beginning is filled up
    float most;
    arena memory;
};

feature_stream *feature_stream_open(const feature *f, feature_sink *sink, void *user, err *e)
{
    (void)e;
    arena a = {.name = "frames as they come"};
    feature_stream *s = NEW(&a, feature_stream, 1);
    *s = (feature_stream){.f = f, .sink = sink, .user = user, .held = f->before, .most = -INFINITY};
    s->capacity = 2 * (f->span + f->before + BLOCK_FRAMES * f->hop);
    s->buffer = NEW(&a, float, (size_t)s->capacity);
    s->out = NEW(&a, float, (size_t)(BLOCK_FRAMES * f->width));
    s->scratch = arena_alloc(&a, 1, f->scratch);
    s->memory = a;
    return s;
}

void feature_stream_close(feature_stream *s)
{
    if (!s)
        return;
    arena a = s->memory;
    arena_free(&a);
}

float feature_stream_most(const feature_stream *s)
{
    return s->most;
}

// Fills the places [from, to) outside the signal, by the samples in the buffer. `n`: samples that
// count as the signal.
static void fill(feature_stream *s, int64_t from, int64_t to, int64_t n)
{
    for (int64_t p = from; p < to; p++) {
        int64_t at = feature_fold(s->f->reflect, p - s->f->before, n);
        s->buffer[p - s->base] = at < 0 ? 0 : s->buffer[at + s->f->before - s->base];
    }
}

// All frames that are complete, in blocks.
static bool run(feature_stream *s, err *e)
{
    const feature *f = s->f;
    for (;;) {
        int64_t whole = s->base + s->held - s->next * f->hop - f->span;
        int64_t count = whole < 0 ? 0 : whole / f->hop + 1;
        if (count > BLOCK_FRAMES)
            count = BLOCK_FRAMES;
        if (!count)
            return true;
        f->def->frames(f, s->buffer + s->next * f->hop - s->base, count, s->out, s->scratch);
        s->next += count;
        for (int64_t i = 0; i < count * f->width; i++)
            s->most = s->out[i] > s->most ? s->out[i] : s->most;
        if (!s->sink(s->user, s->out, count, e))
            return false;
    }
}

// Moves what is still needed to the front of the buffer.
static void drop(feature_stream *s)
{
    int64_t keep = s->base + s->held - (s->f->before + 1), start = s->next * s->f->hop;
    int64_t gone = (start < keep ? start : keep) - s->base;
    if (gone <= 0)
        return;
    memmove(s->buffer, s->buffer + gone, (size_t)(s->held - gone) * sizeof *s->buffer);
    s->base += gone;
    s->held -= gone;
}

bool feature_stream_push(feature_stream *s, const float *x, int64_t n, err *e)
{
    while (n > 0) {
        int64_t room = s->capacity - s->held - s->f->before, take = n < room ? n : room;
        memcpy(s->buffer + s->held, x, (size_t)take * sizeof *x);
        s->held += take, s->samples += take, x += take, n -= take;
        if (!s->begun && s->samples <= s->f->before)
            continue;
        if (!s->begun)
            fill(s, 0, s->f->before, s->samples);
        s->begun = true;
        if (!run(s, e))
            return false;
        drop(s);
    }
    return true;
}

bool feature_stream_finish(feature_stream *s, err *e)
{
    const feature *f = s->f;
    if (!feature_frames(f, s->samples))
        return err_set(e, ERR_EMPTY,
                       "%lld samples at %d Hz are less than one frame of %lld; leave such clips "
                       "out or set center: true",
                       (long long)s->samples, f->rate, (long long)f->span);
    if (!s->begun)
        fill(s, 0, f->before, s->samples);
    int64_t end = s->base + s->held;
    fill(s, end, end + f->before, s->samples);
    s->held += f->before;
    return run(s, e);
}
