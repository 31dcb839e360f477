// SPDX-License-Identifier: GPL-3.0-or-later
// listen_internal.h: a listener, as listen.c, listen_file.c and listen_windows.c know it
// (listen.h).
#ifndef KMIDI_INFER_LISTEN_INTERNAL_H
#define KMIDI_INFER_LISTEN_INTERNAL_H

#include "infer/listen.h"
#include "infer/session.h"

enum { LISTEN_WIDE = 8 }; // windows of a pass that takes several

// Whether windows of several recordings are heard in one pass.
typedef enum listen_way { LISTEN_UNTRIED, LISTEN_APART, LISTEN_TOGETHER } listen_way;

struct listener {
    const trained *d;
    const env *v;
    feature *feature;
    int64_t width, said; // of the output; with the probe's logits
    double *sums;        // [LISTEN_MOST][said]
    float *means;        // [LISTEN_MOST][said], and of a model of groups width more each
    // Windows on their way
    int64_t time;            // frames of each; 0: there is no network yet
    arena nets;              // of the sessions, and of what follows
    session *one, *many;     // for a window, for LISTEN_WIDE; the second NULL until it is needed
    float *rows;             // [LISTEN_WIDE][what a window is to the network]
    int64_t row;             // floats of one
    float *unturned;         // [time, bands] where the network takes a picture, else NULL
    int owners[LISTEN_WIDE]; // whose they are
    int waiting;             // rows that were not heard yet
    listen_way way;
    int enough;    // LISTEN_TOGETHER: windows from which on a pass of LISTEN_WIDE is cheaper
    int64_t apart; // windows that were heard one by one so far
    err broke;     // what windows were lost by; ERR_NONE: none were
};

// ---- listen_windows.c
void listen_begin(listener *l, int slot); // a recording: sums of nought
// Of it there will be `count` windows of `time` frames.
bool listen_expect(listener *l, int64_t time, int count, err *e) MUST_CHECK;
// One of them, from frame `begin` of n on.
bool listen_window(listener *l, int slot, const float *frames, int64_t n, int64_t begin,
                   err *e) MUST_CHECK;
bool listen_flush(listener *l, err *e) MUST_CHECK; // whatever waits is heard
// Averages; logits become probabilities, of one softmax or of each group's.
heard listen_finish(listener *l, int slot, int count, int64_t frames);
void listen_release(listener *l); // the sessions

// ---- listen_file.c
// All windows of n frames that are there.
bool listen_windows(listener *l, int slot, const float *frames, int64_t n, int count, int64_t time,
                    err *e) MUST_CHECK;

#endif
