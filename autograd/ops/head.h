// SPDX-License-Identifier: GPL-3.0-or-later
// head.h: the rows of one head in memory, turned by their positions, copied into panels (panel.h).
// What attention.h's ops begin with.
#ifndef KMIDI_AUTOGRAD_OPS_HEAD_H
#define KMIDI_AUTOGRAD_OPS_HEAD_H

#include <string.h>

#include "autograd/ops/kernel.h"
#include "autograd/ops/panel.h"

enum {
    HEAD_MOST = 512, // elements of a row
    LINE = 16,       // floats of a cache line
    AHEAD = 6        // rows that are asked for before they are read
};

// to [d] = x [d] turned by a row of the table (NULL: as it is), times `scale`; element i turns with
// i + d / 2. back: the other way.
static inline void head_turn(float *restrict to, const float *restrict x,
                             const float *restrict angle, int64_t d, float scale, bool back)
{
    int64_t half = d / 2;
    if (!angle) {
        for (int64_t i = 0; i < d; i++)
            to[i] = x[i] * scale;
        return;
    }
    for (int64_t i = 0; i < half; i++) {
        float c = angle[i] * scale, s = back ? -angle[half + i] * scale : angle[half + i] * scale;
        to[i] = x[i] * c - x[half + i] * s;
        to[half + i] = x[half + i] * c + x[i] * s;
    }
}

// The same in f64, for the plain kernels; unscaled.
static inline void head_exact(double *to, const float *x, const float *angle, int64_t d)
{
    for (int64_t i = 0, half = d / 2; i < d; i++)
        to[i] =
            !angle ? (double)x[i]
            : i < half
                ? (double)x[i] * (double)angle[i] - (double)x[i + half] * (double)angle[i + half]
                : (double)x[i] * (double)angle[i - half] + (double)x[i - half] * (double)angle[i];
}

static inline void head_exact_back(float *to, const double *x, const float *angle, int64_t d)
{
    for (int64_t i = 0, half = d / 2; i < d; i++)
        to[i] =
            (float)(!angle     ? x[i]
                    : i < half ? x[i] * (double)angle[i] + x[i + half] * (double)angle[i + half]
                               : x[i] * (double)angle[i - half] - x[i - half] * (double)angle[i]);
}

// A head's rows in memory, and how they are turned.
typedef struct head {
    const float *x; // row 0
    int64_t stride, d, dp;
    const float *table; // of row 0, or NULL
    float scale;
} head;

// Asks for a row of a head some rows before it is read: they lie H d apart, further than the
// hardware looks ahead.
static inline void row_ahead(const float *row, int64_t stride, int64_t d, int rows)
{
    for (int64_t i = 0; i < d; i += LINE)
        __builtin_prefetch(row + rows * stride + i);
}

// Rows lo .. lo + n -> to [n, dp], zeros behind d.
static inline void head_rows(float *to, const head *h, int64_t lo, int64_t n)
{
    for (int64_t r = 0; r < n; r++) {
        row_ahead(h->x + (lo + r) * h->stride, h->stride, h->d, AHEAD);
        head_turn(to + r * h->dp, h->x + (lo + r) * h->stride,
                  h->table ? h->table + (lo + r) * h->d : NULL, h->d, h->scale, false);
        for (int64_t i = h->d; i < h->dp; i++)
            to[r * h->dp + i] = 0;
    }
}

// rows [n, dp] -> panels over the columns: [dp / W][step][W]
static inline void panels_of_columns(float *restrict to, const float *restrict rows, int64_t n,
                                     int64_t dp, int64_t step)
{
    for (int64_t p = 0; p < dp / PANEL_WIDTH; p++)
        for (int64_t r = 0; r < n; r++)
            memcpy(to + (p * step + r) * PANEL_WIDTH, rows + r * dp + p * PANEL_WIDTH,
                   PANEL_WIDTH * sizeof *to);
}

// rows [n <= W, dp] -> one panel of the transposed: [d][W], zeros behind n
static inline void panel_of_rows(float *restrict to, const float *restrict rows, int64_t n,
                                 int64_t d, int64_t dp)
{
    for (int64_t i = 0; i < d; i++, to += PANEL_WIDTH) {
        for (int64_t r = 0; r < n; r++)
            to[r] = rows[r * dp + i];
        for (int64_t r = n; r < PANEL_WIDTH; r++)
            to[r] = 0;
    }
}

// All rows of a head, packed: `columns` [dp / W][n][W] and `transposed` [ceil(n / W)][d][W], each
// where not NULL.
static inline void head_pack(float *columns, float *transposed, const head *h, int64_t n)
{
    float rows[PANEL_WIDTH * HEAD_MOST];
    for (int64_t r = 0; r < n; r += PANEL_WIDTH) {
        int64_t m = n - r < PANEL_WIDTH ? n - r : PANEL_WIDTH;
        head_rows(rows, h, r, m);
        if (columns)
            panels_of_columns(columns + r * PANEL_WIDTH, rows, m, h->dp, n);
        if (transposed)
            panel_of_rows(transposed + r * h->d, rows, m, h->d, h->dp);
    }
}

#endif
