// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_bf16.c: which way products of bf16 go, and the three products of bf16x2.
#include "autograd/gemm/gemm_bf16.h"

#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_library.h"

bool gemm_bf16_native(void)
{
    return gemm_onednn_has_bf16();
}

bool gemm_bf16_emulated(void)
{
    return gemm_onednn_takes_bf16();
}

bool gemm_bf16_choose(gemm_ways *w, err *e)
{
    const char *name = getenv("KMIDI_BF16");
    w->bf16_forced = name && *name;
    w->bf16 = gemm_bf16_native() ? GEMM_BF16_ONEDNN : GEMM_BF16_WIDEN;
    if (!w->bf16_forced)
        return true;
    w->bf16 = strcmp(name, "onednn") ? GEMM_BF16_WIDEN : GEMM_BF16_ONEDNN;
    if (w->bf16 == GEMM_BF16_ONEDNN && !gemm_bf16_emulated())
        return err_set(e, ERR_USAGE,
                       "KMIDI_BF16 is onednn, which multiplies bf16 on CPUs with AVX-512 alone; "
                       "set it to widen, or leave it unset");
    if (w->bf16 == GEMM_BF16_WIDEN && strcmp(name, "widen"))
        return err_set(e, ERR_USAGE,
                       "KMIDI_BF16 is '%s'; set it to onednn or widen, or leave it unset", name);
    return true;
}

// The small terms first: less of them is lost.
void gemm_bf16_serial(const gemm_bf16 *p)
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

// With AMX, a core reaches about 1,000 GFLOP/s at a transformer's shapes; widened, what f32 does.
double gemm_bf16_cost(const gemm_ways *w, int64_t m, int64_t n, int64_t k)
{
    if (w->bf16 == GEMM_BF16_WIDEN)
        return gemm_cost(w, m, n, k) + 0.1 * ((double)m * (double)k + (double)k * (double)n);
    return 1000 + 2.0 * (double)m * (double)n * (double)k / 800 +
           0.1 * ((double)m * (double)k + (double)k * (double)n + (double)m * (double)n);
}
