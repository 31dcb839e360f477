// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run_layers.c: products, convolutions, LSTMs, norms, with sums in f64 where they are long
// (onnx_run.h).
#include <math.h>
#include <string.h>

#include "autograd/kit.h"
#include "base/larger.h"
#include "export/onnx_run.h"

// Each sum in f64.
static void plain_product(const onnx_step *s, const float *x, const float *w, const gemm *p)
{
    arena_mark m = arena_save(s->a);
    double *sum = NEW(s->a, double, (size_t)p->n + 1);
    for (int64_t r = 0; r < p->m; r++) {
        float *y = p->c + r * p->n;
        for (int64_t j = 0; j < p->n; j++)
            sum[j] = (double)y[j];
        for (int64_t i = 0; i < p->k; i++) {
            double v = (double)x[r * p->k + i];
            for (int64_t j = 0; v != 0 && j < p->n; j++)
                sum[j] += v * (double)w[p->tb ? j * p->k + i : i * p->n + j];
        }
        for (int64_t j = 0; j < p->n; j++)
            y[j] = (float)sum[j];
    }
    arena_rewind(s->a, m);
}

void onnx_step_product(const onnx_step *s, const float *x, const float *w, bool turned,
                       int64_t rows, int64_t k, int64_t n, float *y)
{
    const gemm p = gemm_dense(
        (gemm){.tb = turned, .m = rows, .n = n, .k = k, .a = x, .b = w, .beta = 1, .c = y});
    if (rows < 1 || k < 1 || n < 1)
        return;
    if (s->env && s->env->kit)
        gemm_run(&s->env->kit->products, &p, s->env->pool, threads_count(s->env->pool));
    else
        plain_product(s, x, w, &p);
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
        onnx_step_product(s, a->f + at_a, b->f + at_b, false, rows, k, n, out + i * rows * n);
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
    for (int64_t i = 0; b && i < rows * n; i++)
        y[i] = b->f[i % n];
    onnx_step_product(s, x->f, w->f, turned, rows, k, n, y);
    return true;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

// z [4 H], gates i o f c -> h and c, [H] each
static void lstm_cell(const float *z, int64_t h, float *hs, float *cs)
{
    for (int64_t j = 0; j < h; j++) {
        double c = sigmoid((double)z[2 * h + j]) * (double)cs[j] +
                   sigmoid((double)z[j]) * tanh((double)z[3 * h + j]);
        cs[j] = (float)c;
        hs[j] = (float)(sigmoid((double)z[h + j]) * tanh(c));
    }
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
    float *z = NEW(s->a, float, (size_t)(t_all * batch * 4 * h) + 1);
    for (int64_t i = 0; i < t_all * batch * 4 * h; i++)
        z[i] = b[i % (4 * h)] + b[4 * h + i % (4 * h)];
    onnx_step_product(s, x->f, w, true, t_all * batch, in, 4 * h, z);
    for (int64_t t = 0; t < t_all; t++, z += batch * 4 * h) {
        onnx_step_product(s, last[0], r, true, batch, h, 4 * h, z);
        for (int64_t n = 0; n < batch; n++)
            lstm_cell(z + n * 4 * h, h, last[0] + n * h, last[1] + n * h);
        memcpy(y + t * batch * h, last[0], sizeof *y * (size_t)(batch * h));
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

// The windows of one picture [C, H, W] as columns [C kh kw, h w].
static void spread(const onnx_array *x, const float *from, const window *w, float *to)
{
    int64_t kernel = w->kernel[0] * w->kernel[1];
    for (int64_t p = 0; p < x->dim[1] * kernel; p++) {
        const float *plane = from + p / kernel * x->dim[2] * x->dim[3];
        for (int64_t i = 0; i < w->size[0]; i++) {
            int64_t row = i * w->stride[0] + p % kernel / w->kernel[1] - w->pad[0];
            for (int64_t j = 0; j < w->size[1]; j++) {
                int64_t column = j * w->stride[1] + p % w->kernel[1] - w->pad[1];
                bool in = row >= 0 && row < x->dim[2] && column >= 0 && column < x->dim[3];
                *to++ = in ? plane[row * x->dim[3] + column] : 0;
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
    int64_t out = k->dim[0], plane = w.size[0] * w.size[1],
            rows = x->dim[1] * w.kernel[0] * w.kernel[1];
    s->out[0] = onnx_array_f32(4, (int64_t[]){x->dim[0], out, w.size[0], w.size[1]}, NULL);
    float *y = onnx_step_f32(s, 0), *columns = NEW(s->a, float, (size_t)(rows * plane) + 1);
    for (int64_t n = 0; n < x->dim[0]; n++, y += out * plane) {
        for (int64_t i = 0; b && i < out * plane; i++)
            y[i] = b->f[i / plane];
        spread(x, x->f + n * x->dim[1] * x->dim[2] * x->dim[3], &w, columns);
        onnx_step_product(s, k->f, columns, false, out, rows, plane, y);
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
            most = larger(most, (double)row[i]);
        for (int64_t i = 0; i < n; i++) {
            double each = exp((double)row[i] - most);
            y[r * n + i] = (float)each, sum += each;
        }
        for (int64_t i = 0; i < n; i++)
            y[r * n + i] = (float)((double)y[r * n + i] / sum);
    }
    return true;
}
