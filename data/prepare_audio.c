// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_audio.c: audio into slots (prepare_decode.h): a worker decodes, resamples and computes the mel frames piece by piece; its answer
// is the frames, 0.4 MB for ten seconds at 44.1 kHz, which the socket carries at a hundredth of the cost of computing them.
#include <stdlib.h>
#include <string.h>

#include "data/prepare_decode.h"

// ---- What a worker is sent: this, then the file's path with its NUL

typedef struct task {
    uint64_t number;
    double offset, duration;
} task;

static bool pack(const prepare *p, const reader_item *item, strbuf *out, err *e)
{
    task t = {item->number, item->offset, item->duration};
    const char *file = p->reader->clip ? "" : reader_item_file(item);
    if (!file)
        return err_set(e, ERR_MISSING, "'%s' has no audio; remove it from the index", item->path);
    strbuf_add(out, (const char *)&t, sizeof t);
    strbuf_add(out, file, strlen(file) + 1);
    return true;
}

// ---- In a worker. Its answer: the number of frames, then the frames.

typedef struct decoding {
    const prepare *p;
    const char *file;
    feature_stream *stream;
    int64_t samples, frames;
    strbuf *out;
} decoding;

static bool keep_frames(void *user, const float *frames, int64_t count, err *e)
{
    decoding *d = user;
    (void)e;
    strbuf_add(d->out, (const char *)frames, (size_t)(count * d->p->feature->width) * sizeof *frames);
    d->frames += count;
    return true;
}

static bool take_samples(void *user, const float *x, int64_t n, err *e)
{
    decoding *d = user;
    const prepare *p = d->p;
    d->samples += n;
    if ((double)d->samples > p->max_seconds * p->feature->rate)
        return err_set(e, ERR_VALUE, "'%s' is longer than max_seconds = %g; raise it, or name parts with offset and duration", d->file,
                       p->max_seconds);
    return feature_stream_push(d->stream, x, n, e);
}

static bool decode_file(decoding *d, const task *t, err *e)
{
    clip_stream *c = clip_stream_open(d->file, d->p->feature->rate, t->offset, t->duration, e);
    bool ok = c && clip_stream_run(c, take_samples, d, e) && (feature_stream_finish(d->stream, e) || err_trail(e, "'%s'", d->file));
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
              err_set(e, ERR_CONFIG, "dataset %s is made at %d Hz; set mel.sample_rate to it", p->reader->name, c.rate);
    ok = ok && take_samples(d, c.samples, c.frames, e) && feature_stream_finish(d->stream, e);
    clip_free(&c);
    return ok;
}

static bool decode(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    const prepare *p = user;
    const feature *f = p->feature;
    task t;
    (void)n;
    memcpy(&t, item, sizeof t);
    decoding d = {.p = p, .file = (const char *)item + sizeof t, .out = out};
    strbuf_add(out, (const char *)&d.frames, sizeof d.frames);
    d.stream = feature_stream_open(f, keep_frames, &d, e);
    bool ok = d.stream && (p->reader->clip ? make_clip(&d, &t, e) : decode_file(&d, &t, e));
    if (ok && f->whole)
        f->def->finish(f, (float *)(out->s + sizeof d.frames), d.frames * f->width, feature_stream_most(d.stream));
    if (ok)
        memcpy(out->s, &d.frames, sizeof d.frames);
    feature_stream_close(d.stream);
    return ok;
}

// ---- The answer

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

static bool take(prepare_slot *s, const char *bytes, size_t n)
{
    size_t width = (size_t)s->p->feature->width, row = width * sizeof(float);
    if (n < sizeof s->frames)
        return false;
    memcpy(&s->frames, bytes, sizeof s->frames);
    n -= sizeof s->frames;
    s->mel = (const float *)(bytes + sizeof s->frames);
    if (s->frames < 1 || n % row || (uint64_t)s->frames != n / row)
        return false;
    return finite(s->mel, s->frames * (int64_t)width) ||
           err_set(&s->e, ERR_VALUE, "'%s' gives features that are not finite; repair it or remove it", s->item.path);
}

// ---- Limits: ten times as fast as it sounds is the least; room for the frames of the longest item, which grow by doubling

static double seconds(const prepare *p)
{
    return WORKER_SECONDS + p->max_seconds / 10;
}

static uint64_t memory(const prepare *p)
{
    const feature *f = p->feature;
    return WORKER_MEMORY + (uint64_t)(3 * p->max_seconds * f->rate / (double)f->hop * f->width * sizeof(float));
}

const prepare_kind prepare_audio = {.fn = decode, .pack = pack, .take = take, .seconds = seconds, .memory = memory};
