// SPDX-License-Identifier: GPL-3.0-or-later
// run.h: a plan with memory under it. run_step is a loop over the plan: no allocation, no hidden
// state.
//
//     run *r = run_open(plan, params, pool, &arena, e);
//     float *mel = run_input(r, "mel");               // fill it
//     run_step(r, seed, step, true);
//     const float *loss = run_data(r, loss_tensor);
//     run_close(r);
#ifndef KMIDI_AUTOGRAD_RUN_H
#define KMIDI_AUTOGRAD_RUN_H

#include "autograd/plan.h"
#include "base/threads.h"

typedef struct run run;

// The table of calls is owned by `a`; the buffer is released by run_close. `p` must be allocated
// (params.h) and outlive the run. Runs of one graph may go on at the same time in several threads,
// each by its own pool; one that was not opened by the thread that steps it calls
// hw_flush_denormals there.
run *run_open(const plan *pl, const params *p, threads *pool, arena *a, err *e) MUST_CHECK;
// From its next pass on, instead of by the plan's: to measure libraries by each other. The caller
// sees to it that what `w` names was reserved (gemm.h).
void run_multiply_by(run *r, const gemm_ways *w);
void run_close(run *r);                    // accepts NULL
void *run_input(run *r, const char *name); // NULL when the graph has none of that name
void *run_data(run *r, const tensor *t);   // where t lies; meaningful for inputs and plan outputs

// One pass through the plan. Random draws are a function of (seed, step) and of an element's place
// in the batch.
typedef struct run_pass {
    uint64_t seed, step;
    // of a batch that is split along its first dimension into parts of this plan's size: draws are
    // those that these elements would have in the whole
    uint64_t part;
    bool training; // dropout is the identity where false
    // buffers are written (graph_write): of a step that counts, no rehearsal
    bool write;
    // none has changed since the pass before: what was made of weights alone is still there
    bool same_weights;
} run_pass;

// When a step of the plan began and ended, by hw_seconds; zeros for one that did nothing.
typedef struct run_span {
    double begin, end;
} run_span;

// `spans` is NULL, or [n_steps] to fill, for --profile (profile.h).
void run_go(run *r, const run_pass *p, run_span *spans);
void run_step(run *r, uint64_t seed, uint64_t step, bool training); // a whole batch, by new weights

#endif
