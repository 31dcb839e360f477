// SPDX-License-Identifier: GPL-3.0-or-later
// melody.h: the top line of a song, one note at a time; and its bass line.
//
// The skyline of Uitdenbogerd and Zobel, "Melodic matching techniques for large music databases",
// ACM Multimedia 1999 ("all-mono"): of all instruments but drums, keep the highest note of those
// that begin together, and end it where the next one begins. To that comes what an ear does with a
// held note (Chai, "Melody retrieval on the web", 2001, "revised skyline"): an accompaniment that
// begins below a note still sounding is not melody. In full:
//
//     1. notes that begin within MELODY_TOGETHER seconds of the first of them are one chord. Hands
//        are not machines: notes that are written as one come 10 to 30 ms apart (Goebl, "Melody
//        lead in piano performance", JASA 110, 2001)
//     2. of a chord its highest note may enter; of equal pitches the loudest, then the first
//     3. it does unless a note that began before is higher and still held
//     4. it lasts until it is released or the next note enters
//
// The bass line is the same with high and low exchanged. Held means by finger: the pedal is not
// heard here.
//
//     size_t n;
//     const midi_note *top = melody_top(&a, song, &n);     // top[i].end <= top[i + 1].start
#ifndef KMIDI_DATA_MUSIC_MELODY_H
#define KMIDI_DATA_MUSIC_MELODY_H

#include "data/midi/midi.h"

#define MELODY_TOGETHER 0.03

// *n notes of the song, by start, each with the end that it has in the line. Owned by `a`; never
// NULL.
midi_note *melody_top(arena *a, const midi_song *s, size_t *n);
midi_note *melody_bass(arena *a, const midi_song *s, size_t *n);

#endif
