// SPDX-License-Identifier: GPL-3.0-or-later
// muon: momentum, made orthogonal (Jordan et al. 2024, "Muon: An optimizer for hidden layers";
// torch.optim.Muon with adjust_lr_fn="match_rms_adamw", the scale of Liu et al. 2025, "Muon is
// scalable for LLM training").
//
//     m = mu m + (1 - mu) g,  u = (1 - mu) g + mu m (nesterov; else m)
//     w = (1 - lr weight_decay) w - lr 0.2 sqrt(max(rows, cols)) orthogonal(u)
//
// orthogonal(u) is u with all its singular values near 1: five steps of X = (a I + b A + c A A) X
// with A = X X^T (or X times the same of X^T X where X is tall: the smaller square) from X = u /
// |u|, whose coefficients take any value in (0, 1] to [0.7, 1.2]. The factor makes an update about
// as large as AdamW's, so that one learning rate serves both: what is no matrix between two layers
// (biases, norms, tables of embeddings, adapters' factors) is AdamW's here, with the same rate and
// decay.
//
// With row_beta b, rows that the update would move more than others are held back ("NorMuon", Li et
// al. 2025): with o = orthogonal(u) and for each row v = b v + (1 - b) mean(o^2), row by row o /
// (sqrt(v) + eps) is the update, times what brings it back to the size |o|. v lies at the beginning
// of the second moment, of which a matrix makes no other use. b 0 is torch's Muon.
//
// Where X is long, the steps are taken on its small square alone ("Gram Newton-Schulz"): with R = X
// X^T, P = a I + b R + c R R and all of them commuting, X becomes P X and R becomes P R P; the
// product of all P meets X once, at the end: 44% fewer multiplications where X is four times as
// long as it is wide. R has the squares of the singular values, so those below 1e-3 of the largest
// come out less exact: the result is within 1e-3 of the iteration in f64 (2e-5 without the square)
// for singular values from all alike to 1 / k^2, where PyTorch's, which is rounded to bf16, is off
// by 5e-3 to 2e-1.
//
// Computed in f32.
#include <string.h>

#include "autograd/gemm/gemm.h"
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

// A matrix by its shorter and its longer side.
typedef struct sides {
    bool wide; // rows are the shorter
    int64_t side, along;
} sides;

static sides sides_of(int64_t rows, int64_t cols)
{
    return rows <= cols ? (sides){true, rows, cols} : (sides){false, cols, rows};
}

// Multiplications over side^3, with r = along / side: five times (2 r + 1), or 17 products of
// squares and 2 r.
static bool by_square(sides s)
{
    return 8 * s.along > 12 * s.side;
}

enum { SQUARES = 5 };

// u, and what is needed to make it orthogonal: a second matrix of its size, and squares.
static int64_t matrix_work(int64_t rows, int64_t cols)
{
    sides s = sides_of(rows, cols);
    return 2 * rows * cols + (by_square(s) ? SQUARES : 2) * s.side * s.side;
}

static void gather(const optim_hyper *h, float *restrict u, const float *restrict g,
                   float *restrict m, int64_t n)
{
    float mu = h->momentum, rest = 1 - mu, direct = h->nesterov ? rest : 0,
          through = h->nesterov ? mu : 1;
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * h->grad_scale;
        m[i] = mu * m[i] + rest * d;
        u[i] = direct * d + through * m[i];
    }
}

static double square_of(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static void scale(float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

static void normalise(float *x, int64_t n)
{
    double norm = sqrt(square_of(x, n));
    scale(x, (float)(1 / (norm > TINY ? norm : TINY)), n);
}

// y = a b, all [side, side].
static void multiply(const gemm_ways *by, const float *a, const float *b, float *y, int64_t side)
{
    gemm p = gemm_dense((gemm){.m = side, .n = side, .k = side, .a = a, .b = b, .c = y});
    gemm_serial(by, &p);
}

// r = x x^T, or x^T x where x is tall.
static void gram(const gemm_ways *by, const float *x, float *r, sides s)
{
    gemm p = {.ta = !s.wide,
              .tb = s.wide,
              .m = s.side,
              .n = s.side,
              .k = s.along,
              .a = x,
              .b = x,
              .c = r};
    p = gemm_dense(p);
    gemm_serial(by, &p);
}

// y = p x, or x p where x is tall.
static void apply(const gemm_ways *by, const float *p, const float *x, float *y, sides s)
{
    gemm q = {.m = s.wide ? s.side : s.along,
              .n = s.wide ? s.along : s.side,
              .k = s.side,
              .a = s.wide ? p : x,
              .b = s.wide ? x : p,
              .c = y};
    q = gemm_dense(q);
    gemm_serial(by, &q);
}

// p = a I + b r + c r r; p may be r.
static void polynomial(const gemm_ways *by, const float *r, float *p, float *restrict square,
                       int64_t side)
{
    multiply(by, r, r, square, side);
    for (int64_t i = 0; i < side * side; i++)
        p[i] = B * r[i] + C * square[i];
    for (int64_t i = 0; i < side; i++)
        p[i * side + i] += A;
}

static void swap(float **a, float **b)
{
    float *was = *a;
    *a = *b, *b = was;
}

// All steps on x itself; the result, in x or y.
static float *iterate(const gemm_ways *by, float *x, float *y, float *squares, sides s)
{
    float *p = squares, *square = p + s.side * s.side;
    for (int i = 0; i < STEPS; i++) {
        gram(by, x, p, s);
        polynomial(by, p, p, square, s.side);
        apply(by, p, x, y, s);
        swap(&x, &y);
    }
    return x;
}

// All steps on the square: q is the product of every p so far. The result, in y.
static float *iterate_square(const gemm_ways *by, const float *x, float *y, float *squares, sides s)
{
    int64_t n = s.side * s.side;
    float *r = squares, *p = r + n, *q = p + n, *next = q + n, *square = next + n;
    gram(by, x, r, s);
    polynomial(by, r, q, square, s.side);
    memcpy(p, q, sizeof(float) * (size_t)n);
    for (int i = 1; i < STEPS; i++) {
        multiply(by, p, r, square, s.side);
        multiply(by, square, p, r, s.side);
        polynomial(by, r, p, square, s.side);
        multiply(by, p, q, next, s.side);
        swap(&q, &next);
    }
    apply(by, q, x, y, s);
    return y;
}

static void even_rows(const optim_hyper *h, float *x, float *v, int64_t rows, int64_t cols)
{
    double before = 0, after = 0;
    for (int64_t r = 0; r < rows; r++) {
        double square = square_of(x + r * cols, cols);
        v[r] = h->row_beta * v[r] + (1 - h->row_beta) * (float)(square / (double)cols);
        float factor = 1 / (sqrtf(v[r]) + h->eps);
        scale(x + r * cols, factor, cols);
        before += square, after += square * (double)factor * (double)factor;
    }
    if (after > 0)
        scale(x, (float)sqrt(before / after), rows * cols);
}

static void matrix(const optim_hyper *h, float *restrict w, const float *g, float *const moment[],
                   int64_t rows, int64_t cols, const gemm_ways *by, float *work)
{
    int64_t n = rows * cols;
    sides s = sides_of(rows, cols);
    float *x = work, *y = x + n, *squares = y + n;
    gather(h, x, g, moment[0], n);
    normalise(x, n);
    x = by_square(s) ? iterate_square(by, x, y, squares, s) : iterate(by, x, y, squares, s);
    if (h->row_beta > 0)
        even_rows(h, x, moment[1], rows, cols);
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
