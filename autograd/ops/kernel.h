// SPDX-License-Identifier: GPL-3.0-or-later
// kernel.h: small things that kernels share. Everything here is static: it is compiled into each op
// at each vector width.
//
// Loops over flat arrays are left to the compiler (-O3); what it may not reorder, sums and maxima
// in floating point, is written here in lanes. Lanes are the same whatever the thread count, so
// results are too.
#ifndef KMIDI_AUTOGRAD_OPS_KERNEL_H
#define KMIDI_AUTOGRAD_OPS_KERNEL_H

#include "autograd/op.h"
#include "autograd/rules.h"

// The next loop may run in vectors although its output may be one of its inputs (in place: element
// i of both, never another).
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define TYPE_BIT(t)   (1u << (t))

// For samples: DIMS(2, 3, 5) is the shape [3, 5]; VALUES(...) an f32 input of such a shape with
// values in [-1, 1).
#define DIMS(r, ...)                                                                               \
    {                                                                                              \
        .rank = (r), .d = { __VA_ARGS__ }                                                          \
    }
#define VALUES(r, ...)                                                                             \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1.0f                               \
    }

enum {
    LANES = 2 * VLANES, // two registers hide the latency of an addition
    // elements: parts of threads begin at multiples, so that the same elements meet in a register
    GRAIN = 1024
};

// The next n floats of a thread's workspace, on a cache line of their own; with base NULL only
// counted.
static inline float *workspace_take(float *base, size_t *at, int64_t n)
{
    float *p = base ? base + *at : NULL;
    *at += (size_t)(n + 15) / 16 * 16;
    return p;
}

static inline float lanes_fold(float lane[LANES])
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int k = 0; k < half; k++)
            lane[k] += lane[k + half];
    return lane[0];
}

// The sum of n numbers, in lanes that are then folded in halves: short rows do not wait for one
// addition after another.
static inline float lanes_sum(const float *x, int64_t n)
{
    float lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += x[i + k];
    for (int64_t k = 0; k < n - i; k++)
        lane[k] += x[i + k];
    return lanes_fold(lane);
}

// The sum of n products, in the same lanes.
static inline float lanes_dot(const float *x, const float *y, int64_t n)
{
    float lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += x[i + k] * y[i + k];
    for (int64_t k = 0; k < n - i; k++)
        lane[k] += x[i + k] * y[i + k];
    return lanes_fold(lane);
}

static inline vf vf_load(const float *x)
{
    return *(const vf *)x;
}

// Lane by lane a where it is the larger, else b. gcc makes the loop an instruction where a vector
// has more than four lanes, and branches where it has four; of the masks NEON makes two
// instructions.
static inline vf vf_larger(vf a, vf b)
{
    if (VLANES == 4) {
        vi take = a > b;
        return (vf)((take & (vi)a) | (~take & (vi)b));
    }
    vf y = b;
    for (int k = 0; k < VLANES; k++)
        y[k] = a[k] > b[k] ? a[k] : b[k];
    return y;
}

// The largest of n > 0 numbers. The last vector overlaps those before it.
static inline float lanes_max(const float *x, int64_t n)
{
    float most = x[0];
    if (n < VLANES) {
        for (int64_t i = 1; i < n; i++)
            most = x[i] > most ? x[i] : most;
        return most;
    }
    int64_t last = n - VLANES;
    vf a = most - (vf){0}, b = vf_larger(vf_load(x + last), a);
    for (int64_t i = 0; i < last; i += LANES) {
        a = vf_larger(vf_load(x + i), a);
        b = vf_larger(vf_load(x + (i + VLANES < last ? i + VLANES : last)), b);
    }
    a = vf_larger(b, a);
    for (int k = 0; k < VLANES; k++)
        most = a[k] > most ? a[k] : most;
    return most;
}

#endif
