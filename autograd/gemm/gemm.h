// SPDX-License-Identifier: GPL-3.0-or-later
// gemm.h: matrix products through one interface, OpenBLAS or oneDNN behind it.
//
// Both libraries are called single-threaded, once for each slab of rows or columns of C, from our
// own pool: a node's thread count is the planner's choice and no second pool competes.
// KMIDI_GEMM=openblas|onednn|own forces one (on macOS accelerate, too); otherwise it is the one
// that is mostly faster on such a CPU (oneDNN with AVX-512, Accelerate on macOS, OpenBLAS
// elsewhere), but for the kinds of products of which another was measured (gemm_ways.h).
//
// A library sets aside address space for each thread, OpenBLAS 128 MiB of it. Where the system
// limits that (base/room.h), one that would take more than a quarter of what is left gives way to
// the one that takes least.
#ifndef KMIDI_AUTOGRAD_GEMM_GEMM_H
#define KMIDI_AUTOGRAD_GEMM_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/err.h"
#include "base/threads.h"

// C [M, N] = op(A) [M, K] op(B) [K, N] + beta C, row-major with leading dimensions; op is the
// transpose where ta, tb.
typedef struct gemm {
    bool ta, tb;
    int64_t m, n, k;
    const float *a, *b;
    int64_t lda, ldb;
    float beta;
    float *c;
    int64_t ldc;
} gemm;

// p with the leading dimensions of matrices whose rows lie side by side.
static inline gemm gemm_dense(gemm p)
{
    p.lda = p.ta ? p.m : p.k, p.ldb = p.tb ? p.k : p.n, p.ldc = p.n;
    return p;
}

// GEMM_OWN: loops of ours, which take no memory (gemm_own.c); the last on macOS alone
typedef enum gemm_backend { GEMM_OPENBLAS, GEMM_ONEDNN, GEMM_OWN, GEMM_ACCELERATE } gemm_backend;
// gemm_bf16.h
typedef enum gemm_bf16_way { GEMM_BF16_WIDEN, GEMM_BF16_ONEDNN, GEMM_BF16_AMX } gemm_bf16_way;

// gemm_int8.h
typedef enum gemm_int8_way { GEMM_INT8_PAIRS, GEMM_INT8_VNNI, GEMM_INT8_AMX } gemm_int8_way;

// Which library multiplies what: chosen before a plan is made, which then holds it (kit.h). Two
// that differ may multiply at the same time.
enum { GEMM_RANGES = 4, GEMM_KINDS = 4 * GEMM_RANGES * GEMM_RANGES * GEMM_RANGES, GEMM_OPEN = -1 };
typedef struct gemm_ways {
    gemm_backend first;         // multiplies each kind that is GEMM_OPEN
    signed char of[GEMM_KINDS]; // a gemm_backend, or GEMM_OPEN (gemm_ways.h)
    gemm_bf16_way bf16;
    bool bf16_forced;         // by KMIDI_BF16
    gemm_int8_way int8;       // of the same bits, whichever it is
    struct gemm_times *watch; // adds up the time of products (gemm_ways.h); NULL: nobody does
} gemm_ways;

// As KMIDI_GEMM, KMIDI_BF16 and KMIDI_INT8 say, else what is mostly faster here; an unknown name is
// ERR_USAGE.
bool gemm_choose(gemm_ways *w, err *e) MUST_CHECK;
// Products by GEMM_OWN alone: what real time may call.
gemm_ways gemm_alone(void);
// gemm_choose, and all that the library takes for products on the threads of v->pool, now: or
// ERR_MEMORY with the limit that would do.
bool gemm_open(const env *v, gemm_ways *w, err *e) MUST_CHECK;
// "onednn 2.6.3 (avx512), openblas 0.3.21 (Haswell)"
const char *gemm_describe(const gemm_ways *w, char out[128]);
// split over `count` threads
void gemm_run(const gemm_ways *w, const gemm *p, threads *pool, int count);
void gemm_serial(const gemm_ways *w, const gemm *p); // on the calling thread
// nanoseconds on one thread, estimate
double gemm_cost(const gemm_ways *w, int64_t m, int64_t n, int64_t k);
static inline double gemm_flops(int64_t m, int64_t n, int64_t k)
{
    return 2.0 * (double)m * (double)n * (double)k;
}
// What this machine reaches at 2048^3 with `count` threads, GFLOP/s (about 0.3 s).
double gemm_peak(const gemm_ways *w, threads *pool, int count);

#endif
