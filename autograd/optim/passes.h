// SPDX-License-Identifier: GPL-3.0-or-later
// passes.h: passes over flat buffers that are no optimiser's own, at each vector width.
#ifndef KMIDI_AUTOGRAD_OPTIM_PASSES_H
#define KMIDI_AUTOGRAD_OPTIM_PASSES_H

#include <stdint.h>

#include "base/variant.h"

typedef struct optim_passes {
    double (*squares)(const float *g, int64_t n); // sum of squares, in f64
    // shadow = decay shadow + (1 - decay) w
    void (*blend)(float *shadow, const float *w, float decay, int64_t n);
} optim_passes;

#endif
