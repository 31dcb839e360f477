// SPDX-License-Identifier: GPL-3.0-or-later
// listen.h: from samples to what the model says about them, exactly as evaluation does it:
// frames, standardisation, windows, average.
//
//     listener *l = listener_open(d, &env, &arena, e);           // d: trained.h, after trained_mel
//     listener_hear(l, clip.samples, clip.frames, &out, e);
//     listener_close(l);
//
// Which windows, and what is averaged: data/hear/hear.h.
#ifndef KMIDI_INFER_LISTEN_H
#define KMIDI_INFER_LISTEN_H

#include "infer/trained.h"

typedef struct listener listener;

typedef struct heard {
    const float *embedding; // the output, [64] of a recogniser: element 0 valence, 1 arousal
    // [classes] of the probe, or of a model of groups the output's, a softmax each; else NULL
    const float *probabilities;
    int windows;
    int64_t frames;
} heard; // valid until the next call

listener *listener_open(const trained *d, const env *v, arena *a, err *e) MUST_CHECK;
bool listener_hear(listener *l, const float *samples, int64_t n, heard *out, err *e) MUST_CHECK;
void listener_close(listener *l); // accepts NULL

#endif
