// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run_layers.c: products, convolutions, LSTMs, norms, with sums in f64 where they are long
// (onnx_run.h).
#include <math.h>
#include <string.h>

#include "export/onnx_run.h"

// y [rows, n] += x [rows, k] w [k, n], each sum in f64.
static void product(const float *x, const float *w, int64_t rows, int64_t k, int64_t n, float *y,
                    double *sum)
{
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < n; j++)
            sum[j] = (double)y[r * n + j];
        for (int64_t i = 0; i < k; i++) {
            double v = (double)x[r * k + i];
            for (int64_t j = 0; v != 0 && j < n; j++)
                sum[j] += v * (double)w[i * n + j];
        }
        for (int64_t j = 0; j < n; j++)
            y[r * n + j] = (float)sum[j];
    }
}

// Batches in front of the last two axes are broadcast.
bool onnx_run_matmul(onnx_step *s)
{
    const onnx_array *a = s->in[0], *b = s->n_in == 2 ? s->in[1] : NULL;
    if (!b || !a->f || !b->f || a->rank < 2 || b->rank < 2 ||
        a->dim[a->rank - 1] != b->dim[b->rank - 2])
        return false;
    int64_t rows = a->dim[a->rank - 2], k = a->dim[a->rank - 1], n = b->dim[b->rank - 1];
    onnx_array *y = &s->out[0];
    y->rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t batches = 1;
    for (int d = 3; d <= y->rank; d++) {
        int64_t x = d <= a->rank ? a->dim[a->rank - d] : 1,
                z = d <= b->rank ? b->dim[b->rank - d] : 1;
        if (x != z && x != 1 && z != 1)
            return false;
        y->dim[y->rank - d] = x == 1 ? z : x;
        batches *= y->dim[y->rank - d];
    }
    y->dim[y->rank - 2] = rows, y->dim[y->rank - 1] = n;
    float *out = onnx_step_f32(s, 0);
    double *sum = NEW(s->a, double, (size_t)n + 1);
    for (int64_t i = 0; i < batches; i++) {
        int64_t at_a = 0, at_b = 0, left = i, step_a = rows * k, step_b = k * n;
        for (int d = 3; d <= y->rank; left /= y->dim[y->rank - d], d++) {
            int64_t at = left % y->dim[y->rank - d];
            if (d <= a->rank && a->dim[a->rank - d] > 1)
                at_a += at * step_a;
            if (d <= b->rank && b->dim[b->rank - d] > 1)
                at_b += at * step_b;
            step_a *= d <= a->rank ? a->dim[a->rank - d] : 1;
            step_b *= d <= b->rank ? b->dim[b->rank - d] : 1;
        }
        product(a->f + at_a, b->f + at_b, rows, k, n, out + i * rows * n, sum);
    }
    return true;
}

// x w + b, w as [k, n] or (transB) [n, k]
bool onnx_run_gemm(onnx_step *s)
{
    const onnx_array *x = s->in[0], *w = s->n_in > 1 ? s->in[1] : NULL,
                     *b = s->n_in > 2 ? s->in[2] : NULL;
    bool turned = onnx_step_int(s, "transB", 0) != 0;
    if (!w || !x->f || !w->f || x->rank != 2 || w->rank != 2 || onnx_step_int(s, "transA", 0) ||
        x->dim[1] != w->dim[turned ? 1 : 0])
        return false;
    int64_t rows = x->dim[0], k = x->dim[1], n = w->dim[turned ? 0 : 1];
    if (b && (!b->f || b->n != n))
        return false;
    s->out[0] = onnx_array_f32(2, (int64_t[]){rows, n}, NULL);
    float *y = onnx_step_f32(s, 0);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < n; j++) {
            double sum = b ? (double)b->f[j] : 0;
            for (int64_t i = 0; i < k; i++)
                sum += (double)x->f[r * k + i] * (double)w->f[turned ? j * k + i : i * n + j];
            y[r * n + j] = (float)sum;
        }
    return true;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

