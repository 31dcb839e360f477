// SPDX-License-Identifier: GPL-3.0-or-later
// merge.h: an adapter's factors put into the weight that they belong to.
#ifndef KMIDI_LORA_MERGE_H
#define KMIDI_LORA_MERGE_H

#include <stdint.h>

#include "base/err.h"

typedef struct lora_factors {
    const float *a, *b; // A [rank, in], B [out, rank]
    const float *m;     // DoRA: [out], the lengths of rows; NULL: plain
    int64_t rank;
    double scale;
    double weight; // how much of what the adapter changes
} lora_factors;

// A weight as a matrix, and its name for messages.
typedef struct lora_matrix {
    float *w; // [out, in]
    int64_t out, in;
    const char *name;
} lora_matrix;

// Adds weight (W' - W) of each adapter, W its base's own: W' = W + scale B A, and by DoRA its rows
// with the lengths M. Summed in f64, rounded once. ERR_VALUE: a row that DoRA would divide by its
// length has none, or no finite one; `w` is then as it was.
bool lora_add(lora_matrix t, const lora_factors *f, int count, err *e) MUST_CHECK;
// The lengths of W's rows, which DoRA begins with: m [out]. ERR_VALUE as above.
bool lora_lengths(lora_matrix t, float *m, err *e) MUST_CHECK;

#endif
