// SPDX-License-Identifier: GPL-3.0-or-later
// row_packs.h: a few rows in tiles of 2, 4 or 8, packed: a register of each beside those of the
// others,
//
//     [ceil(k / VLANES)][rows][VLANES]     zeros behind k
//
// Rows as they stand, a power of two apart, push each other out of the first cache: weights of 512
// inputs met eight of them in 1.3 times as long.
#ifndef KMIDI_AUTOGRAD_OPS_ROW_PACKS_H
#define KMIDI_AUTOGRAD_OPS_ROW_PACKS_H

#include "autograd/ops/row_lanes.h"

typedef struct row_tile {
    int size;       // log2 of half its rows
    int64_t r;      // the first
    const float *x; // packed
} row_tile;

// The size of the tile that comes next where `left` of m rows are to do.
static inline int row_size(int64_t m, int64_t left)
{
    int size = ROW_TILE == 8 ? 2 : 1;
    while (size > 0 && (m < 2 << size || left <= 1 << size))
        size--;
    return size;
}

// Its first row: where they come out uneven, some rows are in two tiles.
static inline int64_t row_first(int64_t m, int64_t r, int64_t rows)
{
    return r + rows > m ? m - rows : r;
}

static inline int64_t row_whole(int64_t k)
{
    return (k + VLANES - 1) / VLANES * VLANES;
}

// Of the tiles of m rows of k numbers; a row alone is not packed.
static inline size_t row_packs_bytes(int64_t m, int64_t k)
{
    int64_t packed = 0;
    for (int64_t r = 0, rows; m > 1 && r < m; r += rows)
        packed += rows = 2 << row_size(m, m - r);
    return (size_t)(packed * row_whole(k)) * sizeof(float);
}

static inline void row_packs(const float *x, int64_t m, int64_t k, float *to)
{
    for (int64_t r = 0, rows; m > 1 && r < m; r += rows) {
        rows = 2 << row_size(m, m - r);
        const float *tile = x + row_first(m, r, rows) * k;
        for (int64_t i = 0; i < k; i += VLANES)
            for (int64_t s = 0; s < rows; s++, to += VLANES) {
                const float *at = tile + s * k + i;
                vf some = k - i >= VLANES ? vf_load(at) : row_rest(at, k - i);
                memcpy(to, &some, sizeof some);
            }
    }
}

#endif
