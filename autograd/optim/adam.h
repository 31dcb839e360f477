// SPDX-License-Identifier: GPL-3.0-or-later
// adam.h: the update that adam and adamw share (Kingma and Ba 2015; torch.optim.Adam with
// amsgrad=False).
//
//     m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
//     w = w - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
//
// What depends on the step alone is computed once in f64. All factors come from the same f32 betas,
// so that the weights of the moving averages and their corrections sum to one.
#ifndef KMIDI_AUTOGRAD_OPTIM_ADAM_H
#define KMIDI_AUTOGRAD_OPTIM_ADAM_H

#include <math.h>

#include "autograd/optim.h"

typedef struct adam_step {
    float b1, b2, one_b1, one_b2; // betas and 1 - betas
    float size, correction;       // lr / (1 - b1^t), 1 / sqrt(1 - b2^t)
    float eps, grad_scale;
    float keep;   // w's factor: decoupled decay (adamw), or 1
    float couple; // of w, added to the gradient: L2 penalty (adam), or 0
} adam_step;

static inline adam_step adam_step_of(const optim_hyper *h)
{
    double b1 = (double)h->beta1, b2 = (double)h->beta2, t = (double)h->step;
    return (adam_step){.b1 = h->beta1,
                       .b2 = h->beta2,
                       .one_b1 = (float)(1 - b1),
                       .one_b2 = (float)(1 - b2),
                       .size = (float)((double)h->lr / (1 - pow(b1, t))),
                       .correction = (float)(1 / sqrt(1 - pow(b2, t))),
                       .eps = h->eps,
                       .grad_scale = h->grad_scale,
                       .keep = 1};
}

static inline void adam_update(adam_step s, float *restrict w, const float *restrict g,
                               float *restrict m, float *restrict v, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * s.grad_scale + s.couple * w[i];
        m[i] = s.b1 * m[i] + s.one_b1 * d;
        v[i] = s.b2 * v[i] + s.one_b2 * d * d;
        w[i] = s.keep * w[i] - s.size * m[i] / (sqrtf(v[i]) * s.correction + s.eps);
    }
}

#endif
