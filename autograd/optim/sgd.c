// SPDX-License-Identifier: GPL-3.0-or-later
// sgd: stochastic gradient descent with momentum (torch.optim.SGD with dampening=0).
//
//     d = g + weight_decay w,  b = momentum b + d,  w = w - lr b
//     nesterov: w - lr (d + momentum b)
//
// b begins at zero, which makes the first b equal d as in PyTorch. Without momentum b is neither
// read nor written.
#include "autograd/optim.h"

static void plain(const optim_hyper *h, float *restrict w, const float *restrict g, int64_t n)
{
    float lr = h->lr, decay = h->weight_decay, scale = h->grad_scale;
    for (int64_t i = 0; i < n; i++)
        w[i] -= lr * (g[i] * scale + decay * w[i]);
}

static void update(const optim_hyper *h, float *w_, const float *g_, float *const moment[],
                   int64_t n)
{
    float *restrict w = w_, *restrict b = moment[0], mu = h->momentum;
    const float *restrict g = g_;
    // w -= lr (direct d + through b)
    float direct = h->nesterov ? 1 : 0, through = h->nesterov ? mu : 1;
    if (mu == 0) {
        plain(h, w, g, n);
        return;
    }
    float lr = h->lr, decay = h->weight_decay, scale = h->grad_scale;
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * scale + decay * w[i];
        b[i] = mu * b[i] + d;
        w[i] -= lr * (direct * d + through * b[i]);
    }
}

const optim_def VARIANT(optim_sgd) = {
    .name = "sgd",
    .summary = "gradient descent with momentum",
    .moments = 1,
    .defaults = {.lr = 1e-3f, .step = 1, .grad_scale = 1},
    .update = update,
};
