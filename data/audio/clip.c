// SPDX-License-Identifier: GPL-3.0-or-later
// clip.c: the part of a file that is wanted, its channels averaged, its rate (clip.h; decoders:
// clip_source.h).
//
// What a header says is only believed where reading to the end has confirmed it: samples are taken
// in blocks, memory follows what was decoded.
#include "data/audio/clip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "data/audio/clip_source.h"
#include "data/audio/resample.h"

enum { BLOCK = 16384, RATE_LEAST = 1000, RATE_MOST = 768000, HOURS_MOST = 4, CHANNELS_MOST = 1024 };
const char *const clip_endings[] = {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3",
                                    ".aif", ".aiff", ".aifc", ".au",  ".caf", ".w64",  NULL};
#define SILENT    1e-3 // of full scale: 60 dB
#define CANCELLED 1e-3 // of the power: 30 dB
// beyond any scale that files use, and far from overflow when squared
static const float sample_most = 1e9f;

struct clip_stream {
    const char *path;
    clip_source source;
    clip info;
    int64_t first, want; // frames: first one to read, how many (INT64_MAX: all to the end)
    int64_t done;        // frames read so far
    // squares of the first channel, of what is left of it when all are averaged
    double left, both;
    resampler *resampler; // NULL where the rate is kept
    float *raw, *mono;    // [BLOCK] samples of all channels; [BLOCK]
    clip_sink *sink;
    void *user;
    arena memory;
};

static bool check_info(clip_stream *s, err *e)
{
    const clip_source *o = &s->source;
    if (o->channels < 1 || o->channels > CHANNELS_MOST)
        return err_set(e, ERR_FORMAT, "'%s' says that it has %d channels; convert it or remove it",
                       s->path, o->channels);
    if (o->rate < RATE_LEAST || o->rate > RATE_MOST)
        return err_set(
            e, ERR_VALUE,
            "'%s' says that it has %d samples a second, outside %d to %d; convert it or remove it",
            s->path, o->rate, RATE_LEAST, RATE_MOST);
    s->info.source_rate = o->rate;
    s->info.source_channels = o->channels;
    if (o->total == 0)
        return err_set(e, ERR_EMPTY, "'%s' holds no samples; record it again or remove it",
                       s->path);
    return true;
}

// From seconds to frames, with the checks that the header allows.
static bool choose_part(clip_stream *s, double offset, double duration, err *e)
{
    int rate = s->info.source_rate;
    double limit = HOURS_MOST * 3600.0;
    if (!(offset >= 0 && offset <= 1e7 && duration >= 0 && duration <= 1e7))
        return err_set(e, ERR_VALUE,
                       "'%s': offset %g s and duration %g s must be numbers of seconds from 0 up; "
                       "correct the list",
                       s->path, offset, duration);
    s->first = llrint(offset * rate);
    s->want = duration > 0 ? llrint(duration * rate) : INT64_MAX;
    int64_t total = s->source.total;
    if (total != INT64_MAX && s->first >= total)
        return err_set(
            e, ERR_EMPTY,
            "'%s' is %.3f seconds long, its part from %.3f seconds on is empty; lower the offset",
            s->path, (double)total / rate, offset);
    int64_t most = total != INT64_MAX && total - s->first < s->want ? total - s->first : s->want;
    if (most != INT64_MAX && (double)most / rate > limit)
        return err_set(
            e, ERR_VALUE,
            "'%s' is longer than %d hours; cut it up, or name parts with offset and duration",
            s->path, HOURS_MOST);
    return true;
}

clip_stream *clip_stream_open(const char *path, int rate, double offset, double duration, err *e)
{
    arena a = {.name = "clip"};
    clip_stream *s = NEW(&a, clip_stream, 1);
    s->path = arena_strdup(&a, path);
    bool ok = clip_source_open(&s->source, s->path, &a, e) && check_info(s, e) &&
              choose_part(s, offset, duration, e);
    if (ok) {
        s->info.rate = rate > 0 ? rate : s->info.source_rate;
        s->raw = NEW(&a, float, BLOCK);
        s->mono = NEW(&a, float, BLOCK);
        if (s->info.rate != s->info.source_rate)
            ok = (s->resampler = resampler_open(s->info.source_rate, s->info.rate, e)) != NULL;
    }
    s->memory = a;
    if (clip_source_was_read(&s->source, ok, e))
        return s;
    clip_stream_close(s);
    return NULL;
}

