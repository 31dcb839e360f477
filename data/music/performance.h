// SPDX-License-Identifier: GPL-3.0-or-later
// performance.h: performance events as they come, one by one: what sounds, how late it is, what may
// follow, and the piece that came of it.
//
//     performance p = {0};
//     performance_take(&p, token);             // for each event
//     performance_forbid(&p, logits);          // of the next one
//     performance_style style = {.tempo = 96, .seconds = 20};
//     midi_song *s = performance_song(&a, tokens, n, &style, e);
//
// The grammar is that of data/features/tokens.c, for one instrument: what it never writes may not
// follow. A note-off ends a note that sounds, and not one that began at this very step; what sounds
// is not struck again before its end; a velocity that is in force is not said again, nor two behind
// each other; and behind PERFORMANCE_MOMENT events of one step time goes on, so that every piece
// comes to an end. Where notes may last `longest` steps, time goes no further than the first that
// reaches it, and then nothing but such ends may follow.
#ifndef KMIDI_DATA_MUSIC_PERFORMANCE_H
#define KMIDI_DATA_MUSIC_PERFORMANCE_H

#include "data/midi/midi.h"
#include "data/music/tokens.h"

enum { PERFORMANCE_MOMENT = 64 };

typedef struct performance {
    int64_t step;       // of 10 ms, since the first event
    bool sounds[128];   // the pitch
    int64_t since[128]; // the step at which it began
    int64_t longest;    // steps that a note may last; 0: as many as it likes
    // tokens: the velocity in force and the last event (0: none yet); events since time went on
    int velocity, last, crowded;
} performance;

void performance_take(performance *p, int token);
// logits[TOKENS_COUNT] of what may not follow become -INFINITY. Something always may.
void performance_forbid(const performance *p, float *logits);

typedef struct performance_style {
    double tempo;   // quarters a minute: the bar lines; the notes stay where they are in seconds
    double seconds; // where the piece is cut off
    int program;    // 0..127
} performance_style;

// Notes of the events as a song of one instrument that midi_write takes, with seconds; what still
// sounds at the end ends there. ERR_VALUE as tokens_decode.
midi_song *performance_song(arena *a, const uint16_t *tokens, size_t n, const performance_style *o,
                            err *e) MUST_CHECK;

#endif
