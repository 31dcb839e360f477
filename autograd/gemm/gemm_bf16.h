// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_bf16.h: products of matrices of bf16, or of bf16x2 (graph.h), summed in f32.
//
// Tiles of ours compute them where the CPU has AMX (gemm_amx.h), oneDNN where it has AVX512-BF16
// and that is measured to multiply more than f32 does. Elsewhere both matrices are widened to f32,
// which is exact, and multiplied as any others are (gemm.h): the same numbers up to the order of
// summation. KMIDI_BF16=amx|onednn|widen forces one (oneDNN emulates bf16 on other CPUs with
// AVX-512: for tests, it is slow).
//
// Of bf16x2 three products are summed, low x high + high x low + high x high: oneMKL's
// FLOAT_TO_BF16X3, by AMX for 32 numbers after 32. What is left out, low x low, is 2^-16 of it.
#ifndef KMIDI_AUTOGRAD_GEMM_GEMM_BF16_H
#define KMIDI_AUTOGRAD_GEMM_GEMM_BF16_H

#include "autograd/gemm/gemm.h"
#include "base/bf16.h"

// C [M, N] = op(A) op(B) + beta C as in gemm.h; beta is 0 or 1.
typedef struct gemm_bf16 {
    bool ta, tb;
    int64_t m, n, k;
    const bf16 *a, *b;
    int64_t lda, ldb;
    int64_t a_low, b_low; // how far behind a and b their low halves are; both 0: bf16
    float beta;
    float *c;
    int64_t ldc;
    bool padded; // rows of A go on with zeros up to a multiple of 32 numbers: AMX reads those, too
} gemm_bf16;

// The forms and sizes of `p`, with C, without A and B.
static inline gemm_bf16 gemm_bf16_like(const gemm *p)
{
    return (gemm_bf16){.ta = p->ta,
                       .tb = p->tb,
                       .m = p->m,
                       .n = p->n,
                       .k = p->k,
                       .lda = p->lda,
                       .ldb = p->ldb,
                       .beta = p->beta,
                       .c = p->c,
                       .ldc = p->ldc};
}

// Of `w` how products of bf16 go: reads KMIDI_BF16; called by gemm_choose.
bool gemm_bf16_choose(gemm_ways *w, err *e) MUST_CHECK;
// It works on this CPU, if slowly: oneDNN on any with AVX-512.
bool gemm_bf16_here(gemm_bf16_way way);
bool gemm_bf16_natively(gemm_bf16_way way); // and fast, or by widening
gemm_bf16_way gemm_bf16_best(void); // the fastest here: what is taken where nothing is forced
// What a run took that does not say it: AMX and the measurement came later.
gemm_bf16_way gemm_bf16_before_amx(void);
const char *gemm_bf16_name(gemm_bf16_way way);             // "amx", as KMIDI_BF16 has it
bool gemm_bf16_find(const char *name, gemm_bf16_way *way); // false: there is none of that name
const char *gemm_bf16_describe(gemm_bf16_way way);         // "widened to f32", for people
// Not GEMM_BF16_WIDEN; on the calling thread; m, n >= 1; k 0: a sum of nothing.
void gemm_bf16_serial(const gemm_ways *w, const gemm_bf16 *p);
// nanoseconds on one thread of one product, estimate
double gemm_bf16_cost(const gemm_ways *w, int64_t m, int64_t n, int64_t k);

// How many multiply-adds VDPBF16PS does in the time of one of VFMADD231PS, registers alone, from
// 0.2 ms on the calling thread: 2 on AMD's Zen 4, 0.5 on Intel's cores since Golden Cove (Sapphire
// and Emerald Rapids). 0 elsewhere than on x86; without AVX512-BF16 it may not be asked.
double gemm_bf16_dots(void);
#define GEMM_BF16_DOTS_LEAST 1.25

// Measured on the calling thread, on part of a large product; of `sizes` only ta, tb, m, n, k
// count. Not GEMM_BF16_WIDEN.
bool gemm_bf16x3_faster(const gemm_ways *w, const gemm *sizes);

#endif
