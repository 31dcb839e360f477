// SPDX-License-Identifier: GPL-3.0-or-later
// clip_sndfile.c: audio files by libsndfile, the one file that knows it (clip_source.h).
//
// A handle of libsndfile belongs to one thread; handles share nothing. It reads by callbacks: a
// part of a file (a link of Ogg), or a file with a length in its header put right (clip_whole.h).
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "data/audio/clip.h"
#include "data/audio/clip_source.h"
#include "data/audio/clip_whole.h"

struct clip_sndfile_part {
    SNDFILE *file;
    SF_INFO info;
    clip_file *bytes;
    int64_t from, length, at; // bytes
    clip_header header;
};

// ---- Bytes

static sf_count_t vio_length(void *user)
{
    return ((clip_sndfile_part *)user)->length;
}

static sf_count_t vio_seek(sf_count_t offset, int whence, void *user)
{
    clip_sndfile_part *p = user;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? p->at : p->length;
    if (offset < -base || offset > ((int64_t)1 << 62) - base)
        return -1;
    return p->at = base + offset;
}

static void put_right(const clip_sndfile_part *p, char *bytes, int64_t n)
{
    for (int i = 0; i < p->header.patch_bytes; i++) {
        int64_t at = p->header.patch_at + i - p->at;
        if (at >= 0 && at < n)
            bytes[at] = (char)p->header.patch[i];
    }
}

static sf_count_t vio_read(void *out, sf_count_t count, void *user)
{
    clip_sndfile_part *p = user;
    int64_t left = p->length - p->at,
            done = clip_file_read(p->bytes, out, count < left ? count : left, p->from + p->at);
    if (done < 0)
        return 0;
    put_right(p, out, done);
    p->at += done;
    return done;
}

static sf_count_t vio_write(const void *bytes, sf_count_t count, void *user)
{
    (void)bytes, (void)count, (void)user;
    return 0;
}

static sf_count_t vio_tell(void *user)
{
    return ((clip_sndfile_part *)user)->at;
}

// ---- A part

clip_sndfile_part *clip_sndfile_open(clip_source *s, int64_t from, int64_t length, arena *a, err *e)
{
    SF_VIRTUAL_IO io = {vio_length, vio_seek, vio_read, vio_write, vio_tell};
    clip_sndfile_part *p = NEW(a, clip_sndfile_part, 1);
    *p = (clip_sndfile_part){.bytes = &s->file, .from = from, .length = length};
    if (!from)
        (void)clip_whole(&s->file, s->size, &p->header);
    p->file = sf_open_virtual(&io, SFM_READ, &p->info, p);
    if (p->file) {
        s->rate = p->info.samplerate, s->channels = p->info.channels;
        return p;
    }
    const char *why = sf_strerror(NULL);
    (void)err_set(
        e, ERR_FORMAT,
        "'%s' is not audio that can be read (%.*s); convert it to wav or flac, or remove it",
        s->path, (int)strcspn(why, ".\n"), why);
    return NULL;
}

bool clip_sndfile_read(clip_sndfile_part *p, const clip_source *s, float *out, int64_t frames,
                       int64_t *got, err *e)
{
    *got = sf_readf_float(p->file, out, frames);
    return *got > 0 || sf_error(p->file) == SF_ERR_NO_ERROR ||
           clip_source_damaged(s, sf_strerror(p->file), e);
}

void clip_sndfile_close(clip_sndfile_part *p)
{
    if (p && p->file)
        sf_close(p->file);
    if (p)
        p->file = NULL;
}

// ---- A file

static bool open(clip_source *s, arena *a, err *e)
{
    clip_sndfile_part *p = s->self = clip_sndfile_open(s, 0, s->size, a, e);
    if (!p)
        return false;
    s->total = p->info.frames < 0 || p->info.frames >= SF_COUNT_MAX ? INT64_MAX : p->info.frames;
    s->unfinished = p->header.unfinished;
    return true;
}

// Only where a frame's place in the file can be computed.
static bool seek(clip_source *s, int64_t frame)
{
    clip_sndfile_part *p = s->self;
    int coding = p->info.format & SF_FORMAT_SUBMASK;
    bool plain = (coding >= SF_FORMAT_PCM_S8 && coding <= SF_FORMAT_DOUBLE) ||
                 coding == SF_FORMAT_ULAW || coding == SF_FORMAT_ALAW;
    return plain && sf_seek(p->file, frame, SF_SEEK_SET) == frame;
}

static bool read_frames(clip_source *s, float *out, int64_t frames, int64_t *got, err *e)
{
    return clip_sndfile_read(s->self, s, out, frames, got, e);
}

static void close_file(clip_source *s)
{
    clip_sndfile_close(s->self);
}

const clip_source_def clip_sndfile = {
    .open = open, .seek = seek, .read = read_frames, .close = close_file};

// ---- Writing

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

// A file in memory: libsndfile goes back to mend the header, which a pipe cannot, and forgets that
// a write failed.
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

bool clip_wav(const float *samples, int64_t frames, int rate, strbuf *out, err *e)
{
    SF_INFO info = {.samplerate = rate, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SF_VIRTUAL_IO io = {memory_size, memory_seek, memory_read, memory_write, memory_tell};
    memory m = {0};
    SNDFILE *f = sf_open_virtual(&io, SFM_WRITE, &info, &m);
    bool ok = f && write_samples(f, samples, frames);
    ok = f && sf_close(f) == 0 && ok;
    if (ok)
        strbuf_add(out, m.bytes.s, m.bytes.len);
    strbuf_free(&m.bytes);
    return ok || err_set(e, ERR_MEMORY, "%s", sf_strerror(NULL));
}

bool clip_write_wav(const char *path, const float *samples, int64_t frames, int rate, err *e)
{
    strbuf b = {0};
    bool ok = clip_wav(samples, frames, rate, &b, e) ? file_write(path, b.s, b.len, e)
                                                     : err_trail(e, "'%s' cannot be written", path);
    strbuf_free(&b);
    return ok;
}

const char *clip_library(void)
{
    return sf_version_string();
}
