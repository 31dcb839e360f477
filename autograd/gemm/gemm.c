// SPDX-License-Identifier: GPL-3.0-or-later
// gemm.c: which library multiplies, and how a product is shared out.
//
// C is cut into a grid of slabs, one a thread, each one serial call. A slab packs its own rows of A
// and its own columns of B, so a grid with more rows packs B more often and one with more columns
// A: the grid with the least work in its largest slab wins, packing counted. K is never cut: each
// element of C is summed in the order that the library has for one thread (Goto and van de Geijn
// 2008, section 4, for the layers; BLIS' "multithreading" page for the choice between them).
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "autograd/gemm/gemm.h"
#include "autograd/gemm/gemm_library.h"
#include "autograd/gemm/gemm_ways.h"
#include "base/arena.h"
#include "base/hw.h"
#include "base/room.h"
#include "base/str.h"

static const gemm_library *const libraries[] = {
    [GEMM_OPENBLAS] = &gemm_library_openblas,
    [GEMM_ONEDNN] = &gemm_library_onednn,
#ifdef __APPLE__
    [GEMM_ACCELERATE] = &gemm_library_accelerate,
#endif
};
#ifdef __APPLE__
static const char NAMES[] = "accelerate, openblas or onednn";
#else
static const char NAMES[] = "openblas or onednn";
#endif
enum { LIBRARIES = sizeof libraries / sizeof *libraries };

// Written once before the first product (or by it); a global because the libraries themselves are.
static atomic_int chosen = -1;
static gemm_ways ways;
static bool mixed; // some kinds go by `ways`
static gemm_times *watched;

// oneDNN's generator knows AVX-512 by its flags; OpenBLAS needs to know the CPU by name, but is as
// good wherever it does.
static gemm_backend faster_here(void)
{
#if defined(__APPLE__)
    return GEMM_ACCELERATE;
#elif defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") ? GEMM_ONEDNN : GEMM_OPENBLAS;
#else
    return GEMM_OPENBLAS;
#endif
}

static gemm_backend other_than(gemm_backend b)
{
    return b == GEMM_OPENBLAS ? GEMM_ONEDNN : GEMM_OPENBLAS;
}

static bool forced(void)
{
    const char *name = getenv("KMIDI_GEMM");
    return name && *name;
}

static bool choose_forced(err *e)
{
    const char *name = getenv("KMIDI_GEMM");
    for (int i = 0; i < LIBRARIES; i++)
        if (!strcmp(name, libraries[i]->name)) {
            if (!libraries[i]->load(e))
                return err_trail(e, "KMIDI_GEMM");
            atomic_store(&chosen, i);
            return true;
        }
    return err_set(e, ERR_USAGE, "KMIDI_GEMM is '%s'; set it to %s, or leave it unset", name,
                   NAMES);
}

bool gemm_choose(err *e)
{
    mixed = false;
    if (!gemm_bf16_choose(e))
        return false;
    if (forced())
        return choose_forced(e);
    gemm_backend b = faster_here();
    b = libraries[b]->load(NULL) ? b : other_than(b);
    atomic_store(&chosen, (int)b);
    return libraries[b]->load(e);
}

static bool reserve(gemm_backend b, int count, err *e)
{
    const gemm_library *l = libraries[b];
    if (!l->load(e))
        return false;
    if (!room_for(l->need(count)))
        return room_refuse(e, l->name, l->need(count));
    if (!l->reserve(count) && room_read().name)
        return err_set(e, ERR_MEMORY, "this build of %s cannot be kept within %s; unset that limit",
                       l->name, room_read().name);
    return true;
}

// The one that needs least of what little there is.
static gemm_backend smaller(int count)
{
    gemm_backend least = GEMM_OPENBLAS;
    for (int i = 1; i < LIBRARIES; i++)
        if (libraries[i]->need(count) < libraries[least]->need(count))
            least = (gemm_backend)i;
    return least;
}

bool gemm_open(const env *v, err *e)
{
    int count = threads_count(v->pool);
    if (!gemm_choose(e))
        return false;
    gemm_backend first = gemm_current(), least = smaller(count);
    uint64_t need = libraries[first]->need(count), left = room_read().left;
    if (forced() || first == least || (need <= left / 4 && room_for(need)))
        return reserve(first, count, e);
    if (!reserve(least, count, e))
        return false;
    atomic_store(&chosen, (int)least);
    char needed[32], leaves[32];
    log_say(v->log, LOG_WARN,
            "products by %s: %s would set aside %s of the address space, of which %s leaves %s",
            libraries[least]->name, libraries[first]->name, str_human_bytes(need, needed),
            room_read().name ? room_read().name : "the system",
            left == UINT64_MAX ? "less" : str_human_bytes(left, leaves));
    return true;
}

