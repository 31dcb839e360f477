// SPDX-License-Identifier: GPL-3.0-or-later
// recorder.h: what was played, kept to become a file: tempo and bar lines are those of the
// performance, to the tick.
//
//     recorder_take(r, &score);                                    // now and then
//     midi_write("evening.mid", recorder_song(r, seconds, &arena), e)
//     recorder_close(r);
//
// It takes memory as it grows (40 bytes a note), so it is for the thread that may.
#ifndef KMIDI_PERFORM_RECORDER_H
#define KMIDI_PERFORM_RECORDER_H

#include "data/midi/midi.h"
#include "perform/score.h"

typedef struct recorder recorder;

recorder *recorder_open(arena *a);
void recorder_take(recorder *r, score *s); // all that was kept since
// Cut off at `seconds`: what has begun by then, ended by then; of one bar of silence where there
// was nothing. An instrument for each channel and program.
midi_song *recorder_song(const recorder *r, double seconds, arena *a);
void recorder_close(recorder *r); // accepts NULL

#endif
