// SPDX-License-Identifier: GPL-3.0-or-later
// piece.h: a piece of music out of a trained model, by what the model says that it makes: pitches
// of a melody, arranged (data/music/arrange.h) and voiced by other models (voice.h), or events of
// all parts, as they are played (data/music/performance.h).
//
//     piece p = {.arena = &arena, .env = &env, .by = trained, .bars = 8, .sampling = options};
//     emotion_vector(valence, arousal, intensity, p.vector);
//     piece_make(&p, 1, e) && midi_write("joy.mid", p.song, e)
#ifndef KMIDI_INFER_PIECE_H
#define KMIDI_INFER_PIECE_H

#include "autograd/passes/precision.h"
#include "base/env.h"
#include "data/music/arrange.h"
#include "data/music/emotions.h"
#include "infer/sampler.h"
#include "infer/trained.h"

typedef struct piece {
    // What is asked
    arena *arena;
    const env *env; // its pool is for models of events; a melody's step is too small to share
    const trained *by;
    const midi_song *prompt; // what came before: it is continued; NULL: nothing
    float vector[EMOTION_SIZE];
    arrange_style style;
    sampler_options sampling;
    precision precision; // of the weights: fp32, bf16 or int8
    double guidance;     // as generator_setup has it
    // 1 C .. 12 B: what a model whose songs were brought to C (tokens.to_c) plays in; 0: the
    // tonic that the prompt is heard to have, else C
    int tonic;
    int bars;                                   // where seconds are 0; set to what it became
    double seconds;                             // that it lasts (a melody: to the nearest bar)
    double longest;                             // that a note may last, in seconds; 0: any
    const trained *harmony, *groove, *dynamics; // around a melody; NULL: without
    // Of events: changes the logits of the one that comes so many seconds behind the prompt; NULL:
    // as the grammar has them. One must stay above -INFINITY. Pitches are the model's, `up` above
    // what is written.
    void (*restrain)(void *user, double seconds, float *logits);
    void *user;

    // What came of it
    midi_song *song;
    int heard;             // notes or events of the prompt that were heard
    int up;                // semitones by which the model hears it higher
    int64_t prompt_events; // that it has, of a model of events
    bool dense;            // it ended before its time: denser than PIECE_EVENTS_A_SECOND
    int *chords;           // [bars]; NULL without harmony
    size_t drawn;          // tokens
    double took;           // seconds in the model
} piece;

enum { PIECE_EVENTS_A_SECOND = 200 }; // a dense passage has half as many

// n pieces by one model, of events GENERATOR_LANES at most, which are played side by side; each is
// the one that it is alone. ERR_MISMATCH for a model that makes no music. ERR_STOPPED when env says
// so.
bool piece_make(piece *p, int n, err *e) MUST_CHECK;
int piece_lanes(const trained *by);            // how many are best made at once
double piece_longest_note(const midi_song *s); // seconds

// ---- For piece.c
bool piece_of_notes(piece *p, err *e) MUST_CHECK;
bool piece_of_events(piece *p, int n, err *e) MUST_CHECK;

#endif
