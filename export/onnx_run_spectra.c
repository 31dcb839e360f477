// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run_spectra.c: the discrete Fourier transform of a front end, in f64 (onnx_run.h).
//
//     X(k) = sum_i x(i) e^(-2 pi j i k / n); of even n by halves, X(k) = E(k) + e^(..) O(k)
#include <math.h>

#include "export/onnx_run.h"

// y [n, 2] of x(0), x(step), ..; turn [whole, 2] has e^(-2 pi j i / whole), whole = n * step.
static void transform(const double *x, int64_t n, int64_t step, const double *turn, double *y)
{
    int64_t half = n / 2;
    if (n % 2) {
        for (int64_t k = 0; k < n; k++) {
            y[2 * k] = y[2 * k + 1] = 0;
            for (int64_t i = 0; i < n; i++) {
                const double *w = turn + 2 * (i * k % n * step);
                y[2 * k] += x[i * step] * w[0];
                y[2 * k + 1] += x[i * step] * w[1];
            }
        }
        return;
    }
    transform(x, half, 2 * step, turn, y);
    transform(x + step, half, 2 * step, turn, y + n);
    for (int64_t k = 0; k < half; k++) {
        double *e = y + 2 * k, *o = e + n;
        const double *w = turn + 2 * k * step;
        double re = w[0] * o[0] - w[1] * o[1], im = w[0] * o[1] + w[1] * o[0];
        o[0] = e[0] - re, o[1] = e[1] - im;
        e[0] += re, e[1] += im;
    }
}

// x [.., n, 1] -> [.., n / 2 + 1, 2], over the axis before the last
bool onnx_run_dft(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    if (!x->f || x->rank < 2 || x->dim[x->rank - 1] != 1 || s->n_in > 1 ||
        !onnx_step_int(s, "onesided", 0) || onnx_step_int(s, "axis", 1) != x->rank - 2)
        return false;
    int64_t n = x->dim[x->rank - 2], bins = n / 2 + 1;
    if (n < 1)
        return false;
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    s->out[0].dim[x->rank - 2] = bins, s->out[0].dim[x->rank - 1] = 2;
    float *y = onnx_step_f32(s, 0);
    double *turn = NEW(s->a, double, 2 * (size_t)n), *wide = NEW(s->a, double, (size_t)n),
           *all = NEW(s->a, double, 2 * (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        double angle = -2 * acos(-1) * (double)i / (double)n;
        turn[2 * i] = cos(angle), turn[2 * i + 1] = sin(angle);
    }
    for (int64_t r = 0; r < x->n / n; r++) {
        for (int64_t i = 0; i < n; i++)
            wide[i] = (double)x->f[r * n + i];
        transform(wide, n, 1, turn, all);
        for (int64_t i = 0; i < 2 * bins; i++)
            y[2 * r * bins + i] = (float)all[i];
    }
    return true;
}
