// SPDX-License-Identifier: GPL-3.0-or-later
// merge.h: an adapter's factors put into the weight that they belong to.
#ifndef KMIDI_LORA_MERGE_H
#define KMIDI_LORA_MERGE_H

#include <stdint.h>

typedef struct lora_factors {
    const float *a, *b; // A [rank, in], B [out, rank]
    int64_t rank;
    double scale;
} lora_factors;

// w [out, in] += sum over f[k] of scale B A, summed in f64.
void lora_add(float *w, int64_t out, int64_t in, const lora_factors *f, int count);

#endif
