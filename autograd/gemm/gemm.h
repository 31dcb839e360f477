// SPDX-License-Identifier: GPL-3.0-or-later
// gemm.h: matrix products through one interface, OpenBLAS or oneDNN behind it.
//
// Both libraries are called single-threaded, once for each slab of rows or columns of C, from our
// own pool: a node's thread count is the planner's choice and no second pool competes.
// KMIDI_GEMM=openblas|onednn forces one (on macOS accelerate, too); otherwise it is the one that is
// mostly faster on such a CPU (oneDNN with AVX-512, Accelerate on macOS, OpenBLAS elsewhere), but
// for the kinds of products of which another was measured (gemm_ways.h).
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

// the last on macOS alone
typedef enum gemm_backend { GEMM_OPENBLAS, GEMM_ONEDNN, GEMM_ACCELERATE } gemm_backend;
// reads KMIDI_GEMM once, before the first product; an unknown name is ERR_USAGE
bool gemm_choose(err *e) MUST_CHECK;
// gemm_choose, and all that the library takes for products on the threads of v->pool, now: or
// ERR_MEMORY with the limit that would do.
bool gemm_open(const env *v, err *e) MUST_CHECK;
gemm_backend gemm_current(void);
// "onednn 2.6.3 (avx512), openblas 0.3.21 (Haswell)"
const char *gemm_describe(char out[128]);
void gemm_run(const gemm *p, threads *pool, int count); // split over `count` threads
void gemm_serial(const gemm *p);                        // on the calling thread
double gemm_cost(int64_t m, int64_t n, int64_t k);      // nanoseconds on one thread, estimate
static inline double gemm_flops(int64_t m, int64_t n, int64_t k)
{
    return 2.0 * (double)m * (double)n * (double)k;
}
// What this machine reaches at 2048^3 with `count` threads, GFLOP/s (about 0.3 s).
double gemm_peak(threads *pool, int count);

#endif
