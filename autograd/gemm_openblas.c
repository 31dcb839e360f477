// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_openblas.c: OpenBLAS' sgemm (https://github.com/OpenMathLib/OpenBLAS/wiki/Faq, "multi-threaded applications").
//
// The only file that knows OpenBLAS. Told once to use a single thread, it may be called from several at a time; it keeps its packing
// buffers for the life of the process. It chooses its kernels when it is loaded, from a list of CPUs as old as the library: one that it
// does not know gets those of an older one (OPENBLAS_CORETYPE in the environment overrides).
#include <cblas.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#include "autograd/gemm_library.h"

static void one_thread(void)
{
    openblas_set_num_threads(1);
}

static void openblas_serial(const gemm *p)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, one_thread);
    CHECK(p->m <= INT_MAX && p->n <= INT_MAX && p->k <= INT_MAX && p->lda <= INT_MAX && p->ldb <= INT_MAX && p->ldc <= INT_MAX);
    cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans, (blasint)p->m, (blasint)p->n,
                (blasint)p->k, 1.0f, p->a, (blasint)p->lda, p->b, (blasint)p->ldb, p->beta, p->c, (blasint)p->ldc);
}

static void openblas_describe(char *out, size_t size)
{
    char version[24] = "?"; // the second word of "OpenBLAS 0.3.21 NO_LAPACKE ..."
    sscanf(openblas_get_config(), "%*s %23s", version);
    snprintf(out, size, "openblas %s (%s)", version, openblas_get_corename());
}

const gemm_library gemm_library_openblas = {"openblas", 4, 16, openblas_serial, openblas_describe};
