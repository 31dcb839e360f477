// SPDX-License-Identifier: GPL-3.0-or-later
// session.h: a network in use: its graph, the plan of it and the memory that it runs in, for
// batches of one size; and, of a model that goes on step by step, its state, which comes in and
// goes out by itself.
//
//     trained *t = trained_open("runs/melody", &arena, e);          // trained.h: whose weights
//     session *s = session_open(&(session_setup){.model = t->model, .params = t->p,
//                               .gives = SESSION_OUT, .batch = 1, .time = 20}, &arena, e);
//     float *emotion = session_input(s, "emotion");                 // fill it, and "prev_note"
//     session_go(s);
//     const float *logits = session_data(s, s->net->out);           // [1, 20, 128]
//     session_close(s);
//
// Or a note at a time:
//
//     session *s = session_open(&(session_setup){.model = t->model, .params = t->p,
//                               .gives = SESSION_OUT, .steps = true}, &arena, e);
//     session_hear(s, "emotion", vector, e);                        // the same in all steps
//     *(int32_t *)session_input(s, "prev_note") = -1, session_go(s);
//     *(int32_t *)session_input(s, "prev_note") = 60, session_go(s);
//
// Everything of a session is its own: any number may live at once, over the same weights or others.
// Where weights are not there yet (a run is planned before it may take memory), session_plan and
// session_start are the two halves of session_open.
#ifndef KMIDI_INFER_SESSION_H
#define KMIDI_INFER_SESSION_H

#include "autograd/passes/precision.h"
#include "autograd/run.h"
#include "models/model.h"

// What can be read behind a pass; the memory of the rest is used again.
typedef enum session_gives {
    SESSION_OUT = 1,           // net->out: the model's output
    SESSION_LOGITS = 2,        // net->logits: what the loss sees
    SESSION_PROBABILITIES = 4, // probabilities: softmax of the logits
} session_gives;

typedef struct session_setup {
    const model_def *model;
    params *params;           // outlive the session
    unsigned gives;           // of session_gives
    int64_t batch, time;      // items at once, and frames or tokens of each; 0: 1
    int classes;              // of the probe among the parameters; 0: without
    const adapters *adapters; // beside the weights, among the parameters; NULL: none
    bool steps;               // time tokens behind a state
    bool stay;                // weights do not change while it lives, as with steps: forms are kept
    int64_t rows;             // of steps: tokens that a growing state holds
    bool slides;              // of steps of one token: the oldest row gives way to the newest
    // of steps, other than fp32: weights are rounded once (precision_weights), and what a growing
    // state holds is bf16, or of int8 whole numbers (autograd/cache_bytes.h): one token a step
    precision weights;
    threads *pool;  // NULL: one thread
    const kit *kit; // of its plan; NULL: kit_choose
    int threads;    // for session_plan, where there is no pool yet; 0: those of the pool
} session_setup;

typedef struct session {
    session_setup setup;
    network *net;
    tensor *probabilities; // NULL unless given
    plan *plan;
    run *run;
    int64_t length;          // tokens that a growing state was given
    bool began;              // forms of the weights that are kept are there
    void *once[MODEL_PORTS]; // inputs that were heard once
    arena *arena;
} session;

// All owned by `a` but the memory of the run, which session_close gives back.
session *session_open(const session_setup *o, arena *a, err *e) MUST_CHECK;
session *session_plan(const session_setup *o, arena *a, err *e) MUST_CHECK;
bool session_start(session *s, threads *pool, err *e) MUST_CHECK;
void session_close(session *s); // accepts NULL

void *session_input(session *s, const char *name); // NULL when there is none of that name
void *session_data(session *s, const tensor *t);   // of an input, or of what is given
void session_go(session *s);                       // a pass; of steps: a step

// ---- Steps

// An input [its elements] that is the same in all steps: put where it goes, or, where the model
// says that it is heard once, what is made of it, in f32 whatever the steps are.
bool session_hear(session *s, const char *input, const float *values, err *e) MUST_CHECK;
void session_begin(session *s);      // forgets what was heard, but for session_hear
bool session_full(const session *s); // a growing state has no row left: begin again
bool session_grows(const session *s);
int64_t session_weight_bytes(const session *s); // that a pass reads

#endif
