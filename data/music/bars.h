// SPDX-License-Identifier: GPL-3.0-or-later
// bars.h: where the bar lines of a song are, where in its bar a note begins, and how fast the song
// goes.
//
//     song_bars b = bars_of(&a, song);
//     bar_place at;
//     if (bars_place(&b, note->start_tick, &at))
//         ... at.nearest == 4, at.late == -0.25: a quarter of a sixteenth before the second quarter
//             of the bar
//
// Rules (Standard MIDI Files 1.0, "Time Signature"; beats as in Gould, "Behind Bars", 2011):
//
//     - a bar under n/d lasts n whole notes / d; 4/4 before the first time signature
//     - a new time signature begins a bar, and cuts the one before short where it must; one that
//       repeats the old one changes nothing
//     - a beat is 1/d, but 3/d in compound metres (6, 9, 12, ... of eighths or shorter notes)
//     - bars go on until the last note ends; those behind BARS_MOST (9 hours at 120 beats a minute
//       in 4/4) are left out
//
// A file that was played freely has no bar lines to speak of: its notes lie anywhere between those
// of 120 beats a minute. Nothing in such a file says so; what is measured against bars means little
// there.
#ifndef KMIDI_DATA_MUSIC_BARS_H
#define KMIDI_DATA_MUSIC_BARS_H

#include "data/midi/midi.h"

enum { BARS_MOST = 16384, BAR_SIXTEENTHS = 16 };

typedef struct song_bar {
    double tick, ticks; // where it begins and how long it is
    double beat;        // ticks of one beat
    bool compound;      // of three parts
    int numerator, denominator;
} song_bar;

typedef struct song_bars {
    song_bar *list; // [n] without gaps, the first at tick 0
    size_t n;
    double sixteenth; // ticks
} song_bars;

// A moment in its bar. Sixteenths are notes, whatever the metre: a bar of 3/4 has 12, one of 5/4
// has 20.
typedef struct bar_place {
    // the nearest sixteenth is in bars.list[bar], which may be the one after that of the moment, or
    // one past the last
    size_t bar;
    int nearest;  // sixteenth, from the bar line
    double late;  // sixteenths behind it (before it where negative), [-0.5, 0.5]
    bool on_beat; // the nearest sixteenth is a beat
} bar_place;

song_bars bars_of(arena *a, const midi_song *s);
// The bar that sounds at a tick; n where there is none.
size_t bars_find(const song_bars *b, double tick);
// False where no bar is.
bool bars_place(const song_bars *b, double tick, bar_place *out);
// The share of notes whose nearest sixteenth is no beat, [0, 1]; drums count. 0 without notes.
double bars_off_beat(const song_bars *b, const midi_song *s);

// Tempo in quarters a minute while the song lasts: mean over time and standard deviation over time.
// Both 0 without notes.
typedef struct song_tempo {
    double mean, deviation;
} song_tempo;
song_tempo bars_tempo(const midi_song *s);

#endif
