// SPDX-License-Identifier: GPL-3.0-or-later
// emotions.h: names of emotions as points of valence and arousal, and the vector of 64 that stands
// for one (design 4).
#ifndef KMIDI_DATA_MUSIC_EMOTIONS_H
#define KMIDI_DATA_MUSIC_EMOTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { EMOTION_SIZE = 64 };

typedef struct emotion_name {
    const char *name;
    double valence, arousal; // [-1, 1]
} emotion_name;

size_t emotion_count(void);
const emotion_name *emotion_at(size_t i);
const emotion_name *emotion_find(const char *name); // whatever its case; NULL when it is not known
// What a person writes: a name of the table, or "valence,arousal" or "valence,arousal,intensity"
// (NaN where it is not there). ERR_USAGE names the nearest name and all, or the number that is out
// of range.
bool emotion_parse(const char *text, double *valence, double *arousal, double *intensity,
                   err *e) MUST_CHECK;
// [0] valence, [1] arousal, [2] intensity, the rest zero. intensity NaN: the distance from neutral,
// sqrt((v^2 + a^2) / 2).
void emotion_vector(double valence, double arousal, double intensity, float out[EMOTION_SIZE]);

#endif
