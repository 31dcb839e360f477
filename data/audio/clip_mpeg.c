// SPDX-License-Identifier: GPL-3.0-or-later
// clip_mpeg.c: MPEG audio (mp3, mp2) by libmpg123, the one file that knows it (clip_source.h).
// Reference: ISO/IEC 11172-3, 13818-3.
//
// MPEG audio is frames one behind the other, and nothing says how many: what looks like a length is
// an estimate from the first one's bit rate, unless an encoder left a count (Xing, Info, VBRI). So
// it is decoded to its end. Its length is mpg123's: where the encoder says how many samples it put
// in front and behind (LAME's tag), those are left out; else every sample of every frame counts. A
// last frame that is not all there is left out as long as no count says that it should be.
#include <mpg123.h>
#include <string.h>
#include <unistd.h>

#include "data/audio/clip_source.h"

// MISSING_MOST: encoders do not agree whether the frame of the count counts
enum { HEADER = 4, AHEAD = 65536, MISSING_MOST = 2 };

typedef struct mpeg {
    mpg123_handle *h;
    clip_source *s;
    int64_t at;     // of the file, which byte is read next
    int64_t stated; // frames by the encoder's count; 0: there is none
} mpeg;

// ---- Frame headers

typedef struct frame {
    int version, layer, rate; // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5; 1 to 3; Hz
    bool mono;
    int64_t bytes; // 0: free format, not known
} frame;

