// SPDX-License-Identifier: GPL-3.0-or-later
// ops.h: the constructors of all ops, from ops.def (read that file for their formulas), and the
// table.
#ifndef KMIDI_AUTOGRAD_OPS_H
#define KMIDI_AUTOGRAD_OPS_H

#include "autograd/graph.h"
#include "base/variant.h"

typedef enum activation { ACT_NONE, ACT_RELU, ACT_TANH, ACT_SIGMOID, ACT_GELU } activation;

// Windows of high x wide tokens, of a map that was rolled up and left by so many rows and columns.
typedef struct window_cut {
    int high, wide, down, right;
} window_cut;

typedef enum op_id {
#define OP(name, ...) OP_##name,
#include "autograd/ops/ops.def"
#undef OP
    OP_COUNT
} op_id;

#define OP(name, ...) tensor *op_##name(graph *g, __VA_ARGS__);
#include "autograd/ops/ops.def"
#undef OP

// What nodes refer to, whatever the width of the kernels that compute them.
const op_def *op_get(op_id id);
const op_def *op_get_variant(op_id id, variant v); // with kernels of that width
op_id op_id_of(const op_def *op);                  // OP_COUNT when it is none of op_get's

#endif
