// SPDX-License-Identifier: GPL-3.0-or-later
// products.c: the measurement of both libraries, and the file that keeps it (products.h).
#include "train/products.h"

#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_ways.h"
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

static const char *file_of(arena *a)
{
    char products[128];
    hw h;
    hw_read(&h);
    return machine_file("products",
                        arena_printf(a, "%s, %s, %s", h.cpu, h.isa, gemm_describe(products)), a);
}

// Nothing where there is no file, or none that makes sense.
static void read_table(table *t, arena *a)
{
    char name[16];
    json *file = machine_read(file_of(a), a);
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

static void keep_table(const table *t, arena *a)
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
    machine_keep(file_of(a), file, a);
    json_free(file);
}

static bool known(const table *t, int k)
{
    return t->ns[0][k] > 0 && t->ns[1][k] > 0;
}

// False: the current library is as good for all.
static bool decide(const table *t, gemm_ways *w)
{
    int own = (int)gemm_current(), other = !own;
    bool any = false;
    *w = gemm_ways_none();
    for (int k = 0; own < BACKENDS && k < GEMM_KINDS; k++)
        if (known(t, k) && t->ns[other][k] < WORTH * t->ns[own][k])
            w->of[k] = (signed char)other, any = true;
    return any;
}

static void use(const env *v, const table *t)
{
    gemm_ways w;
    if (decide(t, &w) && gemm_open_both(v))
        gemm_use(&w);
}

bool products_open(const env *v, arena *a, err *e)
{
    const char *name = getenv("KMIDI_GEMM");
    table *t = NEW(a, table, 1);
    if (!gemm_open(v, e))
        return false;
    if (!name || !*name)
        read_table(t, a), use(v, t);
    return true;
}

bool products_known(arena *a)
{
    table *t = NEW(a, table, 1);
    read_table(t, a);
    for (int k = 0; k < GEMM_KINDS; k++)
        if (known(t, k))
            return true;
    return false;
}

// One step by one library; the least time of each kind is kept.
static double step_by(run *r, int b, table *t)
{
    gemm_times *times = calloc(1, sizeof *times);
    gemm_ways w = gemm_ways_all((gemm_backend)b);
    double began = hw_seconds();
    gemm_use(&w);
    gemm_watch(times);
    run_step(r, 1, 0, true);
    gemm_watch(NULL);
    for (int k = 0; times && k < GEMM_KINDS; k++)
        if (times->ns[k] && (t->ns[b][k] <= 0 || (double)times->ns[k] < t->ns[b][k]))
            t->ns[b][k] = (double)times->ns[k];
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

void products_learn(const env *v, run *r, bool anew, arena *a)
{
    table *t = NEW(a, table, 1), *now = NEW(a, table, 1), *warm = NEW(a, table, 1);
    if (!gemm_open_both(v))
        return;
    if (!anew)
        read_table(t, a);
    gemm_ways before = *gemm_used();
    for (int b = 0; b < BACKENDS; b++)
        step_by(r, b, warm);
    if (all_known(t, warm)) {
        gemm_use(&before);
        return;
    }
    double spent = 0;
    for (int i = 0; i < TURNS_LEAST || (i < TURNS_MOST && spent < ENOUGH_SECONDS); i++)
        for (int b = 0; b < BACKENDS; b++)
            spent += step_by(r, b, now);
    for (int k = 0; k < GEMM_KINDS; k++)
        for (int b = 0; b < BACKENDS && !known(t, k) && known(now, k); b++)
            t->ns[0][k] = now->ns[0][k], t->ns[1][k] = now->ns[1][k];
    gemm_ways none = gemm_ways_none();
    gemm_use(&none);
    use(v, t);
    keep_table(t, a);
}