// x [T, B, I], W [1, 4 H, I], R [1, 4 H, H], B [1, 8 H], gates i o f c; from h and c of nought, or
// as inputs 5 and 6 say. Y [T, 1, B, H], Y_h, Y_c.
bool onnx_run_lstm(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    for (int i = 0; i < 4; i++)
        if (s->n_in < 4 || !s->in[i] || !s->in[i]->f || s->in[i]->rank != (i == 3 ? 2 : 3))
            return false;
    int64_t t_all = x->dim[0], batch = x->dim[1], in = x->dim[2],
            h = onnx_step_int(s, "hidden_size", 0);
    if (h < 1 || s->in[1]->n != 4 * h * in || s->in[2]->n != 4 * h * h || s->in[3]->n != 8 * h)
        return false;
    const float *w = s->in[1]->f, *r = s->in[2]->f, *b = s->in[3]->f;
    s->out[0] = onnx_array_f32(4, (int64_t[]){t_all, 1, batch, h}, NULL);
    float *y = onnx_step_f32(s, 0), *last[2];
    for (int k = 0; k < 2; k++) {
        s->out[1 + k] = onnx_array_f32(3, (int64_t[]){1, batch, h}, NULL);
        last[k] = onnx_step_f32(s, 1 + k);
        const onnx_array *begin = s->n_in > 5 + k ? s->in[5 + k] : NULL;
        if (begin && (!begin->f || begin->n != batch * h))
            return false;
        if (begin)
            memcpy(last[k], begin->f, sizeof(float) * (size_t)(batch * h));
    }
    double *z = NEW(s->a, double, 4 * (size_t)h);
    for (int64_t t = 0; t < t_all; t++)
        for (int64_t n = 0; n < batch; n++) {
            const float *now = x->f + (t * batch + n) * in;
            float *hs = last[0] + n * h, *cs = last[1] + n * h;
            for (int64_t g = 0; g < 4 * h; g++) {
                z[g] = (double)b[g] + (double)b[4 * h + g];
                for (int64_t i = 0; i < in; i++)
                    z[g] += (double)now[i] * (double)w[g * in + i];
                for (int64_t i = 0; i < h; i++)
                    z[g] += (double)hs[i] * (double)r[g * h + i];
            }
            for (int64_t j = 0; j < h; j++) {
                double c =
                    sigmoid(z[2 * h + j]) * (double)cs[j] + sigmoid(z[j]) * tanh(z[3 * h + j]);
                cs[j] = (float)c;
                hs[j] = (float)(sigmoid(z[h + j]) * tanh(c));
            }
            memcpy(y + (t * batch + n) * h, hs, sizeof *y * (size_t)h);
        }
    return true;
}

// ---- Pictures [N, C, H, W]

typedef struct window {
    int64_t kernel[2], stride[2], pad[2], size[2];
} window;

static bool window_of(const onnx_step *s, window *w)
{
    const onnx_attr *k = onnx_step_attr(s, "kernel_shape"), *st = onnx_step_attr(s, "strides"),
                    *p = onnx_step_attr(s, "pads");
    const onnx_array *x = s->in[0];
    if (!x->f || x->rank != 4 || !k || k->n != 2 || (st && st->n != 2) || (p && p->n != 4))
        return false;
    for (int i = 0; i < 2; i++) {
        w->kernel[i] = k->ints[i], w->stride[i] = st ? st->ints[i] : 1,
        w->pad[i] = p ? p->ints[i] : 0;
        int64_t whole = x->dim[2 + i] + w->pad[i] + (p ? p->ints[2 + i] : 0) - w->kernel[i];
        if (w->kernel[i] < 1 || w->stride[i] < 1 || w->pad[i] < 0 || whole < 0)
            return false;
        w->size[i] = whole / w->stride[i] + 1;
    }
    return true;
}

