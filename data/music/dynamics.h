// SPDX-License-Identifier: GPL-3.0-or-later
// dynamics.h: how loudness rises and falls within a phrase, in sixteen steps. What dynamics_engine
// learns.
//
// A phrase is `bars` bars (four by default: the usual length of a phrase in tonal music, Rothstein,
// "Phrase Rhythm in Tonal Music", 1989), counted from the bar in which the first note begins. It is
// divided into sixteen equal spans of ticks, in 4/4 the quarters of four bars, and
//
//     curve[k] = mean velocity / 127 of the notes, drums too, that begin in span k; 0 where none
//         does
//
// Velocity stands for loudness (Dannenberg, "The interpretation of MIDI velocity", ICMC 2006, on
// how far it does). Bars that the last phrase lacks count as long as its last bar, so that a span
// is as long there as anywhere. Phrases without a note are left out.
//
//     song_dynamics d = dynamics_of(&a, song, DYNAMICS_BARS);
//     for (size_t i = 0; i < d.n; i++)
//         ... d.phrases[i].curve[0 .. 15], d.phrases[i].heard & 1u << k: a note begins in span k
#ifndef KMIDI_DATA_MUSIC_DYNAMICS_H
#define KMIDI_DATA_MUSIC_DYNAMICS_H

#include "data/music/bars.h"

enum { DYNAMICS = 16, DYNAMICS_BARS = 4 };

typedef struct dynamics_phrase {
    double tick, ticks; // where it begins and how long it is
    size_t bar;         // its first, of bars_of
    uint32_t heard;     // bit k: a note begins in span k
    float curve[DYNAMICS];
} dynamics_phrase;

typedef struct song_dynamics {
    dynamics_phrase *phrases; // [n] by time; owned by the arena
    size_t n;
} song_dynamics;

song_dynamics dynamics_of(arena *a, const midi_song *s, int bars_each); // bars_each >= 1

#endif
