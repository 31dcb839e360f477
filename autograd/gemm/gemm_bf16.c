// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_bf16.c: which way products of bf16 go, and the three products of bf16x2.
#include "autograd/gemm/gemm_bf16.h"

#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_amx.h"
#include "autograd/gemm/gemm_library.h"

static bool always(void)
{
    return true;
}

gemm_bf16_way gemm_bf16_best(void)
{
    return gemm_amx_ready()          ? GEMM_BF16_AMX
           : gemm_onednn_bf16_pays() ? GEMM_BF16_ONEDNN
                                     : GEMM_BF16_WIDEN;
}

static const struct {
    const char *name;
    bool (*here)(void), (*natively)(void);
    const char *needs, *said;
} ways[] = {
    [GEMM_BF16_WIDEN] = {"widen", always, always, "", "widened to f32"},
    [GEMM_BF16_ONEDNN] = {"onednn", gemm_onednn_takes_bf16, gemm_onednn_has_bf16, "AVX-512",
                          "oneDNN"},
    [GEMM_BF16_AMX] = {"amx", gemm_amx_ready, gemm_amx_ready, "AMX", "AMX"},
};
enum { WAYS = sizeof ways / sizeof *ways };

bool gemm_bf16_here(gemm_bf16_way way)
{
    return ways[way].here();
}

bool gemm_bf16_natively(gemm_bf16_way way)
{
    return ways[way].natively();
}

gemm_bf16_way gemm_bf16_before_amx(void)
{
    return gemm_onednn_has_bf16() ? GEMM_BF16_ONEDNN : GEMM_BF16_WIDEN;
}

const char *gemm_bf16_name(gemm_bf16_way way)
{
    return ways[way].name;
}

const char *gemm_bf16_describe(gemm_bf16_way way)
{
    return ways[way].said;
}

bool gemm_bf16_find(const char *name, gemm_bf16_way *way)
{
    for (int i = 0; i < WAYS; i++)
        if (!strcmp(name, ways[i].name)) {
            *way = (gemm_bf16_way)i;
            return true;
        }
    return false;
}

bool gemm_bf16_choose(gemm_ways *w, err *e)
{
    const char *name = getenv("KMIDI_BF16");
    w->bf16_forced = name && *name;
    w->bf16 = gemm_bf16_best();
    if (!w->bf16_forced)
        return true;
    if (!gemm_bf16_find(name, &w->bf16))
        return err_set(e, ERR_USAGE,
                       "KMIDI_BF16 is '%s'; set it to amx, onednn or widen, or leave it unset",
                       name);
    if (w->bf16 == GEMM_BF16_ONEDNN && !gemm_library_onednn.load(e))
        return err_trail(e, "KMIDI_BF16");
    return gemm_bf16_here(w->bf16) ||
           err_set(e, ERR_USAGE,
                   "KMIDI_BF16 is %s, which multiplies bf16 on CPUs with %s alone; set it to "
                   "widen, or leave it unset",
                   name, ways[w->bf16].needs);
}

static void sum_of_nothing(const gemm_bf16 *p)
{
    for (int64_t i = 0; i < p->m && p->beta == 0; i++)
        memset(p->c + i * p->ldc, 0, (size_t)p->n * sizeof *p->c);
}

// By oneDNN the small terms first: less of them is lost.
static void by_onednn(const gemm_bf16 *p)
{
    if (!p->a_low) {
        gemm_onednn_bf16(p);
        return;
    }
    gemm_bf16 q = *p;
    q.a = p->a + p->a_low;
    gemm_onednn_bf16(&q);
    q.a = p->a, q.b = p->b + p->b_low, q.beta = 1;
    gemm_onednn_bf16(&q);
    q.b = p->b;
    gemm_onednn_bf16(&q);
}

void gemm_bf16_serial(const gemm_ways *w, const gemm_bf16 *p)
{
    CHECK(w->bf16 != GEMM_BF16_WIDEN);
    if (p->k <= 0)
        sum_of_nothing(p);
    else if (w->bf16 == GEMM_BF16_AMX)
        gemm_amx(p);
    else
        by_onednn(p);
}

// With AMX, a core reaches about 1,000 GFLOP/s at a transformer's shapes; widened, what f32 does.
double gemm_bf16_cost(const gemm_ways *w, int64_t m, int64_t n, int64_t k)
{
    if (w->bf16 == GEMM_BF16_WIDEN)
        return gemm_cost(w, m, n, k) + 0.1 * ((double)m * (double)k + (double)k * (double)n);
    return 1000 + 2.0 * (double)m * (double)n * (double)k / 800 +
           0.1 * ((double)m * (double)k + (double)k * (double)n + (double)m * (double)n);
}
