// SPDX-License-Identifier: GPL-3.0-or-later
// theory.h: keys, modes and chord symbols as musicians write them.
//
//     key_name k;                  key_parse("F# minor", &k, e)     root 6, MINOR, no mode named
//     chord_symbol c;              chord_parse("Bb7/D", &c, e)      root 10, bass 2
//     char out[CHORD_TEXT];        chord_print(c, -3, out)          "Bb7/D"
//
// The modes are those of modes.def, what may stand behind a chord's root is in chord_kinds.def.
// Pitch classes count from C. Names follow the signature: in a key of flats 10 is Bb, in one of
// sharps A#; without either, C# Eb F# Ab Bb, the usual visitors.
#ifndef KMIDI_COMPOSE_THEORY_H
#define KMIDI_COMPOSE_THEORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { DEGREES = 7, CHORD_VOICES = 5, CHORD_TEXT = 24 };

typedef enum mode_family { FAMILY_NONE, FAMILY_MAJOR, FAMILY_MINOR } mode_family;

typedef struct mode_def {
    const char *name;
    int sharps; // on C; negative: flats
    mode_family family;
    int steps[DEGREES]; // semitones above the tonic
} mode_def;

int mode_count(void);
const mode_def *mode_at(int mode);
int mode_find(const char *name); // whatever its case; -1: there is none

// What a person calls a key: "C", "Am", "F# minor", "B♭ major", "d dorian".
typedef struct key_name {
    int root;           // 0 C .. 11 B
    mode_family family; // of the mode, where that is named
    int mode;           // -1: not named
} key_name;

// ERR_USAGE says what a key looks like.
bool key_parse(const char *text, key_name *out, err *e) MUST_CHECK;
// Sharps (flats: negative) of a mode on a root, -5 .. 6.
int key_sharps(int root, int mode);
const char *pitch_class_name(int pitch_class, int sharps);
// Bit p: pitch class p is of the mode on that root.
uint16_t mode_mask(int root, int mode);

typedef struct chord_symbol {
    int8_t root, quality, bass; // pitch classes and a row of chord_kinds.def
} chord_symbol;

// ERR_VALUE names what may stand behind a root; a text is a letter, #, b, ♯ or ♭, a quality, and
// perhaps a slash and the bass.
bool chord_parse(const char *text, chord_symbol *out, err *e) MUST_CHECK;
void chord_print(chord_symbol c, int sharps, char out[CHORD_TEXT]);
// Semitones above the root, 0 first; how many.
int chord_steps(chord_symbol c, int above[CHORD_VOICES]);
uint16_t chord_mask(chord_symbol c);
// The nearest of the 60 of data/music/chords.h, and the symbol of one of them.
int chord_to_id(chord_symbol c);
chord_symbol chord_from_id(int id);
chord_symbol chord_move(chord_symbol c, int semitones);

static inline bool mask_has(uint16_t mask, int pitch)
{
    return mask >> (pitch % 12) & 1;
}

#endif
