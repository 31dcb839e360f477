// SPDX-License-Identifier: GPL-3.0-or-later
// f16.h: IEEE 754 binary16 as a number of its own: 5 bits of exponent, 11 of mantissa with the
// hidden one; 65504 at most, steps of 2^-24 next to zero.
//
// Rounded to nearest, ties to even; what is larger becomes infinite, a NaN stays one.
#ifndef KMIDI_BASE_F16_H
#define KMIDI_BASE_F16_H

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t f16;
#define F16_MOST 65504.0f

static inline float f16_widen(f16 h)
{
    int sign = h >> 15, exponent = h >> 10 & 31, mantissa = h & 1023;
    float x = exponent == 31 ? mantissa ? NAN : INFINITY
              : exponent     ? ldexpf((float)(1024 + mantissa), exponent - 25)
                             : ldexpf((float)mantissa, -24);
    return sign ? -x : x;
}

// Halves of the last place are decided by rintf, in the processor's mode, which is to nearest even.
static inline f16 f16_round(float x)
{
    int exponent;
    float size = fabsf(x);
    f16 sign = signbit(x) ? 0x8000 : 0;
    if (isnan(x) || size == 0)
        return isnan(x) ? sign | 0x7e00 : sign;
    (void)frexpf(size, &exponent);                        // size = m 2^exponent, m in [1/2, 1)
    int unit = exponent - 11 < -24 ? -24 : exponent - 11; // of the last bit
    float steps = size > 2 * F16_MOST ? INFINITY : rintf(ldexpf(size, -unit));
    if (ldexpf(steps, unit) > F16_MOST)
        return sign | 0x7c00;
    // 2048 steps carry into the next exponent, and as bits they do that by themselves
    return sign | (f16)((unit + 24) * 1024 + (int)steps);
}

#endif
