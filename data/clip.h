// SPDX-License-Identifier: GPL-3.0-or-later
// clip.h: audio as mono floating-point samples, decoded by libsndfile, resampled by libsoxr. (MIDI clips come with their reader.)
//
//     clip c;
//     if (!clip_read("a.flac", 16000, 0, 0, &c, e)) ...    // "'a.flac' holds 12.500 of the 30.000 seconds that its header announces; ..."
//     ... c.samples[0 .. c.frames) ...
//     clip_free(&c);
//
// A file that cannot be read as it says it is, is refused with one sentence; nothing is ever put in its place.
#ifndef KMIDI_DATA_CLIP_H
#define KMIDI_DATA_CLIP_H

#include <stdint.h>

#include "base/err.h"

typedef struct clip {
    float *samples; // [frames], -1..1, owned by the clip
    int64_t frames;
    int rate; // Hz
    int source_rate, source_channels;
    double seconds; // of the source part that was read
} clip;

// Reads wav, flac, ogg or aiff (and what else libsndfile knows) of any rate and channel count (channels are averaged), the part [offset,
// offset + duration) in seconds (duration 0: to the end), resampled to `rate` Hz (0: kept). Errors, each naming the file: ERR_MISSING,
// ERR_IO (may not be read), ERR_EMPTY (no bytes, or no samples), ERR_FORMAT (not audio, not a file), ERR_DAMAGED (shorter than its header
// says), ERR_VALUE (NaN, infinite or absurdly large samples; over the limit of 4 hours; a rate outside 1 to 768 kHz). On failure the clip
// is empty.
bool clip_read(const char *path, int rate, double offset, double duration, clip *c, err *e) MUST_CHECK;
void clip_free(clip *c);

// 16 bit, samples beyond -1..1 clipped; appears under its name when it is whole. 16-bit samples survive writing and reading exactly.
bool clip_write_wav(const char *path, const float *samples, int64_t frames, int rate, err *e) MUST_CHECK;

// The same reading piece by piece, in memory that does not grow with the file. `c` tells rate and source; its samples and frames stay
// empty, and `seconds` is what has been read so far.
typedef struct clip_stream clip_stream;
typedef bool clip_sink(void *user, const float *samples, int64_t n, err *e);

clip_stream *clip_stream_open(const char *path, int rate, double offset, double duration, err *e) MUST_CHECK;
const clip *clip_stream_info(const clip_stream *s);
// Everything to the end, a block at a time. Nothing may be taken for read before this has returned true.
bool clip_stream_run(clip_stream *s, clip_sink *sink, void *user, err *e) MUST_CHECK;
void clip_stream_close(clip_stream *s); // accepts NULL

const char *clip_library(void); // the library's version, as it calls itself

#endif
