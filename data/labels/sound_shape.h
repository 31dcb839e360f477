// SPDX-License-Identifier: GPL-3.0-or-later
// sound_shape.h: how a note begins, stays and shines: three numbers measured in its samples, and
// the classes that they fall into.
//
// The envelope is the root mean square of 10 ms, every 2.5 ms; its largest value is the peak.
//
//     attack      seconds from where the envelope first reaches a tenth of the peak to where it
//                 first reaches nine tenths (log attack time of MPEG-7, ISO/IEC 15938-4, with
//                 thresholds as in Peeters, "A large set of audio features", IRCAM 2004)
//     sustain     seconds for which the envelope is at least a tenth of the peak: within 20 dB of
//                 the loudest
//     brightness  Hz: sum of f P(f) / sum of P(f), P the power spectrum in Hann windows of 1024
//                 samples, every 512, added up over all of the sound: the spectral centroid, by
//                 power
//
// Classes are octaves: attack from 5 ms, sustain from 62.5 ms, brightness from 350 Hz on; a number
// that is a bound belongs to the class above it.
#ifndef KMIDI_DATA_LABELS_SOUND_SHAPE_H
#define KMIDI_DATA_LABELS_SOUND_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

typedef struct sound_shape {
    double attack, sustain, brightness; // s, s, Hz; all 0 where nothing is heard
} sound_shape;

// Of n samples. ERR_MEMORY.
bool sound_shape_of(const float *x, int64_t n, int rate, sound_shape *out, err *e) MUST_CHECK;

// There is a sound; numbers that came from outside make sense.
bool sound_shape_heard(const sound_shape *s);
bool sound_shape_ok(const sound_shape *s);
enum { ATTACKS = 8, SUSTAINS = 8, BRIGHTNESSES = 4 };
int sound_attack_class(double seconds);
int sound_sustain_class(double seconds);
int sound_brightness_class(double hz);

#endif
