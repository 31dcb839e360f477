// SPDX-License-Identifier: GPL-3.0-or-later
// melody.h: which pitch each note of a melody has, by rule.
//
// A melody is drawn, phrase by phrase, from a chain over pairs of pitches: the weight of a whole
// phrase is the product of the weights of its notes and of its steps, and a phrase is drawn in
// proportion to it (a backward pass, then draws forward), so that it knows from its first note
// where it is to end. Of a note (melody_weight):
//
//     range     a normal curve around a centre, variance 29 (Temperley, "A probabilistic model of
//               melody perception", Cognitive Science 32, 2008); the centre is 71 + 3 arousal + 2
//               valence (his 68, a little higher, above the chords) and rises by 3 semitones to the
//               middle of a phrase and falls again (Huron, "The melodic arch in Western folksongs",
//               1996)
//     scale     the mode's notes, and the chord's where they differ; no others
//     key       the profile of Krumhansl and Kessler (data/music/key.h), its square root
//     chord     where the metre stresses a note, and the longer it is, the rarer is one that is not
//               of the chord; rarer the lower the plan's complexity
//     end       a phrase ends on a tone of the chord; an open one rather on the second, fifth or
//               seventh degree, a section on the tonic's chord; the piece on the tonic
//     twin      near what the bar that it recalls had
//
// and of a step, from p to q behind o (melody_step):
//
//     nearness  a normal curve of variance 7.2 (Temperley); a repeated note counts 0.6; nothing
//               beyond an octave, little for a tritone or a seventh
//     return    behind a leap rather back by step (von Hippel and Huron, "Why do skips precede
//               reversals?", Music Perception 18, 2000)
//     passing   what is not of the chord is come to and left by step
//     leading   the seventh degree a semitone below the tonic rises to it
#ifndef KMIDI_COMPOSE_MELODY_H
#define KMIDI_COMPOSE_MELODY_H

#include "compose/form.h"

enum { MELODY_LEAST = 48, MELODY_MOST = 92, MELODY_PITCHES = MELODY_MOST - MELODY_LEAST + 1 };

typedef struct melody_setting {
    const song_plan *plan;
    const form *form;
    const uint16_t *scale; // [bars] pitch classes that may be played in each
} melody_setting;

// [plan.bars]: the mode's pitch classes, but where a chord has one beside it, the chord's.
uint16_t *melody_scales(arena *a, const song_plan *p);
// Of a pitch in a slot, > 0 where it may be at all. pitches[slot.twin] is known.
double melody_weight(const melody_setting *m, size_t slot, int pitch, const int *pitches);
// Of a step from p, in the slot before (behind o; -1: nothing), to q in this one; > 0. slot >= 1.
double melody_step(const melody_setting *m, size_t slot, int o, int p, int q);
// pitches[form.n].
void melody_draw(const melody_setting *m, arena *scratch, int *pitches);

#endif
