// SPDX-License-Identifier: GPL-3.0-or-later
// adamw: Adam (adam.h) with decoupled weight decay: w shrinks by lr * weight_decay before the step
// (Loshchilov and Hutter 2019; torch.optim.AdamW).
#include "autograd/optim/adam.h"

static void update(const optim_hyper *h, float *w, const float *g, float *const moment[], int64_t n)
{
    adam_step s = adam_step_of(h);
    s.keep = (float)(1 - (double)h->lr * (double)h->weight_decay);
    adam_update(s, w, g, moment[0], moment[1], n);
}

const optim_def VARIANT(optim_adamw) = {
    .name = "adamw",
    .summary = "Adam with decoupled weight decay",
    .moments = 2,
    .defaults = {.lr = 1e-3f,
                 .beta1 = 0.9f,
                 .beta2 = 0.999f,
                 .eps = 1e-8f,
                 .weight_decay = 0.01f,
                 .step = 1,
                 .grad_scale = 1},
    .update = update,
};
