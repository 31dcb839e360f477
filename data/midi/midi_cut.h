// SPDX-License-Identifier: GPL-3.0-or-later
// midi_cut.h: a part of a song as a song of its own: a phrase, a verse, one bar.
//
//     const midi_song *verse = midi_cut(&a, song, phrase.tick, phrase.tick + phrase.ticks);
//     midi_stats(&a, verse, x);
//
// It holds the notes that begin from tick `from` on and before `to`, both counted from there, and
// what is in force: the tempo, metre and key that were set before, and the pedal that is down.
// Notes and pedal end at `to` at the latest. A note that was struck before and still sounds is not
// of the part. Bar lines stay where they were if `from` is one. Instruments keep their numbers,
// those that are silent too.
#ifndef KMIDI_DATA_MIDI_MIDI_CUT_H
#define KMIDI_DATA_MIDI_MIDI_CUT_H

#include "data/midi/midi.h"

// 0 <= from < to. Owned by `a`; it takes time and memory for what lies in the part, not for the
// song.
const midi_song *midi_cut(arena *a, const midi_song *s, double from, double to);

#endif
