// SPDX-License-Identifier: GPL-3.0-or-later
// augment_clip.h: copies of a recording that could have been made on another day: longer, higher,
// duller, noisier.
//
// Made when shards are (prepare.h), of the training split alone, because stretching costs more than
// training on it: every item stands in the shard with `copies` more behind it. A draw is a function
// of (seed, the item's path, copy), so the shards are the same for any number of jobs and machines.
// In this order:
//
//     transpose so many semitones higher, and shorter by as much, as a tape that runs faster: by
//               resampling, for notes, which are then other notes of the same instrument
//     stretch   the copy lasts so many times as long, at its pitch (librosa's and audiomentations'
//               "rate" is 1 / stretch)
//     pitch     so many semitones higher, as long as before
//     tilt      so many decibels an octave brighter (or duller, below 0) around 1 kHz, flat below
//               TILT_LEAST Hz
//     noise     white Gaussian noise, so many decibels below the clip's mean power (its SNR); none
//               where the clip is silent
//     gain      so many decibels louder: of a note, as if it had been struck harder, for which
//               amplitude is taken to go by the square of the velocity (DLS level 1; Dannenberg,
//               "The interpretation of MIDI velocity", ICMC 2006):
//               velocity 10^(gain / 40)
//
// Each is drawn evenly from its range. Why these: Schlüter and Grill, "Exploring data augmentation
// for improved singing voice detection", ISMIR 2015 (stretch, pitch, filters); Salamon and Bello,
// IEEE Signal Processing Letters 24, 2017.
//
//     clip_draw d = augment_clip_draw(&settings, digest_of_path, 1);
//     int64_t m = augment_clip_length(&d, n);                         // float out[m]
//     augment_clip(&d, rate, x, n, out, e)
#ifndef KMIDI_DATA_AUDIO_AUGMENT_CLIP_H
#define KMIDI_DATA_AUDIO_AUGMENT_CLIP_H

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

enum { AUGMENT_COPIES_MOST = 32, TILT_PIVOT = 1000, TILT_LEAST = 32, TRANSPOSE_RATE = 48000 };

// What a configuration asks for. A range is lowest, highest.
typedef struct augment_clip_settings {
    int copies;          // 0: nothing of all this
    double transpose[2]; // {0, 0}: none
    double stretch[2];   // {1, 1}: none
    double pitch[2];     // {0, 0}: none
    double tilt;         // drawn from -tilt to tilt
    bool noisy;          // noise is asked for, at
    double noise[2];     // dB
    double gain[2];      // dB; {0, 0}: none
    uint64_t seed;
} augment_clip_settings;

typedef struct clip_draw {
    int from; // Hz of a recording that is heard at TRANSPOSE_RATE; 0: as it is
    double stretch, semitones, tilt, snr; // snr INFINITY: no noise
    double gain;                          // dB
    rng noise;
    uint64_t digest;
} clip_draw;

// copy: 1..copies
clip_draw augment_clip_draw(const augment_clip_settings *s, uint64_t digest, int copy);
int64_t augment_clip_length(const clip_draw *d, int64_t n);
// What a copy of a note is another note by.
typedef struct clip_change {
    double semitones; // of `transpose` alone
    double velocity;  // times as much
} clip_change;
clip_change augment_clip_change(const clip_draw *d);
// x [n], n > 0, to out [augment_clip_length], apart from x. ERR_VALUE: of a rate that cannot be
// stretched (stretch.h).
bool augment_clip(const clip_draw *d, int rate, const float *x, int64_t n, float *out,
                  err *e) MUST_CHECK;

#endif