// y [O, h, w] += one channel of x by its kernels k [O, C, kh, kw] of it
static void add_channel(const onnx_array *x, const float *from, const float *k, int64_t each,
                        int64_t out, const window *w, double *y)
{
    for (int64_t o = 0; o < out; o++)
        for (int64_t p = 0; p < w->kernel[0] * w->kernel[1]; p++) {
            double v = (double)k[o * each + p];
            for (int64_t i = 0; i < w->size[0]; i++) {
                int64_t row = i * w->stride[0] + p / w->kernel[1] - w->pad[0];
                double *to = y + (o * w->size[0] + i) * w->size[1];
                for (int64_t j = 0; row >= 0 && row < x->dim[2] && j < w->size[1]; j++) {
                    int64_t column = j * w->stride[1] + p % w->kernel[1] - w->pad[1];
                    if (column >= 0 && column < x->dim[3])
                        to[j] += v * (double)from[row * x->dim[3] + column];
                }
            }
        }
}

bool onnx_run_conv(onnx_step *s)
{
    const onnx_array *x = s->in[0], *k = s->n_in > 1 ? s->in[1] : NULL,
                     *b = s->n_in > 2 ? s->in[2] : NULL;
    window w;
    if (!k || !k->f || k->rank != 4 || !window_of(s, &w) || k->dim[1] != x->dim[1] ||
        k->dim[2] != w.kernel[0] || k->dim[3] != w.kernel[1] || (b && (!b->f || b->n != k->dim[0])))
        return false;
    int64_t out = k->dim[0], plane = w.size[0] * w.size[1], kernel = w.kernel[0] * w.kernel[1];
    s->out[0] = onnx_array_f32(4, (int64_t[]){x->dim[0], out, w.size[0], w.size[1]}, NULL);
    float *y = onnx_step_f32(s, 0);
    double *sum = NEW(s->a, double, (size_t)(out * plane) + 1);
    for (int64_t n = 0; n < x->dim[0]; n++) {
        for (int64_t i = 0; i < out * plane; i++)
            sum[i] = b ? (double)b->f[i / plane] : 0;
        for (int64_t c = 0; c < x->dim[1]; c++)
            add_channel(x, x->f + (n * x->dim[1] + c) * x->dim[2] * x->dim[3], k->f + c * kernel,
                        x->dim[1] * kernel, out, &w, sum);
        for (int64_t i = 0; i < out * plane; i++)
            y[n * out * plane + i] = (float)sum[i];
    }
    return true;
}

// Without padding, as ours are.
bool onnx_run_average_pool(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    window w;
    if (!window_of(s, &w) || w.pad[0] || w.pad[1])
        return false;
    s->out[0] = onnx_array_f32(4, (int64_t[]){x->dim[0], x->dim[1], w.size[0], w.size[1]}, NULL);
    float *y = onnx_step_f32(s, 0);
    for (int64_t k = 0; k < s->out[0].n; k++) {
        int64_t plane = k / (w.size[0] * w.size[1]), i = k / w.size[1] % w.size[0],
                j = k % w.size[1];
        double sum = 0;
        for (int64_t p = 0; p < w.kernel[0] * w.kernel[1]; p++)
            sum +=
                (double)x->f[(plane * x->dim[2] + i * w.stride[0] + p / w.kernel[1]) * x->dim[3] +
                             j * w.stride[1] + p % w.kernel[1]];
        y[k] = (float)(sum / (double)(w.kernel[0] * w.kernel[1]));
    }
    return true;
}

bool onnx_run_global_average_pool(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    if (!x->f || x->rank != 4)
        return false;
    int64_t plane = x->dim[2] * x->dim[3];
    s->out[0] = onnx_array_f32(4, (int64_t[]){x->dim[0], x->dim[1], 1, 1}, NULL);
    float *y = onnx_step_f32(s, 0);
    for (int64_t k = 0; k < s->out[0].n; k++) {
        double sum = 0;
        for (int64_t i = 0; i < plane; i++)
            sum += (double)x->f[k * plane + i];
        y[k] = (float)(sum / (double)plane);
    }
    return true;
}

