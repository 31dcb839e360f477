// SPDX-License-Identifier: GPL-3.0-or-later
// conv_quads_weight.h: the gradient of 3 x 3 filters in steps of two by squares of 2 x 2 gradients,
// as conv_quads.h has them, turned round: what its sums take of the pictures, transposed, times
// what they gave to the outputs, d0, d0 + d1 and d1 each way. It is added up tap by tap of
// QUAD_TAPS; at the end
//     df0 = u0 + u3        df1 = u1        df2 = u2 + u3
#ifndef KMIDI_AUTOGRAD_OPS_CONV_QUADS_WEIGHT_H
#define KMIDI_AUTOGRAD_OPS_CONV_QUADS_WEIGHT_H

#include "autograd/ops/conv_quads.h"

// Of a square's gradients what each sum gave to them: row `index` of panels of `rows`.
static void quad_gradients(patch d, int64_t n, int64_t index, int64_t rows, float *to)
{
    for (int64_t k = 0; k < n; k += VLANES) {
        vf r[2][QUAD_SUMS];
        for (int p = 0; p < 2; p++) {
            r[p][0] = vf_load(d.at + p * d.row + k),
            r[p][2] = vf_load(d.at + p * d.row + d.pixel + k);
            r[p][1] = r[p][0] + r[p][2];
        }
        float *at = to + (k / PANEL_WIDTH * QUAD_SUMS * QUAD_SUMS * rows + index) * PANEL_WIDTH +
                    k % PANEL_WIDTH;
        for (int j = 0; j < QUAD_SUMS; j++) {
            *(vf *)(at + j * rows * PANEL_WIDTH) = r[0][j];
            *(vf *)(at + (QUAD_SUMS + j) * rows * PANEL_WIDTH) = r[0][j] + r[1][j];
            *(vf *)(at + (2 * QUAD_SUMS + j) * rows * PANEL_WIDTH) = r[1][j];
        }
    }
}

// df of so many channels by n outputs, of a panel's sums, those of a tap `next` behind the last's.
static inline void quad_end(const conv *v, const float *taps, int64_t next, int64_t channels,
                            int64_t n, float *df)
{
    for (int64_t k = 0; k < channels; k++)
        for (int64_t o = 0; o < n; o += VLANES) {
            const float *u = taps + k * PANEL_WIDTH + o;
            vf down[3][QUAD_TAPS];
            for (int q = 0; q < QUAD_TAPS; q++) {
                vf both = vf_load(u + (3 * QUAD_TAPS + q) * next);
                down[0][q] = vf_load(u + q * next) + both;
                down[1][q] = vf_load(u + (QUAD_TAPS + q) * next);
                down[2][q] = vf_load(u + (2 * QUAD_TAPS + q) * next) + both;
            }
            for (int p = 0; p < 3; p++) {
                float *to = df + (3 * p * v->c + k) * v->o + o;
                *(vf *)to = down[p][0] + down[p][3];
                *(vf *)(to + v->c * v->o) = down[p][1];
                *(vf *)(to + 2 * v->c * v->o) = down[p][2] + down[p][3];
            }
        }
}

#endif
