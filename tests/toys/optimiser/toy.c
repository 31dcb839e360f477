// SPDX-License-Identifier: GPL-3.0-or-later
// toy: the sign of the gradient alone. w = w - lr sign(g).
#include "autograd/optim.h"

static void update(const optim_hyper *h, float *w, const float *g, float *const moment[], int64_t n)
{
    (void)moment;
    for (int64_t i = 0; i < n; i++)
        w[i] -= h->lr * (float)((g[i] > 0) - (g[i] < 0));
}

const optim_def VARIANT(optim_toy) = {
    .name = "toy",
    .summary = "the sign of the gradient",
    .defaults = {.lr = 1e-3f, .step = 1, .grad_scale = 1},
    .update = update,
};
