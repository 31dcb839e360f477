// SPDX-License-Identifier: GPL-3.0-or-later
// loader_mix.h: mixup (loader.h): a row becomes the mean of two, by a weight that is drawn, and has
// the targets of both. Belongs to the reader thread.
//
// Whom a row is mixed with, and how much, is a function of (seed, epoch, position), not of the
// batch that it is in: so a step is the same however it is split.
#ifndef KMIDI_DATA_LOADER_LOADER_MIX_H
#define KMIDI_DATA_LOADER_LOADER_MIX_H

#include "data/loader/loader.h"

typedef struct loader_mix {
    double alpha; // 0: rows are not mixed
    uint64_t seed;
    batch_field other[BATCH_FIELDS]; // one row
    const example *example;
    int target, weight, other_target, other_weight; // fields
} loader_mix;

void loader_mix_open(loader_mix *m, const loader_options *o, const example *x, arena *a);
// A share of Beta(alpha, alpha), in (0, 1).
double loader_mix_share(const loader_mix *m, uint64_t epoch, uint64_t position);
// Whom it is mixed with: [0, n).
uint64_t loader_mix_partner(const loader_mix *m, uint64_t epoch, uint64_t position, uint64_t n);
// Row `row` of the fields with m->other, whose weights are *weight and `other`; *weight is then
// what both come to.
void loader_mix_row(const loader_mix *m, double share, const batch_field *fields, int64_t row,
                    double other, double *weight);

#endif
