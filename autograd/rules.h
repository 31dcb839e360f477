// SPDX-License-Identifier: GPL-3.0-or-later
// rules.h: what the shape and gradient rules of several ops have in common.
//
// Symbols (graph.h) travel with the dimensions: where two inputs meet, the free one wins, so that a
// deployed model stays free where any of its inputs is.
#ifndef KMIDI_AUTOGRAD_RULES_H
#define KMIDI_AUTOGRAD_RULES_H

#include "autograd/op.h"

// Output 0 has input 0's type and shape.
bool rule_same(const node *n, err *e);
// The same, and input 1 must have that shape too.
bool rule_same_pair(const node *n, err *e);
// Output 0 is NumPy's broadcast of inputs 0 and 1.
bool rule_broadcast(const node *n, err *e);
// Losses by rows: inputs x [B, ..], target like x, weight [B] (and d, a scalar, where `back`).
// Output: a scalar, or like x.
bool rule_row_loss(const node *n, bool back, err *e);
// Gradients that are the first n outputs of one node: din[i] of output i of `back`'s.
void rule_take(const tensor *back, int n, tensor *din[], const bool want[]);
// Records the sentence with code ERR_SHAPE (graph_add puts the op's name in front); returns false.
bool rule_fail(err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// `out` = broadcast of a and b, right-aligned; false where they do not fit.
bool shape_broadcast(shape a, shape b, shape *out);
// Fills the axes of `out` from `in` where a reshape leaves them alone; called where the caller of
// op_reshape named no symbols.
void shape_carry_symbols(shape in, shape *out);
// The gradient of a broadcast: d summed over the axes that `s` does not have, in the shape `s`.
tensor *rule_unbroadcast(graph *g, tensor *d, shape s);

#endif
