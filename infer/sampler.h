// SPDX-License-Identifier: GPL-3.0-or-later
// sampler.h: from logits to a token. In this order, as users of PyTorch's libraries know it:
//
//     penalty      l <- l / penalty where l > 0, else l * penalty, for every token among the last
//                  `memory` ones (Keskar et al., "CTRL: a conditional transformer language model
//                  for controllable generation", 2019)
//     temperature  l <- l / temperature; 0: always the likeliest, the first of equals
//     top_k        only the k largest stay, and what equals the last of them
//     top_p        of what stays, the fewest of the likeliest that have the probability p together
//                  (Holtzman et al., "The curious case of neural text degeneration", ICLR 2020)
//
// and the token is drawn from the softmax of what is left. Draw i is a function of (seed, stream,
// i) and the logits: the same seed gives the same tokens. A logit of -INFINITY is never drawn; that
// is how a caller forbids a token.
//
//     sampler *s = sampler_open(&(sampler_options){.temperature = 0.85, .top_k = 40, .top_p = 0.92,
//         .penalty = 1, .seed = 1}, 128, &a);
//     sampler_draw(s, logits, tokens, n, &token, e)
#ifndef KMIDI_INFER_SAMPLER_H
#define KMIDI_INFER_SAMPLER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

typedef struct sampler_options {
    double temperature; // 0 .. 100
    int top_k;          // 0: all
    double top_p;       // 0 < p <= 1
    double penalty;     // 0 < penalty <= 100; 1: none
    int memory;         // tokens that the penalty looks back; 0: all
    uint64_t seed;
    uint32_t stream; // one seed may feed several samplers
} sampler_options;

typedef struct sampler sampler;

// ERR_USAGE names the first that is out of range
bool sampler_check(const sampler_options *o, err *e) MUST_CHECK;
sampler *sampler_open(const sampler_options *o, int count, arena *a);
// The token behind history[n]. ERR_NUMERIC where logits are NaN or +INFINITY, or none can be drawn.
bool sampler_draw(sampler *s, const float *logits, const int *history, int n, int *token,
                  err *e) MUST_CHECK;
// What it would draw from: p [count], sum 1, 0 for what was cut. Counts as no draw.
bool sampler_distribution(sampler *s, const float *logits, const int *history, int n, double *p,
                          err *e) MUST_CHECK;

#endif
