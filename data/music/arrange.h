// SPDX-License-Identifier: GPL-3.0-or-later
// arrange.h: from pitches to a piece: rhythm, tempo, touch, chords, groove, dynamics. For models
// that say only which note comes next.
//
// What no model says follows from valence v and arousal a by the rule of the synthetic corpus
// (synth.h has the sources):
//
//     tempo         96 + 46 a quarters a minute, 40 to 220
//     articulation  0.75 - 0.28 a of a note's time sounds, 0.2 to 1
//     rhythm        of a beat: two eighths with 0.35 + 0.3 a, a half note with 0.2 - 0.2 a, else a
//                   quarter; no note crosses a bar line, and every fourth bar comes to rest on a
//                   half note
//     loudness      amplitude x of full scale, x = 0.4 + 0.25 a, velocity 127 sqrt(0.8 x); chords
//                   127 sqrt(0.45 x). The first beat 6 more, the third 3 more, off-beats 4 less;
//                   chance with deviation 3
//     chords        struck once a bar; twice where a > 0; every beat where a > 0.5. Root in C2 to
//                   B2, the chord in C3 to B3
//
// Groove (groove.h) moves what lies on the grid: tempo, swing (an off-beat eighth comes 2 swing
// sixteenths late), deviation of each place, humanization as chance, accents and what velocity
// variance they leave. Dynamics (dynamics.h) scale the velocities of a span so that their mean is
// the curve's. Everything is 4/4 and a function of the seed.
//
//     arrangement *r = arrange_open(&a, &style, bars);
//     ... as many pitches as r->n_slots ...
//     arrange_melody(r, pitches, n);
//     harmony_of(&a, r->song, HARMONY_BARS) ... arrange_chords(r, chords, bars);
//     arrange_groove(r, groove); arrange_dynamics(r, phrases, n_phrases);
//     midi_write("out.mid", r->song, e);
#ifndef KMIDI_DATA_MUSIC_ARRANGE_H
#define KMIDI_DATA_MUSIC_ARRANGE_H

#include "data/midi/midi.h"
#include "data/music/dynamics.h"

enum { ARRANGE_BARS = 4096, ARRANGE_BEATS = 4 };

typedef struct arrange_style {
    double valence, arousal; // [-1, 1]
    double tempo;            // quarters a minute; 0: from arousal
    uint64_t seed;
    int program, chord_program; // 0..127
} arrange_style;

typedef struct arrange_slot {
    double quarter, quarters; // from the beginning; written length
} arrange_slot;

typedef struct arrangement {
    arena *arena;
    arrange_style style;
    int bars, beats;     // of a bar, in quarters
    arrange_slot *slots; // [n_slots], one for each note of the melody
    size_t n_slots;
    midi_song
        *song;   // by start and pitch, with seconds; of arrange_open: 0 the melody, 1 the chords
    size_t room; // of song->notes
} arrangement;

double arrange_tempo(const arrange_style *s);
double arrange_velocity(const arrange_style *s); // of a note without accent
double arrange_articulation(const arrange_style *s);
// Pieces of other parts and metres: no rhythm, no notes, room for `room` of them, and of `parts`
// instruments, each a piano on its own channel and track. Then notes in any order, and settle.
arrangement *arrange_blank(arena *a, const arrange_style *s, int bars, int beats, int parts,
                           size_t room);
void arrange_note(arrangement *r, int part, double quarter, double quarters, int pitch,
                  double velocity);
void arrange_settle(arrangement *r); // order and seconds, as midi_read would have them
// The rhythm of `bars` bars, 1 to ARRANGE_BARS, and an empty song. Owned by `a`.
arrangement *arrange_open(arena *a, const arrange_style *s, int bars);
// n of them, at most n_slots; a pitch is 0..127.
void arrange_melody(arrangement *r, const int *pitches, size_t n);
// chords[bars]: an id (chords.h) for each bar; CHORD_NONE and what is no chord are silent.
void arrange_chords(arrangement *r, const int *chords, int bars);
// groove[GROOVE]; numbers out of range are cut.
void arrange_groove(arrangement *r, const float *groove);
// Curves as of dynamics_of; numbers are cut to 0.1 .. 1.
void arrange_dynamics(arrangement *r, const dynamics_phrase *phrases, size_t n);

#endif
