// SPDX-License-Identifier: GPL-3.0-or-later
// lstm_pack.h: weights [4H, K] of an LSTM as panels (panel.h), each of VLANES units x 4 gates.
//
// A packed weight is used once a step, so packing must not take longer than a few of them. Squares
// of registers are turned by interleaving their halves, log2(VLANES) times: a number's place is its
// row and column as bits, each time turned by one. Where there is but one step, squares are
// multiplied in the registers that they were turned in, and nothing is packed.
#ifndef KMIDI_AUTOGRAD_OPS_LSTM_PACK_H
#define KMIDI_AUTOGRAD_OPS_LSTM_PACK_H

#include <string.h>

#include "autograd/ops/panel.h"

#if defined(__AVX512F__)
#define LSTM_LOW(a, b)                                                                             \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define LSTM_HIGH(a, b)                                                                            \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif defined(__AVX__)
#define LSTM_LOW(a, b)  __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define LSTM_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define LSTM_LOW(a, b)  __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define LSTM_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif
#ifdef __clang__
#define LSTM_EACH(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)
#else
#define LSTM_EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)
#endif

PANEL_INLINE void lstm_interleave(const vf from[VLANES], vf to[VLANES])
{
    LSTM_EACH(i, VLANES / 2)
    {
        to[2 * i] = LSTM_LOW(from[i], from[i + VLANES / 2]);
        to[2 * i + 1] = LSTM_HIGH(from[i], from[i + VLANES / 2]);
    }
}

// VLANES rows of w, k apart, as so many columns.
PANEL_INLINE void lstm_turned(vf a[VLANES], const float *restrict w, int64_t k)
{
    vf b[VLANES];
    LSTM_EACH(i, VLANES)
    a[i] = *(const vf *)(w + i * k);
    for (int turned = 1; turned < VLANES; turned *= 4) {
        lstm_interleave(a, b);
        if (2 * turned < VLANES)
            lstm_interleave(b, a);
        else
            memcpy(a, b, sizeof b);
    }
}

// The same become columns of a panel.
static inline void lstm_turn(float *restrict to, const float *restrict w, int64_t k)
{
    vf a[VLANES];
    lstm_turned(a, w, k);
    LSTM_EACH(i, VLANES)
    *(vf *)(to + i * PANEL_WIDTH) = a[i];
}

// n rows of a gate of w [4H, k] become columns of a panel; beside them zeros.
static inline void lstm_pack_gate(float *restrict to, const float *restrict w, int64_t k, int64_t n)
{
    int64_t j = 0;
    for (; n >= VLANES && j + VLANES <= k; j += VLANES)
        lstm_turn(to + j * PANEL_WIDTH, w + j, k);
    for (; j < k; j++)
        for (int64_t l = 0; l < VLANES; l++)
            to[j * PANEL_WIDTH + l] = l < n ? w[l * k + j] : 0;
}

// sums [rows, VLANES], a panel's width apart, of x [rows, k] and n rows of a gate of w [4H, k]; in
// the order of a panel's sums (panel.h). Beside them zeros.
static inline void lstm_multiply_gate(float *restrict sums, const float *restrict x, int64_t rows,
                                      const float *restrict w, int64_t k, int64_t n)
{
    int64_t j = 0;
    for (int64_t r = 0; r < rows; r++)
        *(vf *)(sums + r * PANEL_WIDTH) = (vf){0};
    for (; n >= VLANES && j + VLANES <= k; j += VLANES) {
        vf a[VLANES];
        lstm_turned(a, w + j, k);
        for (int64_t r = 0; r < rows; r++) {
            vf sum = *(const vf *)(sums + r * PANEL_WIDTH);
            LSTM_EACH(i, VLANES)
            sum += x[r * k + j + i] * a[i];
            *(vf *)(sums + r * PANEL_WIDTH) = sum;
        }
    }
    for (; j < k; j++) {
        vf column = {0};
        for (int64_t l = 0; l < VLANES && l < n; l++)
            column[l] = w[l * k + j];
        for (int64_t r = 0; r < rows; r++)
            *(vf *)(sums + r * PANEL_WIDTH) += x[r * k + j] * column;
    }
}

#endif
