// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_openblas.c: OpenBLAS' sgemm (https://github.com/OpenMathLib/OpenBLAS/wiki/Faq,
// "multi-threaded applications").
//
// The only file that knows OpenBLAS. It is opened when it is wanted, not linked: as it is loaded it
// starts a thread for each core but one, each with 128 MiB to pack into, and where a limit (ulimit
// -v, -d) refuses those it asks again for ever, in `kmidi help` too. Told before that there is one
// thread, it starts none. Then each thread of ours that is in a product takes one such buffer, of
// which it touches what it packs; they stay mapped for the life of the process. So all are taken
// when the library is chosen (openblas_reserve), after it was seen that there is room.
//
// It chooses its kernels when it is loaded, from a list of CPUs as old as the library. One that is
// not in it gets those that its features allow, but of Intel's newer families (Raptor Lake, Emerald
// Rapids) those of a Pentium 4 from 0.3.21 of Debian 12 (get_coretype of driver/others/dynamic.c
// runs into another family's case): a fifth of the speed. So where what it took is of another width
// than our own kernels (base/variant.h), it is opened again and told, by OPENBLAS_CORETYPE: up to
// what this CPU has, down to what KMIDI_ISA says. What the user says there is not touched. Every
// version knows the three names, and does not ask whether the CPU can: we did. One that was built
// without such kernels, or for one CPU alone, takes what it has.
//
// Its variables are set and put back around dlopen, which no thread may do that is not alone in
// reading the environment: it is opened where a command chooses what multiplies, before it has
// readers and servers beside it, and never by the library of include/kmidi.h (gemm_alone).
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
#include "base/variant.h"

// BUFFER_SIZE of its common_*.h, and what is lost beside it.
static const uint64_t BUFFER_BYTES = (uint64_t)128 << 20, MARGIN_BYTES = (uint64_t)16 << 20;
static const uint64_t LIBRARY_BYTES = (uint64_t)64 << 20; // its file is mapped: 36 MB and more
static const char NUM_THREADS[] = "OPENBLAS_NUM_THREADS", CORETYPE[] = "OPENBLAS_CORETYPE";

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
    char by[48]; // who chose its kernels, where it was not the library
    pthread_once_t loaded;
} lib = {.loaded = PTHREAD_ONCE_INIT};

// ---- Kernels

// What it calls those of our widths, and those for other CPUs without AVX-512; any other name is
// newer than these lists.
static const char *const core_of[VARIANT_COUNT] = {
    [VARIANT_BASE] = "Prescott", [VARIANT_V3] = "Haswell", [VARIANT_V4] = "SkylakeX"};
static const char without_avx2[] = " Prescott Core2 Penryn Dunnington Nehalem Atom Nano Opteron "
                                   "Opteron_SSE3 Barcelona Bobcat Sandybridge Bulldozer "
                                   "Piledriver Steamroller ",
                  with_avx2[] = " Haswell Zen Excavator ";

static variant width_of(const char *core)
{
    char word[32];
    snprintf(word, sizeof word, " %s ", core);
    return strstr(without_avx2, word) ? VARIANT_BASE
           : strstr(with_avx2, word)  ? VARIANT_V3
                                      : VARIANT_V4;
}

// NULL: its own choice stays, as it does wherever there is one width (not x86).
static const char *core_to_tell(const char *own)
{
    variant want = variant_best(), has = width_of(own);
    return has < want || (has > want && variant_lowered()) ? core_of[want] : NULL;
}

// ---- Loading

// What a variable was before is returned, to be given to put_back.
static char *set_for_now(const char *name, const char *value)
{
    const char *set = getenv(name);
    char *before = set ? strdup(set) : NULL;
    setenv(name, value, 1);
    return before;
}

static void put_back(const char *name, char *before)
{
    if (before)
        setenv(name, before, 1);
    else
        unsetenv(name);
    free(before);
}

static bool open_alone(void)
{
    char *before = set_for_now(NUM_THREADS, "1");
    lib.is_here = library_open(&libopenblas, &lib.f, &lib.missing);
    put_back(NUM_THREADS, before);
    return lib.is_here;
}

// Of one that something else in this process has loaded the kernels stay.
static bool open_as(const char *core, const char *own)
{
    char before[24];
    snprintf(before, sizeof before, "%s", own); // is in what is unloaded
    library_close(&libopenblas);
    setenv(CORETYPE, core, 1);
    bool ok = open_alone();
    unsetenv(CORETYPE);
    if (!ok || !strcmp(before, lib.f.get_corename()))
        return ok;
    if (variant_lowered())
        snprintf(lib.by, sizeof lib.by, " by KMIDI_ISA");
    else
        snprintf(lib.by, sizeof lib.by, " by kmidi, %s by itself", before);
    return true;
}

static void load(void)
{
    const char *said = getenv(CORETYPE);
    if (!open_alone())
        return;
    const char *own = lib.f.get_corename(), *core = said ? NULL : core_to_tell(own);
    if (said)
        snprintf(lib.by, sizeof lib.by, " by %s", CORETYPE);
    if (core && !open_as(core, own))
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
    return err_set(e, ERR_MISSING,
                   "%s; its package is libopenblas0-pthread (Debian), openblas (Homebrew)",
                   lib.missing.text);
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
    snprintf(out, size, "openblas %s (%s%s)", version, lib.f.get_corename(), lib.by);
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
