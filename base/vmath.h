// SPDX-License-Identifier: GPL-3.0-or-later
// vmath.h: exp, log, tanh, sigmoid, erf in branch-free single precision, for the inside of loops
// that must vectorise.
//
// Looked at SLEEF (in Debian): its functions are calls on registers of one fixed width, chosen by
// intrinsics; inside a kernel that is compiled for each width, inline polynomials vectorise by
// themselves and stay in registers. Cephes' coefficients (Moshier, single precision); errors in
// units of the last place are measured in tests/base/test_vmath.c.
#ifndef KMIDI_BASE_VMATH_H
#define KMIDI_BASE_VMATH_H

#include <stdint.h>
#include <string.h>

// e^x, clamped to the finite normal range; 2 ulp.
static inline float vm_exp(float x)
{
    x = x < -87.3365447f ? -87.3365447f : x;
    x = x > 88.3762626f ? 88.3762626f : x;
    float k = x * 1.44269504088896341f + 12582912.0f; // round to nearest by the mantissa trick
    uint32_t bits;
    memcpy(&bits, &k, sizeof bits);
    k -= 12582912.0f;
    float r = x - k * 0.693359375f;
    r -= k * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t scale = (bits + 127u) << 23;
    float s;
    memcpy(&s, &scale, sizeof s);
    return p * s;
}

// 1 / (1 + e^-x)
static inline float vm_sigmoid(float x)
{
    return 1.0f / (1.0f + vm_exp(-x));
}

// tanh: odd polynomial below 0.625, by exp above (Cephes tanhf).
static inline float vm_tanh(float x)
{
    float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    float small = x + x * z * p;
    float a = x < 0 ? -x : x;
    float big = 1.0f - 2.0f / (vm_exp(2.0f * a) + 1.0f);
    big = x < 0 ? -big : big;
    return a < 0.625f ? small : big;
}

// Natural logarithm of a positive normal number; 2 ulp (Cephes logf).
static inline float vm_log(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int32_t e = (int32_t)(bits >> 23) - 126;
    bits = (bits & 0x007fffffu) | 0x3f000000u;
    float m;
    memcpy(&m, &bits, sizeof m); // in [0.5, 1)
    // an integer: a choice of two constants would be made a branch, and not vectorise
    int32_t below = m < 0.707106781186547524f;
    float low = (float)below, ef = (float)(e - below);
    m = m + low * m - 1.0f;
    float z = m * m;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    float y = m * z * p;
    y += ef * -2.12194440e-4f;
    y -= 0.5f * z;
    return m + y + ef * 0.693359375f;
}

// erf (Abramowitz and Stegun 7.1.26 refined is too coarse: this is the rational form of W. J. Cody
// as used by Eigen), |error| < 5e-7.
static inline float vm_erf(float x)
{
    x = x < -4.0f ? -4.0f : x;
    x = x > 4.0f ? 4.0f : x;
    float z = x * x;
    float p = -2.72614225801306e-10f;
    p = p * z + 2.77068142495902e-08f;
    p = p * z - 2.10102402082508e-06f;
    p = p * z - 5.69250639462346e-05f;
    p = p * z - 7.34990630326855e-04f;
    p = p * z - 2.95459980854025e-03f;
    p = p * z - 1.60960333262415e-02f;
    float q = -1.45660718464996e-05f;
    q = q * z - 2.13374055278905e-04f;
    q = q * z - 1.68282697438203e-03f;
    q = q * z - 7.37332916720468e-03f;
    q = q * z - 1.42647390514189e-02f;
    return x * p / q;
}

#endif
