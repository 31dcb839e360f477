// SPDX-License-Identifier: GPL-3.0-or-later
// matrix.h: the short set of tests on every kind of processor that this one can stand for.
//
// Each vector width of our kernels (base/variant.h) up to this CPU's own, times each library of
// products, which keeps to kernels for such a CPU (KMIDI_ISA): six runs of this program with
// AVX-512, four with AVX2, two elsewhere. `tests/all` runs them behind all else, and `tests/all
// matrix` alone; -v names each.
#ifndef KMIDI_TESTS_MATRIX_H
#define KMIDI_TESTS_MATRIX_H

#include <stdbool.h>

typedef struct tally {
    int passed, failed, skipped;
} tally;

void matrix_run(bool verbose, tally *sum);

#endif
