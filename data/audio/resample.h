// SPDX-License-Identifier: GPL-3.0-or-later
// resample.h: one sample rate to another, by libsoxr at its quality HQ (20 bits, linear phase):
// what librosa calls soxr_hq.
//
//     resampler *r = resampler_open(44100, 16000, e);
//     // the sink gets what is ready, which may be nothing
//     while (more)  resampler_push(r, x, n, sink, user);
//     resampler_finish(r, sink, user);                        // and here the rest
//     resampler_close(r);
//
// Over all calls exactly ceil(samples * to / from) samples come out, as from librosa; how the input
// was cut does not matter.
#ifndef KMIDI_DATA_AUDIO_RESAMPLE_H
#define KMIDI_DATA_AUDIO_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RESAMPLE_NAME "soxr_hq"

typedef struct resampler resampler;
typedef bool resample_sink(void *user, const float *x, size_t n, err *e);

resampler *resampler_open(int from, int to, err *e) MUST_CHECK; // Hz, both > 0
void resampler_close(resampler *r);                             // accepts NULL
bool resampler_push(resampler *r, const float *x, size_t n, resample_sink *sink, void *user,
                    err *e) MUST_CHECK;
bool resampler_finish(resampler *r, resample_sink *sink, void *user, err *e) MUST_CHECK;
// How many samples become of n: ceil(n * to / from).
int64_t resample_length(int64_t n, int from, int to);

const char *resample_library(void); // the library's version, as it calls itself

#endif
