// SPDX-License-Identifier: GPL-3.0-or-later
// merge.h: what adapters have for a weight, put into it.
#ifndef KMIDI_LORA_MERGE_H
#define KMIDI_LORA_MERGE_H

#include <stdint.h>

#include "autograd/params.h"
#include "base/err.h"

typedef struct lora_factors {
    const char *from;   // whose they are, for messages: a folder, a file
    const float *whole; // [out, in], what takes the place of W: the factors are not read; or NULL
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
// Parameter `at`: [out] is of as many rows of one, a scalar of one.
lora_matrix lora_matrix_of(const params *p, int at);

// Adds weight (W' - W) of each adapter, W the base's own for all of them: W' = W + scale B A, by
// DoRA its rows with the lengths M; or `whole`. Summed in f64, rounded once. ERR_VALUE: a row that
// DoRA would divide by its length has none, or no finite one; `w` is then as it was.
bool lora_add(lora_matrix t, const lora_factors *f, int count, err *e) MUST_CHECK;
// The lengths of W's rows, which DoRA begins with: m [out]. ERR_VALUE as above.
bool lora_lengths(lora_matrix t, float *m, err *e) MUST_CHECK;

#endif
