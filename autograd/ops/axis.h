// SPDX-License-Identifier: GPL-3.0-or-later
// axis.h: a tensor seen around one axis: [outer, size, inner]. For slice, unslice, concat,
// transpose and sum.
#ifndef KMIDI_AUTOGRAD_OPS_AXIS_H
#define KMIDI_AUTOGRAD_OPS_AXIS_H

#include <string.h>

#include "autograd/ops/kernel.h"

typedef struct axis_view {
    int64_t outer, size, inner;
} axis_view;

static inline axis_view axis_of(const tensor *t, int axis)
{
    const shape *s = &t->shape;
    axis_view v = {1, s->d[axis], 1};
    for (int k = 0; k < s->rank; k++) {
        v.outer *= k < axis ? s->d[k] : 1;
        v.inner *= k > axis ? s->d[k] : 1;
    }
    return v;
}

static inline bool axis_check(shape s, int axis, err *e)
{
    char a[64];
    return (axis >= 0 && axis < s.rank) ||
           rule_fail(e, "%s has no axis %d", shape_text(s, a), axis);
}

// All types of four bytes move alike.
static inline void axis_copy(void *to, int64_t to_index, const void *from, int64_t from_index,
                             int64_t n)
{
    memcpy((float *)to + to_index, (const float *)from + from_index, (size_t)n * sizeof(float));
}

#endif
