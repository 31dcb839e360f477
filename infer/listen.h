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

#include "data/audio/clip.h"
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

// ---- Files
// The same of files, to the bit, in memory that does not grow with them: of more than `kept` frames
// none are kept, and the file is read twice, for their number and for their windows. Where features
// are made of the whole recording its frames stay. Each gets what it gets by itself; windows of
// several go through the network together where that is found to be cheaper and to make no
// difference (listen_windows.c). Of a file that cannot be read, the others feel nothing.
enum { LISTEN_FRAMES = 1 << 16, LISTEN_MOST = 8 }; // files of a call
typedef struct listen_file {
    const char *path;
    bool brief; // of more than `kept` frames it is not read to its end, and not heard
    clip info;  // what clip.h says of the file
    bool ok;
    bool longer; // not ok, since it is so and should be brief
    heard heard; // valid until the next call
    err e;       // where not ok, with the path; ERR_STOPPED where env said so before it was begun
} listen_file;
void listener_hear_files(listener *l, listen_file *files, int n, int64_t kept); // n <= LISTEN_MOST
void listener_close(listener *l);                                               // accepts NULL

#endif
