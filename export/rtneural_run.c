// SPDX-License-Identifier: GPL-3.0-or-later
// rtneural_run.c: the plainest way to run what a file says, for the proof that it says what was
// meant (rtneural.h).
//
//     dense   y = x W + b
//     lstm    z = x W + h U + b, gates i f c o of it:
//             c = sigmoid(f) c + sigmoid(i) tanh(c'), h = sigmoid(o) tanh(c)
#include <math.h>
#include <string.h>

#include "export/rtneural.h"

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

// y [out] += x [in] W [in, out]
static void product(const double *x, int64_t in, const float *w, int64_t out, double *y)
{
    for (int64_t i = 0; i < in; i++)
        for (int64_t k = 0; k < out; k++)
            y[k] += x[i] * (double)w[i * out + k];
}

static void activate(const char *name, double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!strcmp(name, "relu"))
            y[i] = y[i] > 0 ? y[i] : 0;
        else if (!strcmp(name, "tanh"))
            y[i] = tanh(y[i]);
        else if (!strcmp(name, "sigmoid"))
            y[i] = sigmoid(y[i]);
        else if (!strcmp(name, "softmax"))
            sum += y[i] = exp(y[i]);
    }
    for (int64_t i = 0; sum > 0 && i < n; i++)
        y[i] /= sum;
}

// state: h [out], then c [out]. z [4 out] is room.
static void lstm(const rtneural_layer *l, const double *x, double *state, double *z)
{
    int64_t n = l->out;
    double *h = state, *c = state + n;
    for (int64_t k = 0; k < 4 * n; k++)
        z[k] = (double)l->b[k];
    product(x, l->in, l->w, 4 * n, z);
    product(h, n, l->u, 4 * n, z);
    for (int64_t k = 0; k < n; k++) {
        c[k] = sigmoid(z[n + k]) * c[k] + sigmoid(z[k]) * tanh(z[2 * n + k]);
        h[k] = sigmoid(z[3 * n + k]) * tanh(c[k]);
    }
}

// x [in] becomes y [out], which have room for the widest.
static void run_layer(const rtneural_layer *l, const double *x, double *state, double *z, double *y)
{
    if (l->kind == RTNEURAL_LSTM) {
        lstm(l, x, state, z);
        memcpy(y, state, sizeof *y * (size_t)l->out);
        return;
    }
    for (int64_t k = 0; k < l->out; k++)
        y[k] = l->kind == RTNEURAL_DENSE ? (double)l->b[k] : x[k];
    if (l->kind == RTNEURAL_DENSE)
        product(x, l->in, l->w, l->out, y);
    activate(l->activation, y, l->out);
}

void rtneural_run(const rtneural *r, const float *x, int64_t frames, float *y)
{
    arena a = {.name = "rtneural"};
    int64_t in = r->layer[0].in, out = r->layer[r->n - 1].out, widest = in;
    double *state[RTNEURAL_LAYERS];
    for (int i = 0; i < r->n; i++) {
        widest = r->layer[i].out > widest ? r->layer[i].out : widest;
        state[i] = NEW(&a, double, 2 * (size_t)r->layer[i].out);
    }
    double *now = NEW(&a, double, (size_t)widest), *next = NEW(&a, double, (size_t)widest),
           *z = NEW(&a, double, 4 * (size_t)widest);
    for (int64_t t = 0; t < frames; t++) {
        for (int64_t k = 0; k < in; k++)
            now[k] = (double)x[t * in + k];
        for (int i = 0; i < r->n; i++) {
            run_layer(&r->layer[i], now, state[i], z, next);
            double *was = now;
            now = next, next = was;
        }
        for (int64_t k = 0; k < out; k++)
            y[t * out + k] = (float)now[k];
    }
    arena_free(&a);
}
