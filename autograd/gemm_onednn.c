// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_onednn.c: oneDNN's sgemm (https://oneapi-src.github.io/oneDNN/v2.6/dev_guide_matmul.html, dnnl_sgemm of dnnl.h).
//
// The only file that knows oneDNN. Its C function is row-major. It takes as many threads as OpenMP would give to a parallel region of the
// caller, so each of our threads says "one" before its call: an OpenMP setting of the calling thread, not of the process. Code for this
// CPU is generated at the first product (25 ms, once for all sizes). Memory to pack into is taken from the C library in a call and given
// back at its end, the same sizes in every step: the only memory that a training step takes, and it does not grow.
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <string.h>

#include "autograd/gemm_library.h"

void omp_set_num_threads(int n); // of the OpenMP library that oneDNN is linked to; <omp.h> is not there with every compiler

static void product(const gemm *p)
{
    dnnl_status_t s =
        dnnl_sgemm(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', p->m, p->n, p->k, 1.0f, p->a, p->lda, p->b, p->ldb, p->beta, p->c, p->ldc);
    CHECK(s == dnnl_success);
}

// A transposed A is packed a few of our columns at a time. Where its rows are a multiple of 4 KiB apart, all those pieces fall into the
// same cache set and every line is read several times: 195 GFLOP/s of 252 on a Zen 5 core. Copied first to rows that lie otherwise: 225.
enum { BAD_STRIDE = 1024, COPY_M = 128, COPY_K = 512, COPY_LD = COPY_M + 16 };

static void product_by_copies(const gemm *p)
{
    _Alignas(64) float copy[COPY_K * COPY_LD];
    for (int64_t k = 0; k < p->k; k += COPY_K)
        for (int64_t m = 0; m < p->m; m += COPY_M) {
            gemm q = *p;
            q.m = p->m - m < COPY_M ? p->m - m : COPY_M;
            q.k = p->k - k < COPY_K ? p->k - k : COPY_K;
            for (int64_t i = 0; i < q.k; i++)
                memcpy(copy + i * COPY_LD, p->a + (k + i) * p->lda + m, (size_t)q.m * sizeof *copy);
            q.a = copy, q.lda = COPY_LD;
            q.b += k * (p->tb ? 1 : p->ldb);
            q.c += m * p->ldc;
            q.beta = k > 0 ? 1.0f : p->beta;
            product(&q);
        }
}

static void onednn_serial(const gemm *p)
{
    omp_set_num_threads(1);
    if (p->ta && p->lda % BAD_STRIDE == 0 && p->n >= 64 && p->k >= 32)
        product_by_copies(p);
    else
        product(p);
}

static const char *isa_name(void)
{
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    if (isa & (dnnl_cpu_isa_avx512_core & ~dnnl_cpu_isa_avx2))
        return "avx512";
    return isa == dnnl_cpu_isa_avx2 ? "avx2" : "other";
}

static void onednn_describe(char *out, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(out, size, "onednn %d.%d.%d (%s)", v->major, v->minor, v->patch, isa_name());
}

// Its kernel of 48 x 8 is column-major: 48 of our columns, 8 of our rows.
const gemm_library gemm_library_onednn = {"onednn", 8, 48, onednn_serial, onednn_describe};
