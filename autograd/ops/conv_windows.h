// SPDX-License-Identifier: GPL-3.0-or-later
// conv_windows.h: windows of pictures with their channels last as the rows of a matrix, a block of
// them at a time (conv.h). Windows beside each other lie in one row of a picture, so where it
// begins, and which of them reach beyond an end of it, is worked out once for all of those.
#ifndef KMIDI_AUTOGRAD_OPS_CONV_WINDOWS_H
#define KMIDI_AUTOGRAD_OPS_CONV_WINDOWS_H

#include <stdint.h>
#include <string.h>

#include "autograd/shape.h"

// Bytes of a block of windows; rows of it.
enum { CONV_BLOCK = 1 << 20, CONV_ROWS_LEAST = 64, CONV_ROWS_MOST = 256 };

typedef struct windows {
    int64_t h, w, c;         // of a picture
    int64_t kh, kw;          // of a window, in pixels
    int64_t down, across;    // windows of a picture
    int64_t step, top, left; // window (i, j) begins in row top + i step, column left + j step
} windows;

static inline int64_t windows_width(const windows *w)
{
    return w->kh * w->kw * w->c;
}

// Rows of a block, a multiple of 16.
static inline int64_t windows_block(int64_t width, dtype type)
{
    int64_t rows = CONV_BLOCK / (int64_t)dtype_size(type) / (width > 0 ? width : 1) / 16 * 16;
    return rows < CONV_ROWS_LEAST ? CONV_ROWS_LEAST : rows > CONV_ROWS_MOST ? CONV_ROWS_MOST : rows;
}

// n numbers from `begin` on of a picture's row of `length`, zeros beyond its ends.
static inline void clipped_copy(char *to, const char *row, int64_t begin, int64_t n, int64_t length,
                                size_t size)
{
    int64_t lo = begin < 0 ? -begin : 0, hi = begin + n > length ? length - begin : n;
    lo = lo > n ? n : lo, hi = hi < lo ? lo : hi;
    memset(to, 0, (size_t)lo * size);
    memcpy(to + lo * (int64_t)size, row + (begin + lo) * (int64_t)size, (size_t)(hi - lo) * size);
    memset(to + hi * (int64_t)size, 0, (size_t)(n - hi) * size);
}

// `count` pieces of so many bytes from places `from_step` apart to places `to_step` apart. Short
// ones by two loads that overlap: a call of memcpy would take longer than they do.
static inline void copy_pieces(char *to, int64_t to_step, const char *from, int64_t from_step,
                               int64_t count, int64_t bytes)
{
    if (bytes >= 4 && bytes < 8)
        for (int64_t k = 0; k < count; k++, to += to_step, from += from_step) {
            uint32_t first, last;
            memcpy(&first, from, 4), memcpy(&last, from + bytes - 4, 4);
            memcpy(to, &first, 4), memcpy(to + bytes - 4, &last, 4);
        }
    else if (bytes >= 8 && bytes <= 16)
        for (int64_t k = 0; k < count; k++, to += to_step, from += from_step) {
            uint64_t first, last;
            memcpy(&first, from, 8), memcpy(&last, from + bytes - 8, 8);
            memcpy(to, &first, 8), memcpy(to + bytes - 8, &last, 8);
        }
    else if (bytes > 16 && bytes <= 32)
        for (int64_t k = 0; k < count; k++, to += to_step, from += from_step) {
            char first[16], last[16];
            memcpy(first, from, 16), memcpy(last, from + bytes - 16, 16);
            memcpy(to, first, 16), memcpy(to + bytes - 16, last, 16);
        }
    else
        for (int64_t k = 0; k < count; k++, to += to_step, from += from_step)
            memcpy(to, from, (size_t)bytes);
}

// Of `count` windows beside each other, n numbers from `begin` on of a picture's row, those of the
// next `step` behind it: what lies across an end is clipped, the rest copied.
static inline void row_pieces(const char *row, int64_t length, int64_t begin, int64_t step,
                              int64_t count, int64_t n, size_t size, char *to, int64_t ld)
{
    int64_t room = length - n - begin, k0 = begin < 0 ? (step - 1 - begin) / step : 0,
            k1 = room < 0 ? 0 : room / step + 1, bytes = (int64_t)size;
    k0 = k0 < count ? k0 : count, k1 = k1 < k0 ? k0 : k1 < count ? k1 : count;
    for (int64_t k = 0; k < count; k++) {
        if (k == k0 && k1 > k0) {
            copy_pieces(to + k0 * ld * bytes, ld * bytes, row + (begin + k0 * step) * bytes,
                        step * bytes, k1 - k0, n * bytes);
            k = k1 - 1;
        } else {
            clipped_copy(to + k * ld * bytes, row, begin + k * step, n, length, size);
        }
    }
}

// Of row `row` of each window lo .. hi of a batch: n numbers from `at` on, into rows `ld` apart.
static inline void windows_piece(const windows *w, const void *pictures, size_t size, int64_t lo,
                                 int64_t hi, int64_t row, int64_t at, int64_t n, void *to,
                                 int64_t ld)
{
    char *out = to;
    int64_t length = w->w * w->c, j = lo % w->across, i = lo / w->across, count;
    for (int64_t r = lo; r < hi; r += count, i++, j = 0) {
        count = w->across - j < hi - r ? w->across - j : hi - r;
        int64_t y = w->top + i % w->down * w->step + row;
        const char *from =
            (const char *)pictures + (i / w->down * w->h + y) * length * (int64_t)size;
        if (y >= 0 && y < w->h)
            row_pieces(from, length, (w->left + j * w->step) * w->c + at, w->step * w->c, count, n,
                       size, out, ld);
        for (int64_t k = 0; (y < 0 || y >= w->h) && k < count; k++)
            memset(out + k * ld * (int64_t)size, 0, (size_t)n * size);
        out += count * ld * (int64_t)size;
    }
}

// Whole windows lo .. hi, one a row of `ld`.
static inline void windows_gather(const windows *w, const void *pictures, size_t size, int64_t lo,
                                  int64_t hi, void *to, int64_t ld)
{
    int64_t n = w->kw * w->c;
    for (int64_t k = 0; k < w->kh; k++)
        windows_piece(w, pictures, size, lo, hi, k, 0, n, (char *)to + k * n * (int64_t)size, ld);
}
#endif
