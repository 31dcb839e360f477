// SPDX-License-Identifier: GPL-3.0-or-later
// feature_normal.h: a recording's frames with mean 0 and deviation 1, so that how loud it was taken
// and how wide its range is are not heard. What remains is its course (as cepstral mean and
// variance normalisation has it: Viikki and Laurila, Speech Communication 1998).
//
//     x[t][b] = (x[t][b] - m) / max(d, 0.01)
//
// NORMAL_ITEM   m and d of all numbers of the recording: differences between bands stay
// NORMAL_BANDS  m and d of each band's: a voice's own colour goes as well
//
// The frames of a recording that goes on are normalised by what was heard so far, each with itself
// (serve/ear.c).
#ifndef KMIDI_DATA_FEATURES_FEATURE_NORMAL_H
#define KMIDI_DATA_FEATURES_FEATURE_NORMAL_H

#include <stdint.h>

#include "base/arena.h"

typedef enum normal_kind { NORMAL_NONE, NORMAL_ITEM, NORMAL_BANDS } normal_kind;

// Deviations below it count as it: in silence there is nothing to hear.
#define NORMAL_LEAST 0.01

typedef struct normal_sums {
    int width, bands;      // numbers of a frame; the first of them are normalised
    int64_t n;             // frames
    double *sum, *squares; // [bands]
    float *mean, *scale;   // [bands] of `normal_apply`
} normal_sums;

normal_sums normal_open(int width, int bands, arena *a);
void normal_reset(normal_sums *s);
void normal_add(normal_sums *s, const float *frames, int64_t n);
// In place, by what was added: at least one frame.
void normal_apply(const normal_sums *s, normal_kind kind, float *frames, int64_t n);

#endif
