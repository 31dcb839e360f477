// SPDX-License-Identifier: GPL-3.0-or-later
// stretch.h: sound that lasts longer or lies higher, one without the other, by Rubber Band (which
// only stretch.c knows).
//
//     int64_t m = stretch_length(n, 1.1);
//     // a tenth longer, three semitones lower; float out[m]
//     stretch_run(x, n, 16000, 1.1, -3, out, e)
//
// The finer of the library's engines ("R3"): a tone comes out at its frequency and as loud as it
// was. The faster one is three times as fast, and off by up to 8 cents and half a decibel. Some 40
// times real time at 16 kHz, 15 times at 44.1 kHz, on one core; about 30 MB and twice the clip in
// memory. The result depends on the library's version, and on nothing else.
#ifndef KMIDI_DATA_AUDIO_STRETCH_H
#define KMIDI_DATA_AUDIO_STRETCH_H

#include <stdint.h>

#include "base/err.h"

enum { STRETCH_RATE_LEAST = 8000, STRETCH_RATE_MOST = 192000 }; // Hz that the library is made for

// ERR_MISSING: Rubber Band is not installed; to be asked before the first of many sounds
bool stretch_ready(err *e) MUST_CHECK;
int64_t stretch_length(int64_t n, double time); // round(n time), at least 1
// x [n] of `rate` Hz to out [stretch_length(n, time)], apart from x. `time` > 0: how many times as
// long; `semitones` higher. With 1 and 0 a copy. n <= UINT32_MAX. ERR_VALUE: the rate is beyond the
// limits above. ERR_MISSING: Rubber Band is not installed; it is opened here (base/library.h). The
// library knows no other errors; without memory it aborts.
bool stretch_run(const float *x, int64_t n, int rate, double time, double semitones, float *out,
                 err *e) MUST_CHECK;

// the library's version that this was built with; it does not tell its own
const char *stretch_library(void);

#endif
