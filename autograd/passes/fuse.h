// SPDX-License-Identifier: GPL-3.0-or-later
// fuse.h: additions and casts that another node can do, as passes behind those of precision.h and
// before plan_make.
//
//     x + a b        the product begins at x instead of zero: a residual, or gradients that meet
//                    (ops/matmul.c)
//     d + dx         a norm's way back adds the gradient that its input has from the residual
//                    around it
//
// Each saves two passes over memory of three. What can take an addition says so itself
// (op_def.added).
//
//     bf16(norm(x))   a node that can writes its output rounded, where nobody reads it otherwise
//     f(f32(x))       a node that can reads x as it was kept
//
//     f(x, w)         where weights stay, a node takes w in the form that it multiplies by, made
//                     once (OP_FORM)
//
// Of casts the numbers are the same to the bit (op_def.writes_bf16, reads_bf16).
#ifndef KMIDI_AUTOGRAD_PASSES_FUSE_H
#define KMIDI_AUTOGRAD_PASSES_FUSE_H

#include "autograd/graph.h"

// The n tensors of `held` (each may be NULL) are the caller's: they are still computed.
void fuse_additions(graph *g, tensor *const held[], int n);
void fuse_casts(graph *g, tensor *const held[], int n);
void fuse_forms(graph *g);

#endif
