// SPDX-License-Identifier: GPL-3.0-or-later
// single_row.h: y = W x for one row x, as generation has it: weights of f32, or of bf16 that are
// widened in registers.
//
// Each weight is used once, so memory is all that counts. A core that reads at four places at once,
// and asks for each of them ahead of its use, gets what there is; at one place it waits. Each sum
// is in the lanes of lanes_dot, whoever computes it: bits do not depend on threads.
#ifndef KMIDI_AUTOGRAD_OPS_SINGLE_ROW_H
#define KMIDI_AUTOGRAD_OPS_SINGLE_ROW_H

#include <string.h>

#include "autograd/ops/kernel.h"
#include "base/bf16.h"

enum {
    ROW_GRAIN = 16,   // outputs: a cache line of them belongs to one thread
    ROW_STREAMS = 4,  // places in W
    ROW_AHEAD = 1024, // bytes
    ROW_LINE = 64,
    // weights that the second cache may hold from the time before: asking ahead only costs
    ROW_NEAR = 1 << 20
};

typedef struct single_row {
    int64_t n, k; // outputs, inputs
    const float *x;
    const void *w; // [n, k], f32 or bf16
    float *y;
} single_row;

typedef uint16_t row_narrow __attribute__((vector_size(VLANES * 2), aligned(2), may_alias));

// A register of weights, from the i-th on.
static inline vf row_weights(const void *w, int64_t i, bool narrow)
{
    if (narrow)
        return (vf)(__builtin_convertvector(*(const row_narrow *)((const bf16 *)w + i), vi) << 16);
    return vf_load((const float *)w + i);
}

static inline void row_ahead(const void *w, int64_t i, bool narrow)
{
    const char *at =
        (const char *)w + i * (narrow ? (int64_t)sizeof(bf16) : (int64_t)sizeof(float)) + ROW_AHEAD;
    for (int64_t b = 0; b < LANES * (narrow ? 2 : 4); b += ROW_LINE)
        __builtin_prefetch(at + b);
}

// The lanes of four rows, folded as lanes_fold does it, but at once: halves of two registers become
// one, until it has a group of lanes for each row. A row of 128 weights is eight registers, and its
// sum by itself would take as long as its products.
#define ROW_HALVES(a, b, low, high)                                                                \
    (__builtin_shufflevector(a, b, low) + __builtin_shufflevector(a, b, high))
#define ROW_LANES(...) __VA_ARGS__
static inline void row_fold(const vf r[ROW_STREAMS], float y[ROW_STREAMS])
{
#if defined(__AVX512F__)
#define ROW_PAIR(a, b)                                                                             \
    ROW_HALVES(a, b, ROW_LANES(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),            \
               ROW_LANES(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
    vf a = ROW_PAIR(r[0], r[1]), b = ROW_PAIR(r[2], r[3]),
       s = ROW_HALVES(a, b, ROW_LANES(0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
                      ROW_LANES(4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31));
    s += __builtin_shufflevector(s, s, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    s += __builtin_shufflevector(s, s, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
#elif defined(__AVX__)
#define ROW_PAIR(a, b)                                                                             \
    ROW_HALVES(a, b, ROW_LANES(0, 1, 2, 3, 8, 9, 10, 11), ROW_LANES(4, 5, 6, 7, 12, 13, 14, 15))
    vf a = ROW_PAIR(r[0], r[1]), b = ROW_PAIR(r[2], r[3]),
       s = ROW_HALVES(a, b, ROW_LANES(0, 1, 4, 5, 8, 9, 12, 13),
                      ROW_LANES(2, 3, 6, 7, 10, 11, 14, 15));
    s += __builtin_shufflevector(s, s, 1, 0, 3, 2, 5, 4, 7, 6);
#else
#define ROW_PAIR(a, b) ROW_HALVES(a, b, ROW_LANES(0, 1, 4, 5), ROW_LANES(2, 3, 6, 7))
    vf a = ROW_PAIR(r[0], r[1]), b = ROW_PAIR(r[2], r[3]),
       s = ROW_HALVES(a, b, ROW_LANES(0, 2, 4, 6), ROW_LANES(1, 3, 5, 7));
#endif
    for (int i = 0; i < ROW_STREAMS; i++)
        y[i] = s[i * (VLANES / ROW_STREAMS)];
}

// What is left of x and of the rows behind the last LANES, zeros behind it.
static inline __attribute__((always_inline)) void row_rest(const single_row *p, int64_t i,
                                                           int64_t j, int64_t q, int streams,
                                                           bool narrow, vf (*lane)[2])
{
    float x[LANES] = {0}, w[LANES] = {0};
    int64_t rest = p->k - i;
    memcpy(x, p->x + i, (size_t)rest * sizeof *x);
    for (int s = 0; s < streams; s++) {
        int64_t at = (j + s * q) * p->k + i;
        for (int64_t k = 0; k < rest; k++)
            w[k] =
                narrow ? bf16_widen(((const bf16 *)p->w)[at + k]) : ((const float *)p->w)[at + k];
        for (int v = 0; v < 2; v++)
            lane[s][v] += vf_load(x + v * VLANES) * vf_load(w + v * VLANES);
    }
}

// y[s q] = x w[s q] for `streams` rows of W that are q rows apart, from row j on.
static inline __attribute__((always_inline)) void
row_dots(const single_row *p, int64_t j, int64_t q, int streams, bool narrow, bool far)
{
    vf lane[ROW_STREAMS][2] = {{{0}}}, sum[ROW_STREAMS];
    float y[ROW_STREAMS];
    int64_t i = 0;
    for (; i + LANES <= p->k; i += LANES) {
        vf x0 = vf_load(p->x + i), x1 = vf_load(p->x + i + VLANES);
        for (int s = 0; s < streams; s++) {
            int64_t at = (j + s * q) * p->k + i;
            if (far)
                row_ahead(p->w, at, narrow);
            lane[s][0] += x0 * row_weights(p->w, at, narrow);
            lane[s][1] += x1 * row_weights(p->w, at + VLANES, narrow);
        }
    }
    if (i < p->k)
        row_rest(p, i, j, q, streams, narrow, lane);
    for (int s = 0; s < ROW_STREAMS; s++)
        sum[s] = lane[s][0] + lane[s][1];
    row_fold(sum, y);
    for (int s = 0; s < streams; s++)
        p->y[j + s * q] = y[s];
}

static inline __attribute__((always_inline)) void row_part(const single_row *p, int64_t lo,
                                                           int64_t hi, bool narrow, bool far)
{
    int64_t q = (hi - lo) / ROW_STREAMS;
    for (int64_t j = lo; j < lo + q; j++)
        row_dots(p, j, q, ROW_STREAMS, narrow, far);
    for (int64_t j = lo + ROW_STREAMS * q; j < hi; j++)
        row_dots(p, j, 0, 1, narrow, far);
}

// y[lo .. hi]; copies of one text, so that none asks in its loop which it is.
static inline void single_row_part(const single_row *p, int64_t lo, int64_t hi, dtype weights)
{
    if (weights == DT_BF16)
        row_part(p, lo, hi, true, true);
    else if (p->n * p->k * (int64_t)sizeof(float) > ROW_NEAR)
        row_part(p, lo, hi, false, true);
    else
        row_part(p, lo, hi, false, false);
}

// Nanoseconds on one thread, at 20 GB/s.
static inline double single_row_cost(int64_t n, int64_t k, dtype weights)
{
    return 100 + 0.05 * (double)dtype_size(weights) * (double)(n * k);
}

#endif
