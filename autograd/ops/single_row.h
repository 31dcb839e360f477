// SPDX-License-Identifier: GPL-3.0-or-later
// single_row.h: y = W x for one row x, as generation has it: weights of f32, or of bf16 that are
// widened in registers.
//
// Each weight is used once, so memory is all that counts. A core that reads at four places at once,
// and asks for each of them ahead of its use, gets what there is; at one place it waits. Each sum
// is in the lanes of lanes_dot, whoever computes it: bits do not depend on threads.
#ifndef KMIDI_AUTOGRAD_OPS_SINGLE_ROW_H
#define KMIDI_AUTOGRAD_OPS_SINGLE_ROW_H

#include "autograd/ops/kernel.h"
#include "base/bf16.h"

enum {
    ROW_GRAIN = 16,   // outputs: a cache line of them belongs to one thread
    ROW_STREAMS = 4,  // places in W
    ROW_AHEAD = 1024, // bytes
    ROW_LINE = 64
};

typedef struct single_row {
    int64_t n, k; // outputs, inputs
    const float *x;
    const void *w; // [n, k], f32 or bf16
    float *y;
} single_row;

static inline float row_weight(const void *w, int64_t i, bool narrow)
{
    return narrow ? bf16_widen(((const bf16 *)w)[i]) : ((const float *)w)[i];
}

static inline void row_ahead(const void *w, int64_t i, bool narrow)
{
    const char *at =
        (const char *)w + i * (narrow ? (int64_t)sizeof(bf16) : (int64_t)sizeof(float)) + ROW_AHEAD;
    for (int64_t b = 0; b < LANES * (narrow ? 2 : 4); b += ROW_LINE)
        __builtin_prefetch(at + b);
}

// y[s q] = x w[s q] for `streams` rows of W that are q rows apart, from row j on.
static inline __attribute__((always_inline)) void row_dots(const single_row *p, int64_t j,
                                                           int64_t q, int streams, bool narrow)
{
    float lane[ROW_STREAMS][LANES] = {{0}};
    const float *x = p->x;
    int64_t i = 0;
    for (; i + LANES <= p->k; i += LANES)
        for (int s = 0; s < streams; s++) {
            int64_t at = (j + s * q) * p->k + i;
            row_ahead(p->w, at, narrow);
            for (int k = 0; k < LANES; k++)
                lane[s][k] += x[i + k] * row_weight(p->w, at + k, narrow);
        }
    for (int s = 0; s < streams; s++) {
        for (int64_t k = 0; k < p->k - i; k++)
            lane[s][k] += x[i + k] * row_weight(p->w, (j + s * q) * p->k + i + k, narrow);
        p->y[j + s * q] = lanes_fold(lane[s]);
    }
}

static inline __attribute__((always_inline)) void row_part(const single_row *p, int64_t lo,
                                                           int64_t hi, bool narrow)
{
    int64_t q = (hi - lo) / ROW_STREAMS;
    for (int64_t j = lo; j < lo + q; j++)
        row_dots(p, j, q, ROW_STREAMS, narrow);
    for (int64_t j = lo + ROW_STREAMS * q; j < hi; j++)
        row_dots(p, j, 0, 1, narrow);
}

// y[lo .. hi]; two copies of one text, so that neither asks in its loop which it is.
static inline void single_row_part(const single_row *p, int64_t lo, int64_t hi, dtype weights)
{
    if (weights == DT_BF16)
        row_part(p, lo, hi, true);
    else
        row_part(p, lo, hi, false);
}

// Nanoseconds on one thread, at 20 GB/s.
static inline double single_row_cost(int64_t n, int64_t k, dtype weights)
{
    return 100 + 0.05 * (double)dtype_size(weights) * (double)(n * k);
}

#endif
