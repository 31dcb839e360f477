// SPDX-License-Identifier: GPL-3.0-or-later
// genre.h: how a kind of music is played (genres.def), and over which chords (progressions.def).
#ifndef KMIDI_COMPOSE_GENRE_H
#define KMIDI_COMPOSE_GENRE_H

#include "base/arena.h"
#include "compose/theory.h"

enum { GENRE_CALM, GENRE_LIVELY, GENRE_STYLES }; // of the two patterns of chords

typedef struct genre_def {
    const char *name, *also; // other names, blanks between them, _ for a blank within
    double tempo[2];         // quarters a minute, least and most
    int beats;               // of a bar, in quarters
    int section;             // bars of a section of the form; 0: eight
    double swing, loose, dense;
    int lead, keys, bass; // General MIDI programs from 0: melody, chords, bass
    const char *chords[GENRE_STYLES], *low, *drums;
} genre_def;

int genre_count(void);
const genre_def *genre_at(int genre);
int genre_find(const char *name); // by any of its names, whatever their case; -1: there is none
int genre_plain(void);
// The first that a text names, as "waltz" in "a sad waltz"; -1.
int genre_in(const char *text);
bool genre_unknown(const char *name, err *e); // false: ERR_USAGE, the nearest and all of them

typedef struct progression {
    const char *from; // where it is known from
    chord_symbol *chords;
    int n;
} progression;

// What the genre plays in this mode, moved to the root: the first, or the one that `dice` points
// at.
progression progression_of(arena *a, int genre, int root, int mode, uint32_t dice);

#endif
