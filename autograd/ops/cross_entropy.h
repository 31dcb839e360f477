// SPDX-License-Identifier: GPL-3.0-or-later
// cross_entropy.h: what cross_entropy and cross_entropy_back have in common: attributes, shape
// rule, rows.
#ifndef KMIDI_AUTOGRAD_OPS_CROSS_ENTROPY_H
#define KMIDI_AUTOGRAD_OPS_CROSS_ENTROPY_H

#include "autograd/ops/softmax.h"

typedef struct cross_entropy_attrs {
    float smoothing;
} cross_entropy_attrs;

// Rows of logits with their targets and weights.
typedef struct cross_entropy_rows {
    int64_t rows, classes;
    const float *logits, *weight;
    const int32_t *target;
    float smoothing;
} cross_entropy_rows;

static inline cross_entropy_rows cross_entropy_of(const call *c)
{
    shape s = c->n->in[0]->shape;
    return (cross_entropy_rows){shape_rows(s), s.d[s.rank - 1],
                                c->in[0],      c->in[2],
                                c->in[1],      ((const cross_entropy_attrs *)c->attrs)->smoothing};
}

static inline bool cross_entropy_rule(const node *n, bool back, err *e)
{
    char a[64], b[64], c[64];
    shape x = n->in[0]->shape, t = n->in[1]->shape, w = n->in[2]->shape, lead = x;
    float s = ((const cross_entropy_attrs *)n->attrs)->smoothing;
    lead.rank = x.rank > 0 ? x.rank - 1 : 0;
    if (x.rank < 1 || !shape_same(lead, t) || !shape_same(lead, w) || n->in[1]->type != DT_I32)
        return rule_fail(e, "logits %s need a target i32 and a weight f32 a row, not %s %s and %s",
                         shape_text(x, a), dtype_name(n->in[1]->type), shape_text(t, b),
                         shape_text(w, c));
    if (!(s >= 0 && s <= 1))
        return rule_fail(e, "label smoothing is %g; it must lie in [0, 1]", (double)s);
    if (back && shape_count(n->in[3]->shape) != 1)
        return rule_fail(e, "the gradient of a scalar is a scalar, not %s",
                         shape_text(n->in[3]->shape, a));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = back ? x : (shape){.rank = 0};
    return true;
}

#define CROSS_ENTROPY_LOGITS(r, ...)                                                               \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 3                                  \
    }
#define CROSS_ENTROPY_TARGET(classes, r, ...)                                                      \
    {                                                                                              \
        .type = DT_I32, .shape = DIMS(r, __VA_ARGS__), .below = (classes)                          \
    }
#define CROSS_ENTROPY_WEIGHT(r, ...)                                                               \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 1, .offset = 1.5f,                 \
        .no_gradient = true                                                                        \
    }

#endif