// ---- Over the last axis

bool onnx_run_layer_norm(onnx_step *s)
{
    const onnx_array *x = s->in[0], *g = s->n_in > 1 ? s->in[1] : NULL,
                     *b = s->n_in > 2 ? s->in[2] : NULL;
    const onnx_attr *eps = onnx_step_attr(s, "epsilon");
    int64_t n = x->rank ? x->dim[x->rank - 1] : 0;
    if (!x->f || n < 1 || !g || !g->f || g->n != n || (b && (!b->f || b->n != n)) ||
        onnx_step_axis(onnx_step_int(s, "axis", -1), x->rank) != x->rank - 1)
        return false;
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    float *y = onnx_step_f32(s, 0);
    for (int64_t r = 0; r < x->n / n; r++) {
        const float *row = x->f + r * n;
        double mean = 0, var = 0;
        for (int64_t i = 0; i < n; i++)
            mean += (double)row[i] / (double)n;
        for (int64_t i = 0; i < n; i++)
            var += ((double)row[i] - mean) * ((double)row[i] - mean) / (double)n;
        double scale = 1 / sqrt(var + (eps ? (double)eps->f : 1e-5));
        for (int64_t i = 0; i < n; i++)
            y[r * n + i] = (float)(((double)row[i] - mean) * scale * (double)g->f[i] +
                                   (b ? (double)b->f[i] : 0));
    }
    return true;
}

bool onnx_run_softmax(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    int64_t n = x->rank ? x->dim[x->rank - 1] : 0;
    if (!x->f || n < 1 || onnx_step_axis(onnx_step_int(s, "axis", -1), x->rank) != x->rank - 1)
        return false;
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    float *y = onnx_step_f32(s, 0);
    for (int64_t r = 0; r < x->n / n; r++) {
        const float *row = x->f + r * n;
        double most = -INFINITY, sum = 0;
        for (int64_t i = 0; i < n; i++)
            most = (double)row[i] > most ? (double)row[i] : most;
        for (int64_t i = 0; i < n; i++)
            sum += exp((double)row[i] - most);
        for (int64_t i = 0; i < n; i++)
            y[r * n + i] = (float)(exp((double)row[i] - most) / sum);
    }
    return true;
}

// Over the axes of input 1.
bool onnx_run_reduce_sum(onnx_step *s)
{
    const onnx_array *x = s->in[0], *axes = s->n_in > 1 ? s->in[1] : NULL;
    bool gone[ONNX_RANK] = {false}, keep = onnx_step_int(s, "keepdims", 1) != 0;
    int64_t stride[ONNX_RANK] = {0}, step = 1;
    if (!x->f || !axes || !axes->i)
        return false;
    for (int64_t i = 0; i < axes->n; i++) {
        int k = onnx_step_axis(axes->i[i], x->rank);
        if (k < 0)
            return false;
        gone[k] = true;
    }
    for (int k = x->rank; k-- > 0; step *= gone[k] ? 1 : x->dim[k])
        stride[k] = gone[k] ? 0 : step;
    for (int k = 0; k < x->rank; k++)
        if (!gone[k] || keep)
            s->out[0].dim[s->out[0].rank++] = gone[k] ? 1 : x->dim[k];
    float *y = onnx_step_f32(s, 0);
    for (int64_t i = 0; i < x->n; i++) {
        int64_t at = 0, left = i;
        for (int k = x->rank; k-- > 0; left /= x->dim[k])
            at += left % x->dim[k] * stride[k];
        y[at] += x->f[i];
    }
    return true;
}

// ---- Eight bits: x scale, of the channel along an axis

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
