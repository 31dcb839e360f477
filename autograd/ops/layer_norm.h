// SPDX-License-Identifier: GPL-3.0-or-later
// layer_norm.h: what layer_norm and layer_norm_back have in common.
#ifndef KMIDI_AUTOGRAD_OPS_LAYER_NORM_H
#define KMIDI_AUTOGRAD_OPS_LAYER_NORM_H

#include "autograd/ops/kernel.h"

#define LAYER_NORM_EPS 1e-5f

static inline int64_t layer_norm_width(const tensor *x)
{
    return x->shape.rank ? x->shape.d[x->shape.rank - 1] : 0;
}

// x [.., D] with a weight [D] and, where not NULL, a bias [D].
static inline bool layer_norm_fits(const tensor *x, const tensor *w, const tensor *b, err *e)
{
    char tx[64], tw[64];
    int64_t n = layer_norm_width(x);
    if (n < 1 || w->shape.rank != 1 || w->shape.d[0] != n || (b && !shape_same(w->shape, b->shape)))
        return rule_fail(e, "input %s does not fit weight %s and its bias", shape_text(x->shape, tx), shape_text(w->shape, tw));
    return true;
}

#endif
