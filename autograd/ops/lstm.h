// SPDX-License-Identifier: GPL-3.0-or-later
// lstm.h: what lstm and lstm_back have in common: how the sequences of a batch are shared out among
// threads, and samples.
#ifndef KMIDI_AUTOGRAD_OPS_LSTM_H
#define KMIDI_AUTOGRAD_OPS_LSTM_H

#include "autograd/ops/kernel.h"
#include "autograd/ops/panel.h"

// All steps of `rows` sequences from `lo` on.
typedef void lstm_group_fn(const call *c, int64_t lo, int64_t rows);
typedef struct lstm_job {
    const call *c;
    int64_t batch;
    lstm_group_fn *run;
} lstm_job;

// One thread's part, in groups of about as many as a register tile has rows.
static inline void lstm_job_part(void *arg, int index, int count)
{
    const lstm_job *j = arg;
    int64_t from, to;
    threads_part(j->batch, 1, index, count, &from, &to);
    int64_t groups = panel_count(to - from, PANEL_ROWS);
    for (int64_t i = 0; i < groups; i++) {
        int64_t lo = from + (to - from) * i / groups;
        j->run(j->c, lo, from + (to - from) * (i + 1) / groups - lo);
    }
}

static inline void lstm_sequences(const call *c, int64_t batch, lstm_group_fn *run)
{
    threads_run(c->pool, c->threads, lstm_job_part, &(lstm_job){c, batch, run});
}

// For samples: x, w_ih, w_hh, b_ih, b_hh, `fixed` where no gradients are asked of them; and sizes
// that meet each way through the kernels of both directions, CASE(what, B, T, I, H).
#define LSTM_VALUES(fixed, r, ...)                                                                 \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 0.5f, .no_gradient = (fixed)       \
    }
#define LSTM_INPUTS(fixed, B, T, I, H)                                                             \
    LSTM_VALUES(fixed, 3, B, T, I), LSTM_VALUES(fixed, 2, 4 * (H), I),                             \
        LSTM_VALUES(fixed, 2, 4 * (H), H), LSTM_VALUES(fixed, 1, 4 * (H)),                         \
        LSTM_VALUES(fixed, 1, 4 * (H))
#define LSTM_CASES(CASE)                                                                           \
    CASE("small", 3, 5, 6, 4), CASE("whole panels of gates", 2, 4, 5, 32),                         \
        CASE("whole panels of units", 2, 4, 5, 64), CASE("gates beside them", 5, 3, 7, 37),        \
        CASE("units beside them", 5, 3, 7, 83), CASE("one step of one sequence", 1, 1, 3, 16),     \
        CASE("one sequence", 1, 6, 70, 37),                                                        \
        CASE("several row tiles and pieces of K", 13, 3, 4, 70),                                   \
        CASE("several groups of sequences", 101, 2, 3, 5)

#endif
