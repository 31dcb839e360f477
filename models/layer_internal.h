// SPDX-License-Identifier: GPL-3.0-or-later
// layer_internal.h: what the files of layers have in common.
#ifndef KMIDI_MODELS_LAYER_INTERNAL_H
#define KMIDI_MODELS_LAYER_INTERNAL_H

#include "models/layer.h"

enum { ADAPTERS = 64 }; // of one weight at most

// The parameter LAYER.LEAF, which begins as `how` says, or in U(-k, k).
tensor *layer_declare_as(network *n, const char *layer, const char *leaf, shape s, init how);
tensor *layer_declare_uniform(network *n, const char *layer, const char *leaf, shape s, float k);
// A layer that is called twice is noted once.
layer_info *layer_note(network *n, layer_kind kind, const char *name, const tensor *w);
// The first adapter of `w` behind `last` (NULL: of all), or NULL.
const adapter_site *layer_next_site(const network *n, const tensor *w, const adapter_site *last);
// Its factors (network.h), declared.
void layer_factors(network *n, const adapter_site *s, const tensor *w, tensor **a, tensor **b);

static inline int64_t layer_width(const tensor *x)
{
    return x->shape.rank ? x->shape.d[x->shape.rank - 1] : 1;
}

#endif
