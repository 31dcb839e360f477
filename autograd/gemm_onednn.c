// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_onednn.c: oneDNN's sgemm (https://oneapi-src.github.io/oneDNN/v2.6/dev_guide_matmul.html, dnnl_sgemm of dnnl.h).
//
// The only file that knows oneDNN. Its C function is row-major. It takes as many threads as OpenMP would give to a parallel region of the
// caller, so each of our threads says "one" before its call: an OpenMP setting of the calling thread, not of the process. Code for this CPU
// is generated at the first product (25 ms, once for all sizes); nothing is owned between calls.
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>

#include "autograd/gemm_library.h"

void omp_set_num_threads(int n); // of the OpenMP library that oneDNN is linked to; <omp.h> is not there with every compiler

static void onednn_serial(const gemm *p)
{
    omp_set_num_threads(1);
    dnnl_status_t s =
        dnnl_sgemm(p->ta ? 'T' : 'N', p->tb ? 'T' : 'N', p->m, p->n, p->k, 1.0f, p->a, p->lda, p->b, p->ldb, p->beta, p->c, p->ldc);
    CHECK(s == dnnl_success);
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
