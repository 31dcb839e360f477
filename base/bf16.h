// SPDX-License-Identifier: GPL-3.0-or-later
// bf16.h: the upper half of an f32 as a number of its own (bfloat16: 8 bits of exponent, 8 of
// mantissa with the hidden one).
//
// Rounded to nearest, ties to even: |x - bf16(x)| <= 2^-8 |x|. A NaN stays one, and large numbers
// become infinite as IEEE 754 says. Free of branches, for the inside of loops that must vectorise.
#ifndef KMIDI_BASE_BF16_H
#define KMIDI_BASE_BF16_H

#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;

static inline float bf16_widen(bf16 h)
{
    uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline bf16 bf16_round(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    uint32_t rounded = u + 0x7fffu + (u >> 16 & 1), quiet = u | 0x400000u;
    return (bf16)(((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded) >> 16);
}

// What bf16_round left of a finite x, rounded in turn: high + low has 16 bits of x, |x - high -
// low| <= 2^-17 |x|.
static inline bf16 bf16_rest(float x, bf16 high)
{
    return bf16_round(x - bf16_widen(high));
}

#endif
