// SPDX-License-Identifier: GPL-3.0-or-later
// few_vnni.h: tiles of few_panels.h for weights in i8 by AVX512-VNNI: VPDPBUSD adds four products
// of bytes without a sign and bytes with one. Those with a sign are the bytes of steps, high and
// low; the others weights, of which all are raised by 128 (one bit is turned), for which 128 times
// the sum of a row's steps is taken off again, in numbers that wrap around: what is left fits.
// Whole numbers: the sums are those of few_int8.h.
//
// Rows lie as a tile of them reads, so that one pointer serves all: of each four inputs, of each
// row, the four high bytes before the four low ones:
//
//     [tiles][K / 4][rows of the tile][2][4]
#ifndef KMIDI_AUTOGRAD_OPS_FEW_VNNI_H
#define KMIDI_AUTOGRAD_OPS_FEW_VNNI_H

#include "autograd/ops/few_int8.h"

#if defined(__AVX512F__)
#define FEW_VNNI                          __attribute__((target("avx512vnni")))
#define FEW_VNNI_INLINE                   static inline __attribute__((always_inline)) FEW_VNNI
#define FEW_VNNI_TILE(name, rows, panels) FEW_VNNI FEW_TILE(name, few_vnni_tile, rows, panels)

enum { FEW_VNNI_SUMS = 8, FEW_VNNI_UNIT = 8 }; // sums of a tile; bytes of four inputs of a row
typedef unsigned vu __attribute__((vector_size(VLANES * 4)));

// Steps of 16 inputs: their bytes go where they belong, units `stride` apart. With 128 more, what
// is above the low byte is q - low; and that byte's sign is the other one.
ROW_INLINE void few_vnni_split(vi steps, int8_t *to, int64_t stride)
{
    const __m256i half = _mm256_set1_epi16(128),
                  apart = _mm256_broadcastsi128_si256(
                      _mm_setr_epi8(1, 3, 5, 7, 0, 2, 4, 6, 9, 11, 13, 15, 8, 10, 12, 14));
    __m256i words = _mm256_add_epi16(_mm512_cvtepi32_epi16((__m512i)steps), half);
    int8_t units[4][FEW_VNNI_UNIT];
    _mm256_storeu_si256((void *)units, _mm256_shuffle_epi8(_mm256_xor_si256(words, half), apart));
    for (int i = 0; i < 4; i++)
        memcpy(to + i * stride, units[i], sizeof *units);
}

// Row first + at of a tile that begins with row `first` and has `rows`: n numbers, then zeros.
static inline void few_vnni_row(const int8_rows *to, int64_t first, int64_t at, int64_t rows,
                                const float *restrict x, int64_t n, int64_t k)
{
    float up = int8_row_begin(to, first + at, x, n), rest[VLANES] = {0};
    int8_t *bytes = to->bytes + 2 * first * k + at * FEW_VNNI_UNIT;
    int64_t stride = rows * FEW_VNNI_UNIT;
    memcpy(rest, x + n / VLANES * VLANES, (size_t)(n % VLANES) * sizeof *x);
    for (int64_t b = 0; b < to->blocks; b++) {
        vi sum = {0};
        for (int64_t i = b * FEW_BLOCK; i < k && i < (b + 1) * FEW_BLOCK; i += VLANES) {
            vf some = i + VLANES <= n ? vf_load(x + i) : i < n ? vf_load(rest) : (vf){0};
            vi steps = (vi)(some * up + INT8_ROW_LARGE) - INT8_ROW_BASE;
            few_vnni_split(steps, bytes + i / 4 * stride, stride);
            sum += steps;
        }
        to->sum[(first + at) * to->blocks + b] = _mm512_reduce_add_epi32((__m512i)sum);
    }
}

FEW_VNNI_INLINE vi few_vnni_bytes(vi sum, __m512i weights, const int8_t *four)
{
    int32_t x;
    memcpy(&x, four, sizeof x);
    return (vi)_mm512_dpbusd_epi32((__m512i)sum, weights, _mm512_set1_epi32(x));
}

// Inputs lo .. hi, as f32, are added to to[rows * panels].
FEW_VNNI_INLINE void few_vnni_some(const few_panels *p, int64_t row, const int8_t *w, int64_t step,
                                   int64_t lo, int64_t hi, int rows, int panels, vf *restrict to)
{
    vi high[FEW_VNNI_SUMS] = {{0}}, low[FEW_VNNI_SUMS] = {{0}};
    __m512i raise = _mm512_set1_epi8(-128);
    const int8_t *x = p->steps->bytes + 2 * (row * p->k + rows * lo);
    for (int64_t i = lo; i < hi; i += 4, x += rows * FEW_VNNI_UNIT)
        ROW_EACH(c, panels)
        {
            const int8_t *at = w + c * step + i * FEW_WIDTH;
            __builtin_prefetch(at + p->ahead);
            __m512i u = _mm512_xor_si512(_mm512_loadu_si512(at), raise);
            ROW_EACH(r, rows)
            {
                int s = r * panels + c;
                high[s] = few_vnni_bytes(high[s], u, x + r * FEW_VNNI_UNIT);
                low[s] = few_vnni_bytes(low[s], u, x + r * FEW_VNNI_UNIT + 4);
            }
        }
    ROW_EACH(s, rows * panels)
    {
        int64_t of = (row + s / panels) * p->steps->blocks + lo / FEW_BLOCK;
        vu raised = 128u * (uint32_t)p->steps->sum[of] - (vu){0};
        to[s] += __builtin_convertvector((vi)(((vu)high[s] << 8) + (vu)low[s] - raised), vf);
    }
}

// A row's sums of a panel go where they belong: a register, but for a last panel that is not whole.
ROW_INLINE void few_vnni_store(const few_panels *p, int64_t row, int64_t panel, vf sum)
{
    float factor = p->steps->factor[row], y[FEW_WIDTH];
    if (row < p->m && (panel + 1) * FEW_WIDTH <= p->n) {
        vf scale = vf_load(p->scale + panel * FEW_WIDTH);
        *(vf *)(p->y + row * p->n + panel * FEW_WIDTH) = sum * scale * factor;
        return;
    }
    *(vf *)y = sum;
    few_store(p, row, panel, y, factor);
}

FEW_VNNI_INLINE void few_vnni_tile(const few_panels *p, int64_t row, int64_t panel, int64_t step,
                                   int rows, int panels)
{
    vf sum[FEW_VNNI_SUMS] = {{0}};
    const int8_t *w = (const int8_t *)p->w + panel * p->deep * FEW_WIDTH;
    for (int64_t i = 0; i < p->k; i += FEW_BLOCK)
        few_vnni_some(p, row, w, step * p->deep * FEW_WIDTH, i,
                      i + FEW_BLOCK < p->k ? i + FEW_BLOCK : p->k, rows, panels, sum);
    ROW_EACH(s, rows * panels)
    few_vnni_store(p, row + s / panels, panel + s % panels * step, sum[s]);
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
