// SPDX-License-Identifier: GPL-3.0-or-later
// affect.h: valence and arousal of a MIDI file that nobody labelled, estimated from its notes.
//
// What listeners hear emotion in is known in outline (Gabrielsson and Lindstrom, "The role of
// structure in the musical expression of emotions", Handbook of Music and Emotion, 2010;
// Livingstone, Muhlberger, Brown and Thompson, "Changing musical emotion", Computer Music Journal
// 34, 2010): loud, fast, dense, detached playing is aroused; major mode, speed and a higher
// register are positive. So
//
//     arousal = tanh(0.04 (V - 65) + 0.45 log2(D / 5.5) + 0.4 log2(B / 120) + 0.5 (1 - A))
//     valence = tanh(2.5 (M - 0.03) + 0.3 log2(B / 120) + 0.1 (P - 62) / 12)
//
//     V  mean velocity                                  B  mean tempo, quarters a minute (bars.h)
//     D  moments of onset a second
//     A  articulation, length / inter-onset, at most 1 (midi_stats.h)
//     M  best major less best minor key correlation
//     P  mean pitch; M and P without drums (their terms are 0 where there is no pitch)
//
// The weights of velocity, density and mode are those of least squares against the quadrants of
// EMOPIA's training clips (767 clips, Hung et al., ISMIR 2021), rounded, and the numbers that are
// taken off are its means; tempo, articulation and register got small weights by hand with the
// signs that the handbook gives, since EMOPIA, transcribed from audio, has neither tempo nor
// detached notes, and register says nothing about valence there. The sign agrees with the label
// (docs/midi-features.md) of
//
//     EMOPIA           clips    arousal    valence    both
//     train              767      0.905      0.720    0.653       where the weights come from
//     validation         198      0.919      0.702    0.631      (other songs; looked at while
//                                                                terms and rounding were chosen)
//
// It is a guess, not a label: shards say `label_source: estimated`. A full band is denser than a
// piano and comes out more aroused; words, sound and context are not in the notes. Tempo marks that
// mean nothing (120 by default) add nothing.
#ifndef KMIDI_DATA_MUSIC_AFFECT_H
#define KMIDI_DATA_MUSIC_AFFECT_H

#include "data/midi/midi.h"

#define AFFECT_SOURCE "estimated" // what shards say of such labels

typedef struct song_affect {
    bool found;              // false without notes: both are 0
    double valence, arousal; // [-1, 1]
} song_affect;

// `scratch` is given back.
song_affect affect_estimate(arena *scratch, const midi_song *s);

#endif
