// SPDX-License-Identifier: GPL-3.0-or-later
// clip.h: audio as mono floating-point samples, decoded by libsndfile, resampled by libsoxr. (MIDI clips come with their reader.)
#ifndef KMIDI_DATA_CLIP_H
#define KMIDI_DATA_CLIP_H

#include <stdint.h>

#include "base/err.h"

typedef struct clip {
    float *samples;   // [frames], -1..1, owned by the clip
    int64_t frames;
    int rate;         // Hz
    int source_rate, source_channels;
    double seconds;   // of the source part that was read
} clip;

// Reads wav, flac, ogg or aiff of any rate and channel count (channels are averaged), the part [offset, offset + duration) in seconds (duration 0: to the
// end), resampled to `rate` Hz (0: kept). Errors, each naming the file: ERR_MISSING, ERR_EMPTY (no bytes, or no samples), ERR_FORMAT (not audio), ERR_DAMAGED
// (shorter than its header says), ERR_VALUE (NaN or infinite samples; over the limit of 4 hours).
bool clip_read(const char *path, int rate, double offset, double duration, clip *c, err *e) MUST_CHECK;
bool clip_write_wav(const char *path, const float *samples, int64_t frames, int rate, err *e) MUST_CHECK;  // 16 bit
void clip_free(clip *c);

#endif
