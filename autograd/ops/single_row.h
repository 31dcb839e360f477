// SPDX-License-Identifier: GPL-3.0-or-later
// single_row.h: y = W x for one row x.
//
// Each weight is used once, so memory is all that counts. A core that reads at four places at once,
// and asks for each of them ahead of its use, gets what there is; at one place it waits.
#ifndef KMIDI_AUTOGRAD_OPS_SINGLE_ROW_H
#define KMIDI_AUTOGRAD_OPS_SINGLE_ROW_H

#include "autograd/ops/row_lanes.h"

// y[s q] = x w[s q] for `places` rows of W that are q rows apart, from row j on.
ROW_INLINE void row_dots(const few_rows *p, int64_t j, int64_t q, int places, dtype type, bool far)
{
    vf lane[ROW_STREAMS][2] = {{{0}}}, sum[ROW_STREAMS];
    float y[ROW_STREAMS], x[LANES], w[LANES];
    int64_t i = 0;
    for (; i + LANES <= p->k; i += LANES) {
        vf x0 = vf_load(p->x + i), x1 = vf_load(p->x + i + VLANES);
        for (int s = 0; s < places; s++) {
            int64_t at = (j + s * q) * p->k + i;
            if (far)
                row_fetch(p->w, at, type);
            lane[s][0] += x0 * row_weights(p->w, at, type);
            lane[s][1] += x1 * row_weights(p->w, at + VLANES, type);
        }
    }
    row_rest(x, p->x, i, p->k, DT_F32);
    for (int s = 0; s < places && i < p->k; s++) {
        int64_t row = (j + s * q) * p->k;
        row_rest(w, p->w, row + i, row + p->k, type);
        for (int v = 0; v < 2; v++)
            lane[s][v] += vf_load(x + v * VLANES) * vf_load(w + v * VLANES);
    }
    for (int s = 0; s < ROW_STREAMS; s++)
        sum[s] = lane[s][0] + lane[s][1];
    row_fold(sum, y);
    for (int s = 0; s < places; s++)
        p->y[j + s * q] = type == DT_I8 ? y[s] * p->scale[j + s * q] : y[s];
}

ROW_INLINE void row_part(const few_rows *p, int64_t lo, int64_t hi, dtype type, bool far)
{
    int64_t q = (hi - lo) / ROW_STREAMS;
    for (int64_t j = lo; j < lo + q; j++)
        row_dots(p, j, q, ROW_STREAMS, type, far);
    for (int64_t j = lo + ROW_STREAMS * q; j < hi; j++)
        row_dots(p, j, 0, 1, type, far);
}

#endif
