// SPDX-License-Identifier: GPL-3.0-or-later
// key.h: which key is a piece in? (Krumhansl and Schmuckler)
//
// Listeners judged how well each of the twelve pitch classes fits behind a context in C major or C
// minor; their mean ratings are the profiles of Krumhansl and Kessler, "Tracing the dynamic changes
// in perceived tonal organization in a spatial representation of musical keys", Psychological
// Review 89, 1982 (numbers from Krumhansl, "Cognitive Foundations of Musical Pitch", 1990, p. 30).
// A piece is in the key whose profile, moved to its tonic, goes best with how long each pitch
// class sounds (ibid., chapter 4):
//
//     w[p] = seconds of pitch class p, drums left out
//     r(k) = correlation of w[(p + k) mod 12] and profile[p] over p (Pearson)
//
//     double w[12];
//     key_weights(song, w);
//     key_estimate k = key_find(w);           // k.tonic 7, k.minor false: G major
//
// 24 correlations cost nothing, so this runs on every file. It confuses a key with its relative or
// its fifth where little is played.
#ifndef KMIDI_DATA_MUSIC_KEY_H
#define KMIDI_DATA_MUSIC_KEY_H

#include "data/midi/midi.h"

enum { PITCH_CLASSES = 12 };

typedef struct key_estimate {
    bool found; // false where nothing sounds, or all pitch classes alike; the rest is then 0
    int tonic;  // 0 C .. 11 B
    bool minor;
    double correlation; // of that key, [0, 1]
    // the best of the twelve major and of the twelve minor keys, [0, 1]
    double best_major, best_minor;
} key_estimate;

extern const double key_profiles[2][PITCH_CLASSES]; // major, minor; tonic first

// Seconds of each pitch class; overlapping notes count each. Zeros for a song of drums.
void key_weights(const midi_song *s, double w[PITCH_CLASSES]);
// Ties go to major, then to the lower tonic.
key_estimate key_find(const double w[PITCH_CLASSES]);
// Semitones, -6 to 5, that bring the tonic (-1: the song's, as key_find has it) to C; an octave
// more or less where a note of the song, not of drums, would leave the 128 pitches; 0 where there
// is no key, or no room. s NULL: a song without notes.
int key_to_c(const midi_song *s, int tonic);

#endif
