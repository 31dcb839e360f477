// SPDX-License-Identifier: GPL-3.0-or-later
// tones.h: messages as sound while they come: what the network that draws listens to. The tones are
// those that it was trained on (data/music/additive.h); drums are not heard, as there.
//
//     tones *t = tones_open(22050, &arena);
//     tones_event(t, &event, from_now);        // in order
//     tones_play(t, x, 367);                   // x[367], replaced
//
// A piece is heard in training with its loudest moment at 0.9 of full scale. Nobody knows the
// loudest moment of what is not over: each tone has a third of that, as in a chord of three.
// Nothing is taken after it was opened; beyond 64 tones the one that is oldest gives way.
#ifndef KMIDI_PERFORM_TONES_H
#define KMIDI_PERFORM_TONES_H

#include "perform/score.h"

enum { TONES_MOST = 64 };

typedef struct tones tones;

tones *tones_open(int rate, arena *a);
void tones_event(tones *t, const score_event *x, int64_t from_now); // samples behind tones_play
void tones_play(tones *t, float *x, int64_t n);

#endif