void clip_stream_close(clip_stream *s)
{
    if (!s)
        return;
    clip_source_close(&s->source);
    resampler_close(s->resampler);
    arena a = s->memory;
    arena_free(&a);
}

const clip *clip_stream_info(const clip_stream *s)
{
    return &s->info;
}

static inline void average(float *restrict mono, const float *restrict x, int64_t n, int channels)
{
    for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int c = 0; c < channels; c++)
            sum += x[i * channels + c];
        mono[i] = sum / (float)channels;
    }
}

// How much of the first channel the average keeps: channels of opposite sign cancel.
static void compare(clip_stream *s, int64_t n)
{
    int channels = s->info.source_channels;
    double left = 0, both = 0;
    for (int64_t i = 0; i < n; i++) {
        left += (double)s->raw[i * channels] * (double)s->raw[i * channels];
        both += (double)s->mono[i] * (double)s->mono[i];
    }
    s->left += left, s->both += both;
}

// Decodes up to BLOCK samples of whole frames and averages their channels. 0 at the end.
static bool decode(clip_stream *s, int64_t most, int64_t *got, err *e)
{
    int channels = s->info.source_channels, room = BLOCK / channels;
    if (!s->source.def->read(&s->source, channels == 1 ? s->mono : s->raw,
                             most < room ? most : room, got, e))
        return false;
    s->source.at += *got;
    if (channels == 2) // a constant, so that the loop becomes vectors
        average(s->mono, s->raw, *got, 2);
    else if (channels > 2)
        average(s->mono, s->raw, *got, channels);
    return true;
}

// The length is known now that the end was met.
static bool beyond_end(const clip_stream *s, err *e)
{
    int rate = s->info.source_rate;
    return err_set(
        e, ERR_EMPTY,
        "'%s' is %.3f seconds long, its part from %.3f seconds on is empty; lower the offset",
        s->path, (double)s->source.at / rate, (double)s->first / rate);
}

// Formats in which a frame has its place seek; else the frames before the part are decoded and
// dropped.
static bool skip(clip_stream *s, err *e)
{
    clip_source *o = &s->source;
    if (s->first == 0)
        return true;
    if (o->def->seek && o->def->seek(o, s->first)) {
        o->at = s->first;
        return true;
    }
    for (int64_t left = s->first, got; left > 0; left -= got) {
        if (!decode(s, left, &got, e))
            return false;
        if (!got)
            return beyond_end(s, e);
    }
    return true;
}

static bool check_samples(clip_stream *s, int64_t n, err *e)
{
    bool bad = false;
    float peak = 0;
    for (int64_t i = 0; i < n; i++) {
        float x = fabsf(s->mono[i]);
        bad |= !(x <= sample_most);
        peak = x > peak ? x : peak;
    }
    s->info.peak = (double)peak > s->info.peak ? (double)peak : s->info.peak;
    if (!bad)
        return true;
    int64_t at = 0;
    while (fabsf(s->mono[at]) <= sample_most)
        at++;
    float x = s->mono[at];
    double seconds = (double)(s->first + s->done + at) / s->info.source_rate;
    return err_set(e, ERR_VALUE, "'%s' has %s sample at %.4f seconds; repair it or remove it",
                   s->path,
                   isnan(x)   ? "a NaN"
                   : isinf(x) ? "an infinite"
                              : "an absurdly large",
                   seconds);
}

static bool pass_on(void *user, const float *x, size_t n, err *e)
{
    clip_stream *s = user;
    return s->sink(s->user, x, (int64_t)n, e);
}

static bool check_end(const clip_stream *s, bool all, err *e)
{
    int rate = s->info.source_rate;
    int64_t total = s->source.total;
    if (!s->done && s->source.at && total == INT64_MAX)
        return beyond_end(s, e);
    if (!s->done)
        return err_set(e, total == INT64_MAX ? ERR_EMPTY : ERR_DAMAGED,
                       "'%s' holds no samples that can be decoded; record it again or remove it",
                       s->path);
    if (total != INT64_MAX && all && s->source.at != total)
        return err_set(e, ERR_DAMAGED,
                       "'%s' %s after %.3f of the %.3f seconds that its header announces; copy it "
                       "again or remove it",
                       s->path, s->source.at < total ? "ends" : "goes on",
                       (double)(s->source.at < total ? s->source.at : total) / rate,
                       (double)total / rate);
    return true;
}

