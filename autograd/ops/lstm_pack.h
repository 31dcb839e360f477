// SPDX-License-Identifier: GPL-3.0-or-later
// lstm_pack.h: weights [4H, K] of an LSTM as panels (panel.h), each of VLANES units x 4 gates.
//
// A packed weight is used once a step, so packing must not take longer than a few of them. Squares
// of registers are turned by interleaving their halves, log2(VLANES) times: a number's place is its
// row and column as bits, each time turned by one.
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

// VLANES rows of w, k apart, become as many columns of a panel.
static inline void lstm_turn(float *restrict to, const float *restrict w, int64_t k)
{
    vf a[VLANES], b[VLANES];
    LSTM_EACH(i, VLANES)
    a[i] = *(const vf *)(w + i * k);
    for (int turned = 1; turned < VLANES; turned *= 4) {
        lstm_interleave(a, b);
        if (2 * turned < VLANES)
            lstm_interleave(b, a);
        else
            memcpy(a, b, sizeof a);
    }
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

#endif
