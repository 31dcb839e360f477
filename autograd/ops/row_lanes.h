// SPDX-License-Identifier: GPL-3.0-or-later
// row_lanes.h: what products of single rows (single_row.h) and of a few (few_rows.h) share, what
// reads rows of a cache (attention_rows.h), and what norms rows (layer_norm.h): numbers of f32, or
// of bf16 that are widened in registers, and sums of many, a register each, that are folded at
// once.
#ifndef KMIDI_AUTOGRAD_OPS_ROW_LANES_H
#define KMIDI_AUTOGRAD_OPS_ROW_LANES_H

#include <string.h>

#include "autograd/ops/kernel.h"
#include "base/bf16.h"

enum {
    ROW_GRAIN = 16,  // outputs: a cache line of them belongs to one thread
    ROW_STREAMS = 4, // places in W for a row alone
    ROW_SHARED = 3,  // places in W where rows share it: ROW_TILE times as many sums in registers
    ROW_TILE = VLANES == 16 ? 8 : 4, // rows of x: 24 sums of 32 registers, or 12 of 16
    ROW_AHEAD = 256,                 // weights that a row alone asks for before it reads them
    ROW_LINE = 64,
    // bytes of weights that the second cache may hold from the time before: asking ahead only costs
    ROW_NEAR = 1 << 20
};

typedef struct few_rows {
    int64_t m, n, k;     // rows, outputs, inputs
    const float *x;      // [m, k]
    const float *w;      // [n, k]
    float *y;            // [m, n]
    const float *packed; // more rows than one, as row_packs.h lays them
} few_rows;

typedef uint16_t row_narrow __attribute__((vector_size(VLANES * 2), aligned(2), may_alias));

// Unrolled early, so that sums never are an array in memory.
#ifdef __clang__
#define ROW_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ROW_UNROLL _Pragma("GCC unroll 24")
#endif
#define ROW_EACH(i, n) ROW_UNROLL for (int i = 0; i < (n); i++)
#define ROW_INLINE     static inline __attribute__((always_inline))

// A register of weights, from the i-th on.
ROW_INLINE vf row_weights(const void *w, int64_t i, dtype type)
{
    if (type == DT_BF16)
        return (vf)(__builtin_convertvector(*(const row_narrow *)((const bf16 *)w + i), vi) << 16);
    return vf_load((const float *)w + i);
}

typedef int row_twos __attribute__((vector_size(VLANES * 4), aligned(2), may_alias));

// Two registers of bf16 from `at` on, where each two are one number of 32 bits: a shift makes the
// first of them an f32, a mask the second. w[0] has all first ones, w[1] all second.
ROW_INLINE void row_widen_twos(const void *at, vf w[2])
{
    vi two = *(const row_twos *)at;
    w[0] = (vf)(two << 16), w[1] = (vf)(two & (int)0xffff0000);
}

ROW_INLINE float row_weight(const void *w, int64_t i, dtype type)
{
    if (type == DT_I8)
        return ((const int8_t *)w)[i];
    return type == DT_BF16 ? bf16_widen(((const bf16 *)w)[i]) : ((const float *)w)[i];
}

// Asks for the line at `at`.
ROW_INLINE void row_fetch(const float *at)
{
    for (int b = 0; b < VLANES * (int)sizeof(float); b += ROW_LINE)
        __builtin_prefetch((const char *)at + b);
}

// Four sums of lanes, folded as lanes_fold does it, but at once: halves of two registers become
// one, until it has a group of lanes for each. A row of 128 weights is eight registers, and its
// sum by itself would take as long as its products.
#define ROW_HALVES(a, b, low, high)                                                                \
    (__builtin_shufflevector(a, b, low) + __builtin_shufflevector(a, b, high))
#define ROW_LANES(...) __VA_ARGS__
ROW_INLINE void row_fold(const vf r[4], float y[4])
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
    for (int i = 0; i < 4; i++)
        y[i] = s[i * (VLANES / 4)];
}

// What is left of a row behind the last whole register, zeros behind it.
ROW_INLINE vf row_rest(const float *from, int64_t n)
{
    float rest[VLANES];
    for (int64_t k = 0; k < VLANES; k++)
        rest[k] = k < n ? from[k] : 0;
    return vf_load(rest);
}

#endif
