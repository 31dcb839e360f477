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

#include "autograd/gemm/gemm.h"
#include "autograd/gemm/gemm_int8.h"
#include "autograd/gemm/gemm_library.h"
#include "autograd/gemm/gemm_ways.h"
#include "base/arena.h"
#include "base/hw.h"
#include "base/room.h"
#include "base/str.h"

static const gemm_library *const libraries[] = {
    [GEMM_OPENBLAS] = &gemm_library_openblas,
    [GEMM_ONEDNN] = &gemm_library_onednn,
    [GEMM_OWN] = &gemm_library_own,
#ifdef __APPLE__
    [GEMM_ACCELERATE] = &gemm_library_accelerate,
#endif
};
#ifdef __APPLE__
static const char NAMES[] = "accelerate, openblas, onednn or own";
#else
static const char NAMES[] = "openblas, onednn or own";
#endif
enum { LIBRARIES = sizeof libraries / sizeof *libraries };

// With AVX-512 a step by OpenBLAS takes a tenth to two fifths more than by oneDNN; without, both
// are alike.
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

static int backend_find(const char *name)
{
    for (int i = 0; i < LIBRARIES; i++)
        if (!strcmp(name, libraries[i]->name))
            return i;
    return -1;
}

static bool choose_forced(gemm_ways *w, err *e)
{
    const char *name = getenv("KMIDI_GEMM");
    int b = backend_find(name);
    if (b < 0)
        return err_set(e, ERR_USAGE, "KMIDI_GEMM is '%s'; set it to %s, or leave it unset", name,
                       NAMES);
    w->first = (gemm_backend)b;
    return libraries[b]->load(e) || err_trail(e, "KMIDI_GEMM");
}

gemm_ways gemm_alone(void)
{
    return gemm_ways_open(&(gemm_ways){.first = GEMM_OWN});
}

// The faster one, or else the other; where neither can be had, both are named: either would do.
static bool choose_found(gemm_ways *w, err *e)
{
    err why[2] = {{0}, {0}};
    gemm_backend other = other_than(w->first);
    if (libraries[w->first]->load(&why[0]))
        return true;
    w->first = other;
    return libraries[other]->load(&why[1]) ||
           err_set(e, why[0].code, "%s; or else: %s", why[0].text, why[1].text);
}

bool gemm_choose(gemm_ways *w, err *e)
{
    *w = gemm_ways_open(&(gemm_ways){.first = faster_here()});
    if (!gemm_bf16_choose(w, e) || !gemm_int8_choose(w, e))
        return false;
    if (forced())
        return choose_forced(w, e);
    return choose_found(w, e);
}

static bool reserve(gemm_backend b, int count, err *e)
{
    const gemm_library *l = libraries[b];
    if (!l->load(e))
        return false;
    if (l->need(count) && !room_for(l->need(count)))
        return room_refuse(e, l->name, l->need(count), ROOM_OF_A_RUN);
    if (!l->reserve(count) && room_read().name)
        return err_set(e, ERR_MEMORY, "this build of %s cannot be kept within %s; unset that limit",
                       l->name, room_read().name);
    return true;
}

// The library, of those that are here, that needs least of what little there is.
static gemm_backend smaller(gemm_backend first, int count)
{
    gemm_backend least = first;
    for (int i = 0; i < LIBRARIES; i++)
        if (i != GEMM_OWN && libraries[i]->need(count) < libraries[least]->need(count) &&
            libraries[i]->load(NULL))
            least = (gemm_backend)i;
    return least;
}

bool gemm_open(const env *v, gemm_ways *w, err *e)
{
    int count = threads_count(v->pool);
    if (!gemm_choose(w, e))
        return false;
    gemm_backend first = w->first, least = smaller(first, count);
    uint64_t need = libraries[first]->need(count), left = room_read().left;
    if (forced() || first == least || (need <= left / 4 && room_for(need)))
        return reserve(first, count, e);
    if (!reserve(least, count, e))
        return false;
    w->first = least;
    char needed[32], leaves[32];
    log_say(v->log, LOG_WARN,
            "products by %s: %s would set aside %s of the address space, of which %s leaves %s",
            libraries[least]->name, libraries[first]->name, str_human_bytes(need, needed),
            room_read().name ? room_read().name : "the system",
            left == UINT64_MAX ? "less" : str_human_bytes(left, leaves));
    return true;
}

bool gemm_open_both(const env *v, const gemm_ways *w)
{
    int count = threads_count(v->pool);
    if (w->first > GEMM_ONEDNN) // Accelerate has the matrix unit to itself, loops of ours no rival
        return false;
    gemm_backend other = other_than(w->first);
    uint64_t need = libraries[other]->need(count);
    return !forced() && need <= room_read().left / 4 && room_for(need) &&
           reserve(other, count, NULL);
}

const char *gemm_backend_name(gemm_backend b)
{
    return libraries[b]->name;
}

// What a run said of itself.
typedef struct spoken {
    gemm_ways w;
    bool both, bf16; // it names two libraries; how bf16 goes
} spoken;

// One word of what gemm_said says: "nt320=onednn".
static bool read_word(char *word, spoken *s)
{
    char *equals = strchr(word, '=');
    if (!equals)
        return false;
    *equals = 0;
    if (!strcmp(word, "bf16"))
        return s->bf16 = gemm_bf16_find(equals + 1, &s->w.bf16);
    int kind = gemm_kind_find(word), b = backend_find(equals + 1);
    if (kind < 0 || b < 0)
        return false;
    s->w.of[kind] = (signed char)b;
    s->both |= b != (int)s->w.first;
    return true;
}

