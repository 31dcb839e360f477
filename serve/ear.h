// SPDX-License-Identifier: GPL-3.0-or-later
// ear.h: samples in blocks of any size become frames as a checkpoint says, one at a time: another
// rate (data/audio/rate.h), the feature's own kernel, the same bits as data/features/feature.h
// makes of the whole but for its end. Nothing is taken after it was opened.
//
//     ear *r = ear_open(feature, 48000, &arena);
//     for (const float *x = block; n > 0;) {
//         int64_t k = n < EAR_BLOCK ? n : EAR_BLOCK;
//         for (ear_push(r, x, k); ear_next(r, frame);)
//             ... frame [feature->width] ...
//         x += k, n -= k;
//     }
#ifndef KMIDI_SERVE_EAR_H
#define KMIDI_SERVE_EAR_H

#include "data/audio/rate.h"
#include "data/features/feature.h"

enum { EAR_BLOCK = RATE_BLOCK };

typedef struct ear ear;

ear *ear_open(const feature *f, int64_t sample_rate, arena *a); // f outlives it
void ear_reset(ear *r);
void ear_push(ear *r, const float *x, int64_t n); // n <= EAR_BLOCK; behind it ear_next until false
bool ear_next(ear *r, float *frame);
double ear_latency(const ear *r);          // samples between a frame's middle and the frame
int64_t ear_most(const ear *r, int64_t n); // frames that n samples complete, at most
double ear_hop(const ear *r);              // samples

#endif
