// SPDX-License-Identifier: GPL-3.0-or-later
// voicing.h: which octaves the tones of a chord are in (band.h has the rules).
#ifndef KMIDI_COMPOSE_VOICING_H
#define KMIDI_COMPOSE_VOICING_H

#include "compose/theory.h"

enum { VOICING_LEAST = 50, VOICING_MOST = 72, VOICING_BASS_LEAST = 28, VOICING_BASS_MOST = 52 };

typedef struct voicing {
    int n;                   // tones, at least 2
    int pitch[CHORD_VOICES]; // from below
} voicing;

voicing voicing_of(chord_symbol c, const voicing *before); // before: NULL, the first
// Tone t from below; past the top the same an octave higher.
int voicing_tone(const voicing *v, int t);
int voicing_bass(int pitch_class, int near); // the octave of the bass that is nearest

#endif
