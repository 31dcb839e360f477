// SPDX-License-Identifier: GPL-3.0-or-later
// adam.c: Adam (Kingma and Ba, 2015) with L2 regularisation in the gradient, as torch.optim.Adam:
//
//     g <- g + wd w
//     m <- b1 m + (1 - b1) g            v <- b2 v + (1 - b2) g^2
//     w <- w - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
#include <math.h>

#include "autograd/optim.h"

static void update(const optim_hyper *h, float *restrict w, const float *restrict g, float *const moment[], int64_t n)
{
    float *restrict m = moment[0], *restrict v = moment[1];
    const float b1 = h->beta1, b2 = h->beta2, c1 = 1 - b1, c2 = 1 - b2, eps = h->eps, scale = h->grad_scale, decay = h->weight_decay;
    const float step = (float)(h->lr / (1 - pow(b1, (double)h->step)));
    const float root = (float)(1 / sqrt(1 - pow(b2, (double)h->step)));
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * scale + decay * w[i];
        m[i] = b1 * m[i] + c1 * d;
        v[i] = b2 * v[i] + c2 * d * d;
        w[i] -= step * m[i] / (sqrtf(v[i]) * root + eps);
    }
}

const optim_def VARIANT(optim_adam) = {
    .name = "adam",
    .summary = "Adam; weight decay is added to the gradient",
    .moments = 2,
    .defaults = {.lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .grad_scale = 1},
    .update = update,
};
