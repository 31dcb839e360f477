// SPDX-License-Identifier: GPL-3.0-or-later
// few_rows.h: y = W x in f32 for a row x, or for a few, as generation has them; weights that are
// made for it lie otherwise (few_panels.h).
//
// Each weight is fetched once. Of several rows, a weight in a register serves ROW_TILE of them; the
// sums of a tile, a register each, fill what registers there are. Whatever the number of rows and
// of threads, each sum is made in the same lanes: a row has the bits that it has alone.
#ifndef KMIDI_AUTOGRAD_OPS_FEW_ROWS_H
#define KMIDI_AUTOGRAD_OPS_FEW_ROWS_H

#include "autograd/ops/single_row.h"

// Rows of x from row r on, and places in W, q rows apart, from row j on.
typedef struct row_block {
    int64_t r, j, q;
} row_block;

enum { ROW_SUMS = ROW_TILE * ROW_SHARED };

// Sums in lanes of rows x places, of place s and row r at s * rows + r.
ROW_INLINE void row_sums(const few_rows *p, row_block b, vf sum[ROW_SUMS], int rows, int places,
                         bool far)
{
    const float *x = p->x + b.r * p->k, *w = p->w + b.j * p->k;
    int64_t i = 0, step = b.q * p->k;
    for (; i + VLANES <= p->k; i += VLANES)
        ROW_EACH(s, places)
        {
            if (far)
                row_fetch(w + s * step + i);
            vf weights = vf_load(w + s * step + i);
            ROW_EACH(r, rows)
            sum[s * rows + r] += vf_load(x + r * p->k + i) * weights;
        }
    if (i == p->k)
        return;
    ROW_EACH(s, places)
    {
        vf weights = row_rest(w + s * step + i, p->k - i);
        ROW_EACH(r, rows)
        sum[s * rows + r] += row_rest(x + r * p->k + i, p->k - i) * weights;
    }
}

ROW_INLINE void row_block_of(const few_rows *p, row_block b, int rows, int places, bool far)
{
    vf sum[ROW_SUMS] = {{0}};
    float y[ROW_SUMS];
    row_sums(p, b, sum, rows, places, far);
    for (int k = 0; k < rows * places; k += 4)
        row_fold(sum + k, y + k);
    ROW_EACH(s, places)
    ROW_EACH(r, rows)
    p->y[(b.r + r) * p->n + b.j + s * b.q] = y[s * rows + r];
}

// Functions of their own, so that the sums stay in registers.
typedef void row_block_fn(const few_rows *p, row_block b);
#define ROW_BLOCK(name, rows, places, far)                                                         \
    static __attribute__((noinline)) void name(const few_rows *p, row_block b)                     \
    {                                                                                              \
        row_block_of(p, b, rows, places, far);                                                     \
    }
#define ROW_BLOCKS(rows)                                                                           \
    ROW_BLOCK(row_near_##rows, rows, ROW_SHARED, false)                                            \
    ROW_BLOCK(row_far_##rows, rows, ROW_SHARED, true)                                              \
    ROW_BLOCK(row_last_##rows, rows, 1, false)
ROW_BLOCKS(2)
ROW_BLOCKS(4)
#if defined(__AVX512F__)
ROW_BLOCKS(8)
static row_block_fn *const row_blocks[][3] = {{row_near_2, row_far_2, row_last_2},
                                              {row_near_4, row_far_4, row_last_4},
                                              {row_near_8, row_far_8, row_last_8}};
#else
static row_block_fn *const row_blocks[][3] = {{row_near_2, row_far_2, row_last_2},
                                              {row_near_4, row_far_4, row_last_4}};
#endif

// All rows of x with the same rows of W. Where they come out uneven, some are computed twice.
static inline void row_all(const few_rows *p, int64_t j, int64_t q, int places)
{
    for (int64_t r = 0, rows; r < p->m; r += rows) {
        int size = LENGTH(row_blocks) - 1; // 2 << size rows
        while (size > 0 && (p->m < 2 << size || p->m - r <= 1 << size))
            size--;
        rows = 2 << size;
        bool far = r == 0;
        r = r + rows > p->m ? p->m - rows : r;
        row_blocks[size][places == 1 ? 2 : far](p, (row_block){r, j, q});
    }
}

static inline void rows_part(const few_rows *p, int64_t lo, int64_t hi)
{
    int64_t q = (hi - lo) / ROW_SHARED;
    for (int64_t j = lo; j < lo + q; j++)
        row_all(p, j, q, ROW_SHARED);
    for (int64_t j = lo + ROW_SHARED * q; j < hi; j++)
        row_all(p, j, 0, 1);
}

// y[.. , lo .. hi]; copies of one text, so that none asks in its loop which it is.
static inline void few_rows_part(const few_rows *p, int64_t lo, int64_t hi)
{
    if (p->m > 1)
        rows_part(p, lo, hi);
    else if (p->n * p->k * (int64_t)sizeof(float) > ROW_NEAR)
        row_part(p, lo, hi, true);
    else
        row_part(p, lo, hi, false);
}

// Nanoseconds on one thread: memory at 20 GB/s, products at 50 GFLOP/s.
static inline double few_rows_cost(int64_t m, int64_t n, int64_t k)
{
    double fetch = 0.05 * sizeof(float), multiply = 0.04 * (double)m;
    return 100 + (fetch > multiply ? fetch : multiply) * (double)(n * k);
}

#endif
