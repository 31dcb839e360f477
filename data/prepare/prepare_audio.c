// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_audio.c: audio into slots (prepare_decode.h): a worker decodes, resamples and computes
// the mel frames piece by piece; its answer is the frames, 0.4 MB for ten seconds at 44.1 kHz,
// which the socket carries at a hundredth of the cost of computing them.
//
// Where copies are made of an item (augment_clip.h), its samples are kept as well: stretching needs
// all of them, and so memory grows with the longest item, at most max_seconds.
#include <stdlib.h>
#include <string.h>

#include "data/audio/resample.h"
#include "data/features/feature_stream.h"
#include "data/music/additive.h"
#include "data/prepare/prepare_decode.h"

// ---- What a worker is sent: this, then the file's path with its NUL

typedef struct task {
    uint64_t number;
    double offset, duration;
    uint64_t digest; // of its path, for the draws of its copies
    int64_t copies;
} task;

static bool pack(const prepare *p, const reader_item *item, strbuf *out, err *e)
{
    task t = {.number = item->number, .offset = item->offset, .duration = item->duration};
    t.copies = prepare_copies(p, p->split[p->entries[item->number].split].name);
    t.digest = t.copies ? prepare_hash(0, item->path, strlen(item->path)) : 0;
    const char *file = p->reader->clip ? "" : p->render ? item->midi : reader_item_file(item);
    if (!file)
        return err_set(e, ERR_MISSING, "'%s' has no audio; remove it from the index", item->path);
    strbuf_add(out, (const char *)&t, sizeof t);
    strbuf_add(out, file, strlen(file) + 1);
    return true;
}

// ---- In a worker. Its answer: the clip's marks; the sound's shape (zeros where it is not asked),
// the number of frames, the frames; the same without marks for each copy.

typedef struct head {
    uint64_t marks;
    sound_shape shape;
    int64_t frames;
} head;

typedef struct decoding {
    const prepare *p;
    const char *file;
    feature_stream *stream;
    int64_t samples, frames;
    strbuf *out;
    strbuf *whole;  // all samples, where copies are made or it is heard itself; else NULL
    uint64_t marks; // of the clip
} decoding;

static bool keep_frames(void *user, const float *frames, int64_t count, err *e)
{
    decoding *d = user;
    (void)e;
    strbuf_add(d->out, (const char *)frames,
               (size_t)(count * d->p->feature->width) * sizeof *frames);
    d->frames += count;
    return true;
}

static bool take_samples(void *user, const float *x, int64_t n, err *e)
{
    decoding *d = user;
    const prepare *p = d->p;
    d->samples += n;
    if ((double)d->samples > p->max_seconds * p->feature->rate)
        return err_set(e, ERR_VALUE,
                       "'%s' is longer than max_seconds = %g; raise it, or name parts with offset "
                       "and duration",
                       d->file, p->max_seconds);
    if (d->whole)
        strbuf_add(d->whole, (const char *)x, (size_t)n * sizeof *x);
    return feature_stream_push(d->stream, x, n, e);
}

static bool decode_file(decoding *d, const task *t, err *e)
{
    clip_stream *c = clip_stream_open(d->file, d->p->feature->rate, t->offset, t->duration, e);
    bool ok = c && clip_stream_run(c, take_samples, d, e) &&
              (feature_stream_finish(d->stream, e) || err_trail(e, "'%s'", d->file));
    d->marks = c ? clip_stream_info(c)->marks : 0;
    clip_stream_close(c);
    return ok;
}

static bool make_clip(decoding *d, const task *t, err *e)
{
    const prepare *p = d->p;
    clip c;
    if (!p->reader->clip(&p->options, t->number, &c, e))
        return false;
    bool ok = c.rate == p->feature->rate ||
              err_set(e, ERR_CONFIG, "dataset %s is made at %d Hz; set mel.sample_rate to it",
                      p->reader->name, c.rate);
    ok = ok && take_samples(d, c.samples, c.frames, e) && feature_stream_finish(d->stream, e);
    clip_free(&c);
    return ok;
}

static bool take_resampled(void *user, const float *x, size_t n, err *e)
{
    return take_samples(user, x, (int64_t)n, e);
}

// The item's MIDI by the built-in synthesiser.
static bool play_song(decoding *d, err *e)
{
    const prepare *p = d->p;
    arena a = {.name = "song"};
    midi_song *s = prepare_song_load(p, &a, d->file, e);
    bool ok = s && additive_render_at(s, p->feature->rate, take_resampled, d, e) &&
              feature_stream_finish(d->stream, e);
    arena_free(&a);
    return ok;
}

static bool make_sound(decoding *d, const task *t, err *e)
{
    return d->p->render         ? play_song(d, e)
           : d->p->reader->clip ? make_clip(d, t, e)
                                : decode_file(d, t, e);
}

static bool hear(const prepare *p, const float *x, int64_t n, sound_shape *s, err *e)
{
    *s = (sound_shape){0};
    return !prepare_hears(p) || sound_shape_of(x, n, p->feature->rate, s, e);
}

clip_change prepare_copy_change(const prepare *p, const reader_item *item, int k)
{
    clip_draw d =
        augment_clip_draw(&p->augment, prepare_hash(0, item->path, strlen(item->path)), k);
    return augment_clip_change(&d);
}

