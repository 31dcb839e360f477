// SPDX-License-Identifier: GPL-3.0-or-later
// live.h: a trained model that answers in real time: opened once, then called without memory, lock
// or system call. Small models whose every product is of a single row, so that no library is
// called (autograd/gemm/gemm_own.c stands behind them for whatever else there is).
//
//     live_open(&(live_setup){.trained = t, .rate = 48000, .block = 64}, &arena, &l, e)
//     int k = live_process(l, samples, n, answers);    // [k][l->width]
//     live_close(l);
//
// A frame or a note is a step of the network (infer/session.h): with a state it goes on from the
// one before. Frames beyond the window that a model learnt from are heard all the same: whoever
// wants it to begin anew calls live_reset.
#ifndef KMIDI_SERVE_LIVE_H
#define KMIDI_SERVE_LIVE_H

#include "infer/trained.h"

typedef struct live_setup {
    const trained *trained; // after trained_mel where it takes sound; outlives it
    int64_t rate, block;    // of sound: Hz, the most samples of a call
    bool forget;            // each answer begins anew
} live_setup;

typedef struct live live;

bool live_offers(const model_def *m); // it is one of those small models
bool live_hears(const model_def *m);  // it takes sound

// Owned by `a` but for the memory that live_close gives back. ERR_MISMATCH for a model that is not
// offered.
live *live_open(const live_setup *o, arena *a, err *e) MUST_CHECK;
void live_close(live *l); // accepts NULL

// Of sound: n samples, up to a block; else the model's inputs side by side, ids as whole numbers.
// The number of answers in out [live_most][live_width]; -1: an input that is no number or out of
// range, of which nothing was heard.
int live_process(live *l, const float *in, int64_t n, float *out);
void live_reset(live *l);
int64_t live_takes(const live *l); // numbers of a call, or the most samples
int64_t live_width(const live *l);
int64_t live_most(const live *l);   // answers of a call
double live_latency(const live *l); // samples; 0 without sound
double live_hop(const live *l);

#endif
