// SPDX-License-Identifier: GPL-3.0-or-later
// sgd.c: stochastic gradient descent with momentum, as torch.optim.SGD (dampening 0):
//
//     g <- g + wd w        b <- mu b + g (b = g at the first step)        w <- w - lr (nesterov ? g + mu b : b)
//
// The moment starts as zero, so the first step needs no case of its own: mu 0 + g = g.
#include "autograd/optim.h"

static void update(const optim_hyper *h, float *restrict w, const float *restrict g, float *const moment[], int64_t n)
{
    float *restrict b = moment[0];
    const float lr = h->lr, mu = h->momentum, decay = h->weight_decay, scale = h->grad_scale;
    const float direct = h->nesterov ? 1 : 0, carried = h->nesterov ? mu : 1;
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * scale + decay * w[i];
        b[i] = mu * b[i] + d;
        w[i] -= lr * (direct * d + carried * b[i]);
    }
}

const optim_def VARIANT(optim_sgd) = {
    .name = "sgd",
    .summary = "gradient descent with momentum",
    .moments = 1,
    .defaults = {.lr = 1e-2f, .momentum = 0.9f, .grad_scale = 1},
    .update = update,
};
