// SPDX-License-Identifier: GPL-3.0-or-later
// lstm.h: how lstm and lstm_back share out the sequences of a batch.
#ifndef KMIDI_AUTOGRAD_OPS_LSTM_H
#define KMIDI_AUTOGRAD_OPS_LSTM_H

#include "autograd/op.h"
#include "autograd/ops/panel.h"

// One thread's part of `batch` sequences, in groups of about as many as a register tile has rows:
// `run` takes `rows` of them from `lo` on, all steps.
static inline void lstm_groups(const call *c, int64_t batch, int index, int count,
                               void (*run)(const call *c, int64_t lo, int64_t rows))
{
    int64_t from, to;
    threads_part(batch, 1, index, count, &from, &to);
    int64_t groups = panel_count(to - from, PANEL_ROWS);
    for (int64_t i = 0; i < groups; i++) {
        int64_t lo = from + (to - from) * i / groups;
        run(c, lo, from + (to - from) * (i + 1) / groups - lo);
    }
}

#endif
