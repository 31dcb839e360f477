// SPDX-License-Identifier: GPL-3.0-or-later
// panel.h: a small matrix product whose right side is packed once and used many times, for kernels
// that multiply by the same weights in every step of a recurrence.
//
// The packed side is a panel: K rows of NV registers (NV * VLANES columns), contiguous. The
// micro-kernel keeps MR x NV accumulators in registers, streams the panel and broadcasts the left
// side from memory, as BLIS' and OpenBLAS' do (Van Zee and van de Geijn 2015). K is cut so that a
// piece of the panel stays in L1 while all rows pass by.
//
// Every element is summed over k in ascending order whatever the number of rows, so results do not
// depend on how rows are shared out.
#ifndef KMIDI_AUTOGRAD_OPS_PANEL_H
#define KMIDI_AUTOGRAD_OPS_PANEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/variant.h"

enum {
    PANEL_NV = 4,                    // registers a panel is wide
    PANEL_WIDTH = PANEL_NV * VLANES, // columns
    PANEL_MR_MAX = 6,
    PANEL_KC = VLANES == 16 ? 64 : 128, // rows of a panel that stay in L1: 16 KB
    PANEL_ROWS = 48                     // rows of the left side that share a panel's stay in L1
};

#define PANEL_INLINE static inline __attribute__((always_inline))

// Unrolled early, so that the accumulators never are an array in memory.
#ifdef __clang__
#define PANEL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PANEL_UNROLL _Pragma("GCC unroll 8")
#endif
#define PANEL_EACH(r, v, mr, nv)                                                                   \
    PANEL_UNROLL for (int r = 0; r < mr; r++) PANEL_UNROLL for (int v = 0; v < nv; v++)

// c [mr, nv registers] (+)= a [mr, k] panel [k, nv of its NV registers]; a's element (r, i) lies at
// a[r * row + i * col], so it may be read transposed.
PANEL_INLINE void panel_tile(float *restrict c, int64_t ldc, const float *restrict a, int64_t row,
                             int64_t col, const float *restrict w, int64_t k, bool add, int mr,
                             int nv)
{
    vf acc[PANEL_MR_MAX][PANEL_NV];
    PANEL_EACH(r, v, mr, nv)
    acc[r][v] = add ? *(const vf *)(c + r * ldc + v * VLANES) : (vf){0};
    for (int64_t i = 0; i < k; i++, w += PANEL_WIDTH) {
        PANEL_EACH(r, v, mr, nv)
        acc[r][v] += a[r * row + i * col] * *(const vf *)(w + v * VLANES);
    }
    PANEL_EACH(r, v, mr, nv)
    *(vf *)(c + r * ldc + v * VLANES) = acc[r][v];
}

// All of a panel's registers, and the first half of them.
typedef void panel_fn(float *c, int64_t ldc, const float *a, int64_t row, int64_t col,
                      const float *w, int64_t k, bool add);
#define PANEL_TILE_OF(name, mr, nv)                                                                \
    static void name(float *c, int64_t ldc, const float *a, int64_t row, int64_t col,              \
                     const float *w, int64_t k, bool add)                                          \
    {                                                                                              \
        panel_tile(c, ldc, a, row, col, w, k, add, mr, nv);                                        \
    }
#define PANEL_TILE(mr)                                                                             \
    PANEL_TILE_OF(panel_tile_##mr, mr, PANEL_NV) PANEL_TILE_OF(panel_half_##mr, mr, PANEL_NV / 2)
PANEL_TILE(1)
PANEL_TILE(2)
PANEL_TILE(3)
#if defined(__AVX512F__) || defined(__aarch64__)
PANEL_TILE(4)
PANEL_TILE(5)
PANEL_TILE(6)
static panel_fn *const panel_tiles[2][7] = {
    {NULL, panel_tile_1, panel_tile_2, panel_tile_3, panel_tile_4, panel_tile_5, panel_tile_6},
    {NULL, panel_half_1, panel_half_2, panel_half_3, panel_half_4, panel_half_5, panel_half_6},
};
#else
static panel_fn *const panel_tiles[2][4] = {{NULL, panel_tile_1, panel_tile_2, panel_tile_3},
                                            {NULL, panel_half_1, panel_half_2, panel_half_3}};
#endif
// 24 accumulators of 32 registers, or 12 of 16
enum { PANEL_MR = sizeof panel_tiles[0] / sizeof *panel_tiles[0] - 1 };

// c [rows, columns] = a [rows, k] panel [k, columns], or added to what is there; columns are
// rounded up to half a panel or a whole one
static inline void panel_product(float *c, int64_t ldc, const float *a, int64_t row, int64_t col,
                                 const float *w, int64_t k, int64_t rows, int64_t columns, bool add)
{
    if (rows <= 0)
        return;
    unsigned tiles = ((unsigned)rows + PANEL_MR - 1) / PANEL_MR, least = (unsigned)rows / tiles,
             more = (unsigned)rows % tiles;
    panel_fn *const *tile = panel_tiles[columns <= PANEL_WIDTH / 2];
    for (int64_t k0 = 0; k0 < k; k0 += PANEL_KC) {
        int64_t kc = k - k0 < PANEL_KC ? k - k0 : PANEL_KC;
        // without a division for each tile: short ones would feel it
        for (unsigned t = 0, mr, r = 0; t < tiles; t++, r += mr) {
            mr = least + (t < more);
            tile[mr](c + r * ldc, ldc, a + r * row + k0 * col, row, col, w + k0 * PANEL_WIDTH, kc,
                     add || k0 > 0);
        }
    }
}

static inline void panel_multiply(float *c, int64_t ldc, const float *a, int64_t lda,
                                  const float *w, int64_t k, int64_t rows)
{
    panel_product(c, ldc, a, lda, 1, w, k, rows, PANEL_WIDTH, false);
}

static inline int64_t panel_count(int64_t n, int64_t width)
{
    return (n + width - 1) / width;
}

#endif
