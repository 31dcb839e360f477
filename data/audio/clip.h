// SPDX-License-Identifier: GPL-3.0-or-later
// clip.h: audio as mono floating-point samples, decoded (clip_source.h), mixed down, resampled by
// libsoxr.
//
//     clip c;
//     // "'a.flac' holds 12.500 of the 30.000 seconds that its header announces; ..."
//     if (!clip_read("a.flac", 16000, 0, 0, &c, e)) ...
//     ... c.samples[0 .. c.frames) ...
//     clip_free(&c);
//
// A file that cannot be read as it says it is, is refused with one sentence; nothing is ever put in
// its place.
#ifndef KMIDI_DATA_AUDIO_CLIP_H
#define KMIDI_DATA_AUDIO_CLIP_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

// How names of audio files end, in whatever case: the one list, for readers and verify. NULL ends
// it.
extern const char *const clip_endings[];

typedef struct clip {
    float *samples; // [frames], -1..1, owned by the clip
    int64_t frames;
    int rate; // Hz
    int source_rate, source_channels;
    double seconds; // of the source part that was read
    double peak;    // the largest sample, before the rate is changed
    unsigned marks; // 1 << clip_mark: what a listener should know
} clip;

// What is allowed, and hardly meant.
typedef enum clip_mark {
    CLIP_UNFINISHED, // the header says that there is nothing; read to the end
    // the channels cancel when they are averaged (30 dB or more are lost): stereo with R = -L
    CLIP_CANCELS,
    CLIP_SILENT, // no sample reaches a thousandth of full scale
    CLIP_BRIEF,  // shorter than a second
    CLIP_MARKS
} clip_mark;
// "the header was never finished ...", behind "'a.wav': " or "3 of 100 recordings: "
const char *clip_mark_text(clip_mark m);

// Reads wav, flac, mp3, ogg (vorbis, opus) or aiff (and what else libsndfile knows) of any rate and
// channel count: a sample is the mean of all channels. The part [offset, offset + duration) in
// seconds (duration 0: to the end), resampled to `rate` Hz (0: kept). Errors, each naming the file:
// ERR_MISSING, ERR_IO (may not be read), ERR_EMPTY (no bytes, or no samples), ERR_FORMAT (not
// audio, not a file), ERR_DAMAGED (shorter or longer than its header says, a checksum that does not
// fit, a rate that changes midway), ERR_VALUE (NaN, infinite or absurdly large samples; over the
// limit of 4 hours; a rate outside 1 to 768 kHz). On failure the clip is empty.
bool clip_read(const char *path, int rate, double offset, double duration, clip *c,
               err *e) MUST_CHECK;
void clip_free(clip *c);

// 16 bit, samples beyond -1..1 clipped; appears under its name when it is whole. 16-bit samples
// survive writing and reading exactly.
bool clip_write_wav(const char *path, const float *samples, int64_t frames, int rate,
                    err *e) MUST_CHECK;

// The same as bytes, behind what is in *out.
bool clip_wav(const float *samples, int64_t frames, int rate, strbuf *out, err *e) MUST_CHECK;

// The same reading piece by piece, in memory that does not grow with the file. `c` tells rate and
// source; its samples and frames stay empty, and `seconds` is what has been read so far.
typedef struct clip_stream clip_stream;
typedef bool clip_sink(void *user, const float *samples, int64_t n, err *e);

clip_stream *clip_stream_open(const char *path, int rate, double offset, double duration,
                              err *e) MUST_CHECK;
const clip *clip_stream_info(const clip_stream *s);
// Everything to the end, a block at a time. Nothing may be taken for read before this has returned
// true.
bool clip_stream_run(clip_stream *s, clip_sink *sink, void *user, err *e) MUST_CHECK;
void clip_stream_close(clip_stream *s); // accepts NULL

const char *clip_library(void); // the library's version, as it calls itself

#endif
