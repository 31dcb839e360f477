// SPDX-License-Identifier: GPL-3.0-or-later
// cost.h: how long a plan takes here. Every op estimates its nodes in nanoseconds of a machine that
// no one has; a cost model holds, for each kind of op, how many times longer it was found to take
// on this one, with its threads.
#ifndef KMIDI_AUTOGRAD_COST_H
#define KMIDI_AUTOGRAD_COST_H

#include "autograd/ops.h"
#include "autograd/run.h"

// [OP_COUNT] is for what is no node: the moves of gradients.
typedef struct cost_model {
    double ratio[OP_COUNT + 1]; // measured over estimated; 0: not measured, taken as 1
} cost_model;

// AGAIN: what is computed a second time
typedef enum cost_phase { COST_FORWARD, COST_AGAIN, COST_BACKWARD, COST_PHASES } cost_phase;
typedef struct cost_phases {
    double seconds[COST_PHASES];
} cost_phases;

cost_phase cost_phase_of(const plan_step *s);

cost_phases cost_of(const cost_model *c, const plan *p); // c NULL: the estimates as they are
double cost_seconds(const cost_model *c, const plan *p); // all of it
double cost_step(const cost_model *c, const plan_step *s);
// From when each step of `p` began and ended (run_go).
void cost_learn(cost_model *c, const plan *p, const run_span *spans);

#endif
