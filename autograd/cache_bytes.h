// SPDX-License-Identifier: GPL-3.0-or-later
// cache_bytes.h: how keys and values of what was heard lie as whole numbers of 8 bits, with a scale
// for each head of a row, by the rule of base/int8.h: what ops/attention_bytes.c reads, and whoever
// owns a cache fills row by row.
//
// They lie as weights in panels (ops/few_panels.h): a row of keys is an output, one of values an
// input. What lies behind the rows or dims there are may be anything.
#ifndef KMIDI_AUTOGRAD_CACHE_BYTES_H
#define KMIDI_AUTOGRAD_CACHE_BYTES_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/int8.h"

enum { CACHE_WIDTH = 16, CACHE_DEEP = 64, CACHE_DIMS = 512 };

static inline int64_t cache_whole(int64_t n, int64_t of)
{
    return (n + of - 1) / of * of;
}

// Of a head of d dims and so many rows.
static inline int64_t cache_key_bytes(int64_t rows, int64_t d)
{
    return cache_whole(rows, CACHE_WIDTH) * cache_whole(d, CACHE_DEEP);
}

static inline int64_t cache_value_bytes(int64_t rows, int64_t d)
{
    return cache_whole(d, CACHE_WIDTH) * cache_whole(rows, CACHE_DEEP);
}

static inline int64_t cache_at(int64_t output, int64_t input, int64_t inputs)
{
    return (output / CACHE_WIDTH * inputs + input / 4 * 4) * CACHE_WIDTH +
           output % CACHE_WIDTH * 4 + input % 4;
}

static inline int64_t cache_key_at(int64_t row, int64_t i, int64_t d)
{
    return cache_at(row, i, cache_whole(d, CACHE_DEEP));
}

static inline int64_t cache_value_at(int64_t row, int64_t i, int64_t rows)
{
    return cache_at(i, row, cache_whole(rows, CACHE_DEEP));
}

typedef uint32_t cache_bits __attribute__((may_alias)); // of a float, where it lies

// q [d] = x in steps of what is returned; of what is not finite that is no number. Rounded by the
// mantissa of a large number, to the nearest.
static inline float cache_round(int8_t *restrict q, const float *restrict x, int64_t d)
{
    const cache_bits *restrict all = (const void *)x;
    uint32_t bits = 0; // of the largest, which are in the order of the numbers
    float most;
    for (int64_t i = 0; i < d; i++)
        bits = (all[i] & 0x7fffffffu) > bits ? all[i] & 0x7fffffffu : bits;
    memcpy(&most, &bits, sizeof most);
    float up = most > 0 ? INT8_LEVELS / most : 0;
    for (int64_t i = 0; i < d; i++) {
        float large = x[i] * up + 12582912.0f;
        int32_t step;
        memcpy(&step, &large, sizeof step);
        q[i] = (int8_t)((uint32_t)step - 0x4b400000u);
    }
    return most <= FLT_MAX ? int8_scale(most, INT8_LEVELS) : NAN;
}

// A head's row goes where it belongs; its scale.
static inline float cache_put_key(int8_t *head, int64_t row, const float *x, int64_t d)
{
    int8_t q[CACHE_DIMS];
    float scale = cache_round(q, x, d);
    int64_t i = 0;
    for (; i + 4 <= d; i += 4) // which lie side by side
        memcpy(head + cache_key_at(row, i, d), q + i, 4);
    for (; i < d; i++)
        head[cache_key_at(row, i, d)] = q[i];
    return scale;
}

static inline float cache_put_value(int8_t *head, int64_t row, const float *x, int64_t d,
                                    int64_t rows)
{
    int8_t q[CACHE_DIMS];
    float scale = cache_round(q, x, d);
    for (int64_t i = 0; i < d; i++)
        head[cache_value_at(row, i, rows)] = q[i];
    return scale;
}

#endif
