// SPDX-License-Identifier: GPL-3.0-or-later
// conv_quads_back.h: squares of 2 x 2 gradients of a convolution of 3 x 3 in steps of two, as
// conv_quads.h has them, turned round. Of d0 and d1 beside each other and d2 behind them come four
// pixels in a row,
//     x0 = d0 f1      x1 = (d0 - d1) f2 + d1 (f0 + f2)      x2 = d1 f1
//     x3 = d1 (f0 + f2) + (d2 - d1) f0
// by five products of four numbers, d0 - d1, d1, d2 - d1 and d0: of a square 25 of 16. x0 is the
// pixel that the middle tap brings to d0.
#ifndef KMIDI_AUTOGRAD_OPS_CONV_QUADS_BACK_H
#define KMIDI_AUTOGRAD_OPS_CONV_QUADS_BACK_H

#include "autograd/ops/conv_quads_filters.h"

enum {
    QUADS = PANEL_ROWS, // of a block
    BACK_REACH = 3,     // d0, d1, d2
    BACK_PARTS = 4,     // numbers of them
    BACK_TERMS = 5      // products
};
// Of a product: which of BACK_PARTS by which of QUAD_TAPS.
static const struct back_term {
    int part, tap;
} back_terms[BACK_TERMS] = {{0, 2}, {1, 3}, {2, 0}, {3, 1}, {1, 1}};

// Three gradients beside each other to four numbers.
PANEL_INLINE void back_across(const float *d, int64_t pixel, vf r[BACK_PARTS])
{
    vf d0 = vf_load(d), d1 = vf_load(d + pixel), d2 = vf_load(d + 2 * pixel);
    r[0] = d0 - d1, r[1] = d1, r[2] = d2 - d1, r[3] = d0;
}

// Square `index` of `rows`: part (p, q) is a matrix [rows, n].
static void back_parts(patch d, int64_t n, int64_t index, int64_t rows, float *to)
{
    const int64_t next = rows * n;
    to += index * n;
    for (int64_t k = 0; k < n; k += VLANES, to += VLANES, d.at += VLANES) {
        vf r[BACK_REACH][BACK_PARTS];
        for (int p = 0; p < BACK_REACH; p++)
            back_across(d.at + p * d.row, d.pixel, r[p]);
        for (int q = 0; q < BACK_PARTS; q++) {
            *(vf *)(to + q * next) = r[0][q] - r[1][q];
            *(vf *)(to + (BACK_PARTS + q) * next) = r[1][q];
            *(vf *)(to + (2 * BACK_PARTS + q) * next) = r[2][q] - r[1][q];
            *(vf *)(to + (3 * BACK_PARTS + q) * next) = r[0][q];
        }
    }
}

// A register of product (., j), those of row `down` of four pixels.
PANEL_INLINE vf back_down(const float *terms, int down, int j)
{
    const int64_t next = QUADS * PANEL_WIDTH;
    static const int one[] = {3, 0, 4, 1}, two[] = {-1, 1, -1, 2};
    vf s = vf_load(terms + (one[down] * BACK_TERMS + j) * next);
    if (two[down] >= 0)
        s += vf_load(terms + (two[down] * BACK_TERMS + j) * next);
    return s;
}

// Four pixels beside each other, in row `down` of a square.
PANEL_INLINE void back_row(const float *terms, int down, float *const to[4], int64_t n)
{
    for (int64_t k = 0; k < n; k += VLANES, terms += VLANES) {
        vf shared = back_down(terms, down, 1);
        *(vf *)(to[0] + k) = back_down(terms, down, 3);
        *(vf *)(to[1] + k) = back_down(terms, down, 0) + shared;
        *(vf *)(to[2] + k) = back_down(terms, down, 4);
        *(vf *)(to[3] + k) = shared + back_down(terms, down, 2);
    }
}

#endif
