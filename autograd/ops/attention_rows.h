// SPDX-License-Identifier: GPL-3.0-or-later
// attention_rows.h: what one query makes of rows of keys and of values, read where they lie: a
// query that is alone uses each row once, so a copy into panels would be most of the work.
//
// Rows are f32, or bf16 that is widened in registers, two by two (row_widen_twos). So what meets
// such rows lies in that order, a query before it (rows_query), a sum behind it
// (attention_sums.h).
#ifndef KMIDI_AUTOGRAD_OPS_ATTENTION_ROWS_H
#define KMIDI_AUTOGRAD_OPS_ATTENTION_ROWS_H

#include "autograd/ops/head.h"
#include "autograd/ops/row_lanes.h"
#include "base/vmath.h"

enum {
    // sums in registers: of half as many numbers of a row, but of two rows, where a register holds
    // so many that the sums of one row would wait for each other
    ROWS_SUMS = 8,
    ROWS_SETS = VLANES == 16 ? 2 : 1,
    ROWS_WIDE = ROWS_SUMS / ROWS_SETS, // registers of a row
    ROWS_AHEAD = 16
};

// A head's rows: of d numbers, width numbers apart.
typedef struct head_rows_at {
    const void *x;
    int64_t at; // of the first number
    int64_t width, d;
    dtype type;
} head_rows_at;

// n registers of a row, from the i-th number on; of bf16, two by two as row_widen_twos has them.
ROW_INLINE void rows_load(const void *x, int64_t i, int n, dtype type, vf *w)
{
    if (type == DT_BF16 && n > 1) {
        ROW_EACH(v, n / 2)
        row_widen_twos((const bf16 *)x + i + 2 * v * VLANES, w + 2 * v);
    } else {
        ROW_EACH(v, n)
        w[v] = row_weights(x, i + v * VLANES, type);
    }
}

// The registers that a pass over d numbers takes from the i-th on: many, two, one, or none: then
// what is left goes one by one.
static inline int rows_step(int64_t i, int64_t d)
{
    int64_t left = (d - i) / VLANES;
    return left >= ROWS_WIDE ? ROWS_WIDE : left >= 2 ? 2 : (int)left;
}

// to [d] = q in the order in which rows of that type come.
static inline void rows_query(float *restrict to, const float *restrict q, int64_t d, dtype type)
{
    int64_t i = 0;
    for (int n; type == DT_BF16 && (n = rows_step(i, d)) > 1; i += n * VLANES)
        for (int64_t b = i; b < i + n * VLANES; b += LANES)
            for (int64_t k = 0; k < VLANES; k++)
                to[b + k] = q[b + 2 * k], to[b + VLANES + k] = q[b + 2 * k + 1];
    for (; i < d; i++)
        to[i] = q[i];
}

ROW_INLINE void rows_ask(head_rows_at r, int64_t row, dtype type)
{
    int64_t size = type == DT_BF16 ? 2 : 4;
    const char *x = (const char *)r.x + (r.at + (row + ROWS_AHEAD) * r.width) * size;
    for (int64_t i = 0; i < r.d * size; i += ROW_LINE)
        __builtin_prefetch(x + i);
}

ROW_INLINE vf rows_dot_some(vf sum, const float *q, const void *x, int64_t at, int n, dtype type)
{
    vf w[ROWS_WIDE];
    rows_load(x, at, n, type, w);
    ROW_EACH(v, n)
    sum += vf_load(q + v * VLANES) * w[v];
    return sum;
}

// q times row j, in lanes.
ROW_INLINE vf rows_dot(const float *q, head_rows_at r, int64_t j, dtype type)
{
    vf sum = {0};
    int64_t i = 0, at = r.at + j * r.width;
    rows_ask(r, j, type);
    for (; i + ROWS_WIDE * VLANES <= r.d; i += ROWS_WIDE * VLANES)
        sum = rows_dot_some(sum, q + i, r.x, at + i, ROWS_WIDE, type);
    for (; i + LANES <= r.d; i += LANES)
        sum = rows_dot_some(sum, q + i, r.x, at + i, 2, type);
    for (; i + VLANES <= r.d; i += VLANES)
        sum = rows_dot_some(sum, q + i, r.x, at + i, 1, type);
    for (; i < r.d; i++)
        sum[0] += q[i] * row_weight(r.x, at + i, type);
    return sum;
}

ROW_INLINE void rows_score_as(float *score, const float *q, head_rows_at r, int64_t lo, int64_t hi,
                              dtype type)
{
    for (int64_t j = lo; j < hi; j += VLANES) {
        int64_t n = hi - j < VLANES ? hi - j : VLANES;
        vf sum[VLANES] = {{0}};
        float y[VLANES];
        for (int64_t s = 0; s < n; s++)
            sum[s] = rows_dot(q, r, j + s, type);
        for (int s = 0; s < VLANES; s += 4)
            row_fold(sum + s, y + s);
        memcpy(score + j, y, (size_t)n * sizeof *y);
    }
}

// score[lo .. hi] = the rows lo .. hi times q, which lies as rows_query makes it.
static inline void rows_score(float *score, const float *q, head_rows_at r, int64_t lo, int64_t hi)
{
    if (r.type == DT_BF16)
        rows_score_as(score, q, r, lo, hi, DT_BF16);
    else
        rows_score_as(score, q, r, lo, hi, DT_F32);
}

// score[0 .. n] becomes e^(score - the largest of them), which is returned.
static inline float rows_exp(float *score, int64_t n)
{
    float top = lanes_max(score, n);
    for (int64_t j = 0; j < n; j++)
        score[j] = vm_exp(score[j] - top);
    return top;
}

#endif
