// SPDX-License-Identifier: GPL-3.0-or-later
// sampled.h: the samples of all ops (op.h), each as a graph that a check is run over.
#ifndef KMIDI_TESTS_AUTOGRAD_SAMPLED_H
#define KMIDI_TESTS_AUTOGRAD_SAMPLED_H

#include "tests/autograd/eval.h"

// One sample as a graph: inputs, the op behind copies of them (so that it may work in place), and
// the gradients of what can have one.
typedef struct sampled {
    const op_def *op;
    const op_sample *sample;
    dtype type; // what stands for f32
    arena arena;
    graph *g;
    tensor *x[OP_IN_MAX], *y, *d, *wrt[OP_IN_MAX], *grad[OP_IN_MAX];
    int wrt_index[OP_IN_MAX], n_wrt, forward_nodes;
} sampled;

// False, and the test has failed, where it is none. Owned by s->arena, also then.
bool sampled_build(sampled *s, const op_def *op, const op_sample *sample, dtype type);
// Its inputs and d into `ev`.
void sampled_fill(const sampled *s, eval *ev);
eval *sampled_eval(sampled *s, eval_how how);
// max |a - b| against max |b|; infinite where one of them is not finite and the other is.
double sampled_distance(const float *a, const float *b, int64_t n);

typedef void sampled_fn(sampled *s, threads *pool);

// Runs a check over the whole table: every op, every sample, every dtype that its kernels take.
void sampled_all(sampled_fn *check);

#endif
