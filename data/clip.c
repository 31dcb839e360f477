// SPDX-License-Identifier: GPL-3.0-or-later
// clip.c: audio files by libsndfile, the one file that knows it (clip.h).
//
// A handle of libsndfile belongs to one thread; handles share nothing. It decodes what it can and repairs headers without a word, so what a
// header says is only believed where reading to the end has confirmed it: samples are taken in blocks, memory follows what was decoded.
// Files are opened here and not by libsndfile, because opening a FIFO waits for its writer.
#include "data/clip.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/str.h"
#include "data/clip_whole.h"
#include "data/resample.h"

enum { BLOCK = 16384, RATE_LEAST = 1000, RATE_MOST = 768000, HOURS_MOST = 4, CHANNELS_MOST = 1024 };
static const float sample_most = 1e9f; // beyond any scale that files use, and far from overflow when squared

struct clip_stream {
    const char *path;
    SNDFILE *file;
    int fd;
    clip info;
    int64_t total, first,
        want;             // frames: of the file as its header says (INT64_MAX: not known), first one to read, how many (INT64_MAX: all)
    int64_t done;         // frames read so far
    resampler *resampler; // NULL where the rate is kept
    float *raw, *mono;    // [BLOCK] samples of all channels; [BLOCK]
    clip_sink *sink;
    void *user;
    arena memory;
};

