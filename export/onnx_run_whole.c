// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run_whole.c: numbers of 8 bits: weights made f32 again, and products of whole numbers
// (onnx_run.h).
#include <math.h>

#include "export/onnx_run.h"

// x scale, of the channel along an axis
bool onnx_run_dequantize(onnx_step *s)
{
    const onnx_array *x = s->in[0], *scale = s->n_in > 1 ? s->in[1] : NULL;
    int axis = onnx_step_axis(onnx_step_int(s, "axis", 1), x->rank);
    if (!x->b || !scale || !scale->f || axis < 0 || (scale->n != 1 && scale->n != x->dim[axis]))
        return false;
    int64_t behind = 1;
    for (int k = axis + 1; k < x->rank; k++)
        behind *= x->dim[k];
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    float *y = onnx_step_f32(s, 0);
    for (int64_t i = 0; i < x->n; i++)
        y[i] = (float)x->b[i] * scale->f[scale->n == 1 ? 0 : i / behind % x->dim[axis]];
    return true;
}

static float within(float x, float lo, float hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

// scale = (max - min) / 255 with nought between them, zero = round(-min / scale),
// y = round(x / scale) + zero; halves to even, 0 to 255
bool onnx_run_quantize(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    float lo = 0, hi = 0;
    if (!x->f || s->n_out != 3)
        return false;
    for (int64_t i = 0; i < x->n; i++)
        lo = fminf(lo, x->f[i]), hi = fmaxf(hi, x->f[i]);
    float scale = hi > lo ? (hi - lo) / 255 : 1, zero = within(rintf(-lo / scale), 0, 255);
    s->out[0] = onnx_array_i64(x->rank, x->dim, NULL);
    int64_t *y = onnx_step_i64(s, 0);
    for (int64_t i = 0; i < x->n; i++)
        y[i] = (int64_t)within(rintf(x->f[i] / scale) + zero, 0, 255);
    *onnx_step_f32(s, 1) = scale;
    *onnx_step_i64(s, 2) = (int64_t)zero;
    return true;
}

// (x - zero) w of x [.., K] by w [K, N] of 8 bits. In f32: such sums are whole, and exact below
// 2^24, as in 32 bits; beyond that the last bits of a sum are lost, which a scale makes nothing of.
bool onnx_run_matmul_integer(onnx_step *s)
{
    const onnx_array *x = s->in[0], *w = s->n_in > 1 ? s->in[1] : NULL,
                     *zero = s->n_in > 2 ? s->in[2] : NULL;
    if (!x->i || !w || !w->b || w->rank != 2 || x->rank < 1 || x->dim[x->rank - 1] != w->dim[0] ||
        (zero && (!zero->i || zero->n != 1)))
        return false;
    int64_t k = w->dim[0], n = w->dim[1], rows = k ? x->n / k : 0, from = zero ? zero->i[0] : 0;
    float *a = NEW(s->a, float, (size_t)x->n + 1), *b = NEW(s->a, float, (size_t)w->n + 1),
          *sum = NEW(s->a, float, (size_t)(rows * n) + 1);
    for (int64_t i = 0; i < x->n; i++)
        a[i] = (float)(x->i[i] - from);
    for (int64_t i = 0; i < w->n; i++)
        b[i] = (float)w->b[i];
    onnx_step_product(s, a, b, false, rows, k, n, sum);
    s->out[0] = onnx_array_i64(x->rank, x->dim, NULL);
    s->out[0].dim[x->rank - 1] = n;
    int64_t *y = onnx_step_i64(s, 0);
    for (int64_t i = 0; i < s->out[0].n; i++)
        y[i] = (int64_t)sum[i];
    return true;
}