static bool read_said(const char *said, spoken *s)
{
    char text[GEMM_SAID_MAX], *rest, *word;
    snprintf(text, sizeof text, "%s", said);
    word = strtok_r(text, " ", &rest);
    int b = word ? backend_find(word) : -1;
    *s = (spoken){.w = gemm_ways_open(&(gemm_ways){.first = GEMM_OPENBLAS})};
    s->w.first = b < 0 ? GEMM_OPENBLAS : (gemm_backend)b;
    while (b >= 0 && (word = strtok_r(NULL, " ", &rest)))
        if (!read_word(word, s))
            return false;
    return b >= 0 && strlen(said) < sizeof text;
}

// How bf16 goes in a run that goes on: as it began, where this CPU can and nothing is forced.
static void choose_said_bf16(const env *v, const spoken *s, gemm_ways *w)
{
    gemm_bf16_way said = s->bf16 ? s->w.bf16 : gemm_bf16_before_amx();
    if (said == w->bf16 || (!s->bf16 && w->bf16_forced))
        return;
    if (!w->bf16_forced && gemm_bf16_natively(said))
        w->bf16 = said;
    else
        log_say(v->log, LOG_WARN,
                "the run multiplied bf16 by '%s', and %s: by '%s' from here on, numbers are the "
                "same to rounding",
                gemm_bf16_name(said),
                w->bf16_forced ? "KMIDI_BF16 says otherwise" : "this CPU cannot",
                gemm_bf16_name(w->bf16));
}

bool gemm_open_said(const env *v, const char *said, gemm_ways *w, err *e)
{
    spoken s;
    char told[80];
    if (!read_said(said, &s))
        return err_set(e, ERR_DAMAGED,
                       "the libraries of its products are '%.200s', which no run says; set "
                       "KMIDI_GEMM to go on",
                       said);
    if (!gemm_choose(w, e))
        return false;
    choose_said_bf16(v, &s, w);
    gemm_bf16_way way = w->bf16;
    if (forced()) {
        if (s.both || s.w.first != w->first)
            log_say(v->log, LOG_WARN,
                    "the run multiplied by %s, and KMIDI_GEMM says %s: numbers are the same to "
                    "rounding",
                    gemm_told(&s.w, told), libraries[w->first]->name);
        bool ok = gemm_open(v, w, e);
        w->bf16 = way;
        return ok;
    }
    s.w.bf16 = way, s.w.bf16_forced = w->bf16_forced, s.w.int8 = w->int8;
    *w = s.w;
    int count = threads_count(v->pool);
    return (reserve(w->first, count, e) && (!s.both || reserve(other_than(w->first), count, e))) ||
           err_trail(e,
                     "the run multiplied by %s; to go on by the other library, with the same "
                     "numbers to rounding, set KMIDI_GEMM",
                     gemm_told(w, told));
}

const char *gemm_describe(const gemm_ways *w, char out[128])
{
    char a[64], b[62];
    libraries[w->first]->describe(a, sizeof a);
    libraries[other_than(w->first)]->describe(b, sizeof b);
    snprintf(out, 128, "%s, %s", a, b);
    return out;
}

static void scale(const gemm *p)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++)
            p->c[i * p->ldc + j] = p->beta == 0 ? 0 : p->beta * p->c[i * p->ldc + j];
}

static const gemm_library *library_of(const gemm_ways *w, const gemm *p)
{
    int b = w->of[gemm_kind(p)];
    return libraries[b == GEMM_OPEN ? w->first : (gemm_backend)b];
}

static uint64_t thread_ns(void)
{
    return (uint64_t)(hw_thread_seconds() * 1e9);
}

void gemm_serial(const gemm_ways *w, const gemm *p)
{
    if (p->m <= 0 || p->n <= 0)
        return;
    if (p->k <= 0) {
        scale(p);
        return;
    }
    uint64_t began = w->watch ? thread_ns() : 0;
    library_of(w, p)->serial(p);
    if (w->watch)
        atomic_fetch_add(&w->watch->ns[gemm_kind(p)], thread_ns() - began);
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
    const gemm_ways *w;
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
    gemm_serial(j->w, &p);
}

void gemm_run(const gemm_ways *w, const gemm *p, threads *pool, int count)
{
    if (count <= 1 || p->m <= 0 || p->n <= 0) {
        gemm_serial(w, p);
        return;
    }
    job j = {w, p, grid_choose(p->m, p->n, count, libraries[w->first])};
    threads_run(pool, j.g.rows * j.g.cols, slab, &j);
}

// From measurements on AVX-512 and AVX2 cores at 3 to 4 GHz; only the proportion to other nodes and
// to a fork-join matters.
double gemm_cost(const gemm_ways *w, int64_t m, int64_t n, int64_t k)
{
    double flops_per_ns = w->first == GEMM_ONEDNN ? 200 : 80;
    return 200 + 2.0 * (double)m * (double)n * (double)k / flops_per_ns +
           0.1 * ((double)m * (double)k + (double)k * (double)n + (double)m * (double)n);
}

double gemm_peak(const gemm_ways *w, threads *pool, int count)
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
        gemm_run(w, &p, pool, count);
        t = hw_seconds() - t;
        best = t < best ? t : best;
    }
    base_pages_free(buffer, 3 * bytes);
    return 2e-9 * SIDE * SIDE * SIDE / best;
}
