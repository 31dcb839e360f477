// SPDX-License-Identifier: GPL-3.0-or-later
// activation.h: the activations on arrays, for act, act_back and linear.
//
//     relu(x) = max(x, 0)                     derivative from y: y > 0
//     tanh(x)                                 1 - y^2
//     sigmoid(x) = 1 / (1 + e^-x)             y (1 - y)
//     gelu(x) = x Phi(x), Phi by erf          from x: Phi(x) + x phi(x), as y does not determine it
#ifndef KMIDI_AUTOGRAD_OPS_ACTIVATION_H
#define KMIDI_AUTOGRAD_OPS_ACTIVATION_H

#include <math.h>

#include "autograd/ops/kernel.h"
#include "base/vmath.h"

#define SQRT_HALF           0.70710678118654752f
#define INVERSE_SQRT_TWO_PI 0.39894228040143268f

typedef struct activation_attrs {
    activation act;
} activation_attrs;

// A function over n numbers with an optional bias, so that a layer's bias and activation are one
// pass over the product. y may be x. Templates by always-inlined functions: each has its own loop
// without a test inside.
#define ACTIVATION_LOOPS(name, x_, value)                                                          \
    static void activate_##name(float *y, const float *x, const float *bias, int64_t n)            \
    {                                                                                              \
        if (bias) {                                                                                \
            INDEPENDENT                                                                            \
            for (int64_t i = 0; i < n; i++) {                                                      \
                float x_ = x[i] + bias[i];                                                         \
                y[i] = value;                                                                      \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        INDEPENDENT                                                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            float x_ = x[i];                                                                       \
            y[i] = value;                                                                          \
        }                                                                                          \
    }

ACTIVATION_LOOPS(none, v, v)
ACTIVATION_LOOPS(relu, v, v > 0 ? v : 0)
ACTIVATION_LOOPS(tanh, v, vm_tanh(v))
ACTIVATION_LOOPS(sigmoid, v, vm_sigmoid(v))
ACTIVATION_LOOPS(gelu, v, 0.5f * v * (1.0f + vm_erf(v * SQRT_HALF)))

typedef void activate_fn(float *y, const float *x, const float *bias, int64_t n);
static activate_fn *const activate[] = {
    [ACT_NONE] = activate_none,       [ACT_RELU] = activate_relu, [ACT_TANH] = activate_tanh,
    [ACT_SIGMOID] = activate_sigmoid, [ACT_GELU] = activate_gelu,
};

// By libm in double precision, for reference kernels.
static inline double activation_exact(activation act, double x)
{
    const double y[] = {
        [ACT_NONE] = x,
        [ACT_RELU] = x > 0 ? x : 0,
        [ACT_TANH] = tanh(x),
        [ACT_SIGMOID] = 1 / (1 + exp(-x)),
        [ACT_GELU] = 0.5 * x * (1 + erf(x * 0.70710678118654752440)),
    };
    return y[act];
}

// About how many nanoseconds an element takes on one thread.
static inline double activation_cost(activation act)
{
    static const double ns[] = {[ACT_NONE] = 0.1,
                                [ACT_RELU] = 0.1,
                                [ACT_TANH] = 0.8,
                                [ACT_SIGMOID] = 0.6,
                                [ACT_GELU] = 0.8};
    return ns[act];
}

#endif
