// SPDX-License-Identifier: GPL-3.0-or-later
// rate.h: another sample rate for samples that come in blocks, in real time: no memory is taken
// after it was opened. (resample.h, by soxr, is for files; soxr takes memory as it goes.)
//
// A windowed sinc, cut off below half of the lower rate, in as many phases as the ratio has, up to
// RATE_PHASES; between phases of ratios that have more, linearly (error below 1e-5).
// J. O. Smith, "Digital Audio Resampling", ccrma.stanford.edu/~jos/resample.
#ifndef KMIDI_DATA_AUDIO_RATE_H
#define KMIDI_DATA_AUDIO_RATE_H

#include <stdint.h>

#include "base/arena.h"

enum { RATE_PHASES = 512, RATE_BLOCK = 256 };

typedef struct rate {
    int64_t from, to; // Hz
    int64_t taps;     // of a phase: so many input samples make an output sample
    int64_t phases;
    const float *table;  // [phases + 1][taps]
    float *heard;        // [taps + RATE_BLOCK], of which `n` are there
    int64_t n, at, part; // the next output begins at sample `at` + part / to
} rate;

// Both 1 or more. Owned by `a`.
rate *rate_open(int64_t from, int64_t to, arena *a);
void rate_reset(rate *r);
// n <= RATE_BLOCK samples in; the number of samples written to out [rate_most(r)].
int64_t rate_run(rate *r, const float *x, int64_t n, float *out);
int64_t rate_most(const rate *r); // that RATE_BLOCK samples become, at most
double rate_delay(const rate *r); // samples at `from`

#endif
