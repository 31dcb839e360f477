// SPDX-License-Identifier: GPL-3.0-or-later
// few_panels.h: y = scale (W x) for a few rows x in f32 and weights W in bf16 or i8, which lie in
// panels of 16 outputs:
//
//     [ceil(N / 16)][K / u][16][u]    u 2 (bf16) or 4 (i8), K a multiple of u, of i8 of 64; zeros
//                                     where there is no output or input
//
// u inputs of 16 outputs are a cache line. It is widened once and meets all rows, of which a number
// at a time is spread over a register; sums of a tile of rows and panels stay in registers and need
// no folding. Whatever the tile, a sum adds up its products in one order, so a row has the bits
// that it has alone.
#ifndef KMIDI_AUTOGRAD_OPS_FEW_PANELS_H
#define KMIDI_AUTOGRAD_OPS_FEW_PANELS_H

#include "autograd/ops/row_lanes.h"

enum {
    FEW_WIDTH = 16,   // outputs of a panel
    FEW_LINE = 64,    // bytes
    FEW_AHEAD = 2048, // bytes of weights that are asked for before they are read
    // inputs whose products of i8 and of steps up to 2^14 fit an i32 (int8_rows.h)
    FEW_BLOCK = 1024
};

typedef struct few_panels {
    int64_t m, n, k;    // rows, outputs, inputs
    int64_t deep;       // inputs that a panel has room for, k at least
    const void *w;      // panels
    const float *scale; // [n]
    float *y;           // [m, n]
    // [rows of tiles, k], in f32, or as int8_rows.h makes them
    const void *x;
    const struct int8_rows *steps;
    int64_t ahead; // bytes that are asked for before they are read
} few_panels;

// As many inputs as panels have: of i8 whole tiles of AMX (few_amx.h).
static inline int64_t few_inputs(int64_t k, dtype type)
{
    int64_t u = type == DT_I8 ? FEW_LINE : 2;
    return (k + u - 1) / u * u;
}

static inline int64_t few_panel_count(int64_t n)
{
    return (n + FEW_WIDTH - 1) / FEW_WIDTH;
}

// Where output j's weight of input i lies.
static inline int64_t few_at(int64_t j, int64_t i, int64_t inputs, dtype type)
{
    int64_t u = type == DT_I8 ? 4 : 2;
    return (j / FEW_WIDTH * inputs + i / u * u) * FEW_WIDTH + j % FEW_WIDTH * u + i % u;
}

// A row's sums of a panel go where they belong. Rows behind the last fill up a tile.
static inline void few_store(const few_panels *p, int64_t row, int64_t panel,
                             const float sum[FEW_WIDTH], float factor)
{
    int64_t j = panel * FEW_WIDTH, n = p->n - j < FEW_WIDTH ? p->n - j : FEW_WIDTH;
    if (row >= p->m)
        return;
    float *restrict y = p->y + row * p->n + j;
    const float *restrict scale = p->scale + j;
    if (n == FEW_WIDTH)
        for (int k = 0; k < FEW_WIDTH; k++)
            y[k] = sum[k] * scale[k] * factor;
    else
        for (int64_t k = 0; k < n; k++)
            y[k] = sum[k] * scale[k] * factor;
}

// ---- Tiles

// A tile of rows from `row` on, and panels `step` apart from `panel` on.
typedef void few_tile_fn(const few_panels *p, int64_t row, int64_t panel, int64_t step);
#define FEW_TILE(name, tile, rows, panels)                                                         \
    static __attribute__((noinline)) void name(const few_panels *p, int64_t r, int64_t j,          \
                                               int64_t step)                                       \
    {                                                                                              \
        tile(p, r, j, step, rows, panels);                                                         \
    }

// Tiles of 1, 2, 4 and 8 rows, as far as there are any, and how many panels each has at once.
typedef struct few_kernel {
    int most; // rows
    int panels[4];
    few_tile_fn *many[4], *one[4];
} few_kernel;

// Which of them m rows begin with: the smallest that has them all, or the largest.
static inline int few_tile_of(const few_kernel *k, int64_t m)
{
    int t = 0;
    while (1 << t < m && 1 << t < k->most)
        t++;
    return t;
}

// m rows, and those that fill up the last tile.
static inline int64_t few_rows_of_tiles(const few_kernel *k, int64_t m)
{
    int64_t r = 0;
    while (r < m)
        r += 1 << few_tile_of(k, m - r);
    return r;
}

// All rows, and `panels` panels step apart.
static inline void few_all_rows(const few_panels *p, const few_kernel *k, int64_t panel,
                                int64_t step, int panels)
{
    for (int64_t r = 0; r < p->m;) {
        int t = few_tile_of(k, p->m - r), at_once = panels % k->panels[t] ? 1 : k->panels[t];
        for (int c = 0; c < panels; c += at_once)
            (at_once == 1 ? k->one : k->many)[t](p, r, panel + c * step, step);
        r += 1 << t;
    }
}

// Panels lo .. hi, at several places at once: a core gets more of memory so (single_row.h).
static inline void few_panels_part(const few_panels *p, const few_kernel *k, int64_t lo, int64_t hi)
{
    int places = k->panels[few_tile_of(k, p->m)];
    int64_t q = (hi - lo) / places;
    for (int64_t j = lo; j < lo + q; j++)
        few_all_rows(p, k, j, q, places);
    for (int64_t j = lo + q * places; j < hi; j++)
        few_all_rows(p, k, j, 0, 1);
}

// Nanoseconds on one thread: memory at 20 GB/s, products at 50 GFLOP/s, of i8 at twice as many.
static inline double few_panels_cost(int64_t m, int64_t n, int64_t k, dtype type)
{
    double fetch = 0.05 * (double)dtype_size(type),
           multiply = (type == DT_I8 ? 0.02 : 0.04) * (double)m;
    return 100 + (fetch > multiply ? fetch : multiply) * (double)(n * k);
}

#endif
