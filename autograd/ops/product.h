// SPDX-License-Identifier: GPL-3.0-or-later
// product.h: what linear and matmul have in common: a product cut into tiles, and the plain
// product.
//
// Tiles depend on the shapes alone, not on the threads that share them out. A library may sum in
// another order where a matrix has another shape (OpenBLAS' small-matrix kernels, products of one
// column), so this is what makes results bit-equal for any number of threads. Tall tiles lose
// nothing: on AVX-512 both libraries are as fast in 16 slabs as in one (215 GFLOP/s a core). Slabs
// of 1,000 rows and more, which oneDNN packs, are an eighth faster for 384 x 1792, but only while
// what it packs into stays in the C library's heaps (14 MB a thread there), and their bits are
// others where sums are longer than 384.
#ifndef KMIDI_AUTOGRAD_OPS_PRODUCT_H
#define KMIDI_AUTOGRAD_OPS_PRODUCT_H

#include <string.h>

#include "autograd/gemm/gemm.h"
#include "autograd/ops/kernel.h"

enum {
    TILE_PRODUCT = 1 << 20, // multiply-adds of a tile at least
    TILES_MOST = 16,
    // of a product with A transposed (a weight's gradient): each tile packs B along the whole of K
    TILES_MOST_TRANSPOSED = 8,
    TILE_ROWS_LEAST = 64,
    TILE_COLS_LEAST = 96,
    TILE_ROWS_TRANSPOSED =
        96, // of A transposed, where more than two tiles stand one above the other
    // a tile that is narrower reads A again sooner than it is done with it: 98 GFLOP/s of 116
    TILE_COLS_TRANSPOSED = 384,
    // rows and columns: a multiple of every library's register tile but oneDNN's 48 columns
    TILE_GRAIN = 16
};

typedef struct tiles {
    int64_t rows, cols, down, across; // of a tile; how many
} tiles;

// n in `parts` parts, each but the last a multiple of the grain.
static inline int64_t tile_length(int64_t n, int64_t parts)
{
    int64_t length = (n + parts - 1) / parts;
    return parts == 1 ? n : (length + TILE_GRAIN - 1) / TILE_GRAIN * TILE_GRAIN;
}

// The most parts, a power of two, of at least `least`.
static inline int64_t tile_parts(int64_t n, int64_t parts, int64_t least)
{
    while (parts > 1 && n / parts < least)
        parts /= 2;
    return parts;
}

// Of a weight's gradient, a small matrix of long sums: few tiles, and wide ones.
static inline tiles tiles_of_transposed(const gemm *p, int64_t parts)
{
    int64_t across = tile_parts(p->n, parts, TILE_COLS_TRANSPOSED),
            down = tile_parts(p->m, parts / across, TILE_ROWS_TRANSPOSED);
    if (down * across == 1 && parts > 1)
        down = tile_parts(p->m, 2, TILE_ROWS_LEAST),
        across = tile_parts(p->n, 2 / down, TILE_COLS_LEAST);
    return (tiles){.down = down, .across = across};
}

// With at most `most_rows` rows a tile (0: any).
static inline tiles tiles_of(const gemm *p, int64_t most_rows)
{
    int64_t parts = 1, most = p->ta ? TILES_MOST_TRANSPOSED : TILES_MOST;
    while (parts < most && p->m * p->n * p->k / (2 * parts) >= TILE_PRODUCT)
        parts *= 2;
    tiles t = {.down = tile_parts(p->m, parts, TILE_ROWS_LEAST)};
    t.across = tile_parts(p->n, parts / t.down, TILE_COLS_LEAST);
    if (p->ta)
        t = tiles_of_transposed(p, parts);
    if (most_rows && p->m > most_rows * t.down)
        t.down = (p->m + most_rows - 1) / most_rows;
    t.rows = tile_length(p->m, t.down), t.cols = tile_length(p->n, t.across);
    t.down = (p->m + t.rows - 1) / t.rows;
    t.across = (p->n + t.cols - 1) / t.cols;
    return t;
}

static inline gemm tile_at(const gemm *p, const tiles *t, int64_t index)
{
    gemm s = *p;
    int64_t row = index / t->across * t->rows, col = index % t->across * t->cols;
    s.m = p->m - row < t->rows ? p->m - row : t->rows;
    s.n = p->n - col < t->cols ? p->n - col : t->cols;
    s.a += p->ta ? row : row * p->lda;
    s.b += p->tb ? col * p->ldb : col;
    s.c += row * p->ldc + col;
    return s;
}

// Tiles lo .. hi of a product. from: what C begins as, a matrix like it or C itself, where p->beta
// says so; else NULL.
static inline void product_tiles(const call *c, const gemm *p, const float *from, int64_t lo,
                                 int64_t hi)
{
    tiles t = tiles_of(p, 0);
    for (int64_t i = lo; i < hi; i++) {
        gemm s = tile_at(p, &t, i);
        for (int64_t r = 0; from && from != p->c && r < s.m; r++)
            memcpy(s.c + r * s.ldc, from + (s.c - p->c) + r * s.ldc, sizeof(float) * (size_t)s.n);
        gemm_serial(&c->kit->products, &s);
    }
}

// fn, which calls product_tiles, over all of them.
static inline void product_parallel(const call *c, const gemm *p, op_part_fn *fn)
{
    tiles t = tiles_of(p, 0);
    op_parallel(c, t.down * t.across, 1, fn);
}

static inline int64_t product_columns(shape s)
{
    return s.d[s.rank - 1];
}

// The product of tensors whose leading dimensions are folded into rows, without pointers. The
// caller checks that inner sizes agree.
static inline gemm product_of(shape a, shape b, bool ta, bool tb)
{
    return gemm_dense((gemm){.ta = ta,
                             .tb = tb,
                             .m = ta ? product_columns(a) : shape_rows(a),
                             .k = ta ? shape_rows(a) : product_columns(a),
                             .n = tb ? shape_rows(b) : product_columns(b)});
}

// [M, N] where a is read transposed, else a's own leading dimensions and N.
static inline shape product_shape(shape a, const gemm *p)
{
    shape y = p->ta ? shape_of(2, p->m, p->n) : a;
    y.d[y.rank - 1] = p->n;
    y.sym[y.rank - 1] = SYM_FIXED;
    return y;
}

// Element (i, j) of op(A) op(B) in f64.
static inline double product_at(const gemm *p, int64_t i, int64_t j)
{
    double total = 0;
    for (int64_t k = 0; k < p->k; k++) {
        float a = p->ta ? p->a[k * p->lda + i] : p->a[i * p->lda + k];
        float b = p->tb ? p->b[j * p->ldb + k] : p->b[k * p->ldb + j];
        total += (double)a * (double)b;
    }
    return total;
}

#endif
