// SPDX-License-Identifier: GPL-3.0-or-later
// shape.h: what a tensor's numbers are and how they lie: formats and sizes.
#ifndef KMIDI_AUTOGRAD_SHAPE_H
#define KMIDI_AUTOGRAD_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// bf16x2: a number as the sum of two of bf16; all first ones lie in front of all second ones
// (ops/cast.c). i8: a weight in steps of its channel's scale (ops/panel_linear.c).
typedef enum dtype { DT_F32, DT_BF16, DT_BF16X2, DT_I32, DT_I8, DT_COUNT } dtype;
size_t dtype_size(dtype t);
const char *dtype_name(dtype t);

// Row-major, last dimension fastest. `sym` says which dimensions a deployed model leaves free;
// shape rules carry it along.
enum { RANK_MAX = 6 };
typedef enum dim_symbol { SYM_FIXED, SYM_BATCH, SYM_TIME } dim_symbol;
typedef struct shape {
    int rank; // 0: a scalar
    int64_t d[RANK_MAX];
    uint8_t sym[RANK_MAX];
} shape;

// shape_of(2, B, I); any integer type will do. shape_of(0) is a scalar.
#define shape_of(...)                                                                              \
    shape_make(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t) - 1,                       \
               (const int64_t[]){__VA_ARGS__})
shape shape_make(size_t n, const int64_t *rank_and_dims);
int64_t shape_count(shape s);                  // elements; 1 for a scalar
int64_t shape_rows(shape s);                   // elements of all dimensions but the last
bool shape_same(shape a, shape b);             // symbols are not compared
const char *shape_text(shape s, char out[64]); // "[16, 150, 128]"

#endif
