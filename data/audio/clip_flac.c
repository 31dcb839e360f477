// SPDX-License-Identifier: GPL-3.0-or-later
// clip_flac.c: FLAC by libFLAC, the one file that knows it (clip_source.h). Reference: RFC 9639.
//
// libFLAC tells what libsndfile keeps to itself: frames that do not fit their checksum, a rate that
// changes on the way, and whether all samples have the MD5 that their encoder wrote. What stands
// behind the last frame and is none (an ID3v1 tag) is passed over where the header says how many
// frames there are, and they are there.
#include <FLAC/stream_decoder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/audio/clip_source.h"

typedef struct flac {
    clip_source *s;
    FLAC__StreamDecoder *d;
    int64_t byte;           // of the file, which is read next
    float *block;           // decoded and not yet taken: [n] frames from `first` on
    int64_t n, first, room; // frames; numbers in `block`
    bool seen, sought;      // STREAMINFO was read; MD5 is of no use
    char wrong[160];        // what was first found wrong; empty: nothing
    int64_t wrong_at;       // frames decoded by then
    int64_t decoded;
    bool failed; // for good
} flac;

static FLAC__StreamDecoderReadStatus on_read(const FLAC__StreamDecoder *d, FLAC__byte out[],
                                             size_t *n, void *user)
{
    flac *f = user;
    (void)d;
    int64_t got = clip_file_read(&f->s->file, out, (int64_t)*n, f->byte);
    *n = got > 0 ? (size_t)got : 0;
    f->byte += got > 0 ? got : 0;
    return got > 0    ? FLAC__STREAM_DECODER_READ_STATUS_CONTINUE
           : got == 0 ? FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM
                      : FLAC__STREAM_DECODER_READ_STATUS_ABORT;
}

static FLAC__StreamDecoderSeekStatus on_seek(const FLAC__StreamDecoder *d, FLAC__uint64 at,
                                             void *user)
{
    flac *f = user;
    (void)d;
    if (at > (uint64_t)f->s->size)
        return FLAC__STREAM_DECODER_SEEK_STATUS_ERROR;
    f->byte = (int64_t)at;
    return FLAC__STREAM_DECODER_SEEK_STATUS_OK;
}

static FLAC__StreamDecoderTellStatus on_tell(const FLAC__StreamDecoder *d, FLAC__uint64 *at,
                                             void *user)
{
    (void)d;
    *at = (uint64_t)((flac *)user)->byte;
    return FLAC__STREAM_DECODER_TELL_STATUS_OK;
}

static FLAC__StreamDecoderLengthStatus on_length(const FLAC__StreamDecoder *d, FLAC__uint64 *n,
                                                 void *user)
{
    (void)d;
    *n = (uint64_t)((flac *)user)->s->size;
    return FLAC__STREAM_DECODER_LENGTH_STATUS_OK;
}

static FLAC__bool on_eof(const FLAC__StreamDecoder *d, void *user)
{
    const flac *f = user;
    (void)d;
    return f->byte >= f->s->size;
}

static void found_wrong(flac *f, const char *what)
{
    if (!f->wrong[0]) {
        snprintf(f->wrong, sizeof f->wrong, "%s", what);
        f->wrong_at = f->decoded;
    }
}

static void on_error(const FLAC__StreamDecoder *d, FLAC__StreamDecoderErrorStatus status,
                     void *user)
{
    (void)d;
    found_wrong(user, status == FLAC__STREAM_DECODER_ERROR_STATUS_FRAME_CRC_MISMATCH
                          ? "a frame does not fit its checksum"
                      : status == FLAC__STREAM_DECODER_ERROR_STATUS_BAD_HEADER
                          ? "a frame's header is damaged"
                          : "what follows is no frame");
}

static void on_metadata(const FLAC__StreamDecoder *d, const FLAC__StreamMetadata *m, void *user)
{
    flac *f = user;
    (void)d;
    if (m->type != FLAC__METADATA_TYPE_STREAMINFO || f->seen)
        return;
    const FLAC__StreamMetadata_StreamInfo *i = &m->data.stream_info;
    f->seen = true;
    f->s->rate = (int)i->sample_rate, f->s->channels = (int)i->channels;
    f->s->total =
        i->total_samples && i->total_samples < INT64_MAX ? (int64_t)i->total_samples : INT64_MAX;
}

static bool same_kind(flac *f, const FLAC__FrameHeader *h)
{
    char text[sizeof f->wrong];
    if ((int)h->sample_rate != f->s->rate)
        snprintf(text, sizeof text, "its rate changes there from %d to %u Hz", f->s->rate,
                 h->sample_rate);
    else if ((int)h->channels != f->s->channels)
        snprintf(text, sizeof text, "it has %d channels, and %u from there on", f->s->channels,
                 h->channels);
    else
        return true;
    found_wrong(f, text);
    f->failed = true;
    return false;
}