static bool open_file(clip_stream *s, err *e)
{
    struct stat st;
    int64_t missing, stated;
    s->fd = open(s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (s->fd < 0)
        return err_errno(e, "cannot open '%s'; correct the path or its permissions", s->path);
    if (fstat(s->fd, &st))
        return err_errno(e, "cannot look at '%s'; check the disk", s->path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_FORMAT, "'%s' is %s, not an audio file; name a file", s->path,
                       S_ISDIR(st.st_mode) ? "a folder" : "a pipe or device");
    if (st.st_size == 0)
        return err_set(e, ERR_EMPTY, "'%s' is empty (0 bytes); copy it again or remove it from the list", s->path);
    if (!clip_whole(s->fd, st.st_size, &missing, &stated))
        return err_set(e, ERR_DAMAGED,
                       "'%s' is cut short: %lld of the %lld bytes that its last part announces are missing; copy it again or remove it",
                       s->path, (long long)missing, (long long)stated);
    return true;
}

static bool check_info(clip_stream *s, const SF_INFO *i, err *e)
{
    if (i->channels < 1 || i->channels > CHANNELS_MOST)
        return err_set(e, ERR_FORMAT, "'%s' says that it has %d channels; convert it or remove it", s->path, i->channels);
    if (i->samplerate < RATE_LEAST || i->samplerate > RATE_MOST)
        return err_set(e, ERR_VALUE, "'%s' says that it has %d samples a second, outside %d to %d; convert it or remove it", s->path,
                       i->samplerate, RATE_LEAST, RATE_MOST);
    s->info.source_rate = i->samplerate;
    s->info.source_channels = i->channels;
    s->total = i->frames < 0 || i->frames >= SF_COUNT_MAX ? INT64_MAX : i->frames;
    if (s->total == 0)
        return err_set(e, ERR_EMPTY, "'%s' holds no samples; record it again or remove it", s->path);
    return true;
}

static bool open_decoder(clip_stream *s, err *e)
{
    SF_INFO info = {0};
    s->file = sf_open_fd(s->fd, SFM_READ, &info, SF_FALSE);
    if (!s->file) {
        const char *why = sf_strerror(NULL);
        return err_set(e, ERR_FORMAT, "'%s' is not audio that can be read (%.*s); convert it to wav or flac, or remove it", s->path,
                       (int)strcspn(why, ".\n"), why);
    }
    return check_info(s, &info, e);
}

// From seconds to frames, with the checks that the header allows.
static bool choose_part(clip_stream *s, double offset, double duration, err *e)
{
    int rate = s->info.source_rate;
    double limit = HOURS_MOST * 3600.0;
    if (!(offset >= 0 && offset <= 1e7 && duration >= 0 && duration <= 1e7))
        return err_set(e, ERR_VALUE, "'%s': offset %g s and duration %g s must be numbers of seconds from 0 up; correct the list", s->path,
                       offset, duration);
    s->first = llrint(offset * rate);
    s->want = duration > 0 ? llrint(duration * rate) : INT64_MAX;
    if (s->total != INT64_MAX && s->first >= s->total)
        return err_set(e, ERR_EMPTY, "'%s' is %.3f seconds long, its part from %.3f seconds on is empty; lower the offset", s->path,
                       (double)s->total / rate, offset);
    if (s->total != INT64_MAX && s->want > s->total - s->first)
        s->want = s->total - s->first;
    if (s->want != INT64_MAX && (double)s->want / rate > limit)
        return err_set(e, ERR_VALUE, "'%s' is longer than %d hours; cut it up, or name parts with offset and duration", s->path,
                       HOURS_MOST);
    return true;
}

clip_stream *clip_stream_open(const char *path, int rate, double offset, double duration, err *e)
{
    arena a = {.name = "clip"};
    clip_stream *s = NEW(&a, clip_stream, 1);
    s->path = arena_strdup(&a, path);
    s->fd = -1;
    bool ok = open_file(s, e) && open_decoder(s, e) && choose_part(s, offset, duration, e);
    if (ok) {
        s->info.rate = rate > 0 ? rate : s->info.source_rate;
        s->raw = NEW(&a, float, BLOCK);
        s->mono = NEW(&a, float, BLOCK);
        if (s->info.rate != s->info.source_rate)
            ok = (s->resampler = resampler_open(s->info.source_rate, s->info.rate, e)) != NULL;
    }
    s->memory = a;
    if (ok)
        return s;
    clip_stream_close(s);
    return NULL;
}

void clip_stream_close(clip_stream *s)
{
    if (!s)
        return;
    if (s->file)
        sf_close(s->file);
    if (s->fd >= 0)
        close(s->fd);
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

// Decodes up to BLOCK samples of whole frames and averages their channels. 0 at the end.
static bool decode(clip_stream *s, int64_t most, int64_t *got, err *e)
{
    int channels = s->info.source_channels, room = BLOCK / channels;
    *got = sf_readf_float(s->file, channels == 1 ? s->mono : s->raw, most < room ? most : room);
    if (*got <= 0 && sf_error(s->file) != SF_ERR_NO_ERROR) {
        const char *why = sf_strerror(s->file);
        return err_set(e, ERR_DAMAGED, "'%s' cannot be decoded after %.3f seconds (%.*s); copy it again or remove it", s->path,
                       (double)(s->first + s->done) / s->info.source_rate, (int)strcspn(why, ".\n"), why);
    }
    if (channels == 2) // a constant, so that the loop becomes vectors
        average(s->mono, s->raw, *got, 2);
    else if (channels > 2)
        average(s->mono, s->raw, *got, channels);
    return true;
}

// Formats that can seek do; where that fails the frames before the part are decoded and dropped.
static bool skip(clip_stream *s, err *e)
{
    if (s->first == 0 || sf_seek(s->file, s->first, SF_SEEK_SET) == s->first)
        return true;
    for (int64_t left = s->first, got; left > 0; left -= got) {
        if (!decode(s, left, &got, e))
            return false;
        if (!got)
            return err_set(e, ERR_DAMAGED,
                           "'%s' ends after %.3f seconds, before the part that was asked for; copy it again or lower the offset", s->path,
                           (double)(s->first - left) / s->info.source_rate);
    }
    return true;
}

static bool check_samples(const clip_stream *s, int64_t n, err *e)
{
    bool bad = false;
    for (int64_t i = 0; i < n; i++)
        bad |= !(fabsf(s->mono[i]) <= sample_most);
    if (!bad)
        return true;
    int64_t at = 0;
    while (fabsf(s->mono[at]) <= sample_most)
        at++;
    float x = s->mono[at];
    double seconds = (double)(s->first + s->done + at) / s->info.source_rate;
    return err_set(e, ERR_VALUE, "'%s' has %s sample at %.4f seconds; repair it or remove it", s->path,
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

static bool check_end(const clip_stream *s, err *e)
{
    int rate = s->info.source_rate;
    if (!s->done)
        return err_set(e, s->total == INT64_MAX ? ERR_EMPTY : ERR_DAMAGED,
                       "'%s' holds no samples that can be decoded; record it again or remove it", s->path);
    if (s->total != INT64_MAX && s->done < s->want)
        return err_set(e, ERR_DAMAGED, "'%s' ends after %.3f of the %.3f seconds that its header announces; copy it again or remove it",
                       s->path, (double)(s->first + s->done) / rate, (double)s->total / rate);
    return true;
}

bool clip_stream_run(clip_stream *s, clip_sink *sink, void *user, err *e)
{
    int64_t limit = (int64_t)HOURS_MOST * 3600 * s->info.source_rate;
    s->sink = sink, s->user = user;
    if (!skip(s, e))
        return false;
    for (int64_t got = 1; got > 0 && s->done < s->want;) {
        if (!decode(s, s->want - s->done, &got, e) || !check_samples(s, got, e))
            return false;
        if (s->resampler ? !resampler_push(s->resampler, s->mono, (size_t)got, pass_on, s, e) : got > 0 && !sink(user, s->mono, got, e))
            return false;
        s->done += got;
        s->info.seconds = (double)s->done / s->info.source_rate;
        if (s->done > limit)
            return err_set(e, ERR_VALUE, "'%s' is longer than %d hours; cut it up, or name parts with offset and duration", s->path,
                           HOURS_MOST);
    }
    return check_end(s, e) && (!s->resampler || resampler_finish(s->resampler, pass_on, s, e));
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
            return err_set(e, ERR_MEMORY, "no memory for the samples of '%s'; name parts of it with offset and duration", g->path);
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

static bool write_samples(SNDFILE *f, const float *x, int64_t n)
{
    short block[4096];
    for (int64_t done = 0; done < n;) {
        int64_t m = n - done < 4096 ? n - done : 4096;
        for (int64_t i = 0; i < m; i++) {
            float v = x[done + i] * 32768.0f;
            block[i] = (short)lrintf(v > 32767 ? 32767 : v > -32768 ? v : -32768);
        }
        if (sf_write_short(f, block, m) != m)
            return false;
        done += m;
    }
    return true;
}

// A file in memory: libsndfile goes back to mend the header, which a pipe cannot, and forgets that a write failed.
typedef struct memory {
    strbuf bytes;
    sf_count_t at;
} memory;

static sf_count_t memory_size(void *user)
{
    return (sf_count_t)((memory *)user)->bytes.len;
}

static sf_count_t memory_seek(sf_count_t offset, int whence, void *user)
{
    memory *m = user;
    m->at = offset + (whence == SEEK_CUR ? m->at : whence == SEEK_END ? memory_size(m) : 0);
    return m->at;
}

static sf_count_t memory_tell(void *user)
{
    return ((memory *)user)->at;
}

static sf_count_t memory_write(const void *bytes, sf_count_t n, void *user)
{
    memory *m = user;
    CHECK(m->at >= 0 && m->at <= memory_size(m) && n >= 0);
    sf_count_t over = memory_size(m) - m->at < n ? memory_size(m) - m->at : n;
    if (over)
        memcpy(m->bytes.s + m->at, bytes, (size_t)over);
    strbuf_add(&m->bytes, (const char *)bytes + over, (size_t)(n - over));
    m->at += n;
    return n;
}

static sf_count_t memory_read(void *out, sf_count_t n, void *user)
{
    (void)out, (void)n, (void)user;
    return 0; // it is only written
}

bool clip_write_wav(const char *path, const float *samples, int64_t frames, int rate, err *e)
{
    SF_INFO info = {.samplerate = rate, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SF_VIRTUAL_IO io = {memory_size, memory_seek, memory_read, memory_write, memory_tell};
    memory m = {0};
    SNDFILE *f = sf_open_virtual(&io, SFM_WRITE, &info, &m);
    bool ok = f && write_samples(f, samples, frames);
    ok = f && sf_close(f) == 0 && ok;
    ok = ok ? file_write(path, m.bytes.s, m.bytes.len, e) : err_set(e, ERR_MEMORY, "'%s' cannot be written: %s", path, sf_strerror(NULL));
    strbuf_free(&m.bytes);
    return ok;
}

const char *clip_library(void)
{
    return sf_version_string();
}
