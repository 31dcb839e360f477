// SPDX-License-Identifier: GPL-3.0-or-later
// conv_quads.h: convolutions of 3 x 3 in steps of two by squares of 2 x 2 outputs, which share
// products: 25 where taps one by one make 36.
//
// Two outputs beside each other, of pixels x0 .. x4 and taps f0, f1, f2, are
//     y0 = (x0 - x2) f0 + x1 f1 + x2 (f0 + f2)        y1 = x2 (f0 + f2) + x3 f1 + (x4 - x2) f2
// five products where there were six: the taps of even pixels are a kernel of two in steps of one,
// Winograd's F(2, 2) (1980; Lavin and Gray 2016), those of odd ones a kernel of one. Both ways of a
// square take 5 x 5. Of all of it nothing is multiplied but by 1 and -1, so that a sum loses a bit
// or two and no more. What a square needs of a picture is made once, its QUAD_PARTS numbers of 5 by
// 5 places a channel; the sums are products of matrices, a square a row, by filters that lie in
// panels (panel.h), f0, f1, f2 and f0 + f2 each way:
//     sum        pixels                 taps
//     first      x0 - x2, x1            f0, f1        of y0 alone
//     shared     x2                     f0 + f2       of both
//     last       x3, x4 - x2            f1, f2        of y1 alone
// The ways back are the same turned round (conv2d_input_quads.h, conv2d_weight_quads.h).
#ifndef KMIDI_AUTOGRAD_OPS_CONV_QUADS_H
#define KMIDI_AUTOGRAD_OPS_CONV_QUADS_H

#include "autograd/ops/conv.h"
#include "autograd/ops/operand.h"
#include "autograd/ops/quad_product.h"

enum {
    QUAD_SIDE = 5,  // pixels that a square reaches, one way
    QUAD_TAPS = 4,  // f0, f1, f2, f0 + f2
    QUAD_SUMS = 3,  // first, shared, last
    QUAD_GRAIN = 16 // channels
};
// Of a sum: its first place of QUAD_SIDE, how many, its first tap of QUAD_TAPS.
static const struct quad_sum {
    int place, n, tap;
} quad_sums[QUAD_SUMS] = {{0, 2, 0}, {2, 1, 3}, {3, 2, 1}};

static inline bool quads_shaped(const conv *v)
{
    return v->kh == 3 && v->kw == 3 && v->stride == 2 && v->c % QUAD_GRAIN == 0 &&
           v->o % QUAD_GRAIN == 0;
}

// Whether a convolution goes this way: the same for any batch. Accelerate multiplies by what loops
// of ours cannot reach.
static inline bool quads_fit(const call *c, const conv *v)
{
    return quads_shaped(v) && operands_type(c) == DT_F32 &&
           c->kit->products.first != GEMM_ACCELERATE;
}

// Pixels of a picture as a square reaches them, `row` and `pixel` numbers apart.
typedef struct patch {
    const float *at;
    int64_t row, pixel;
} patch;

// side x side pixels from (top, left) on of a picture [h, w, c], n channels from `from` on; put
// down in `room` with zeros where the picture ends.
static inline patch patch_of(const float *picture, const int64_t hwc[3], int64_t top, int64_t left,
                             int64_t side, int64_t from, int64_t n, float *room)
{
    int64_t h = hwc[0], w = hwc[1], c = hwc[2];
    if (top >= 0 && left >= 0 && top + side <= h && left + side <= w)
        return (patch){picture + (top * w + left) * c + from, w * c, c};
    for (int64_t p = 0; p < side; p++)
        for (int64_t q = 0; q < side; q++) {
            int64_t y = top + p, x = left + q;
            float *to = room + (p * side + q) * n;
            if (y < 0 || y >= h || x < 0 || x >= w)
                memset(to, 0, (size_t)n * sizeof *to);
            else
                memcpy(to, picture + (y * w + x) * c + from, (size_t)n * sizeof *to);
        }
    return (patch){room, side * n, n};
}

// What squares need of pictures, n channels of `rows` squares: of each of QUAD_SIDE rows the parts
// of its three sums, each a matrix [rows, (2, 1 or 2) n].
static inline int64_t quad_part(int64_t row, int sum, int64_t rows, int64_t n)
{
    return (row * QUAD_SIDE + quad_sums[sum].place) * rows * n;
}

PANEL_INLINE void quad_across(const float *x, int64_t pixel, vf r[QUAD_SIDE])
{
    vf middle = vf_load(x + 2 * pixel);
    r[0] = vf_load(x) - middle, r[1] = vf_load(x + pixel), r[2] = middle;
    r[3] = vf_load(x + 3 * pixel), r[4] = vf_load(x + 4 * pixel) - middle;
}

PANEL_INLINE void quad_put(float *to, const int64_t at[QUAD_SIDE], const vf r[QUAD_SIDE])
{
    for (int q = 0; q < QUAD_SIDE; q++)
        *(vf *)(to + at[q]) = r[q];
}

// Square `index` of `rows`, of a patch of 5 x 5.
static inline void quad_pixels(patch x, int64_t n, int64_t index, int64_t rows, float *to)
{
    int64_t at[QUAD_SIDE], next = QUAD_SIDE * rows * n;
    for (int s = 0, q = 0; s < QUAD_SUMS; s++)
        for (int k = 0; k < quad_sums[s].n; k++, q++)
            at[q] = quad_part(0, s, rows, n) + (index * quad_sums[s].n + k) * n;
    for (int64_t k = 0; k < n; k += VLANES, to += VLANES, x.at += VLANES) {
        vf middle[QUAD_SIDE], r[QUAD_SIDE];
        quad_across(x.at + 2 * x.row, x.pixel, middle);
        quad_put(to + 2 * next, at, middle);
        for (int p = 0; p < QUAD_SIDE; p += 4) {
            quad_across(x.at + p * x.row, x.pixel, r);
            for (int q = 0; q < QUAD_SIDE; q++)
                r[q] -= middle[q];
            quad_put(to + p * next, at, r);
        }
        for (int p = 1; p < QUAD_SIDE; p += 2) {
            quad_across(x.at + p * x.row, x.pixel, r);
            quad_put(to + p * next, at, r);
        }
    }
}

// ---- Squares of a batch

typedef struct quads {
    int64_t down, across, all; // of a picture; of all of them
} quads;

static inline quads quads_of(int64_t pictures, int64_t down, int64_t across)
{
    return (quads){down, across, pictures * down * across};
}

static inline quads quads_of_outputs(const conv *v)
{
    return quads_of(v->b, (v->oh + 1) / 2, (v->ow + 1) / 2);
}

typedef struct quad_place {
    int64_t picture, i, j; // of the square, from the first
} quad_place;

static inline quad_place quad_at(const quads *q, int64_t index)
{
    int64_t of_picture = q->down * q->across;
    return (quad_place){index / of_picture, index % of_picture / q->across, index % q->across};
}

#endif
