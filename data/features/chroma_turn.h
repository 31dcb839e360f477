// SPDX-License-Identifier: GPL-3.0-or-later
// chroma_turn.h: pitch classes as a key hears them: those of a frame are turned so that the tonic
// of the key that fits them best comes first, and a piece sounds the same in every key. What
// remains is what tells major from minor.
//
//     y[c] = x[c] - mean of x                     logarithms of the twelve classes (chroma.h)
//     r(k) = <profile k, y> / (|y| + 0.001)       of 12 major and 12 minor keys (data/music/key.h),
//                                                 of mean 0 and length 1
//     w(k) = exp(30 r(k)) / sum over k
//     z[j] = sum over k of w(k) y[(j + tonic of k) mod 12]
//
// Keys are mixed by how well they fit rather than the best one taken, so that a bit more or less
// does not turn a frame around.
#ifndef KMIDI_DATA_FEATURES_CHROMA_TURN_H
#define KMIDI_DATA_FEATURES_CHROMA_TURN_H

#include "data/audio/chroma.h"

enum { CHROMA_KEYS = 2 * CHROMA_CLASSES };
#define CHROMA_LEAST 0.001

typedef struct chroma_turn {
    // 30 times each profile at its place: key k has tonic k mod 12, and is minor from 12 on
    float keys[CHROMA_KEYS][CHROMA_CLASSES];
} chroma_turn;

void chroma_turn_open(chroma_turn *t);
void chroma_turn_run(const chroma_turn *t, float x[CHROMA_CLASSES]); // in place

#endif
