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

// Numbers of a row that are widened at a time.
enum { NORM_PIECE = 512 };

// Numbers at .. at + n of a tensor in f32 or bf16, in f32: where they lie, or widened into `to`.
static inline const float *norm_read(const void *x, dtype type, int64_t at, int64_t n, float *to)
{
    const bf16 *restrict narrow = (const bf16 *)x + at;
    if (type == DT_F32)
        return (const float *)x + at;
    for (int64_t i = 0; i < n; i++)
        to[i] = bf16_widen(narrow[i]);
    return to;
}

// Where such numbers are to be written: in their place, or in `to`, from where norm_write takes
// them.
static inline float *norm_room(void *y, dtype type, int64_t at, float *to)
{
    return type == DT_F32 ? (float *)y + at : to;
}

static inline void norm_write(void *y, dtype type, int64_t at, int64_t n, const float *from)
{
    bf16 *restrict narrow = (bf16 *)y + at;
    for (int64_t i = 0; type == DT_BF16 && i < n; i++)
        narrow[i] = bf16_round(from[i]);
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
