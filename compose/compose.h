// SPDX-License-Identifier: GPL-3.0-or-later
// compose.h: a plan becomes a piece: melody, harmony, groove, dynamics, each by a trained model
// where one is given, else by rule.
//
//     composition c = {.arena = &a, .env = &env, .plan = &plan};
//     compose(&c, e) && midi_write("song.mid", c.song, e)
//
// A melody_transformer's choice of the next pitch is multiplied by what the plan makes of it
// (melody_weight, melody_step): the model says how a melody goes, the plan over which chords,
// within which scale and where to it comes home. A harmony_predictor hears that melody and gives
// each bar but the last a chord, among those of the mode and the plan's own, the likelier the
// longer the melody is of it. A groove_predictor and a dynamics_engine give what band.h gives by
// rule. With an emotion_midi_transformer the first bars (PLAYER_OPENING) and the last are played
// so, and between them it goes on by itself, event by event, within the scale of each bar.
#ifndef KMIDI_COMPOSE_COMPOSE_H
#define KMIDI_COMPOSE_COMPOSE_H

#include "autograd/passes/precision.h"
#include "base/env.h"
#include "base/json.h"
#include "compose/song_plan.h"
#include "data/midi/midi.h"
#include "infer/sampler.h"
#include "infer/trained.h"

typedef struct composition {
    // What is asked
    arena *arena;
    const env *env;
    const song_plan *plan;
    const trained *melody;                      // a model of notes; NULL: by rule
    const trained *harmony, *groove, *dynamics; // NULL: by rule
    const trained *player;                      // a model of events; NULL: none
    sampler_options sampling;                   // of what models draw; seed and stream are ours
    precision precision;                        // of the player's weights
    double guidance;                            // of the player (infer/generate.h)

    // What came of it
    midi_song *song;
    chord_symbol *chords; // [bars] that are played
    size_t drawn;         // tokens of models
} composition;

enum {
    COMPOSE_EVENTS_LEAST = 3
}; // bars that a player needs: an opening, something to play, an end

// ERR_MISMATCH for a checkpoint of another kind. ERR_STOPPED when env says so.
bool compose(composition *c, err *e) MUST_CHECK;
// Names of the chords that are played, a bar each, spelt as in the plan's key. The caller's.
json *compose_chords(const composition *c);

#endif
