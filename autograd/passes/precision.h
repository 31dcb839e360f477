// SPDX-License-Identifier: GPL-3.0-or-later
// precision.h: a training graph in other number formats, as a pass behind graph_gradient and before
// plan_make (docs/precision.md).
//
//     fp32     as built.
//     bf16x3   f32 everywhere; a product of two f32 matrices becomes three of their bf16 halves
//              where that is faster here.
//     bf16     products take bf16 and sum in f32; what the way back needs of the way forward is
//              kept as bf16. Weights, moments, norms, softmax and losses are f32.
//
// Casts are nodes like any other: a matrix is cast once, however many products read it, and the
// plan says where the bytes lie.
#ifndef KMIDI_AUTOGRAD_PASSES_PRECISION_H
#define KMIDI_AUTOGRAD_PASSES_PRECISION_H

#include "autograd/graph.h"
#include "autograd/kit.h"

typedef enum precision {
    PRECISION_FP32,
    PRECISION_BF16X3,
    PRECISION_BF16,
    PRECISION_INT8, // of weights, for generation alone
    PRECISION_COUNT
} precision;
const char *precision_name(precision p);
bool precision_find(const char *name, precision *p); // false: there is none of that name
// with how this machine does it: "bf16 (widened to f32)"
const char *precision_describe(precision p, const kit *k, char out[48]);
#define PRECISION_CHOICES                                                                          \
    "fp32|bf16x3|bf16" // of training, for options and configuration, in the enumeration's order

// Puts bf16_matmul in the place of linear and matmul where `p` says so. Both passes leave every
// tensor that a caller may hold where it is.
// bf16x3: returns what was chosen for each size of product (" 4096x384x384nt=3 ..."), owned by the
// graph's arena; given as `chosen` it is chosen again, sizes that are not in it (NULL: all) are
// measured. A resumed run so computes as it began. Other precisions: "".
const char *precision_products(graph *g, precision p, const kit *k, const char *chosen);
// For generation: the weights of products of a few rows become bf16, or i8 with a scale for each
// output (base/int8.h); activations, sums and results stay f32. A cast of each lies in the plan,
// once where plan_options.weights_stay says so.
void precision_weights(graph *g, precision p);
bool precision_narrows(precision p, const tensor *weight); // it does so with this one
// Keeps as bf16 what lives from forward to backward, but what must be exact (OP_EXACT), small or
// integer. Of a graph of f32 products, too.
void precision_store(graph *g);

#endif
