// SPDX-License-Identifier: GPL-3.0-or-later
// optim.h: optimisers as loops over the flat buffers of params.h. One file in optim/ each, listed
// in optim.def; compiled for each vector width.
//
// Formulas and defaults are PyTorch's (torch.optim.AdamW, Adam, SGD, Muon), so that trajectories
// compare.
#ifndef KMIDI_AUTOGRAD_OPTIM_H
#define KMIDI_AUTOGRAD_OPTIM_H

#include "autograd/kit.h"
#include "autograd/params.h"
#include "base/threads.h"
#include "base/variant.h"

typedef struct optim_hyper {
    float lr, beta1, beta2, eps, weight_decay, momentum;
    float row_beta; // muon: rows of an update brought to one size; 0: as they are
    bool nesterov;
    uint64_t step;    // 1 for the first update (bias correction)
    float grad_scale; // multiplies every gradient first: the clip factor
} optim_hyper;

typedef struct optim_def {
    const char *name;
    const char *summary;
    int moments; // buffers of the gradient's length
    optim_hyper defaults;
    // Updates w[0..n) in place from g and the moments.
    void (*update)(const optim_hyper *h, float *w, const float *g, float *const moment[],
                   int64_t n);
    // Where set, updates a whole matrix between two layers [rows, cols] instead, on one thread, in
    // matrix_work elements of memory.
    void (*matrix)(const optim_hyper *h, float *w, const float *g, float *const moment[],
                   int64_t rows, int64_t cols, const gemm_ways *by, float *work);
    int64_t (*matrix_work)(int64_t rows, int64_t cols);
} optim_def;

const optim_def *optim_find(const char *name); // "adamw", "adam", "sgd", "muon"; NULL when unknown
const optim_def *optim_at(int i);              // NULL behind the last
// Elements of memory that a step works in; 0 for optimisers that go element by element. Known once
// the parameters are declared.
int64_t optim_work(const optim_def *o, const params *p, int count);
// One step over all trainable parameters by the kernels and libraries of `k`, on `count` threads.
// `work` (optim_work elements) is the caller's, not kept between steps.
void optim_step(const optim_def *o, const optim_hyper *h, params *p, float *work, const kit *k,
                threads *pool, int count);
// The global L2 norm of the flat gradient; not finite when any element is not. Summed in f64, in an
// order that does not depend on `count`.
double optim_grad_norm(const params *p, const kit *k, threads *pool, int count);
// The same of the trainable weights.
double optim_weight_norm(const params *p, const kit *k, threads *pool, int count);
// PyTorch's clip_grad_norm_: factor min(1, max_norm / (norm + 1e-6)); 1 where max_norm is 0 (no
// clipping).
float optim_clip_factor(double norm, double max_norm);
// shadow = decay * shadow + (1 - decay) * weights, over trainable parameters (shadow has the
// gradient's layout).
void optim_ema(float *shadow, float decay, const params *p, const kit *k, threads *pool, int count);

#endif
