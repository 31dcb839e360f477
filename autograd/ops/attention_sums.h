// SPDX-License-Identifier: GPL-3.0-or-later
// attention_sums.h: the rows of values of attention_rows.h, each times its score, summed up. Sums
// of some numbers of all rows stay in registers.
#ifndef KMIDI_AUTOGRAD_OPS_ATTENTION_SUMS_H
#define KMIDI_AUTOGRAD_OPS_ATTENTION_SUMS_H

#include "autograd/ops/attention_rows.h"

// Two registers of what was summed as row_widen_twos has it, as it lies in memory.
ROW_INLINE void rows_zip(vf w[2])
{
    float x[LANES];
    for (int k = 0; k < VLANES; k++)
        x[2 * k] = w[0][k], x[2 * k + 1] = w[1][k];
    w[0] = vf_load(x), w[1] = vf_load(x + VLANES);
}

// out[0 .. n VLANES] += score[j] times the numbers `at` .. of row j.
ROW_INLINE void rows_sum_some(float *restrict out, const float *score, head_rows_at r, int64_t i,
                              int64_t lo, int64_t hi, int n, dtype type)
{
    vf sum[ROWS_SETS][ROWS_WIDE] = {{{0}}}, w[ROWS_WIDE];
    int64_t j = lo;
    for (; j + ROWS_SETS <= hi; j += ROWS_SETS)
        ROW_EACH(s, ROWS_SETS)
        {
            if (i == 0)
                rows_ask(r, j + s, type);
            rows_load(r.x, r.at + (j + s) * r.width + i, n, type, w);
            ROW_EACH(v, n)
            sum[s][v] += score[j + s] * w[v];
        }
    for (; j < hi; j++) {
        rows_load(r.x, r.at + j * r.width + i, n, type, w);
        ROW_EACH(v, n)
        sum[0][v] += score[j] * w[v];
    }
    ROW_EACH(v, n)
    {
        w[v] = sum[0][v];
        for (int s = 1; s < ROWS_SETS; s++)
            w[v] += sum[s][v];
    }
    for (int v = 0; type == DT_BF16 && v + 1 < n; v += 2)
        rows_zip(w + v);
    ROW_EACH(v, n)
    *(vf *)(out + i + v * VLANES) += w[v];
}

ROW_INLINE void rows_sum_as(float *restrict out, const float *score, head_rows_at r, int64_t lo,
                            int64_t hi, dtype type)
{
    int64_t i = 0;
    for (; i + ROWS_WIDE * VLANES <= r.d; i += ROWS_WIDE * VLANES)
        rows_sum_some(out, score, r, i, lo, hi, ROWS_WIDE, type);
    for (; i + LANES <= r.d; i += LANES)
        rows_sum_some(out, score, r, i, lo, hi, 2, type);
    for (; i + VLANES <= r.d; i += VLANES)
        rows_sum_some(out, score, r, i, lo, hi, 1, type);
    for (; i < r.d; i++)
        for (int64_t j = lo; j < hi; j++)
            out[i] += score[j] * row_weight(r.x, r.at + j * r.width + i, type);
}

// out [d] += score[j] times row j, for j of lo .. hi.
static inline void rows_sum(float *restrict out, const float *score, head_rows_at r, int64_t lo,
                            int64_t hi)
{
    if (r.type == DT_BF16)
        rows_sum_as(out, score, r, lo, hi, DT_BF16);
    else
        rows_sum_as(out, score, r, lo, hi, DT_F32);
}

#endif
