// SPDX-License-Identifier: GPL-3.0-or-later
// augment_mel.h: the same frames brighter or duller, louder or softer, while they are loaded.
//
// Where frames are logarithms, a tilt of the sound is a number added to each band, and a gain one
// added to all:
//
//     x[t][b] += per_db (gain + tilt octave[b]) / deviation[b]
//     octave[b] = log2(centre of band b / 1 kHz)
//
// with `tilt` drawn evenly from -tilt to tilt decibels an octave and `gain` from -gain to gain
// decibels, once for a row, from (seed, epoch, position). It is what augment_clip.h does to the
// samples, but for the floor of the logarithm, which moves along.
//
//     augment_mel m = {.tilt = 3, .gain = 6};
//     if (!augment_mel_bands(&settings, &arena, &m, e)) ...
//     augment_mel_row(&m, draws, epoch, position, deviation, frames, n_mels, row)
#ifndef KMIDI_DATA_LOADER_AUGMENT_MEL_H
#define KMIDI_DATA_LOADER_AUGMENT_MEL_H

#include "base/arena.h"
#include "base/rng.h"
#include "data/audio/mel.h"

typedef struct augment_mel {
    double tilt, gain;   // decibels an octave, decibels; both 0: nothing
    double per_db;       // what a decibel adds to a value
    const float *octave; // [n_mels] of each band's centre above 1 kHz
    int turned;          // the last of them are classes turned to their key: neither moves them
} augment_mel;

// Fills per_db, octave (owned by `a`) and turned. ERR_CONFIG: frames that are no logarithms.
bool augment_mel_bands(const mel_settings *s, arena *a, augment_mel *m, err *e) MUST_CHECK;
// x [frames][n_mels], divided by deviation [n_mels] already (NULL: not). Does nothing where nothing
// is asked for.
void augment_mel_row(const augment_mel *m, rng draws, uint64_t epoch, uint64_t position,
                     const float *deviation, int64_t frames, int n_mels, float *x);

#endif
