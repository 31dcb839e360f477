// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_openblas.c: OpenBLAS' sgemm (https://github.com/OpenMathLib/OpenBLAS/wiki/Faq,
// "multi-threaded applications").
//
// The only file that knows OpenBLAS. It is opened when it is wanted, not linked: as it is loaded it
// starts a thread for each core but one, each with 128 MiB to pack into, and where a limit (ulimit
// -v, -d) refuses those it asks again for ever, in `kmidi help` too. Told before that there is one
// thread, it starts none. Then each thread of ours that is in a product takes one such buffer, of
// which it touches what it packs; they stay mapped for the life of the process. So all are taken
// when the library is chosen (openblas_reserve), after it was seen that there is room. It chooses
// its kernels when it is loaded, from a list of CPUs as old as the library: one that it does not
// know gets those of an older one (OPENBLAS_CORETYPE in the environment overrides).
#include <cblas.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_library.h"
#include "base/hw.h"
#include "base/library.h"
#include "base/room.h"

// BUFFER_SIZE of its common_*.h, and what is lost beside it.
static const uint64_t BUFFER_BYTES = (uint64_t)128 << 20, MARGIN_BYTES = (uint64_t)16 << 20;
static const uint64_t LIBRARY_BYTES = (uint64_t)64 << 20; // its file is mapped: 36 MB and more

typedef struct openblas {
    __typeof__(cblas_sgemm) *sgemm;
    __typeof__(openblas_set_num_threads) *set_num_threads;
    __typeof__(openblas_get_config) *get_config;
    __typeof__(openblas_get_corename) *get_corename;
    void *(*take)(int where); // blas_memory_alloc and _free, of no header: NULL where it has none
    void (*give)(void *buffer);
} openblas;

static const library_function functions[] = {
    {"cblas_sgemm", offsetof(openblas, sgemm)},
    {"openblas_set_num_threads", offsetof(openblas, set_num_threads)},
    {"openblas_get_config", offsetof(openblas, get_config)},
    {"openblas_get_corename", offsetof(openblas, get_corename)},
};
static const library_function buffer_functions[] = {{"blas_memory_alloc", offsetof(openblas, take)},
                                                    {"blas_memory_free", offsetof(openblas, give)}};
static const library libopenblas = {"openblas", LIBRARY_FILES("openblas", "0"), functions, 4};
static const library libopenblas_buffers = {"openblas", LIBRARY_FILES("openblas", "0"),
                                            buffer_functions, 2};

static struct {
    openblas f;
    err missing; // why it is not here
    bool is_here;
    pthread_once_t loaded;
} lib = {.loaded = PTHREAD_ONCE_INIT};

static void load(void)
{
    static const char variable[] = "OPENBLAS_NUM_THREADS";
    const char *set = getenv(variable);
    char *before = set ? strdup(set) : NULL;
    setenv(variable, "1", 1);
    lib.is_here = library_open(&libopenblas, &lib.f, &lib.missing);
    if (before)
        setenv(variable, before, 1);
    else
        unsetenv(variable);
    free(before);
    if (!lib.is_here)
        return;
    if (!library_open(&libopenblas_buffers, &lib.f, NULL))
        lib.f.take = NULL;
    lib.f.set_num_threads(1); // of one that was loaded before
}

static uint64_t openblas_need(int count)
{
    return (uint64_t)count * BUFFER_BYTES + MARGIN_BYTES;
}

static bool openblas_load(err *e)
{
    pthread_once(&lib.loaded, load);
    if (lib.is_here)
        return true;
    if (room_read().left < LIBRARY_BYTES)
        return room_refuse(e, "openblas", LIBRARY_BYTES + openblas_need(hw_cores()), ROOM_OF_A_RUN);
    return err_set(e, ERR_MISSING, "%s", lib.missing.text);
}

// All buffers at once, as in products at the same time.
static bool openblas_reserve(int count)
{
    void **buffers = calloc((size_t)count, sizeof *buffers);
    for (int i = 0; buffers && lib.f.take && i < count; i++)
        buffers[i] = lib.f.take(0);
    for (int i = 0; buffers && lib.f.take && i < count; i++)
        lib.f.give(buffers[i]);
    free(buffers);
    return lib.f.take != NULL;
}

static void openblas_serial(const gemm *p)
{
    CHECK(p->m <= INT_MAX && p->n <= INT_MAX && p->k <= INT_MAX && p->lda <= INT_MAX &&
          p->ldb <= INT_MAX && p->ldc <= INT_MAX);
    lib.f.sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans,
                (blasint)p->m, (blasint)p->n, (blasint)p->k, 1.0f, p->a, (blasint)p->lda, p->b,
                (blasint)p->ldb, p->beta, p->c, (blasint)p->ldc);
}

static void openblas_describe(char *out, size_t size)
{
    char version[24] = "?"; // the second word of "OpenBLAS 0.3.21 NO_LAPACKE ..."
    if (!openblas_load(NULL)) {
        snprintf(out, size, "no openblas");
        return;
    }
    sscanf(lib.f.get_config(), "%*s %23s", version);
    snprintf(out, size, "openblas %s (%s)", version, lib.f.get_corename());
}

const gemm_library gemm_library_openblas = {
    .name = "openblas",
    .tile_m = 4,
    .tile_n = 16,
    .load = openblas_load,
    .need = openblas_need,
    .reserve = openblas_reserve,
    .serial = openblas_serial,
    .describe = openblas_describe,
};
