// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_front_key.c: pitch classes turned to their key in ONNX nodes, by the formulas of
// data/features/chroma_turn.h.
//
// Every rotation of the classes, one behind the other, is a product with a matrix of ones and
// noughts, so are the weights that belong to them, and their sum. Constants are first factors, as
// everywhere in the front end (emit_bands in onnx_front.c says why).
#include <stdint.h>

#include "export/onnx.h"
#include "export/onnx_emit.h"
#include "export/onnx_front.h"

enum { CLASSES = 12, KEYS = 24, TURNED = CLASSES * CLASSES };

static const char *binary(emitter *m, const char *op, const char *a, const char *b)
{
    return emit_op(m, op, 2, (const char *[]){a, b}, 0, NULL);
}

static const char *transpose(emitter *m, const char *x)
{
    int64_t order[] = {0, 2, 1};
    emit_attr perm = {.name = "perm", .kind = EMIT_INTS, .n = 3, .ints = order};
    return emit_op(m, "Transpose", 1, &x, 1, &perm);
}

static const char *columns(emitter *m, const char *x, int64_t from, int64_t to)
{
    int64_t axis = 2;
    const char *in[] = {x, emit_i64(m, 1, &from), emit_i64(m, 1, &to), emit_i64(m, 1, &axis)};
    return emit_op(m, "Slice", 4, in, 0, NULL);
}

// Rotation k of class j stands in row 12 k + j.
static const char *rotations(emitter *m)
{
    int64_t dims[] = {TURNED, CLASSES};
    float x[TURNED * CLASSES] = {0};
    for (int r = 0; r < TURNED; r++)
        x[r * CLASSES + (r / CLASSES + r % CLASSES) % CLASSES] = 1;
    return emit_f32(m, 2, dims, x);
}

// Its weight is that of the major and the minor key of tonic k.
static const char *tonics(emitter *m)
{
    int64_t dims[] = {TURNED, KEYS};
    float x[TURNED * KEYS] = {0};
    for (int r = 0; r < TURNED; r++)
        x[r * KEYS + r / CLASSES] = x[r * KEYS + r / CLASSES + CLASSES] = 1;
    return emit_f32(m, 2, dims, x);
}

static const char *sums(emitter *m)
{
    int64_t dims[] = {CLASSES, TURNED};
    float x[CLASSES * TURNED] = {0};
    for (int r = 0; r < TURNED; r++)
        x[r % CLASSES * TURNED + r] = 1;
    return emit_f32(m, 2, dims, x);
}

// |y| + keys_least, [B, T, 1].
static const char *length(emitter *m, const onnx_front *f, const char *y)
{
    int64_t axis = 2;
    const char *in[] = {binary(m, "Mul", y, y), emit_i64(m, 1, &axis)};
    const char *sum = emit_op(m, "ReduceSum", 2, in, 0, NULL);
    return binary(m, "Add", emit_op(m, "Sqrt", 1, &sum, 0, NULL),
                  emit_f32(m, 0, NULL, &f->keys_least));
}

// Classes [B, T, 12], turned.
static const char *turned(emitter *m, const onnx_front *f, const char *x)
{
    int64_t last = 2, dims[] = {KEYS, CLASSES};
    emit_attr axes = {.name = "axes", .kind = EMIT_INTS, .ints = &last, .n = 1},
              axis = attr_int("axis", 2);
    const char *y = binary(m, "Sub", x, emit_op(m, "ReduceMean", 1, &x, 1, &axes));
    const char *across = transpose(m, y); // [B, 12, T]
    const char *fit = transpose(m, binary(m, "MatMul", emit_f32(m, 2, dims, f->keys), across));
    const char *r = binary(m, "Div", fit, length(m, f, y));
    const char *w = transpose(m, emit_op(m, "Softmax", 1, &r, 1, &axis)); // [B, 24, T]
    const char *all = binary(m, "MatMul", rotations(m), across),
               *weights = binary(m, "MatMul", tonics(m), w);
    return transpose(m, binary(m, "MatMul", sums(m), binary(m, "Mul", all, weights)));
}

const char *onnx_front_key(emitter *m, const onnx_front *f, const char *x)
{
    if (!f->keys)
        return x;
    emit_attr axis = attr_int("axis", 2);
    const char *parts[] = {columns(m, x, 0, f->n_mels - CLASSES),
                           turned(m, f, columns(m, x, f->n_mels - CLASSES, f->n_mels))};
    return emit_op(m, "Concat", 2, parts, 1, &axis);
}
