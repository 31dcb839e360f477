// SPDX-License-Identifier: GPL-3.0-or-later
// voice.h: the small models around a melody: groove, chords and dynamics, each from its checkpoint
// (or run folder), each run once.
#ifndef KMIDI_INFER_VOICE_H
#define KMIDI_INFER_VOICE_H

#include "autograd/kit.h"
#include "data/music/arrange.h"
#include "infer/sampler.h"

// groove_predictor: groove[GROOVE] (data/music/groove.h) of an emotion vector.
bool voice_groove(const char *from, const kit *k, const float *emotion, float *groove,
                  err *e) MUST_CHECK;
// harmony_predictor: a chord under every bar in which the melody sounds, drawn as `o` says from
// what the model makes of the melody alone, and played. "No chord" is not drawn. Ids (CHORD_NONE
// where the bar is silent) in *chords [r->bars].
bool voice_harmony(const char *from, const kit *k, const float *emotion, const sampler_options *o,
                   arrangement *r, int **chords, err *e) MUST_CHECK;
// The same without playing them. weigh: changes the logits [CHORD_IDS] of a bar before its chord is
// drawn; NULL: nothing.
typedef struct voice_chords {
    const float *emotion;
    const sampler_options *sampling;
    void (*weigh)(void *user, int bar, float *logits);
    void *user;
} voice_chords;
bool voice_draw_chords(const char *from, const kit *k, const voice_chords *how,
                       const arrangement *r, int **chords, err *e) MUST_CHECK;
// dynamics_engine: every phrase gets the curve that the model makes of its statistics.
bool voice_dynamics(const char *from, const kit *k, arrangement *r, err *e) MUST_CHECK;

#endif
