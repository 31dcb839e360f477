// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_accelerate.c: the sgemm of Apple's Accelerate
// (https://developer.apple.com/documentation/accelerate/blas-library), which is the only way to the
// matrix unit of Apple's processors. Compiled on macOS alone.
//
// The only file that knows it. It is part of the system and opened as OpenBLAS is
// (gemm_openblas.c), so that no header or framework of an SDK is needed to build; what is declared
// here is the interface that it has had since 2003, with 32-bit sizes, and BLASSetThreading of
// macOS 15, which is a setting of the calling thread. Before macOS 15 only the environment can say
// "one thread", once, before it is loaded.
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_library.h"

enum { ROW_MAJOR = 101, AS_IT_IS = 111, TRANSPOSED = 112, SINGLE_THREADED = 1 };
typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                      int lda, const float *b, int ldb, float beta, float *c, int ldc);

static struct {
    sgemm_fn *sgemm;
    int (*set_threading)(unsigned how); // or NULL
    char missing[300];
} lib;

static void load(void)
{
    setenv("VECLIB_MAXIMUM_THREADS", "1", 0);
    void *library =
        dlopen("/System/Library/Frameworks/Accelerate.framework/Accelerate", RTLD_NOW | RTLD_LOCAL);
    void *sgemm = library ? dlsym(library, "cblas_sgemm") : NULL;
    if (!sgemm) {
        const char *why = dlerror();
        snprintf(lib.missing, sizeof lib.missing, "%s", why ? why : "it has no cblas_sgemm");
        return;
    }
    void *set = dlsym(library, "BLASSetThreading");
    memcpy(&lib.sgemm, &sgemm, sizeof sgemm);
    memcpy(&lib.set_threading, &set, sizeof set);
}

static bool accelerate_load(err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return lib.sgemm || err_set(e, ERR_MISSING, "accelerate cannot be loaded: %s", lib.missing);
}

// macOS keeps no limit of address space.
static uint64_t accelerate_need(int count)
{
    (void)count;
    return 0;
}

static bool accelerate_reserve(int count)
{
    (void)count;
    return true;
}

static void accelerate_serial(const gemm *p)
{
    static _Thread_local bool told;
    CHECK(p->m <= INT_MAX && p->n <= INT_MAX && p->k <= INT_MAX && p->lda <= INT_MAX &&
          p->ldb <= INT_MAX && p->ldc <= INT_MAX);
    if (!told && lib.set_threading)
        lib.set_threading(SINGLE_THREADED);
    told = true;
    lib.sgemm(ROW_MAJOR, p->ta ? TRANSPOSED : AS_IT_IS, p->tb ? TRANSPOSED : AS_IT_IS, (int)p->m,
              (int)p->n, (int)p->k, 1.0f, p->a, (int)p->lda, p->b, (int)p->ldb, p->beta, p->c,
              (int)p->ldc);
}

static void accelerate_describe(char *out, size_t size)
{
    snprintf(out, size, "%s", accelerate_load(NULL) ? "accelerate" : "no accelerate");
}

const gemm_library gemm_library_accelerate = {
    .name = "accelerate",
    .tile_m = 16,
    .tile_n = 16,
    .load = accelerate_load,
    .need = accelerate_need,
    .reserve = accelerate_reserve,
    .serial = accelerate_serial,
    .describe = accelerate_describe,
};
