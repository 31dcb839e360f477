// SPDX-License-Identifier: GPL-3.0-or-later
// attention_emit.h: attention in ONNX, for whole sequences and for steps behind a cache: the T x S
// matrix is there, as runtimes want it.
#ifndef KMIDI_AUTOGRAD_OPS_ATTENTION_EMIT_H
#define KMIDI_AUTOGRAD_OPS_ATTENTION_EMIT_H

#include <math.h>

#include "autograd/portable.h"

static inline const char *emit_permuted(emitter *m, const char *x, const int64_t perm[4])
{
    const char *out = emit_fresh(m, "heads");
    emit_node(m, "Transpose", 1, &x, 1, &out, 1,
              &(emit_attr){.name = "perm", .kind = EMIT_INTS, .ints = perm, .n = 4});
    return out;
}

// [B, T, H d] -> [B, H, T, d]
static inline const char *emit_heads(emitter *m, const char *x, int64_t heads, int64_t d)
{
    const int64_t split[] = {0, 0, heads, d}, perm[] = {0, 2, 1, 3};
    const char *parts = emit_fresh(m, "heads");
    emit_node(m, "Reshape", 2, (const char *[]){x, emit_i64(m, 4, split)}, 1, &parts, 0, NULL);
    return emit_permuted(m, parts, perm);
}

// [B, H, T, d] -> [B, T, width], the value `out`
static inline void emit_joined(emitter *m, const char *x, int64_t width, const char *out)
{
    const int64_t join[] = {0, 0, width}, perm[] = {0, 2, 1, 3};
    emit_node(m, "Reshape", 2, (const char *[]){emit_permuted(m, x, perm), emit_i64(m, 3, join)}, 1,
              &out, 0, NULL);
}

static inline const char *emit_binary(emitter *m, const char *op, const char *a, const char *b)
{
    const char *out = emit_fresh(m, "attention");
    emit_node(m, op, 2, (const char *[]){a, b}, 1, &out, 0, NULL);
    return out;
}

// x [B, H, T, d] by the angles of a table [T, d] (rope_table); NULL: as it is.
static inline const char *emit_turned(emitter *m, const char *x, const char *table)
{
    const emit_attr last = {.name = "axis", .kind = EMIT_INT, .i = -1};
    if (!table)
        return x;
    const char *half[] = {emit_fresh(m, "half"), emit_fresh(m, "half")},
               *turn[] = {emit_fresh(m, "cos"), emit_fresh(m, "sin")};
    const char *out = emit_fresh(m, "turned");
    emit_node(m, "Split", 1, &x, 2, half, 1, &last);
    emit_node(m, "Split", 1, &table, 2, turn, 1, &last);
    const char *y[] = {emit_binary(m, "Sub", emit_binary(m, "Mul", half[0], turn[0]),
                                   emit_binary(m, "Mul", half[1], turn[1])),
                       emit_binary(m, "Add", emit_binary(m, "Mul", half[1], turn[0]),
                                   emit_binary(m, "Mul", half[0], turn[1]))};
    emit_node(m, "Concat", 2, y, 1, &out, 1, &last);
    return out;
}

// Adds minus infinity from the diagonal `unseen` (an int64 scalar) on, in a triangle as large as
// the scores turn out to be.
static inline const char *emit_causal(emitter *m, const char *scores, const char *unseen)
{
    const float never = -INFINITY;
    const int64_t from = 2, to = 4, zero = 0;
    const char *size = emit_fresh(m, "size"), *square = emit_fresh(m, "size"),
               *all = emit_fresh(m, "mask"), *mask = emit_fresh(m, "mask");
    emit_node(m, "Shape", 1, &scores, 1, &size, 0, NULL);
    emit_node(
        m, "Slice", 4,
        (const char *[]){size, emit_i64(m, 1, &from), emit_i64(m, 1, &to), emit_i64(m, 1, &zero)},
        1, &square, 0, NULL);
    emit_node(m, "Expand", 2, (const char *[]){emit_f32(m, 0, NULL, &never), square}, 1, &all, 0,
              NULL);
    emit_node(m, "Trilu", 2, (const char *[]){all, unseen}, 1, &mask, 1,
              &(emit_attr){.name = "upper", .kind = EMIT_INT, .i = 1});
    return emit_binary(m, "Add", scores, mask);
}

// softmax(scale q k^T) v of heads [B, H, T, d], [B, H, S, d]; `unseen` as above, NULL: every key is
// seen. -> `out` [B, T, width]
static inline void emit_attention(emitter *m, const char *const qkv[3], float scale,
                                  const char *unseen, int64_t width, const char *out)
{
    const int64_t swap[] = {0, 1, 3, 2};
    const char *p = emit_fresh(m, "attention"),
               *q = emit_binary(m, "Mul", qkv[0], emit_f32(m, 0, NULL, &scale));
    const char *scores = emit_binary(m, "MatMul", q, emit_permuted(m, qkv[1], swap));
    if (unseen)
        scores = emit_causal(m, scores, unseen);
    emit_node(m, "Softmax", 1, &scores, 1, &p, 1,
              &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = -1});
    emit_joined(m, emit_binary(m, "MatMul", p, qkv[2]), width, out);
}

#endif
