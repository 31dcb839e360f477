// SPDX-License-Identifier: GPL-3.0-or-later
// chords.h: which chord sounds? Matching against 60 templates.
//
// The templates are the pitch classes of a chord, 1 or 0: 12 roots x (major, minor, diminished,
// augmented, dominant seventh). With w[p] the time that pitch class p sounds, and K tones in the
// chord,
//
//     score = sum of w over the chord's tones / (sqrt(sum of w[p]^2 over all p) sqrt(K))
//
// the cosine of w and template, [0, 1].
//
// (Fujishima, "Realtime chord recognition of musical sound", ICMC 1999; Oudre, Grenier and Fevotte,
// "Chord recognition by fitting rescaled chroma vectors to chord templates", IEEE TASLP 19, 2011,
// compare such measures.) The highest score wins. Where several are as high, as of the three names
// of an augmented chord or the two of C-E-G-A, the chord wins whose root the bass plays longest
// (Pardo and Birmingham, "Algorithms for chordal analysis", Computer Music Journal 26, 2002, weigh
// roots for the same reason), then the one with the lower number.
//
// Below CHORD_LEAST nothing is named. It lies between the best score of a whole scale (a diatonic
// scale in equal lengths is 0.756 of a dominant seventh) and that of a bare third or fifth (0.816
// of a triad); a single pitch class has 0.577.
#ifndef KMIDI_DATA_MUSIC_CHORDS_H
#define KMIDI_DATA_MUSIC_CHORDS_H

#include "data/music/key.h"

#define CHORD_LEAST 0.78

typedef enum chord_quality {
    CHORD_MAJOR,
    CHORD_MINOR,
    CHORD_DIMINISHED,
    CHORD_AUGMENTED,
    CHORD_SEVENTH,
    CHORD_QUALITIES
} chord_quality;

// id = root (0 C .. 11 B) * CHORD_QUALITIES + quality; 61 to 63 are never given.
enum { CHORD_NONE = 60, CHORD_IDS = 64, CHORD_TONES = 4 };

// The id for weights of pitch classes and of the bass (which may be NULL), all >= 0. `score` may be
// NULL; it is 0 where nothing sounds.
int chord_match(const double w[PITCH_CLASSES], const double *bass, double *score);
// Semitones of a chord's tones above its root, and how many: 3 or 4, or 0 where the id is no chord.
int chord_tones(int id, int above[CHORD_TONES]);
// "G", "Am", "Bdim", "Caug", "D7"; "N.C." for none.
const char *chord_name(int id, char out[8]);

#endif
