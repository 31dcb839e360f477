// SPDX-License-Identifier: GPL-3.0-or-later
// clip_source.h: the decoders behind clip.h: an open file as interleaved floats from its first
// frame to its last.
//
//     libsndfile    wav, aiff, au, caf, w64 and the other formats whose header says where the
//                   samples are (clip_sndfile.c)
//     libFLAC       FLAC: its errors are heard, and the MD5 of all samples is compared
//                   (clip_flac.c)
//     mpg123        MPEG audio: decoded to its end, whatever its header estimates (clip_mpeg.c)
//     libogg        Ogg: every page by its checksum, every link of a chain by libsndfile
//                   (clip_ogg.c)
//
// A header is believed in nothing that decoding does not confirm: `total` is compared, never
// trusted.
#ifndef KMIDI_DATA_AUDIO_CLIP_SOURCE_H
#define KMIDI_DATA_AUDIO_CLIP_SOURCE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/audio/clip_file.h"

typedef struct clip_source clip_source;

typedef struct clip_source_def {
    // Sets rate, channels, total, exact. On failure `close` is called too.
    bool (*open)(clip_source *s, arena *a, err *e);
    // To frame `frame` exactly; false: it has to be reached by decoding. NULL: always.
    bool (*seek)(clip_source *s, int64_t frame);
    // Up to `frames` frames; *got 0 at the end. s->at is where they begin, and is moved by the
    // caller.
    bool (*read)(clip_source *s, float *out, int64_t frames, int64_t *got, err *e);
    // behind the last frame of all: what only the whole shows; NULL: nothing
    bool (*end)(clip_source *s, err *e);
    void (*close)(clip_source *s);
} clip_source_def;

struct clip_source {
    const clip_source_def *def;
    void *self;
    const char *path;
    clip_file file;
    int64_t size, head; // bytes of the file; where what is decoded begins (behind an ID3 tag)
    int rate, channels;
    // frames that the header announces; INT64_MAX: it does not say, or only estimates
    int64_t total;
    int64_t at;      // frames read or passed so far
    bool unfinished; // the header says 0 bytes of samples, and there are some
};

extern const clip_source_def clip_sndfile, clip_flac, clip_mpeg, clip_ogg;

// Finds the decoder; `path` must stay. Whatever it returns, clip_source_close ends it.
bool clip_source_open(clip_source *s, const char *path, arena *a, err *e) MUST_CHECK;
void clip_source_close(clip_source *s);
// `ok`, or where bytes could not be read, so that nothing that was found out holds, the disk's
// error.
bool clip_source_was_read(const clip_source *s, bool ok, err *e);
// "'a.flac' cannot be decoded after 0.288 seconds (why); copy it again or remove it"; false. `why`
// ends at its first full stop.
bool clip_source_damaged(const clip_source *s, const char *why, err *e);

// ---- clip_sndfile.c, for Ogg: bytes [from, from + length) of s->file as a file of their own.
typedef struct clip_sndfile_part clip_sndfile_part;
clip_sndfile_part *clip_sndfile_open(clip_source *s, int64_t from, int64_t length, arena *a,
                                     err *e) MUST_CHECK;
bool clip_sndfile_read(clip_sndfile_part *p, const clip_source *s, float *out, int64_t frames,
                       int64_t *got, err *e);
void clip_sndfile_close(clip_sndfile_part *p); // accepts NULL

// ---- clip_mpeg.c: the first of three frame headers that follow each other, from `from` on within
// a few KiB of what is none; -1: there are none.
int64_t clip_mpeg_find(clip_file *f, int64_t from);

#endif
