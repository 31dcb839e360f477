// SPDX-License-Identifier: GPL-3.0-or-later
// quad_product.h: products of a block of rows by a panel (panel.h), for sums that are put together
// of several: c [rows, n] = the sum over p < runs of a[p] [rows, deep] panel[p] [deep, n], n up to
// PANEL_WIDTH.
//
// A piece of the panel stays in the first cache while all rows pass by. Each piece's sum begins at
// zero and is then added to c, which costs fewer digits than one long sum, and is the same whatever
// the number of rows.
#ifndef KMIDI_AUTOGRAD_OPS_QUAD_PRODUCT_H
#define KMIDI_AUTOGRAD_OPS_QUAD_PRODUCT_H

#include "autograd/ops/panel.h"

enum { QUAD_DEEP = VLANES == 16 ? 128 : 64 }; // rows of a piece

typedef struct quad_product {
    const float *a, *panel;
    float *c; // rows of PANEL_WIDTH
    int64_t rows, n, deep, runs;
    int64_t a_next, panel_next; // from a run to the next
    int64_t row, col;           // of a, from a number to that of the next row, of the next column
    int64_t panel_row;
    bool add; // to what is in c
} quad_product;

PANEL_INLINE void quad_tile(const quad_product *q, float *c, const float *a, const float *w,
                            int64_t k, bool add, int mr, int nv)
{
    vf acc[PANEL_MR_MAX][PANEL_NV];
    int64_t row = q->row, col = q->col, next = q->panel_row;
    PANEL_EACH(r, v, mr, nv)
    acc[r][v] = (vf){0};
    for (int64_t i = 0; i < k; i++, w += next, a += col) {
        vf f[PANEL_NV];
        PANEL_UNROLL for (int v = 0; v < nv; v++) f[v] = *(const vf *)(w + v * VLANES);
        PANEL_UNROLL for (int r = 0; r < mr; r++)
        {
            vf x = a[r * row] - (vf){0};
            PANEL_UNROLL for (int v = 0; v < nv; v++) acc[r][v] += x * f[v];
        }
    }
    PANEL_EACH(r, v, mr, nv)
    {
        vf *to = (vf *)(c + r * PANEL_WIDTH + v * VLANES);
        if (add)
            acc[r][v] += *to;
        *to = acc[r][v];
    }
}

typedef void quad_tile_fn(const quad_product *q, float *c, const float *a, const float *w,
                          int64_t k, bool add);
#define QUAD_TILE_OF(name, mr, nv)                                                                 \
    static void name(const quad_product *q, float *c, const float *a, const float *w, int64_t k,   \
                     bool add)                                                                     \
    {                                                                                              \
        quad_tile(q, c, a, w, k, add, mr, nv);                                                     \
    }
#define QUAD_TILE(mr)                                                                              \
    QUAD_TILE_OF(quad_tile_##mr, mr, PANEL_NV) QUAD_TILE_OF(quad_half_##mr, mr, PANEL_NV / 2)
QUAD_TILE(1)
QUAD_TILE(2)
QUAD_TILE(3)
#if defined(__AVX512F__) || defined(__aarch64__)
QUAD_TILE(4)
QUAD_TILE(5)
QUAD_TILE(6)
static quad_tile_fn *const quad_tiles[2][PANEL_MR + 1] = {
    {NULL, quad_tile_1, quad_tile_2, quad_tile_3, quad_tile_4, quad_tile_5, quad_tile_6},
    {NULL, quad_half_1, quad_half_2, quad_half_3, quad_half_4, quad_half_5, quad_half_6},
};
#else
static quad_tile_fn *const quad_tiles[2][PANEL_MR + 1] = {
    {NULL, quad_tile_1, quad_tile_2, quad_tile_3}, {NULL, quad_half_1, quad_half_2, quad_half_3}};
#endif

static inline void quad_multiply(const quad_product *q)
{
    quad_tile_fn *const *tile = quad_tiles[q->n <= PANEL_WIDTH / 2];
    for (int64_t p = 0; p < q->runs; p++)
        for (int64_t k0 = 0; k0 < q->deep; k0 += QUAD_DEEP) {
            int64_t k = q->deep - k0 < QUAD_DEEP ? q->deep - k0 : QUAD_DEEP;
            const float *a = q->a + p * q->a_next + k0 * q->col,
                        *w = q->panel + p * q->panel_next + k0 * q->panel_row;
            for (int64_t r = 0; r < q->rows; r += PANEL_MR) {
                int64_t mr = q->rows - r < PANEL_MR ? q->rows - r : PANEL_MR;
                tile[mr](q, q->c + r * PANEL_WIDTH, a + r * q->row, w, k,
                         q->add || p > 0 || k0 > 0);
            }
        }
}

#endif