bool gemm_open_both(const env *v)
{
    int count = threads_count(v->pool);
    if (gemm_current() > GEMM_ONEDNN) // Accelerate has the matrix unit to itself
        return false;
    gemm_backend other = other_than(gemm_current());
    uint64_t need = libraries[other]->need(count);
    return !forced() && need <= room_read().left / 4 && room_for(need) &&
           reserve(other, count, NULL);
}

void gemm_use(const gemm_ways *w)
{
    ways = *w, mixed = true;
}

const gemm_ways *gemm_used(void)
{
    if (!mixed)
        ways = gemm_ways_none();
    return &ways;
}

void gemm_watch(gemm_times *t)
{
    watched = t;
}

const char *gemm_backend_name(gemm_backend b)
{
    return libraries[b]->name;
}

static int backend_find(const char *name)
{
    for (int i = 0; i < LIBRARIES; i++)
        if (!strcmp(name, libraries[i]->name))
            return i;
    return -1;
}

// One word of what gemm_said says: "nt320=onednn".
static bool read_word(char *word, gemm_ways *w)
{
    char *equals = strchr(word, '=');
    if (!equals)
        return false;
    *equals = 0;
    int kind = gemm_kind_find(word), b = backend_find(equals + 1);
    if (kind < 0 || b < 0)
        return false;
    w->of[kind] = (signed char)b;
    return true;
}

static bool read_said(const char *said, gemm_backend *first, gemm_ways *w, bool *both)
{
    char text[4096], *rest, *word;
    *w = gemm_ways_none(), *both = false;
    snprintf(text, sizeof text, "%s", said);
    word = strtok_r(text, " ", &rest);
    int b = word ? backend_find(word) : -1;
    *first = b < 0 ? GEMM_OPENBLAS : (gemm_backend)b;
    for (; b >= 0 && (word = strtok_r(NULL, " ", &rest)); *both = true)
        if (!read_word(word, w))
            return false;
    return b >= 0 && strlen(said) < sizeof text;
}

bool gemm_open_said(const env *v, const char *said, err *e)
{
    gemm_backend first;
    gemm_ways w;
    bool both;
    if (!read_said(said, &first, &w, &both))
        return err_set(e, ERR_DAMAGED,
                       "the libraries of its products are '%.200s', which no run says; set "
                       "KMIDI_GEMM to go on",
                       said);
    if (!gemm_choose(e))
        return false;
    if (forced()) {
        if (both || first != gemm_current())
            log_say(v->log, LOG_WARN,
                    "the run multiplied by %s, and KMIDI_GEMM says %s: numbers are the same to "
                    "rounding",
                    said, libraries[gemm_current()]->name);
        return gemm_open(v, e);
    }
    atomic_store(&chosen, (int)first);
    int count = threads_count(v->pool);
    if (!reserve(first, count, e) || (both && !reserve(other_than(first), count, e)))
        return err_trail(e,
                         "the run multiplied by %.60s; to go on by the other library, with the "
                         "same numbers to rounding, set KMIDI_GEMM",
                         said);
    if (both)
        gemm_use(&w);
    return true;
}

gemm_backend gemm_current(void)
{
    int c = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (c < 0) {
        err e;
        if (!gemm_choose(&e))
            CHECK(libraries[GEMM_ONEDNN]->load(NULL)), atomic_store(&chosen, GEMM_ONEDNN);
        c = atomic_load(&chosen);
    }
    return (gemm_backend)c;
}

const char *gemm_describe(char out[128])
{
    gemm_backend first = gemm_current();
    char a[64], b[62];
    libraries[first]->describe(a, sizeof a);
    libraries[other_than(first)]->describe(b, sizeof b);
    snprintf(out, 128, "%s, %s", a, b);
    return out;
}

static void scale(const gemm *p)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++)
            p->c[i * p->ldc + j] = p->beta == 0 ? 0 : p->beta * p->c[i * p->ldc + j];
}

static const gemm_library *library_of(const gemm *p)
{
    int b = mixed ? ways.of[gemm_kind(p)] : GEMM_OPEN;
    return libraries[b == GEMM_OPEN ? gemm_current() : (gemm_backend)b];
}

