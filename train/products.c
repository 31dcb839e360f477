// SPDX-License-Identifier: GPL-3.0-or-later
// products.c: the measurement of both libraries, and the file that keeps it (products.h).
#include "train/products.h"

#include <stdlib.h>
#include <string.h>

#include "autograd/run.h"
#include "base/hw.h"
#include "train/machine.h"

// A kind goes to the other library when that takes less than this part of the time: what is within
// the noise stays where it is.
static const double WORTH = 0.95, ENOUGH_SECONDS = 0.6;
enum { BACKENDS = 2, TURNS_LEAST = 2, TURNS_MOST = 20 };

typedef struct table {
    double ns[BACKENDS][GEMM_KINDS]; // the least of a step; 0: not measured
} table;

static const char *file_of(const gemm_ways *w, arena *a)
{
    char products[128];
    hw h;
    hw_read(&h);
    return machine_file("products",
                        arena_printf(a, "%s, %s, %s", h.cpu, h.isa, gemm_describe(w, products)), a);
}

// Nothing where there is no file, or none that makes sense.
static void read_table(table *t, const gemm_ways *w, arena *a)
{
    char name[16];
    json *file = machine_read(file_of(w, a), a);
    const json *kinds = json_get(file, "kinds");
    for (int k = 0; k < GEMM_KINDS; k++)
        for (int b = 0; b < BACKENDS; b++) {
            double ns = json_num(json_get(json_get(kinds, gemm_kind_name(k, name)),
                                          gemm_backend_name((gemm_backend)b)),
                                 0);
            t->ns[b][k] = ns > 0 && ns < 1e15 ? ns : 0;
        }
    json_free(file);
}

static void keep_table(const table *t, const gemm_ways *w, arena *a)
{
    char name[16];
    json *file = json_object(), *kinds = json_object();
    for (int k = 0; k < GEMM_KINDS; k++) {
        if (t->ns[0][k] <= 0 || t->ns[1][k] <= 0)
            continue;
        json *kind = json_object();
        for (int b = 0; b < BACKENDS; b++)
            json_set_num(kind, gemm_backend_name((gemm_backend)b), t->ns[b][k]);
        json_set(kinds, gemm_kind_name(k, name), kind);
    }
    json_set(file, "kinds", kinds);
    machine_stamp(file);
    machine_keep(file_of(w, a), file, a);
    json_free(file);
}

static bool known(const table *t, int k)
{
    return t->ns[0][k] > 0 && t->ns[1][k] > 0;
}

// What the table says: each kind by the library that is faster, as far as both may multiply.
static void decide(const env *v, const table *t, gemm_ways *w)
{
    int own = (int)w->first, other = !own;
    bool any = false;
    gemm_ways made = gemm_ways_open(w);
    for (int k = 0; own < BACKENDS && k < GEMM_KINDS; k++)
        if (known(t, k) && t->ns[other][k] < WORTH * t->ns[own][k])
            made.of[k] = (signed char)other, any = true;
    if (any && gemm_open_both(v, w))
        *w = made;
}

static gemm_ways *new_kit(env *v, arena *a)
{
    v->kit = NEW(a, kit, 1);
    v->kit->width = variant_best();
    return &v->kit->products;
}

bool products_open(env *v, arena *a, err *e)
{
    const char *name = getenv("KMIDI_GEMM");
    table *t = NEW(a, table, 1);
    gemm_ways *w = new_kit(v, a);
    if (!gemm_open(v, w, e))
        return false;
    if (!name || !*name)
        read_table(t, w, a), decide(v, t, w);
    return true;
}

bool products_open_said(env *v, const char *said, arena *a, err *e)
{
    return gemm_open_said(v, said, new_kit(v, a), e);
}

bool products_settled(const env *v, const gemm_ways *w, arena *a)
{
    table *t = NEW(a, table, 1);
    read_table(t, w, a);
    for (int k = 0; k < GEMM_KINDS; k++)
        if (known(t, k))
            return true;
    return !gemm_open_both(v, w);
}

// One step by library b alone; the least time of each kind is kept.
static double step_by(run *r, int b, const gemm_ways *w, table *t)
{
    gemm_times *times = calloc(1, sizeof *times);
    gemm_ways all = *w;
    memset(all.of, b, sizeof all.of);
    all.watch = times;
    double began = hw_seconds();
    run_multiply_by(r, &all);
    run_step(r, 1, 0, true);
    for (int k = 0; times && k < GEMM_KINDS; k++)
        if (times->ns[k] && (t->ns[b][k] <= 0 || (double)times->ns[k] < t->ns[b][k]))
            t->ns[b][k] = (double)times->ns[k];
    run_multiply_by(r, w);
    free(times);
    return hw_seconds() - began;
}

static bool all_known(const table *t, const table *seen)
{
    for (int k = 0; k < GEMM_KINDS; k++)
        if (known(seen, k) && !known(t, k))
            return false;
    return true;
}

void products_learn(const env *v, run *r, bool anew, gemm_ways *w, arena *a)
{
    table *t = NEW(a, table, 1), *now = NEW(a, table, 1), *warm = NEW(a, table, 1);
    if (!gemm_open_both(v, w))
        return;
    if (!anew)
        read_table(t, w, a);
    for (int b = 0; b < BACKENDS; b++)
        step_by(r, b, w, warm);
    if (all_known(t, warm))
        return;
    double spent = 0;
    for (int i = 0; i < TURNS_LEAST || (i < TURNS_MOST && spent < ENOUGH_SECONDS); i++)
        for (int b = 0; b < BACKENDS; b++)
            spent += step_by(r, b, w, now);
    for (int k = 0; k < GEMM_KINDS; k++)
        for (int b = 0; b < BACKENDS && !known(t, k) && known(now, k); b++)
            t->ns[0][k] = now->ns[0][k], t->ns[1][k] = now->ns[1][k];
    *w = gemm_ways_open(w);
    decide(v, t, w);
    run_multiply_by(r, w);
    keep_table(t, w, a);
}
