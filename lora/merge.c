// SPDX-License-Identifier: GPL-3.0-or-later
// merge.c: W + sum of scale B A, accumulated in f64 and rounded once: the sum of the exact products
// is off by half a unit in the last place of the result, whatever the number of adapters.
#include "lora/merge.h"

enum { COLUMNS = 256 };

// Columns [from, from + n) of one row.
static void add_row(float *w, int64_t row, int64_t in, int64_t from, int64_t n,
                    const lora_factors *f, int count)
{
    double sum[COLUMNS];
    float *to = w + row * in + from;
    for (int64_t i = 0; i < n; i++)
        sum[i] = (double)to[i];
    for (int k = 0; k < count; k++)
        for (int64_t r = 0; r < f[k].rank; r++) {
            double b = f[k].scale * (double)f[k].b[row * f[k].rank + r];
            const float *a = f[k].a + r * in + from;
            for (int64_t i = 0; i < n; i++)
                sum[i] += b * (double)a[i];
        }
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)sum[i];
}

void lora_add(float *w, int64_t out, int64_t in, const lora_factors *f, int count)
{
    for (int64_t row = 0; row < out; row++)
        for (int64_t from = 0; from < in; from += COLUMNS)
            add_row(w, row, in, from, in - from < COLUMNS ? in - from : COLUMNS, f, count);
}
