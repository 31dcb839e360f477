// SPDX-License-Identifier: GPL-3.0-or-later
// voice.h: the small models around a melody: groove, chords and dynamics, each run once.
#ifndef KMIDI_INFER_VOICE_H
#define KMIDI_INFER_VOICE_H

#include "autograd/kit.h"
#include "data/music/arrange.h"
#include "infer/sampler.h"
#include "infer/trained.h"

// ERR_MISMATCH: the model makes something else. All below ask it themselves.
bool voice_fits(const trained *d, model_makes what, err *e) MUST_CHECK;

// groove_predictor: groove[GROOVE] (data/music/groove.h) of an emotion vector.
bool voice_groove(const trained *by, const kit *k, const float *emotion, float *groove,
                  err *e) MUST_CHECK;
// harmony_predictor: a chord under every bar in which the melody sounds, drawn as `o` says from
// what the model makes of the melody alone, and played. "No chord" is not drawn. Ids (CHORD_NONE
// where the bar is silent) in *chords [r->bars].
bool voice_harmony(const trained *by, const kit *k, const float *emotion, const sampler_options *o,
                   arrangement *r, int **chords, err *e) MUST_CHECK;
// The same without playing them. weigh: changes the logits [CHORD_IDS] of a bar before its chord is
// drawn; NULL: nothing.
typedef struct voice_chords {
    const float *emotion;
    const sampler_options *sampling;
    void (*weigh)(void *user, int bar, float *logits);
    void *user;
} voice_chords;
bool voice_draw_chords(const trained *by, const kit *k, const voice_chords *how,
                       const arrangement *r, int **chords, err *e) MUST_CHECK;
// dynamics_engine: every phrase gets the curve that the model makes of its statistics.
bool voice_dynamics(const trained *by, const kit *k, arrangement *r, err *e) MUST_CHECK;

#endif
