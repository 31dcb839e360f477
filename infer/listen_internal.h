// SPDX-License-Identifier: GPL-3.0-or-later
// listen_internal.h: a listener, as listen.c and listen_file.c know it (listen.h).
#ifndef KMIDI_INFER_LISTEN_INTERNAL_H
#define KMIDI_INFER_LISTEN_INTERNAL_H

#include "infer/listen.h"
#include "infer/session.h"

enum { LISTEN_CHUNK = 16 }; // windows at a time

struct listener {
    const trained *d;
    const env *v;
    feature *feature;
    int64_t time; // frames of a window in the network that stands; 0: none yet
    int64_t chunk;
    arena nets; // what the session is in
    session *s;
    int64_t width; // of the output
    double *sums;  // [width + classes]
    float *means;  // the same, and of a model of groups [width] more
    float *row;    // [time, bands] where the network takes a picture, else NULL
};

// A network for `chunk` windows of `time` frames, kept while that stays the same.
bool listen_ready(listener *l, int64_t time, int64_t chunk, err *e) MUST_CHECK;
void listen_fill(const listener *l, const float *frames, int64_t n, int64_t begin, float *row);
void listen_begin(listener *l); // sums of nought
void listen_add(listener *l, int64_t row);
// All windows of n frames that are there.
bool listen_windows(listener *l, const float *frames, int64_t n, int count, int64_t time,
                    err *e) MUST_CHECK;
// Averages; logits become probabilities, of one softmax or of each group's.
const float *listen_finish(listener *l, int count);

#endif
