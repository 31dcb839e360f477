// SPDX-License-Identifier: GPL-3.0-or-later
// doctor_speed.c: how fast matrix products and memory are, against what a core of this class should
// reach at the clock rate that it has now. While others compute on the same cores nothing is judged
// by what is left of them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm.h"
#include "autograd/kit.h"
#include "cmd/doctor.h"

// What of its peak a core should reach in a product of 2048^3; bytes a second that one core should
// move; share of a core below which others were computing.
static const double OF_PEAK = 0.6, BYTES_LEAST = 5e9, ALONE = 0.9;

// Cycles a second: additions that wait for each other take one each. The best of some short turns,
// which are shorter than a turn of the scheduler.
static double clock_rate(void)
{
    enum { N = 200000, TURNS = 50 };
    double best = INFINITY;
    for (int i = 0; i < TURNS; i++) {
        double began = hw_seconds();
        uint64_t x = (uint64_t)i;
        for (int k = 0; k < N; k++) {
            x += 7;
            __asm__ volatile("" : "+r"(x));
        }
        best = fmin(best, hw_seconds() - began);
    }
    return N / best;
}

// f32 operations a cycle of one core: two units of multiply and add. Of AVX-512 many have one.
static int flops_a_cycle(const hw *h)
{
    static const struct {
        const char *isa;
        int flops;
    } classes[] = {{"avx512", 32}, {"avx2", 32}, {"neon", 16}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strstr(h->isa, classes[i].isa))
            return classes[i].flops;
    return 8;
}

void doctor_products(patient *p, finding *f)
{
    gemm_ways ways;
    err e = {0};
    if (!gemm_open(&p->c->env, &ways, &e)) {
        finding_set(p, f, FINDING_BAD, NULL, "%s", e.text);
        return;
    }
    double hertz = clock_rate(), should = OF_PEAK * hertz * flops_a_cycle(&p->machine) * 1e-9;
    double began = hw_seconds(), cpu = hw_thread_seconds(), one = gemm_peak(&ways, NULL, 1);
    double share = (hw_thread_seconds() - cpu) / (hw_seconds() - began);
    int n = threads_count(p->c->env.pool);
    double all = n > 1 ? gemm_peak(&ways, p->c->env.pool, n) : one;
    bool busy = share < ALONE, slow = one < should, shared = all < 0.6 * n * one;
    json_set_num(f->values, "gflops_one_thread", one);
    json_set_num(f->values, "gflops", all);
    json_set_num(f->values, "should_be_one_thread", should);
    json_set_num(f->values, "clock_ghz", hertz * 1e-9);
    json_set_num(f->values, "share_of_core", share);
    finding_set(p, f, busy || slow || shared ? FINDING_NOTE : FINDING_OK,
                busy     ? "others were computing here at the same time: look again when they are "
                           "done"
                : slow   ? "see `kmidi info`: the library of products may not know this processor "
                           "(KMIDI_GEMM=onednn, openblas), or the machine is throttled"
                : shared ? "threads may share cores (--threads: half as many), or others compute "
                           "here"
                         : NULL,
                "%.0f GFLOP/s on one thread, %.0f on %d; a core of this class (%s, %.2g GHz now) "
                "should reach %.0f",
                one, all, n, p->machine.isa, hertz * 1e-9, should);
}

// ---- Memory

typedef struct arrays {
    float *a, *b, *c;
    size_t n;
} arrays;

static void triad(void *data, int index, int count)
{
    arrays *t = data;
    size_t from = t->n / (size_t)count * (size_t)index,
           to = index == count - 1 ? t->n : t->n / (size_t)count * (size_t)(index + 1);
    for (size_t i = from; i < to; i++)
        t->a[i] = t->b[i] + 3 * t->c[i];
}

// The best of some: two arrays read, one written.
static double bytes_a_second(arrays *t, threads *pool, int count)
{
    double best = INFINITY;
    for (int i = 0; i < 5; i++) {
        double began = hw_seconds();
        if (count > 1)
            threads_run(pool, count, triad, t);
        else
            triad(t, 0, 1);
        best = fmin(best, hw_seconds() - began);
    }
    return 3 * (double)t->n * sizeof(float) / best;
}

void doctor_bandwidth(patient *p, finding *f)
{
    // several times what caches hold, and a small part of what there is
    size_t bytes = 4 * p->machine.l3 > (48 << 20) ? 4 * p->machine.l3 : 48 << 20;
    if (bytes > 384 << 20 || bytes > p->machine.memory_limit / 8)
        bytes = p->machine.memory_limit / 8 < 384 << 20 ? p->machine.memory_limit / 8 : 384 << 20;
    arrays t = {.n = bytes / 3 / sizeof(float)};
    float *all = calloc(3 * t.n, sizeof *all);
    if (!all) {
        finding_set(p, f, FINDING_NOTE, NULL, "not measured: there is no memory for it");
        return;
    }
    t.a = all, t.b = all + t.n, t.c = all + 2 * t.n;
    for (size_t i = 0; i < 3 * t.n; i++) // what was never written is one page of zeros
        all[i] = 1;
    int n = threads_count(p->c->env.pool);
    double began = hw_seconds(), cpu = hw_thread_seconds(), one = bytes_a_second(&t, NULL, 1);
    double share = (hw_thread_seconds() - cpu) / (hw_seconds() - began);
    double many = n > 1 ? bytes_a_second(&t, p->c->env.pool, n) : one;
    free(all);
    bool busy = share < ALONE, slow = one < BYTES_LEAST;
    json_set_num(f->values, "bytes_per_s_one_thread", one);
    json_set_num(f->values, "bytes_per_s", many);
    json_set_num(f->values, "should_be_one_thread", BYTES_LEAST);
    json_set_num(f->values, "share_of_core", share);
    finding_set(p, f, busy || slow ? FINDING_NOTE : FINDING_OK,
                busy   ? "others were computing here at the same time: look again when they are "
                         "done"
                : slow ? "memory may be in few modules, or shared by other machines on this host"
                       : NULL,
                "%.1f GB/s on one thread, %.1f on %d; one should move %.0f", one * 1e-9,
                many * 1e-9, n, BYTES_LEAST * 1e-9);
}
