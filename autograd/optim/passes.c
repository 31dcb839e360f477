// SPDX-License-Identifier: GPL-3.0-or-later
// passes.c: sums of squares and moving averages, as loops that vectorise. Sums run in a fixed
// number of lanes, in f64: the order is the same for any thread count, and no f32 gradient
// overflows its square.
#include "autograd/optim/passes.h"

enum { LANES = 16 };

static double squares(const float *g, int64_t n)
{
    double lane[LANES] = {0}, total = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)g[i + k] * (double)g[i + k];
    for (; i < n; i++)
        total += (double)g[i] * (double)g[i];
    for (int k = 0; k < LANES; k++)
        total += lane[k];
    return total;
}

static void blend(float *restrict shadow, const float *restrict w, float decay, int64_t n)
{
    float rest = (float)(1 - (double)decay);
    for (int64_t i = 0; i < n; i++)
        shadow[i] = decay * shadow[i] + rest * w[i];
}

const optim_passes VARIANT(optim_passes) = {.squares = squares, .blend = blend};
