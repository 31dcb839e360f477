// SPDX-License-Identifier: GPL-3.0-or-later
// int8_rows.h: rows of f32 as whole numbers with a factor for each row, to meet weights of i8:
//
//     x ~ q 2^e,   |q| <= 2^14,   the largest |q| of a row at least 2^13
//
// So no number of a row is off by more than 2^-14 of the largest, an eighth of what rounding to
// bf16 makes of that one; and sums of products are whole numbers. FEW_BLOCK of them fit an i32:
// such sums are exact, the same in any order and by any instruction.
#ifndef KMIDI_AUTOGRAD_OPS_INT8_ROWS_H
#define KMIDI_AUTOGRAD_OPS_INT8_ROWS_H

#include "autograd/ops/few_panels.h"

enum { INT8_ROW_BITS = 13 };

// Of m rows, filled up with zeros, of k numbers, as those who multiply read them.
typedef struct int8_rows {
    float *factor; // [m]: 2^e; of a row that is not finite no number, as what comes of it
    int16_t *q;    // [m, k]
    // q = 256 high + low, for instructions that multiply bytes, as few_amx.h or few_vnni.h has
    // them; and, of the latter, the sum of q in each FEW_BLOCK
    int8_t *bytes; // [m, 2, k]
    int32_t *sum;  // [m, blocks]
    int64_t blocks;
} int8_rows;

// Where they are kept from `base` on; the bytes that they take. NULL: only counted.
static inline size_t int8_rows_take(int8_rows *r, char *base, int64_t m, int64_t k)
{
    int64_t blocks = (k + FEW_BLOCK - 1) / FEW_BLOCK;
    size_t at = 0, bytes[] = {(size_t)m * 4, (size_t)(m * k) * 2, (size_t)(m * k) * 2,
                              (size_t)(m * blocks) * 4};
    char *to[LENGTH(bytes)];
    for (int i = 0; i < LENGTH(bytes); at += (bytes[i++] + 63) / 64 * 64)
        to[i] = base ? base + at : NULL;
    *r = (int8_rows){(float *)to[0], (int16_t *)to[1], (int8_t *)to[2], (int32_t *)to[3], blocks};
    return at;
}

typedef uint32_t int8_row_bits __attribute__((may_alias)); // of a float, where it lies

// 2^-e for a row whose largest number has these bits without its sign, and 2^e.
static inline float int8_row_factor(uint32_t most, float *back)
{
    uint32_t e = most >> 23, least = 1 + INT8_ROW_BITS;
    e = e < least ? least : e > 254 ? 254 : e;
    uint32_t up = (254 + INT8_ROW_BITS - e) << 23,
             down = most >> 23 == 255 ? 0x7fc00000u : (e - INT8_ROW_BITS) << 23;
    float factor;
    memcpy(&factor, &up, sizeof factor);
    memcpy(back, &down, sizeof *back);
    return factor;
}

// What the numbers of a row are multiplied by; its factor is put down.
static inline float int8_row_begin(const int8_rows *to, int64_t row, const float *restrict x,
                                   int64_t n)
{
    const int8_row_bits *restrict bits = (const void *)x;
    uint32_t most = 0; // of numbers without signs, whole ones are in the same order
    for (int64_t i = 0; i < n; i++)
        most = (bits[i] & 0x7fffffffu) > most ? bits[i] & 0x7fffffffu : most;
    return int8_row_factor(most, &to->factor[row]);
}

#define INT8_ROW_LARGE 12582912.0f   // its mantissa rounds what is added to the nearest
enum { INT8_ROW_BASE = 0x4b400000 }; // as bits

static inline int16_t int8_row_step(float x)
{
    float v = x + INT8_ROW_LARGE;
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (int16_t)(bits - INT8_ROW_BASE);
}

// A row of n numbers as q [k].
static inline void int8_row(const int8_rows *to, int64_t row, const float *restrict x, int64_t n,
                            int64_t k)
{
    int16_t *restrict q = to->q + row * k;
    float factor = int8_row_begin(to, row, x, n);
    for (int64_t i = 0; i < n; i++)
        q[i] = int8_row_step(x[i] * factor);
    for (int64_t i = n; i < k; i++)
        q[i] = 0;
}

#endif
