// SPDX-License-Identifier: GPL-3.0-or-later
// harmony.h: the chords of a song, bar by bar or beat by beat, and the 64 numbers that
// harmony_predictor is shown of each.
//
//     song_harmony h = harmony_of(&a, song, HARMONY_BEATS);
//     for (size_t i = 0; i < h.n; i++)
//         ... h.spans[i].chord, h.context + i * HARMONY_CONTEXT ...
//
// The chord of a span is matched (chords.h) on how many ticks each pitch class sounds in it, drums
// left out. The context tells of the bar in which the span lies, as shares that add up to 1 (or all
// 0 where nothing sounds):
//
//      0-11  top line (melody.h)            12-23  all notes            24-35  all notes of the bar
//                                                  before; 0 in the first bar
//     36-47  bass line (melody.h)           48-63  1 at the sixteenth of the bar on which the span
//                                                  begins (the last where a bar is longer)
#ifndef KMIDI_DATA_MUSIC_HARMONY_H
#define KMIDI_DATA_MUSIC_HARMONY_H

#include "data/music/bars.h"
#include "data/music/chords.h"

enum { HARMONY_CONTEXT = 64, HARMONY_SPANS_MOST = 65536 };

typedef enum harmony_step { HARMONY_BARS, HARMONY_BEATS } harmony_step;

typedef struct harmony_span {
    double tick, ticks;
    size_t bar; // of bars_of
    int chord;  // CHORD_NONE too where nothing sounds
    bool sounds;
    float score; // [0, 1]
} harmony_span;

typedef struct song_harmony {
    // [n] without gaps, from tick 0 until the last note ends; at most HARMONY_SPANS_MOST
    harmony_span *spans;
    float *context; // [n][HARMONY_CONTEXT]
    size_t n;
} song_harmony;

// Owned by `a`, which also keeps a kilobyte of scratch a span. A song of drums has spans without
// chords, one without notes has no spans.
song_harmony harmony_of(arena *a, const midi_song *s, harmony_step step);

#endif