const char *clip_mark_text(clip_mark m)
{
    static const char *const texts[CLIP_MARKS] = {
        [CLIP_UNFINISHED] = "the header was never finished and says that there is nothing; read to "
                            "the end of the file",
        [CLIP_CANCELS] = "the channels cancel in their mean (R = -L), and hardly anything is "
                         "heard; turn the sign of one of them",
        [CLIP_SILENT] = "silence: no sample reaches 0.001 of full scale",
        [CLIP_BRIEF] = "shorter than a second",
    };
    return texts[m];
}

// What the samples were, seen as a whole.
static void judge(clip_stream *s)
{
    bool cancels = s->info.source_channels > 1 && s->left > 0 && s->both < s->left * CANCELLED;
    s->info.marks = (unsigned)s->source.unfinished << CLIP_UNFINISHED |
                    (unsigned)cancels << CLIP_CANCELS |
                    (unsigned)(s->info.peak < SILENT && !cancels) << CLIP_SILENT |
                    (unsigned)(s->info.seconds < 1) << CLIP_BRIEF;
}

static bool run(clip_stream *s, clip_sink *sink, void *user, err *e)
{
    int64_t limit = (int64_t)HOURS_MOST * 3600 * s->info.source_rate, got = 1;
    s->sink = sink, s->user = user;
    if (!skip(s, e))
        return false;
    while (got > 0 && s->done < s->want) {
        if (!decode(s, s->want - s->done, &got, e) || !check_samples(s, got, e))
            return false;
        if (s->info.source_channels > 1)
            compare(s, got);
        if (s->resampler ? !resampler_push(s->resampler, s->mono, (size_t)got, pass_on, s, e)
                         : got > 0 && !sink(user, s->mono, got, e))
            return false;
        s->done += got;
        s->info.seconds = (double)s->done / s->info.source_rate;
        if (s->done > limit)
            return err_set(
                e, ERR_VALUE,
                "'%s' is longer than %d hours; cut it up, or name parts with offset and duration",
                s->path, HOURS_MOST);
    }
    judge(s);
    if (!check_end(s, got == 0, e) ||
        (got == 0 && s->source.def->end && !s->source.def->end(&s->source, e)))
        return false;
    return !s->resampler || resampler_finish(s->resampler, pass_on, s, e);
}

bool clip_stream_run(clip_stream *s, clip_sink *sink, void *user, err *e)
{
    return clip_source_was_read(&s->source, run(s, sink, user, e), e);
}

// Doubles: what is copied over the life of a clip is less than twice its samples.
typedef struct growing {
    float *samples;
    int64_t n, room;
    const char *path;
} growing;

static bool grow(void *user, const float *x, int64_t n, err *e)
{
    growing *g = user;
    if (g->n + n > g->room) {
        int64_t room = g->room ? g->room * 2 : 2 * BLOCK;
        while (room < g->n + n)
            room *= 2;
        float *p = realloc(g->samples, (size_t)room * sizeof *p);
        if (!p)
            return err_set(
                e, ERR_MEMORY,
                "no memory for the samples of '%s'; name parts of it with offset and duration",
                g->path);
        g->samples = p, g->room = room;
    }
    memcpy(g->samples + g->n, x, (size_t)n * sizeof *x);
    g->n += n;
    return true;
}

bool clip_read(const char *path, int rate, double offset, double duration, clip *c, err *e)
{
    *c = (clip){0};
    growing g = {.path = path};
    clip_stream *s = clip_stream_open(path, rate, offset, duration, e);
    bool ok = s && clip_stream_run(s, grow, &g, e);
    if (ok) {
        *c = s->info;
        c->samples = g.samples;
        c->frames = g.n;
    } else {
        free(g.samples);
    }
    clip_stream_close(s);
    return ok;
}

void clip_free(clip *c)
{
    free(c->samples);
    *c = (clip){0};
}
