// SPDX-License-Identifier: GPL-3.0-or-later
// eval.h: a graph computed without a plan: every tensor in its own buffer, nodes one after another.
// What plan and run are compared with.
#ifndef KMIDI_TESTS_AUTOGRAD_EVAL_H
#define KMIDI_TESTS_AUTOGRAD_EVAL_H

#include "autograd/op.h"

typedef struct eval {
    const graph *g;
    void **data; // by tensor id
    int n;
} eval;

typedef struct eval_how {
    bool reference; // the reference kernels, where an op has one
    variant width;  // of the forward kernels
    int threads;    // with a pool of at least as many
    threads *pool;
    bool idle; // not training: dropout is the identity
} eval_how;

// What the environment asks for now; overwritten by the next call.
const kit *eval_kit(void);

enum { EVAL_SEED = 11, EVAL_STEP = 5 };

// Buffers for all tensors that `g` has now, zeroed; constants are copied. Owned by `a`.
eval *eval_open(const graph *g, arena *a);
void eval_run(eval *ev, const eval_how *how);
// n values of a sample's input number `index`, as op.h describes them, or of another dtype instead
// of f32.
void eval_fill(void *to, const op_sample_input *in, dtype type, int index);

#endif
