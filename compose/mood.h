// SPDX-License-Identifier: GPL-3.0-or-later
// mood.h: what a text feels like, by counting words (moods.def).
//
//     mood_reading r = mood_read("a melancholic ballad about loss");
//     mood_at(r.primary)->name "grief", r.hits 2, r.intensity 0.67
//
// A word is a run of letters and digits, ASCII folded to lower case; what is no ASCII is a letter.
// Every word that a mood knows counts one for it. The mood with most is the first, the next one
// with any the second; of equals the one that stands first in the table. Intensity is a third of
// all that was counted, at most 1; valence and arousal are the means over the counted words. A text
// of no known word is neutral; one without any word is "silence", with neutral's music.
//
// Why not a lexicon with weights: those that are free to ship (NRC's is not) would give valence,
// yet not which of grief and dread is meant, and the mode follows from that.
#ifndef KMIDI_COMPOSE_MOOD_H
#define KMIDI_COMPOSE_MOOD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct mood_def {
    const char *name, *mode;
    double tempo, valence, arousal;
    const char *words; // lower case, blanks between them; * at the end: any ending
} mood_def;

size_t mood_count(void);
const mood_def *mood_at(int mood);
int mood_find(const char *name); // whatever its case; -1: there is none
int mood_neutral(void);
// The one whose valence and arousal lie nearest. Not dissociation or confusion, which are no places
// in that plane, and whose mode has no fifth to rest on: they are meant by name or word alone.
int mood_nearest(double valence, double arousal);

typedef struct mood_reading {
    int primary, secondary; // secondary -1: none
    int hits;               // words that were known
    bool silent;            // there is no word
    double intensity, valence, arousal;
} mood_reading;

mood_reading mood_read(const char *text);

// The next word of a text, at most 63 bytes of it, in lower case; moves *text behind it. False
// behind the last.
bool mood_word(const char **text, char out[64]);

#endif
