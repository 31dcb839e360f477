// SPDX-License-Identifier: GPL-3.0-or-later
// conv_bands.h: convolutions of bf16 by AMX (autograd/gemm/gemm_amx.h) without a matrix of windows.
//
// Windows beside each other lie a fixed number of pixels apart in a row of the picture, so 16 of
// them are the rows of a tile, and 32 channels of one tap its columns, read where they lie. What is
// copied is a band alone: the rows of a picture that some rows of windows reach, between zeros, in
// the second cache. Filters are packed once for all bands, and bands go through as many panels of
// them as stay in that cache, too.
#ifndef KMIDI_AUTOGRAD_OPS_CONV_BANDS_H
#define KMIDI_AUTOGRAD_OPS_CONV_BANDS_H

#include "autograd/gemm/gemm_amx.h"
#include "autograd/ops/conv_windows.h"
#include "autograd/ops/operand.h"

// How a batch is cut: an item is a band by a group of panels, those of a group one after another.
typedef struct bands {
    windows w;                // that reach all that is read
    int64_t numbers, columns; // of the filters
    bool pairs;
    int64_t rows, of_picture; // of windows in a band; bands
    int64_t pictures, panels, of_group, groups;
} bands;

typedef struct band_item {
    int64_t picture, rows[2], panels[2]; // windows' rows and panels, from .. to
} band_item;

// Of windows `w` of pictures, by filters of so many numbers and columns.
bands bands_of(const windows *w, int64_t pictures, int64_t numbers, int64_t columns, bool pairs);
int64_t bands_items(const bands *b);
band_item bands_at(const bands *b, int64_t item);
int64_t band_numbers(const bands *b); // of bf16, of the largest

// Floats of the packed filters; of a thread's band.
static inline size_t bands_filters(const bands *b)
{
    return operand_lines(amx_packed(b->numbers, b->columns, b->pairs));
}
static inline size_t bands_room(const bands *b)
{
    return operand_lines(band_numbers(b));
}

typedef struct band {
    const bf16 *at;
    int64_t low;              // of pairs: how far behind the low halves are; else 0
    int64_t top, left, width; // of the picture, in pixels
} band;

// The band of an item of pictures x, put down at `to`.
band band_of(const bands *all, const band_item *i, const bf16 *x, int64_t x_low, bf16 *to);

// A convolution of what is in a band.
typedef struct taps {
    windows w;     // down, across: windows of a picture
    const bf16 *f; // amx_pack of [KH KW C, columns]
    int64_t columns;
    float *y;           // of the picture: where window (0, 0) is put
    int64_t row, pixel; // numbers of y from a window to the one below and to the next
} taps;
// The windows of an item, as far as there are any, by its panels. C is a multiple of AMX_DEEP.
void band_multiply(const band *b, const taps *t, const band_item *i);

#endif
