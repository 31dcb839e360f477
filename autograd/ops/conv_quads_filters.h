// SPDX-License-Identifier: GPL-3.0-or-later
// conv_quads_filters.h: filters of 3 x 3 as squares multiply by them (conv_quads.h): f0, f1, f2 and
// f0 + f2 each way, so that taps that a sum takes one after another lie behind each other, in
// panels of QUAD_WIDTH columns. What fills up the last panel is left as it is: nobody reads its
// sums.
#ifndef KMIDI_AUTOGRAD_OPS_CONV_QUADS_FILTERS_H
#define KMIDI_AUTOGRAD_OPS_CONV_QUADS_FILTERS_H

#include "autograd/ops/conv_quads.h"

enum { QUAD_WIDTH = 64 }; // as wide as any register's panels: a form of weights for all widths

// Floats of filters for sums over `deep` channels, of so many columns.
static inline size_t quad_filters(int64_t deep, int64_t columns)
{
    return (size_t)(panel_count(columns, QUAD_WIDTH) * QUAD_TAPS * QUAD_TAPS * deep * QUAD_WIDTH);
}

// Where tap (p, q) of QUAD_TAPS begins in a panel of them.
static inline int64_t quad_tap(int64_t p, int64_t q, int64_t deep)
{
    return (p * QUAD_TAPS + q) * deep * QUAD_WIDTH;
}

// Where column `o` begins.
static inline int64_t quad_column(int64_t o, int64_t deep)
{
    return o / QUAD_WIDTH * QUAD_TAPS * QUAD_TAPS * deep * QUAD_WIDTH + o % QUAD_WIDTH;
}

// Four taps of three.
PANEL_INLINE void quad_widen(const vf f[3], vf to[QUAD_TAPS])
{
    to[0] = f[0], to[1] = f[1], to[2] = f[2], to[3] = f[0] + f[2];
}

// A register of columns of one channel: f[p][q] lies at f + (3 p + q) tap.
PANEL_INLINE void quad_filter(const float *f, int64_t tap, float *to, int64_t deep)
{
    vf rows[QUAD_TAPS][3];
    for (int q = 0; q < 3; q++) {
        vf down[3], four[QUAD_TAPS];
        for (int p = 0; p < 3; p++)
            down[p] = vf_load(f + (3 * p + q) * tap);
        quad_widen(down, four);
        for (int p = 0; p < QUAD_TAPS; p++)
            rows[p][q] = four[p];
    }
    for (int p = 0; p < QUAD_TAPS; p++) {
        vf four[QUAD_TAPS];
        quad_widen(rows[p], four);
        for (int q = 0; q < QUAD_TAPS; q++)
            *(vf *)(to + quad_tap(p, q, deep)) = four[q];
    }
}

#endif
