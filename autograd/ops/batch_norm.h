// SPDX-License-Identifier: GPL-3.0-or-later
// batch_norm.h: what batch_norm and its way back have in common: sums over the rows of a batch, a
// number a channel.
//
// Rows go through blocks of BLOCK, each with sums of its own that are then added in order, in f64:
// the same for any number of threads. A block stays in the second cache while it is gone through
// twice.
#ifndef KMIDI_AUTOGRAD_OPS_BATCH_NORM_H
#define KMIDI_AUTOGRAD_OPS_BATCH_NORM_H

#include "autograd/ops/activation.h"
#include "autograd/ops/norm_factors.h"
#include "base/bf16.h"

#define BATCH_NORM_MOMENTUM 0.1f

enum { NORM_BLOCK = 128 };

// Loops over a row are made once for each type that it may be read or written in: `narrow` is a
// constant in every call.
#define NORM_LOOP static inline __attribute__((always_inline))

// Number i of a row in f32 or bf16.
NORM_LOOP float norm_read(const void *x, bool narrow, int64_t i)
{
    return narrow ? bf16_widen(((const bf16 *)x)[i]) : ((const float *)x)[i];
}

NORM_LOOP void norm_write(void *y, bool narrow, int64_t i, float value)
{
    if (narrow)
        ((bf16 *)y)[i] = bf16_round(value);
    else
        ((float *)y)[i] = value;
}

// Where number `at` of a tensor in either lies.
static inline void *norm_at(void *x, bool narrow, int64_t at)
{
    return (char *)x + at * (int64_t)(narrow ? sizeof(bf16) : sizeof(float));
}

static inline int64_t norm_channels(const tensor *x)
{
    return x->shape.rank ? x->shape.d[x->shape.rank - 1] : 0;
}

static inline int64_t norm_blocks(const tensor *x)
{
    return (shape_rows(x->shape) + NORM_BLOCK - 1) / NORM_BLOCK;
}

// x [.., C] and `n` inputs of [C] from `first` on, those left out left out.
static inline bool norm_fits(const node *n, int x, int first, int count, err *e)
{
    char a[64], b[64];
    int64_t channels = norm_channels(n->in[x]);
    for (int i = first; i < first + count; i++)
        if (n->in[i] && (n->in[i]->shape.rank != 1 || n->in[i]->shape.d[0] != channels))
            return rule_fail(e, "%s does not fit the channels of %s",
                             shape_text(n->in[i]->shape, a), shape_text(n->in[x]->shape, b));
    return channels > 0 || rule_fail(e, "%s has no channels", shape_text(n->in[x]->shape, a));
}

// Two sums a channel of each block, in the order of blocks: [blocks, 2, C] floats.
static inline size_t norm_sums_bytes(const tensor *x)
{
    return (size_t)(2 * norm_blocks(x) * norm_channels(x)) * sizeof(float);
}
#endif
