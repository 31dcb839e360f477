// SPDX-License-Identifier: GPL-3.0-or-later
// layer_internal.h: what the files of layers have in common.
#ifndef KMIDI_MODELS_LAYER_INTERNAL_H
#define KMIDI_MODELS_LAYER_INTERNAL_H

#include "models/layer.h"

// The parameter `name`, which begins as `how` says; an adapter's, or one of the model's own, frozen
// where adapters are trained.
tensor *layer_declare(network *n, const char *name, shape s, init how, bool adapter);
// The parameter LAYER.LEAF, which begins as `how` says, or in U(-k, k).
tensor *layer_declare_as(network *n, const char *layer, const char *leaf, shape s, init how);
tensor *layer_declare_uniform(network *n, const char *layer, const char *leaf, shape s, float k);
// A layer that is called twice is noted once.
layer_info *layer_note(network *n, layer_kind kind, const char *name, const tensor *w);
// What stands between a layer's product and its output: act(factor product + bias); either may be
// NULL, a factor has a bias.
typedef struct layer_terms {
    tensor *bias, *factor; // [O]
    activation act;
} layer_terms;

// The layer of weight w over x, with the adapters that `w` has: linear, or where `at` is given a
// convolution.
tensor *layer_adapted(network *n, tensor *x, tensor *w, const window *at, const layer_terms *t);
// W + scale B A of each adapter of `w`, for layers that read it whole.
tensor *layer_adapt_weight(network *n, tensor *w);

static inline int64_t layer_width(const tensor *x)
{
    return x->shape.rank ? x->shape.d[x->shape.rank - 1] : 1;
}

#endif