static FLAC__StreamDecoderWriteStatus on_frame(const FLAC__StreamDecoder *d,
                                               const FLAC__Frame *frame,
                                               const FLAC__int32 *const x[], void *user)
{
    flac *f = user;
    const FLAC__FrameHeader *h = &frame->header;
    (void)d;
    if (!same_kind(f, h))
        return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT;
    int64_t channels = h->channels, numbers = (int64_t)h->blocksize * channels;
    if (numbers > f->room) {
        free(f->block);
        f->block = base_checked(malloc((size_t)numbers * sizeof *f->block),
                                (size_t)numbers * sizeof *f->block);
        f->room = numbers;
    }
    float scale = 1 / (float)((uint32_t)1 << (h->bits_per_sample - 1));
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < h->blocksize; i++)
            f->block[i * channels + c] = (float)x[c][i] * scale;
    f->first = 0, f->n = h->blocksize;
    f->decoded += f->n;
    return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
}

static bool open(clip_source *s, arena *a, err *e)
{
    flac *f = NEW(a, flac, 1);
    *f = (flac){.s = s, .byte = s->head};
    s->self = f;
    f->d = FLAC__stream_decoder_new();
    bool ok = f->d && FLAC__stream_decoder_set_md5_checking(f->d, true) &&
              FLAC__stream_decoder_init_stream(f->d, on_read, on_seek, on_tell, on_length, on_eof,
                                               on_frame, on_metadata, on_error,
                                               f) == FLAC__STREAM_DECODER_INIT_STATUS_OK &&
              FLAC__stream_decoder_process_until_end_of_metadata(f->d) && f->seen;
    return ok || err_set(e, ERR_FORMAT,
                         "'%s' is not audio that can be read (its FLAC header is damaged); convert "
                         "it to wav or flac, or remove it",
                         s->path);
}

// The errors of a search are no damage. Where it fails, all is read from the beginning.
static bool seek(clip_source *s, int64_t frame)
{
    flac *f = s->self;
    f->sought = true;
    f->decoded = frame;
    bool there = FLAC__stream_decoder_seek_absolute(f->d, (uint64_t)frame) && !f->failed;
    if (!there) {
        f->n = f->decoded = 0;
        f->failed = !FLAC__stream_decoder_reset(f->d) ||
                    !FLAC__stream_decoder_process_until_end_of_metadata(f->d);
    }
    f->wrong[0] = 0;
    return there;
}

// What was found wrong matters, unless it stands behind all frames that there should be.
static bool sound(const flac *f)
{
    return !f->wrong[0] || (!f->failed && f->wrong_at == f->s->total && f->decoded == f->s->total);
}

static bool at_end(const flac *f)
{
    return FLAC__stream_decoder_get_state(f->d) == FLAC__STREAM_DECODER_END_OF_STREAM;
}

// No other frame follows what is none: the file ends before its header says so, and no more is
// wrong with it.
static bool is_cut(flac *f)
{
    if (f->failed || f->n || f->decoded >= f->s->total || f->s->total == INT64_MAX)
        return false;
    while (!at_end(f) && !f->n && FLAC__stream_decoder_process_single(f->d))
        ;
    return at_end(f) && !f->n;
}

static bool read_frames(clip_source *s, float *out, int64_t frames, int64_t *got, err *e)
{
    flac *f = s->self;
    while (f->n == 0 && sound(f) && !at_end(f))
        if (!FLAC__stream_decoder_process_single(f->d) ||
            FLAC__stream_decoder_get_state(f->d) > FLAC__STREAM_DECODER_END_OF_STREAM)
            f->failed = true, found_wrong(f, "it cannot be read on");
    *got = frames < f->n ? frames : f->n;
    if (*got > 0)
        memcpy(out, f->block + f->first * s->channels, (size_t)(*got * s->channels) * sizeof *out);
    f->first += *got, f->n -= *got;
    return *got > 0 || sound(f) || is_cut(f) || clip_source_damaged(s, f->wrong, e);
}

static bool end(clip_source *s, err *e)
{
    flac *f = s->self;
    bool same = FLAC__stream_decoder_finish(f->d);
    return same || f->sought ||
           err_set(e, ERR_DAMAGED,
                   "'%s' is damaged: its samples do not have the MD5 that its header states; copy "
                   "it again or remove it",
                   s->path);
}

static void close_file(clip_source *s)
{
    flac *f = s->self;
    if (!f)
        return;
    if (f->d)
        FLAC__stream_decoder_delete(f->d);
    f->d = NULL;
    free(f->block);
    f->block = NULL;
}

const clip_source_def clip_flac = {
    .open = open, .seek = seek, .read = read_frames, .end = end, .close = close_file};
