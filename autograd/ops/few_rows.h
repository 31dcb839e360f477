// SPDX-License-Identifier: GPL-3.0-or-later
// few_rows.h: y = W x in f32 for a row x, or for a few, as generation has them; weights that are
// made for it lie otherwise (few_panels.h).
//
// Each weight is fetched once. A weight in a register serves a tile of rows, whose sums fill what
// registers there are. Tiles are packed (row_packs.h); a stretch of one stays in the first cache
// while it meets some places of W, whose sums wait. Whatever the rows and the threads, each sum is
// made in the same lanes and in one order: a row has the bits that it has alone.
#ifndef KMIDI_AUTOGRAD_OPS_FEW_ROWS_H
#define KMIDI_AUTOGRAD_OPS_FEW_ROWS_H

#include "autograd/ops/row_packs.h"
#include "autograd/ops/single_row.h"

enum {
    ROW_SUMS = ROW_TILE * ROW_SHARED,
    ROW_STRETCH = 4096, // numbers of packed rows: a third of a first cache
    ROW_TURNS = 8       // places in W that a stretch meets
};

// A stretch of a tile from input `i` on, n inputs, and rows of W q rows apart from j on. Sums wait
// in `sum` between the first stretch and the last; then is what is read next.
typedef struct row_block {
    int64_t i, n, j, q;
    const float *then;
    vf *sum; // in lanes, of place s and row r at s * rows + r
} row_block;

ROW_INLINE void row_sums(const few_rows *p, const row_tile *t, const row_block *b, vf sum[ROW_SUMS],
                         int rows, int places, bool far)
{
    const float *x = t->x + b->i * rows, *w = p->w + b->j * p->k + b->i;
    int64_t i = 0, step = b->q * p->k;
    for (vf weights[ROW_SHARED]; i + VLANES <= b->n; i += VLANES) {
        ROW_EACH(s, places)
        {
            if (far)
                row_fetch(b->then + s * step + i);
            weights[s] = vf_load(w + s * step + i);
        }
        ROW_EACH(r, rows)
        ROW_EACH(s, places)
        sum[s * rows + r] += vf_load(x + i * rows + r * VLANES) * weights[s];
    }
    if (i == b->n)
        return;
    ROW_EACH(s, places)
    {
        vf weights = row_rest(w + s * step + i, b->n - i);
        ROW_EACH(r, rows)
        sum[s * rows + r] += vf_load(x + i * rows + r * VLANES) * weights;
    }
}

ROW_INLINE void row_block_of(const few_rows *p, const row_tile *t, const row_block *b, int rows,
                             int places, bool far)
{
    vf sum[ROW_SUMS] = {{0}};
    float y[ROW_SUMS];
    if (b->i > 0)
        memcpy(sum, b->sum, (size_t)(rows * places) * sizeof *sum);
    row_sums(p, t, b, sum, rows, places, far);
    if (b->i + b->n < p->k) {
        memcpy(b->sum, sum, (size_t)(rows * places) * sizeof *sum);
        return;
    }
    for (int k = 0; k < rows * places; k += 4)
        row_fold(sum + k, y + k);
    ROW_EACH(s, places)
    ROW_EACH(r, rows)
    p->y[(t->r + r) * p->n + b->j + s * b->q] = y[s * rows + r];
}

// Functions of their own, so that the sums stay in registers.
typedef void row_block_fn(const few_rows *p, const row_tile *t, const row_block *b);
#define ROW_BLOCK(name, rows, places, far)                                                         \
    static __attribute__((noinline)) void name(const few_rows *p, const row_tile *t,               \
                                               const row_block *b)                                 \
    {                                                                                              \
        row_block_of(p, t, b, rows, places, far);                                                  \
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

// A tile with `turns` times `places` rows of W, stretch by stretch. Behind the last turn the first
// row's next stretch is read, and behind that the row behind all of them.
static inline void row_turns(const few_rows *p, const row_tile *t, int64_t j, int64_t turns,
                             int64_t q, int places)
{
    vf sum[ROW_TURNS][ROW_SUMS];
    int64_t most = ROW_STRETCH >> (t->size + 1);
    for (int64_t i = 0; i < p->k; i += most) {
        int64_t n = p->k - i < most ? p->k - i : most;
        for (int64_t c = 0; c < turns; c++) {
            int64_t next = c + 1 < turns  ? (j + c + 1) * p->k + i
                           : i + n < p->k ? j * p->k + i + n
                                          : (j + turns) * p->k;
            row_block b = {i, n, j + c, q, p->w + next, sum[c]};
            row_blocks[t->size][places == 1 ? 2 : t->r == 0](p, t, &b);
        }
    }
}

// All rows of x with the same rows of W.
static inline void row_all(const few_rows *p, int64_t j, int64_t turns, int64_t q, int places)
{
    const float *x = p->packed;
    for (int64_t r = 0, rows; r < p->m; r += rows) {
        row_tile t = {.size = row_size(p->m, p->m - r), .x = x};
        rows = 2 << t.size;
        t.r = row_first(p->m, r, rows);
        row_turns(p, &t, j, turns, q, places);
        x += rows * row_whole(p->k);
    }
}

static inline void rows_part(const few_rows *p, int64_t lo, int64_t hi)
{
    int64_t q = (hi - lo) / ROW_SHARED, rest = lo + ROW_SHARED * q;
    for (int64_t j = lo; j < lo + q; j += ROW_TURNS)
        row_all(p, j, lo + q - j < ROW_TURNS ? lo + q - j : ROW_TURNS, q, ROW_SHARED);
    if (rest < hi)
        row_all(p, rest, hi - rest, 0, 1);
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
