// SPDX-License-Identifier: GPL-3.0-or-later
// few_rows.h: y = W x for a row x, or for a few, as generation has them.
//
// Each weight is fetched once. Of several rows, a weight in a register serves ROW_TILE of them; the
// sums of a tile fill the registers, half of their lanes at a time. Whatever the number of rows and
// of threads, each sum is made in the lanes of lanes_dot: a row has the bits that it has alone.
#ifndef KMIDI_AUTOGRAD_OPS_FEW_ROWS_H
#define KMIDI_AUTOGRAD_OPS_FEW_ROWS_H

#include "autograd/ops/single_row.h"

// Rows of x from row r on, and places in W, q rows apart, from row j on.
typedef struct row_block {
    int64_t r, j, q;
} row_block;

enum { ROW_SUMS = ROW_TILE * ROW_SHARED };

// Half v of the lanes of rows x places sums, of place s and row r at s * rows + r.
ROW_INLINE void row_half(const few_rows *p, row_block b, int v, vf *restrict out, int rows,
                         int places, dtype type, bool far)
{
    vf sum[ROW_SUMS] = {{0}};
    int64_t i = 0;
    for (; i + LANES <= p->k; i += LANES)
        ROW_EACH(s, places)
        {
            int64_t at = (b.j + s * b.q) * p->k + i;
            if (far)
                row_fetch(p->w, at, type);
            vf w = row_weights(p->w, at + v * VLANES, type);
            ROW_EACH(r, rows)
            sum[s * rows + r] += vf_load(p->x + (b.r + r) * p->k + i + v * VLANES) * w;
        }
    if (i < p->k)
        ROW_EACH(s, places)
        {
            float x[LANES], w[LANES];
            int64_t row = (b.j + s * b.q) * p->k;
            row_rest(w, p->w, row + i, row + p->k, type);
            ROW_EACH(r, rows)
            {
                row_rest(x, p->x, (b.r + r) * p->k + i, (b.r + r + 1) * p->k, DT_F32);
                sum[s * rows + r] += vf_load(x + v * VLANES) * vf_load(w + v * VLANES);
            }
        }
    ROW_EACH(k, places * rows)
    out[k] = sum[k];
}

ROW_INLINE void row_block_of(const few_rows *p, row_block b, int rows, int places, dtype type,
                             bool far)
{
    vf half[2][ROW_SUMS], sum[ROW_SUMS] = {{0}};
    float y[ROW_SUMS];
    row_half(p, b, 0, half[0], rows, places, type, far);
    row_half(p, b, 1, half[1], rows, places, type, false);
    ROW_EACH(k, rows * places)
    sum[k] = half[0][k] + half[1][k];
    for (int k = 0; k < rows * places; k += 4)
        row_fold(sum + k, y + k);
    ROW_EACH(s, places)
    {
        float scale = type == DT_I8 ? p->scale[b.j + s * b.q] : 1;
        ROW_EACH(r, rows)
        p->y[(b.r + r) * p->n + b.j + s * b.q] = y[s * rows + r] * scale;
    }
}

// Functions of their own, so that the sums stay in registers.
typedef void row_block_fn(const few_rows *p, row_block b);
#define ROW_BLOCK(name, rows, places, type, far)                                                   \
    static __attribute__((noinline)) void name(const few_rows *p, row_block b)                     \
    {                                                                                              \
        row_block_of(p, b, rows, places, type, far);                                               \
    }
#define ROW_BLOCKS(name, type)                                                                     \
    ROW_BLOCK(name##_2, 2, ROW_SHARED, type, false)                                                \
    ROW_BLOCK(name##_4, ROW_TILE, ROW_SHARED, type, false)                                         \
    ROW_BLOCK(name##_2_far, 2, ROW_SHARED, type, true)                                             \
    ROW_BLOCK(name##_4_far, ROW_TILE, ROW_SHARED, type, true)                                      \
    ROW_BLOCK(name##_2_last, 2, 1, type, false)                                                    \
    ROW_BLOCK(name##_4_last, ROW_TILE, 1, type, false)                                             \
    static row_block_fn *const name[3][2] = {                                                      \
        {name##_2, name##_4}, {name##_2_far, name##_4_far}, {name##_2_last, name##_4_last}};
ROW_BLOCKS(row_f32, DT_F32)
ROW_BLOCKS(row_bf16, DT_BF16)
ROW_BLOCKS(row_i8, DT_I8)

// All rows of x with the same rows of W. Where they come out uneven, some are computed twice.
static inline void row_all(const few_rows *p, int64_t j, int64_t q, int places,
                           row_block_fn *const blocks[3][2])
{
    for (int64_t r = 0, rows; r < p->m; r += rows) {
        bool four = p->m - r > 2 && p->m >= ROW_TILE, far = r == 0;
        rows = four ? ROW_TILE : 2;
        r = r + rows > p->m ? p->m - rows : r;
        blocks[places == 1 ? 2 : far][four](p, (row_block){r, j, q});
    }
}

static inline void rows_part(const few_rows *p, int64_t lo, int64_t hi,
                             row_block_fn *const blocks[3][2])
{
    int64_t q = (hi - lo) / ROW_SHARED;
    for (int64_t j = lo; j < lo + q; j++)
        row_all(p, j, q, ROW_SHARED, blocks);
    for (int64_t j = lo + ROW_SHARED * q; j < hi; j++)
        row_all(p, j, 0, 1, blocks);
}

// y[.. , lo .. hi]; copies of one text, so that none asks in its loop which it is.
static inline void few_rows_part(const few_rows *p, int64_t lo, int64_t hi, dtype weights)
{
    if (p->m > 1)
        rows_part(p, lo, hi, weights == DT_I8 ? row_i8 : weights == DT_BF16 ? row_bf16 : row_f32);
    else if (weights == DT_I8)
        row_part(p, lo, hi, DT_I8, true);
    else if (weights == DT_BF16)
        row_part(p, lo, hi, DT_BF16, true);
    else if (p->n * p->k * (int64_t)sizeof(float) > ROW_NEAR)
        row_part(p, lo, hi, DT_F32, true);
    else
        row_part(p, lo, hi, DT_F32, false);
}

// Nanoseconds on one thread: memory at 20 GB/s, products at 50 GFLOP/s.
static inline double few_rows_cost(int64_t m, int64_t n, int64_t k, dtype weights)
{
    double fetch = 0.05 * (double)dtype_size(weights), multiply = 0.04 * (double)m;
    return 100 + (fetch > multiply ? fetch : multiply) * (double)(n * k);
}

#endif