static bool parse(const unsigned char *b, frame *f)
{
    static const short rates[] = {44100 / 2, 48000 / 2, 32000 / 2};
    static const short kbits[2][3][15] = {
        {{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
         {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
         {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}},
        {{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
         {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
         {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}}};
    int version = b[1] >> 3 & 3, layer = 4 - (b[1] >> 1 & 3), index = b[2] >> 4,
        rate = b[2] >> 2 & 3, padding = b[2] >> 1 & 1;
    if (b[0] != 0xff || (b[1] & 0xe0) != 0xe0 || version == 1 || layer == 4 || index == 15 ||
        rate == 3)
        return false;
    *f = (frame){.version = version, .layer = layer, .mono = b[3] >> 6 == 3};
    f->rate = version == 3 ? rates[rate] * 2 : version == 2 ? rates[rate] : rates[rate] / 2;
    int64_t bits = kbits[version != 3][layer - 1][index] * 1000,
            slots = layer == 1                   ? 12
                    : layer == 3 && version != 3 ? 72
                                                 : 144;
    if (bits)
        f->bytes =
            layer == 1 ? (slots * bits / f->rate + padding) * 4 : slots * bits / f->rate + padding;
    return true;
}

static bool follows(clip_file *bytes, int64_t at, const frame *before)
{
    unsigned char b[HEADER];
    frame f;
    return clip_file_read(bytes, b, HEADER, at) == HEADER && parse(b, &f) &&
           f.version == before->version && f.layer == before->layer && f.rate == before->rate;
}

// Three frames in a row; a file of fewer has its end behind them.
static bool begins_here(clip_file *bytes, int64_t at, const unsigned char *b)
{
    frame f, second;
    unsigned char next[HEADER];
    if (!parse(b, &f) || !f.bytes || !follows(bytes, at + f.bytes, &f))
        return false;
    bool there = clip_file_read(bytes, next, HEADER, at + f.bytes) == HEADER &&
                 parse(next, &second) && second.bytes > 0;
    return there && follows(bytes, at + f.bytes + second.bytes, &f);
}

int64_t clip_mpeg_find(clip_file *bytes, int64_t from)
{
    unsigned char b[AHEAD];
    int64_t n = clip_file_read(bytes, b, sizeof b, from);
    for (int64_t i = 0; i + HEADER <= n; i++)
        if (b[i] == 0xff && begins_here(bytes, from + i, b + i))
            return from + i;
    return -1;
}

// ---- The encoder's count of frames

static int64_t u32(const unsigned char *b)
{
    return (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static int64_t counted_frames(clip_file *bytes, int64_t first)
{
    unsigned char b[64];
    frame f;
    if (first < 0 || clip_file_read(bytes, b, sizeof b, first) != (int64_t)sizeof b ||
        !parse(b, &f) || f.layer != 3)
        return 0;
    int side = HEADER + (f.version == 3 ? (f.mono ? 17 : 32) : f.mono ? 9 : 17);
    if ((!memcmp(b + side, "Xing", 4) || !memcmp(b + side, "Info", 4)) && (b[side + 7] & 1))
        return u32(b + side + 8);
    return !memcmp(b + HEADER + 32, "VBRI", 4) ? u32(b + HEADER + 32 + 14) : 0;
}

// ---- Decoding

static ssize_t on_read(void *user, void *out, size_t n)
{
    mpeg *m = user;
    int64_t got = clip_file_read(&m->s->file, out, (int64_t)n, m->at);
    m->at += got > 0 ? got : 0;
    return (ssize_t)got;
}

static off_t on_seek(void *user, off_t offset, int whence)
{
    mpeg *m = user;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? m->at : m->s->size;
    if (offset < -base || offset > ((int64_t)1 << 62) - base)
        return -1;
    return (off_t)(m->at = base + offset);
}

static bool set_up(mpeg *m)
{
    return m->h &&
           mpg123_param(m->h, MPG123_ADD_FLAGS,
                        MPG123_QUIET | MPG123_FORCE_FLOAT | MPG123_SKIP_ID3V2, 0) == MPG123_OK &&
           mpg123_param(m->h, MPG123_RESYNC_LIMIT, -1, 0) == MPG123_OK &&
           mpg123_replace_reader_handle(m->h, on_read, on_seek, NULL) == MPG123_OK &&
           mpg123_open_handle(m->h, m) == MPG123_OK;
}

static bool open(clip_source *s, arena *a, err *e)
{
    mpeg *m = s->self = NEW(a, mpeg, 1);
    long rate = 0;
    int channels = 0, encoding = 0;
    mpg123_init(); // does nothing from 1.27 on
    m->s = s;
    m->h = mpg123_new(NULL, NULL);
    m->stated = counted_frames(&s->file, clip_mpeg_find(&s->file, s->head));
    if (!set_up(m) || mpg123_getformat(m->h, &rate, &channels, &encoding) != MPG123_OK ||
        encoding != MPG123_ENC_FLOAT_32)
        return err_set(e, ERR_FORMAT,
                       "'%s' is not audio that can be read (no MPEG frames); convert it to wav or "
                       "flac, or remove it",
                       s->path);
    s->rate = (int)rate, s->channels = channels, s->total = INT64_MAX;
    return true;
}

// A header in the middle says so of each file that was joined to another; only another kind of
// sound is refused.
static bool same_kind(const clip_source *s, err *e)
{
    const mpeg *m = s->self;
    long rate = 0;
    int channels = 0, encoding = 0;
    mpg123_getformat(m->h, &rate, &channels, &encoding);
    if (rate == s->rate && channels == s->channels && encoding == MPG123_ENC_FLOAT_32)
        return true;
    return err_set(e, ERR_DAMAGED,
                   "'%s' goes on after %.3f seconds at %ld Hz with %d channels, and began at %d Hz "
                   "with %d; cut it there",
                   s->path, (double)s->at / s->rate, rate, channels, s->rate, s->channels);
}

static bool check_count(const clip_source *s, err *e)
{
    const mpeg *m = s->self;
    int64_t there = mpg123_tellframe(m->h);
    if (!m->stated || there + MISSING_MOST >= m->stated)
        return true;
    return err_set(e, ERR_DAMAGED,
                   "'%s' is cut short: its header announces %lld frames, and %lld are there; copy "
                   "it again or remove it",
                   s->path, (long long)m->stated, (long long)there);
}

static bool read_frames(clip_source *s, float *out, int64_t frames, int64_t *got, err *e)
{
    const mpeg *m = s->self;
    size_t bytes = 0;
    int status = MPG123_OK;
    do {
        status = mpg123_read(m->h, (unsigned char *)out,
                             (size_t)(frames * s->channels) * sizeof *out, &bytes);
        if (status == MPG123_NEW_FORMAT && !same_kind(s, e))
            return false;
    } while (bytes == 0 && (status == MPG123_OK || status == MPG123_NEW_FORMAT));
    *got = (int64_t)(bytes / sizeof *out) / s->channels;
    if (*got == 0 && status != MPG123_DONE)
        return clip_source_damaged(s, mpg123_strerror(m->h), e);
    return *got > 0 || check_count(s, e);
}

static void close_file(clip_source *s)
{
    mpeg *m = s->self;
    if (!m || !m->h)
        return;
    mpg123_delete(m->h);
    m->h = NULL;
}

const clip_source_def clip_mpeg = {.open = open, .read = read_frames, .close = close_file};
