// SPDX-License-Identifier: GPL-3.0-or-later
// band.h: what plays under a melody: chords, bass and drums, by the patterns of the genre
// (genres.def), and how all of it is timed and how loud it is where no model says so.
//
// Chords are voiced between D3 and C5. Of a chord's inversions the one is taken whose tones lie
// nearest to those of the chord before (Tymoczko, "A Geometry of Music", 2011: efficient voice
// leading), the first nearest to A3. The bass takes the octave nearest to its last note, E1 to E3,
// and under a slash its own note. In the last bar everything strikes once and holds.
//
//     groove    swing and looseness of the genre; accents of the metre: in 4/4 first beat +0.055,
//               third +0.03, off-beats -0.02 of full velocity; in 3/4 first beat +0.05
//     dynamics  a phrase is an arch, its top at two thirds (Todd, "The dynamics of dynamics", JASA
//               91, 1992, has loudness rise and fall as a parabola over each phrase): velocity 0.88
//               at its ends to 1.06 of the mean; the sections B and C 0.05 louder and 0.05 softer,
//               the last phrase falls by 0.1
#ifndef KMIDI_COMPOSE_BAND_H
#define KMIDI_COMPOSE_BAND_H

#include "compose/form.h"
#include "data/music/arrange.h"

enum { BAND_MELODY, BAND_CHORDS, BAND_BASS, BAND_DRUMS, BAND_PARTS };

// A song of the plan's tempo, metre, key and instruments, without notes.
arrangement *band_open(arena *a, const song_plan *p, size_t melody_notes);
void band_melody(arrangement *r, const form *f, const int *pitches);
// chords[bars]; NULL: the plan's.
void band_accompany(arrangement *r, const song_plan *p, const form *f, const chord_symbol *chords);
// groove[GROOVE] and the curves of every phrase, by rule.
void band_groove(const song_plan *p, float *groove);
void band_dynamics(arrangement *r, const song_plan *p, const form *f);

#endif