// Of this thread: what other processes take of a busy machine does not count.
static uint64_t thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void gemm_serial(const gemm *p)
{
    if (p->m <= 0 || p->n <= 0)
        return;
    if (p->k <= 0) {
        scale(p);
        return;
    }
    uint64_t began = watched ? thread_ns() : 0;
    library_of(p)->serial(p);
    if (watched)
        atomic_fetch_add(&watched->ns[gemm_kind(p)], thread_ns() - began);
}

typedef struct grid {
    int rows, cols;
    int64_t tile_m, tile_n;
} grid;

static int64_t largest_part(int64_t n, int64_t tile, int count)
{
    int64_t most = 0;
    for (int i = 0; i < count; i++) {
        int64_t lo, hi;
        threads_part(n, tile, i, count, &lo, &hi);
        most = hi - lo > most ? hi - lo : most;
    }
    return most;
}

// An element that is packed costs about as much as this many multiply-adds.
enum { PACK_COST = 16 };

static grid grid_choose(int64_t m, int64_t n, int count, const gemm_library *l)
{
    grid best = {1, 1, l->tile_m, l->tile_n};
    double least = (double)m * (double)n + PACK_COST * (double)(m + n);
    for (int rows = 1; rows <= count; rows++)
        if (count % rows == 0) {
            double pm = (double)largest_part(m, l->tile_m, rows),
                   pn = (double)largest_part(n, l->tile_n, count / rows);
            double work = pm * pn + PACK_COST * (pm + pn);
            if (work < least)
                least = work, best.rows = rows, best.cols = count / rows;
        }
    return best;
}

typedef struct job {
    const gemm *p;
    grid g;
} job;

static void slab(void *arg, int index, int count)
{
    (void)count;
    const job *j = arg;
    gemm p = *j->p;
    int64_t i0, i1, j0, j1;
    threads_part(p.m, j->g.tile_m, index / j->g.cols, j->g.rows, &i0, &i1);
    threads_part(p.n, j->g.tile_n, index % j->g.cols, j->g.cols, &j0, &j1);
    p.m = i1 - i0, p.n = j1 - j0;
    p.a += p.ta ? i0 : i0 * p.lda;
    p.b += p.tb ? j0 * p.ldb : j0;
    p.c += i0 * p.ldc + j0;
    gemm_serial(&p);
}

void gemm_run(const gemm *p, threads *pool, int count)
{
    if (count <= 1 || p->m <= 0 || p->n <= 0) {
        gemm_serial(p);
        return;
    }
    job j = {p, grid_choose(p->m, p->n, count, libraries[gemm_current()])};
    threads_run(pool, j.g.rows * j.g.cols, slab, &j);
}

// From measurements on AVX-512 and AVX2 cores at 3 to 4 GHz; only the proportion to other nodes and
// to a fork-join matters.
double gemm_cost(int64_t m, int64_t n, int64_t k)
{
    double flops_per_ns = gemm_current() == GEMM_ONEDNN ? 200 : 80;
    return 200 + 2.0 * (double)m * (double)n * (double)k / flops_per_ns +
           0.1 * ((double)m * (double)k + (double)k * (double)n + (double)m * (double)n);
}

double gemm_peak(threads *pool, int count)
{
    enum { SIDE = 2048 };
    size_t bytes = (size_t)SIDE * SIDE * sizeof(float);
    float *buffer = base_pages(3 * bytes);
    if (!buffer)
        return 0;
    float *a = buffer, *b = a + bytes / sizeof *a, *c = b + bytes / sizeof *b;
    for (size_t i = 0; i < 2 * bytes / sizeof *a; i++)
        a[i] = (float)(i % 7) - 3;
    gemm p = {.m = SIDE,
              .n = SIDE,
              .k = SIDE,
              .a = a,
              .b = b,
              .c = c,
              .lda = SIDE,
              .ldb = SIDE,
              .ldc = SIDE};
    double best = 1e30, start = hw_seconds();
    for (int i = 0; i < 2 || hw_seconds() - start < 0.25; i++) {
        double t = hw_seconds();
        gemm_run(&p, pool, count);
        t = hw_seconds() - t;
        best = t < best ? t : best;
    }
    base_pages_free(buffer, 3 * bytes);
    return 2e-9 * SIDE * SIDE * SIDE / best;
}
