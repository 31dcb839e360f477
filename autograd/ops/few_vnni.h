// SPDX-License-Identifier: GPL-3.0-or-later
// few_vnni.h: tiles of few_panels.h for weights in i8 by AVX512-VNNI: VPDPBUSD adds four products
// of bytes without a sign and bytes with one. Those with a sign are the bytes of steps, high and
// low; the others weights, of which all are raised by 128 (one bit is turned), for which 128 times
// the sum of a row's steps is taken off again, in numbers that wrap around: what is left fits.
// Whole numbers: the sums are those of few_int8.h.
#ifndef KMIDI_AUTOGRAD_OPS_FEW_VNNI_H
#define KMIDI_AUTOGRAD_OPS_FEW_VNNI_H

#include "autograd/ops/few_int8.h"

#if defined(__AVX512F__)
#define FEW_VNNI                          __attribute__((target("avx512vnni")))
#define FEW_VNNI_INLINE                   static inline __attribute__((always_inline)) FEW_VNNI
#define FEW_VNNI_TILE(name, rows, panels) FEW_VNNI FEW_TILE(name, few_vnni_tile, rows, panels)

enum { FEW_VNNI_SUMS = 8 };

FEW_VNNI_INLINE __m512i few_vnni_bytes(__m512i sum, __m512i weights, const int8_t *four)
{
    int32_t x;
    memcpy(&x, four, sizeof x);
    return _mm512_dpbusd_epi32(sum, weights, _mm512_set1_epi32(x));
}

// Inputs lo .. hi, as f32, are added to to[rows * panels].
FEW_VNNI_INLINE void few_vnni_some(const few_panels *p, int64_t row, const int8_t *w, int64_t step,
                                   int64_t lo, int64_t hi, int rows, int panels, vf *restrict to)
{
    __m512i high[FEW_VNNI_SUMS], low[FEW_VNNI_SUMS], raise = _mm512_set1_epi8(-128);
    const int8_t *q = p->steps->bytes + 2 * row * p->k;
    ROW_EACH(s, rows * panels)
    high[s] = low[s] = _mm512_setzero_si512();
    for (int64_t i = lo; i < hi; i += 4)
        ROW_EACH(c, panels)
        {
            const int8_t *at = w + c * step + i * FEW_WIDTH;
            __builtin_prefetch(at + FEW_AHEAD);
            __m512i u = _mm512_xor_si512(_mm512_loadu_si512(at), raise);
            ROW_EACH(r, rows)
            {
                int s = r * panels + c;
                high[s] = few_vnni_bytes(high[s], u, q + 2 * r * p->k + i);
                low[s] = few_vnni_bytes(low[s], u, q + (2 * r + 1) * p->k + i);
            }
        }
    ROW_EACH(s, rows * panels)
    {
        int64_t of = (row + s / panels) * p->steps->blocks + lo / FEW_BLOCK;
        __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high[s], 8), low[s]),
                raised = _mm512_set1_epi32((int)(128u * (uint32_t)p->steps->sum[of]));
        to[s] += __builtin_convertvector((vi)_mm512_sub_epi32(sum, raised), vf);
    }
}

FEW_VNNI_INLINE void few_vnni_tile(const few_panels *p, int64_t row, int64_t panel, int64_t step,
                                   int rows, int panels)
{
    vf sum[FEW_VNNI_SUMS] = {{0}};
    const int8_t *w = (const int8_t *)p->w + panel * p->deep * FEW_WIDTH;
    for (int64_t i = 0; i < p->k; i += FEW_BLOCK)
        few_vnni_some(p, row, w, step * p->deep * FEW_WIDTH, i,
                      i + FEW_BLOCK < p->k ? i + FEW_BLOCK : p->k, rows, panels, sum);
    for (int s = 0; s < rows * panels; s++) {
        float y[FEW_WIDTH];
        *(vf *)y = sum[s];
        few_store(p, row + s / panels, panel + s % panels * step, y,
                  p->steps->factor[row + s / panels]);
    }
}

FEW_VNNI_TILE(few_vnni_1_1, 1, 1)
FEW_VNNI_TILE(few_vnni_1_4, 1, 4)
FEW_VNNI_TILE(few_vnni_2_1, 2, 1)
FEW_VNNI_TILE(few_vnni_2_4, 2, 4)
FEW_VNNI_TILE(few_vnni_4_1, 4, 1)
FEW_VNNI_TILE(few_vnni_4_2, 4, 2)
FEW_VNNI_TILE(few_vnni_8_1, 8, 1)
static const few_kernel few_vnni = {8,
                                    {4, 4, 2, 1},
                                    {few_vnni_1_4, few_vnni_2_4, few_vnni_4_2, few_vnni_8_1},
                                    {few_vnni_1_1, few_vnni_2_1, few_vnni_4_1, few_vnni_8_1}};
#endif

#endif
