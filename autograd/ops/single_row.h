// SPDX-License-Identifier: GPL-3.0-or-later
// single_row.h: y = W x for one row x.
//
// Each weight is used once, so memory is all that counts. A core that reads at four places at once,
// and asks for each of them ahead of its use, gets what there is; at one place it waits.
#ifndef KMIDI_AUTOGRAD_OPS_SINGLE_ROW_H
#define KMIDI_AUTOGRAD_OPS_SINGLE_ROW_H

#include "autograd/ops/row_lanes.h"

// y[s q] = x w[s q] for `places` rows of W that are q rows apart, from row j on.
ROW_INLINE void row_dots(const few_rows *p, int64_t j, int64_t q, int places, bool far)
{
    vf sum[ROW_STREAMS] = {{0}};
    float y[ROW_STREAMS];
    const float *w = p->w + j * p->k;
    int64_t i = 0, step = q * p->k;
    for (; i + VLANES <= p->k; i += VLANES) {
        vf x = vf_load(p->x + i);
        for (int s = 0; s < places; s++) {
            if (far)
                row_fetch(w + s * step + i + ROW_AHEAD);
            sum[s] += x * vf_load(w + s * step + i);
        }
    }
    for (int s = 0; s < places && i < p->k; s++)
        sum[s] += row_rest(p->x + i, p->k - i) * row_rest(w + s * step + i, p->k - i);
    row_fold(sum, y);
    for (int s = 0; s < places; s++)
        p->y[j + s * q] = y[s];
}

ROW_INLINE void row_part(const few_rows *p, int64_t lo, int64_t hi, bool far)
{
    int64_t q = (hi - lo) / ROW_STREAMS;
    for (int64_t j = lo; j < lo + q; j++)
        row_dots(p, j, q, ROW_STREAMS, far);
    for (int64_t j = lo + ROW_STREAMS * q; j < hi; j++)
        row_dots(p, j, 0, 1, far);
}

#endif
