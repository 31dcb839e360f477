// SPDX-License-Identifier: GPL-3.0-or-later
// adam: Adam (adam.h) with weight decay as a penalty: weight_decay * w is added to the gradient
// (torch.optim.Adam).
#include "autograd/optim/adam.h"

static void update(const optim_hyper *h, float *w, const float *g, float *const moment[], int64_t n)
{
    adam_step s = adam_step_of(h);
    s.couple = h->weight_decay;
    adam_update(s, w, g, moment[0], moment[1], n);
}

const optim_def VARIANT(optim_adam) = {
    .name = "adam",
    .summary = "Adam; weight decay as an L2 penalty",
    .moments = 2,
    .defaults =
        {.lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .step = 1, .grad_scale = 1},
    .update = update,
};
