// SPDX-License-Identifier: GPL-3.0-or-later
// groove.h: how a performance sits on its beat, in 32 numbers. What groove_predictor learns.
//
// Every onset, drums too, is compared with the nearest sixteenth of its bar (bars.h). With d = how
// many sixteenths it comes late (early where negative), at place q of the bar, and v its velocity /
// 127:
//
//     swing            (long - short) / (long + short) of eighths, mean over the beats that have a
//                      pair: 0 straight, 1/3 triplets (2:1), 1/2 dotted (3:1); long / short = (1 +
//                      swing) / (1 - swing) is the beat-upbeat ratio of Benadon, "Slicing the
//                      beat", Ethnomusicology 50, 2006. A pair is a beat, not of three, with two
//                      moments of onset: one within an eighth of a beat of it, one at 0.4 to 0.8;
//                      onsets within a twelfth of a beat of the first of them are one moment
//     displacement     mean of d: ahead of or behind the beat
//     velocity_variance  mean of (v - mean v)^2
//     note_density     notes a quarter / 8, cut at 1 (event density of Madison, Gouyon, Ullen and
//                      Hornstrom, "Modeling the tendency for music to induce movement in humans",
//                      JEP: HPP 37, 2011)
//     humanization     sqrt(mean (d - mean d at its place)^2): what is left when each place's own
//                      habit is taken away
//     deviation[q]     mean of d at place q: systematic microtiming (Bilmes, "Timing is of the
//                      essence", MIT 1993; Dittmar, Pfleiderer and Mueller, "Automated estimation
//                      of ride cymbal swing ratios in jazz recordings", ISMIR 2015, look at the
//                      same)
//     accent[k]        mean v at places 2k and 2k + 1, less mean v of the song: metrical accents
//     tempo, tempo_deviation   quarters a minute over time, mean and standard deviation, / 200,
//                              each cut at 1
//     off_beat         share of notes whose nearest sixteenth is no beat
//
// Places behind the sixteenth of a bar (5/4) count for all but deviation and accent, for
// humanization as one. All 0 without notes.
#ifndef KMIDI_DATA_MUSIC_GROOVE_H
#define KMIDI_DATA_MUSIC_GROOVE_H

#include "data/music/bars.h"

typedef enum groove_number {
    GROOVE_SWING = 0,            // -0.4 .. 0.7
    GROOVE_DISPLACEMENT = 1,     // sixteenths, -0.5 .. 0.5
    GROOVE_VELOCITY_VARIANCE,    // of velocity / 127, 0 .. 0.25
    GROOVE_NOTE_DENSITY,         // notes a quarter / 8, 0 .. 1
    GROOVE_HUMANIZATION,         // sixteenths, 0 .. 0.5
    GROOVE_DEVIATION = 5,        // [16] sixteenths, -0.5 .. 0.5; 0 where no note is
    GROOVE_ACCENT = 21,          // [8] velocity / 127, -1 .. 1; 0 where no note is
    GROOVE_TEMPO = 29,           // quarters a minute / 200, 0 .. 1
    GROOVE_TEMPO_DEVIATION = 30, // the same
    GROOVE_OFF_BEAT = 31,        // 0 .. 1
    GROOVE = 32
} groove_number;

// `scratch` is given back.
void groove_measure(arena *scratch, const midi_song *s, float out[GROOVE]);

#endif