// A copy too short for a frame is not stretched.
static bool add_copy(const decoding *d, const task *t, int copy, err *e)
{
    const feature *f = d->p->feature;
    arena a = {.name = "copy"};
    clip_draw draw = augment_clip_draw(&d->p->augment, t->digest, copy);
    if (!feature_frames(f, augment_clip_length(&draw, d->samples)))
        draw.stretch = 1;
    int64_t n = augment_clip_length(&draw, d->samples), frames = feature_frames(f, n);
    float *x = NEW(&a, float, (size_t)n), *mel = NEW(&a, float, (size_t)(frames * f->width));
    sound_shape shape;
    bool ok = augment_clip(&draw, f->rate, (const float *)d->whole->s, d->samples, x, e) &&
              feature_compute(f, x, n, mel, NULL, e) && hear(d->p, x, n, &shape, e);
    if (ok) {
        strbuf_add(d->out, (const char *)&shape, sizeof shape);
        strbuf_add(d->out, (const char *)&frames, sizeof frames);
        strbuf_add(d->out, (const char *)mel, (size_t)(frames * f->width) * sizeof *mel);
    }
    arena_free(&a);
    return ok;
}

static bool decode(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    const prepare *p = user;
    const feature *f = p->feature;
    task t;
    (void)n;
    memcpy(&t, item, sizeof t);
    strbuf whole = {0};
    head h = {0};
    decoding d = {.p = p,
                  .file = (const char *)item + sizeof t,
                  .out = out,
                  .whole = t.copies || prepare_hears(p) ? &whole : NULL};
    strbuf_add(out, (const char *)&h, sizeof h);
    d.stream = feature_stream_open(f, keep_frames, &d, e);
    bool ok = d.stream && make_sound(&d, &t, e);
    if (ok)
        feature_finish(f, (float *)(out->s + sizeof h), d.frames, feature_stream_most(d.stream));
    h = (head){.marks = d.marks, .frames = d.frames};
    ok = ok && hear(p, (const float *)whole.s, d.samples, &h.shape, e);
    if (ok)
        memcpy(out->s, &h, sizeof h);
    for (int k = 1; ok && k <= t.copies; k++)
        ok = add_copy(&d, &t, k, e);
    strbuf_free(&whole);
    feature_stream_close(d.stream);
    return ok;
}

// ---- The answer

const float *prepare_audio_frames(const char *bytes, int64_t *n)
{
    head h;
    memcpy(&h, bytes, sizeof h);
    *n = h.frames;
    return (const float *)(bytes + sizeof h);
}

static bool finite(const float *x, int64_t n)
{
    const uint32_t exponent = 0x7f800000;
    uint32_t bad = 0, bits;
    for (int64_t i = 0; i < n; i++) {
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & exponent) == exponent;
    }
    return !bad;
}

// Frames from *bytes on, which moves behind them.
static bool take_frames(const prepare_slot *s, const char **bytes, size_t *n, prepare_copy *out)
{
    size_t width = (size_t)s->p->feature->width;
    if (*n < sizeof out->shape + sizeof out->frames)
        return false;
    memcpy(&out->shape, *bytes, sizeof out->shape);
    *bytes += sizeof out->shape, *n -= sizeof out->shape;
    memcpy(&out->frames, *bytes, sizeof out->frames);
    *bytes += sizeof out->frames, *n -= sizeof out->frames;
    out->mel = (const float *)*bytes;
    if (out->frames < 1 || (uint64_t)out->frames > *n / (width * sizeof(float)))
        return false;
    *bytes += (size_t)out->frames * width * sizeof(float),
        *n -= (size_t)out->frames * width * sizeof(float);
    return true;
}

static bool take(prepare_slot *s, const char *bytes, size_t n)
{
    int copies = prepare_copies(s->p, s->p->split[s->split].name);
    prepare_copy own;
    if (n < sizeof s->marks)
        return false;
    memcpy(&s->marks, bytes, sizeof s->marks);
    bytes += sizeof s->marks, n -= sizeof s->marks;
    if (!take_frames(s, &bytes, &n, &own))
        return false;
    s->mel = own.mel, s->frames = own.frames, s->shape = own.shape;
    bool whole = finite(own.mel, own.frames * s->p->feature->width) && sound_shape_ok(&own.shape);
    for (s->n_copies = 0; s->n_copies < copies; s->n_copies++) {
        prepare_copy *c = &s->copies[s->n_copies];
        if (!take_frames(s, &bytes, &n, c))
            return false;
        whole = whole && finite(c->mel, c->frames * s->p->feature->width);
    }
    return n == 0 &&
           (whole || err_set(&s->e, ERR_VALUE,
                             "'%s' gives features that are not finite; repair it or remove it",
                             s->item.path));
}

// ---- Limits: ten times as fast as it sounds is the least, and once as fast for a copy; room for
// the frames of the longest item, which grow by doubling, and for its samples, doubled, copied,
// filtered and in the stretcher

static double seconds(const prepare *p)
{
    return WORKER_SECONDS + p->max_seconds / 10 + p->augment.copies * p->max_seconds;
}

static uint64_t memory(const prepare *p)
{
    const feature *f = p->feature;
    double frames = p->max_seconds * f->rate / (double)f->hop * (1 + p->augment.copies),
           samples = p->max_seconds * (p->render ? ADDITIVE_RATE : f->rate);
    return WORKER_MEMORY + (uint64_t)((3 * frames * f->width + (p->augment.copies  ? 14 * samples
                                                                : p->render        ? 3 * samples
                                                                : prepare_hears(p) ? 3 * samples
                                                                                   : 0)) *
                                      sizeof(float));
}

const prepare_kind prepare_audio = {
    .fn = decode, .pack = pack, .take = take, .seconds = seconds, .memory = memory};
