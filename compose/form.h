// SPDX-License-Identifier: GPL-3.0-or-later
// form.h: how a melody is laid out in time: sections, phrases, motifs that come back, and the
// rhythm of every bar.
//
// Phrases are of four bars; a section has two (three where the genre says so, as in a blues) and is
// a period: its second phrase begins as the first did and closes where that one stayed open
// (Caplin, "Classical Form", 1998, chapter 4). Sections come as A A B A C A B A, again and again,
// the order of song and rondo. A bar that recalls an earlier one (its twin) has that one's rhythm
// and, as far as the chords let it, its notes: what is repeated is what is remembered (Huron,
// "Sweet Anticipation", 2006; 94% of the musical passages longer than a few seconds come back, as
// he counts there).
//
// The rhythm of a bar without a twin is drawn from rhythms.def: the nearer its number of notes is
// to
//
//     4 + 2 arousal + the genre's   (bars of 3/4: three quarters of it; B one more, C one fewer)
//
// the likelier, exp(-d^2 / 2).
#ifndef KMIDI_COMPOSE_FORM_H
#define KMIDI_COMPOSE_FORM_H

#include "compose/song_plan.h"

enum { FORM_PHRASE = 4 };

typedef struct form_bar {
    char section;
    int twin;    // an earlier bar; -1: none
    bool ends;   // a phrase
    bool closes; // a section, or the piece
    int rhythm;  // a row of rhythms.def
} form_bar;

// A note of the melody to be: where, how long it is written, and how much the metre stresses it, 1
// on the first beat to 0.1 on an odd sixteenth.
typedef struct form_slot {
    int bar, twin; // twin: the slot that it recalls; -1: none
    double quarter, quarters, stress;
    bool ends; // the last of a phrase
} form_slot;

typedef struct form {
    form_bar *bars;   // [plan.bars]
    form_slot *slots; // [n]
    size_t n;
    size_t *first; // [plan.bars + 1] slots of each bar
} form;

form form_of(arena *a, const song_plan *p);

#endif
