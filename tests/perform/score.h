// SPDX-License-Identifier: GPL-3.0-or-later
// score.h: scores and messages for the tests of perform/.
#ifndef KMIDI_TESTS_PERFORM_SCORE_H
#define KMIDI_TESTS_PERFORM_SCORE_H

#include "perform/score.h"

static inline score_event note_on(double at, int pitch, int velocity)
{
    return (score_event){at, {MIDI_NOTE_ON, (uint8_t)pitch, (uint8_t)velocity}};
}

static inline score_event note_off(double at, int pitch)
{
    return (score_event){at, {MIDI_NOTE_OFF, (uint8_t)pitch, 0}};
}

#endif
