// SPDX-License-Identifier: GPL-3.0-or-later
// int8.h: weights as whole numbers of 8 bits, with a scale for each output channel:
//
//     q = round(w / scale),   scale = the largest |w| of the channel / 127,   w ~ q scale
//
// the one rule for files (export/quantise.h) and for generation (autograd/ops/panel_linear.c). What
// is small stays as it is: it would save nothing.
#ifndef KMIDI_BASE_INT8_H
#define KMIDI_BASE_INT8_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define INT8_LEVELS 127.0f // the largest step from nought
enum { INT8_LEAST_WEIGHTS = 256, INT8_LEAST_CHANNEL = 16 };

// `n` channels of `each` weights.
static inline bool int8_worth_it(int64_t n, int64_t each)
{
    return each >= INT8_LEAST_CHANNEL && each * n >= INT8_LEAST_WEIGHTS;
}

// The larger of |w| and the largest before it; no number stays none.
static inline float int8_larger(float w, float most)
{
    float size = fabsf(w);
    return size <= most || isnan(most) ? most : size;
}

// `most`: the largest |w| of a channel.
static inline float int8_scale(float most, float levels)
{
    return most != 0 ? most / levels : 1;
}

static inline int8_t int8_step(float w, float scale, float levels)
{
    float q = rintf(w / scale);
    return (int8_t)fminf(fmaxf(q, -levels), levels);
}

#endif
