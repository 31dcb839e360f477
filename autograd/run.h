// SPDX-License-Identifier: GPL-3.0-or-later
// run.h: a plan with memory under it. run_step is a loop over the plan: no allocation, no hidden state.
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

// The table of calls is owned by `a`; the buffer is released by run_close. `p` must be allocated (params.h) and outlive the run.
run *run_open(const plan *pl, const params *p, threads *pool, arena *a, err *e) MUST_CHECK;
void run_close(run *r);                    // accepts NULL
void *run_input(run *r, const char *name); // NULL when the graph has none of that name
void *run_data(run *r, const tensor *t);   // where t lies; meaningful for inputs and plan outputs
void run_step(run *r, uint64_t seed, uint64_t step, bool training);
// The same, when no weight has changed since the last run_step: what was made of weights alone is still there.
void run_step_again(run *r, uint64_t seed, uint64_t step, bool training);
// The same for part `part` of a batch that is split along its first dimension into parts of this plan's size: random draws are those that
// these elements would have in the whole. The weights are those of part 0.
void run_part(run *r, uint64_t seed, uint64_t step, uint64_t part, bool training);
// The same, for --profile (profile.h), with hw_seconds before and after each plan step; zeros for those that do nothing.
typedef struct run_span {
    double begin, end;
} run_span;
void run_part_timed(run *r, uint64_t seed, uint64_t step, uint64_t part, bool training, run_span *spans);

#endif
