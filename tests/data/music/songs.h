// SPDX-License-Identifier: GPL-3.0-or-later
// songs.h: songs written by hand, for tests of what is measured on them.
//
//     // 480 ticks a quarter, 120 quarters a minute, 4/4, a piano and drums
//     midi_song *s = song_new(&a);
//     song_metre(s, 0, 3, 4), song_tempo_at(s, 8, 60);
//     song_play(s, SONG_PIANO, 0, 1, 60, 80);          // at quarter 0, for one quarter, middle C
//     song_done(s);                                    // sorted, seconds counted
#ifndef KMIDI_TESTS_DATA_MUSIC_SONGS_H
#define KMIDI_TESTS_DATA_MUSIC_SONGS_H

#include "data/midi/midi.h"

enum { SONG_PIANO, SONG_DRUMS, SONG_FLUTE, SONG_TICKS = 480, SONG_NOTES_MOST = 4000 };

midi_song *song_new(arena *a);
void song_play(midi_song *s, int instrument, double quarter, double quarters, int pitch,
               int velocity);
void song_metre(midi_song *s, double quarter, int numerator, int denominator); // in order
// in order; at 0 it replaces the first
void song_tempo_at(midi_song *s, double quarter, double quarters_a_minute);
void song_pedal(midi_song *s, double start, double end); // seconds
void song_done(midi_song *s);

// Pieces that several tests need.
// C major, an octave upwards in quarters, velocity 80
midi_song *song_scale(arena *a);
// I IV V I in G major, four bars of whole notes: root in the bass, triad above
midi_song *song_cadence(arena *a);
// the ride cymbal's "ding ding-a" with triplet eighths, 2:1, two bars
midi_song *song_swing(arena *a);
// anything that midi.h allows, and much that no musician would
midi_song *song_random(arena *a, uint32_t seed);
// that a command wrote to test_path(name); an empty one where that is none, and the test fails
const midi_song *song_read(arena *a, const char *name);

#endif
