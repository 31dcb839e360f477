// SPDX-License-Identifier: GPL-3.0-or-later
// muon: momentum, made orthogonal (Jordan et al. 2024, "Muon: An optimizer for hidden layers"; torch.optim.Muon with
// adjust_lr_fn="match_rms_adamw", the scale of Liu et al. 2025, "Muon is scalable for LLM training").
//
//     m = mu m + (1 - mu) g,  u = (1 - mu) g + mu m (nesterov; else m)
//     w = (1 - lr weight_decay) w - lr 0.2 sqrt(max(rows, cols)) orthogonal(u)
//
// orthogonal(u) is u with all its singular values near 1: five steps of X = (a I + b A + c A A) X with A = X X^T (or X times the same of
// X^T X where X is tall: the smaller square) from X = u / |u|, whose coefficients take any value in (0, 1] to [0.7, 1.2]. The factor makes
// an update about as large as AdamW's, so that one learning rate serves both: what is no matrix between two layers (biases, norms, tables
// of embeddings, adapters' factors) is AdamW's here, with the same rate and decay.
//
// Computed in f32; PyTorch rounds the iteration to bf16.
#include <string.h>

#include "autograd/gemm.h"
#include "autograd/optim/adam.h"

enum { STEPS = 5 };
static const float A = 3.4445f, B = -4.7750f, C = 2.0315f;
static const double TINY = 1e-7;

static void update(const optim_hyper *h, float *w, const float *g, float *const moment[], int64_t n)
{
    adam_step s = adam_step_of(h);
    s.keep = (float)(1 - (double)h->lr * (double)h->weight_decay);
    adam_update(s, w, g, moment[0], moment[1], n);
}

// u, and what is needed to make it orthogonal: a second matrix of its size and two squares.
static int64_t matrix_work(int64_t rows, int64_t cols)
{
    int64_t side = rows < cols ? rows : cols;
    return 2 * rows * cols + 2 * side * side;
}

static void gather(const optim_hyper *h, float *restrict u, const float *restrict g, float *restrict m, int64_t n)
{
    float mu = h->momentum, rest = 1 - mu, direct = h->nesterov ? rest : 0, through = h->nesterov ? mu : 1;
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * h->grad_scale;
        m[i] = mu * m[i] + rest * d;
        u[i] = direct * d + through * m[i];
    }
}

static void normalise(float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    float factor = (float)(1 / (sqrt(sum) > TINY ? sqrt(sum) : TINY));
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

// gram = b gram + c square + a I
static void combine(float *restrict gram, const float *restrict square, int64_t side)
{
    for (int64_t i = 0; i < side * side; i++)
        gram[i] = B * gram[i] + C * square[i];
    for (int64_t i = 0; i < side; i++)
        gram[i * side + i] += A;
}

// One step from x to y, both [rows, cols].
static void iterate(const float *x, float *y, float *gram, float *square, int64_t rows, int64_t cols)
{
    bool wide = rows <= cols;
    int64_t side = wide ? rows : cols, along = wide ? cols : rows;
    gemm_serial(&(gemm){
        .ta = !wide, .tb = wide, .m = side, .n = side, .k = along, .a = x, .lda = cols, .b = x, .ldb = cols, .c = gram, .ldc = side});
    gemm_serial(&(gemm){.m = side, .n = side, .k = side, .a = gram, .lda = side, .b = gram, .ldb = side, .c = square, .ldc = side});
    combine(gram, square, side);
    gemm p = {.m = rows, .n = cols, .k = side, .a = gram, .lda = side, .b = x, .ldb = cols, .c = y, .ldc = cols};
    if (!wide)
        p.a = x, p.lda = cols, p.b = gram, p.ldb = side;
    gemm_serial(&p);
}

static void matrix(const optim_hyper *h, float *restrict w, const float *g, float *const moment[], int64_t rows, int64_t cols, float *work)
{
    int64_t n = rows * cols, side = rows < cols ? rows : cols;
    float *x = work, *y = x + n, *gram = y + n, *square = gram + side * side;
    gather(h, x, g, moment[0], n);
    normalise(x, n);
    for (int i = 0; i < STEPS; i++) {
        iterate(x, y, gram, square, rows, cols);
        float *swap = x;
        x = y, y = swap;
    }
    float keep = (float)(1 - (double)h->lr * (double)h->weight_decay);
    float size = h->lr * 0.2f * sqrtf((float)(rows > cols ? rows : cols));
    for (int64_t i = 0; i < n; i++)
        w[i] = keep * w[i] - size * x[i];
}

const optim_def VARIANT(optim_muon) = {
    .name = "muon",
    .summary = "orthogonal momentum for matrices, AdamW for the rest",
    .moments = 2,
    .defaults = {.lr = 1e-3f,
                 .beta1 = 0.9f,
                 .beta2 = 0.999f,
                 .eps = 1e-8f,
                 .weight_decay = 0.1f,
                 .momentum = 0.95f,
                 .nesterov = true,
                 .step = 1,
                 .grad_scale = 1},
    .update = update,
    .matrix = matrix,
    .matrix_work = matrix_work,
};
