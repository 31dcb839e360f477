// SPDX-License-Identifier: GPL-3.0-or-later
// few_int8.h: tiles of few_panels.h for weights in i8, which meet rows of whole numbers
// (int8_rows.h). Pairs of 16 bits are multiplied and added at once (PMADDWD); where the CPU
// multiplies four bytes at once (few_vnni.h) or has tiles (few_amx.h), by that: the sums are whole
// numbers, and the same.
#ifndef KMIDI_AUTOGRAD_OPS_FEW_INT8_H
#define KMIDI_AUTOGRAD_OPS_FEW_INT8_H

#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "autograd/ops/int8_rows.h"

// Of a register of 32-bit sums: two of an output, for the first and the second two of four inputs.
enum {
    FEW_TWOS = VLANES > 4 ? 8 : 4,
    FEW_HALVES = FEW_WIDTH * 2 / FEW_TWOS, // registers of a line's sums
    FEW_INT8_SUMS = 8
};
typedef int32_t few_sums __attribute__((vector_size(FEW_TWOS * 4), aligned(4), may_alias));
typedef int16_t few_words __attribute__((vector_size(FEW_TWOS * 4), aligned(2), may_alias));
typedef int64_t few_fours __attribute__((vector_size(FEW_TWOS * 4)));

// As many weights in 16 bits.
ROW_INLINE few_words few_weights(const int8_t *w)
{
#if defined(__AVX2__)
    return (few_words)_mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)w));
#else
    typedef int8_t bytes __attribute__((vector_size(FEW_TWOS * 2), aligned(1), may_alias));
    return __builtin_convertvector(*(const bytes *)w, few_words);
#endif
}

ROW_INLINE few_sums few_multiply(few_words a, few_words b)
{
#if defined(__AVX2__)
    return (few_sums)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (few_sums)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    few_sums x = (few_sums)a, y = (few_sums)b;
    return (x << 16 >> 16) * (y << 16 >> 16) + (x >> 16) * (y >> 16);
#endif
}

// Four steps of a row, again and again.
ROW_INLINE few_words few_four(const int16_t *q)
{
    int64_t four;
    memcpy(&four, q, sizeof four);
    return (few_words)(four - (few_fours){0});
}

// Inputs lo .. hi of `rows` rows and of registers half .. half + halves of a line's sums, as f32,
// are added to to[rows][FEW_WIDTH].
ROW_INLINE void few_int8_some(const few_panels *p, int64_t row, const int8_t *w, int64_t lo,
                              int64_t hi, int half, int rows, int halves,
                              float (*restrict to)[FEW_WIDTH])
{
    few_sums sum[FEW_INT8_SUMS] = {{0}};
    const int16_t *q = p->steps->q + row * p->k;
    for (int64_t i = lo; i < hi; i += 4) {
        if (half == 0)
            __builtin_prefetch(w + i * FEW_WIDTH + p->ahead);
        ROW_EACH(v, halves)
        {
            few_words u = few_weights(w + i * FEW_WIDTH + (half + v) * FEW_TWOS * 2);
            ROW_EACH(r, rows)
            sum[r * halves + v] += few_multiply(u, few_four(q + r * p->k + i));
        }
    }
    ROW_EACH(r, rows)
    ROW_EACH(v, halves)
    for (int k = 0; k < FEW_TWOS; k += 2)
        to[r][((half + v) * FEW_TWOS + k) / 2] +=
            (float)(sum[r * halves + v][k] + sum[r * halves + v][k + 1]);
}

ROW_INLINE void few_int8_tile(const few_panels *p, int64_t row, int64_t panel, int64_t step,
                              int rows, int panels)
{
    float sum[4][FEW_WIDTH] = {{0}};
    const int8_t *w = (const int8_t *)p->w + panel * p->deep * FEW_WIDTH;
    int halves = FEW_INT8_SUMS / rows < FEW_HALVES ? FEW_INT8_SUMS / rows : FEW_HALVES;
    (void)step, (void)panels;
    for (int64_t i = 0; i < p->k; i += FEW_BLOCK)
        for (int half = 0; half < FEW_HALVES; half += halves)
            few_int8_some(p, row, w, i, i + FEW_BLOCK < p->k ? i + FEW_BLOCK : p->k, half, rows,
                          halves, sum);
    for (int r = 0; r < rows; r++)
        few_store(p, row + r, panel, sum[r], p->steps->factor[row + r]);
}

FEW_TILE(few_int8_1, few_int8_tile, 1, 1)
FEW_TILE(few_int8_2, few_int8_tile, 2, 1)
FEW_TILE(few_int8_4, few_int8_tile, 4, 1)
static const few_kernel few_int8 = {
    4, {1, 1, 1}, {few_int8_1, few_int8_2, few_int8_4}, {few_int8_1, few_int8_2, few_int8_4}};

#endif
