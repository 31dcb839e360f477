// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_int8.c: the ways of gemm_int8.h, the last that is here before the others.
#include "autograd/gemm/gemm_int8.h"

#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_amx.h"
#include "base/hw.h"
#include "base/variant.h"

static bool always(void)
{
    return true;
}

static bool has_vnni(void)
{
#ifdef __x86_64__
    return variant_best() == VARIANT_V4 && __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

static bool has_amx(void)
{
    hw h = {0};
    hw_read_bf16(&h);
    return h.amx_int8 && gemm_amx_ready();
}

static const struct {
    const char *name, *needs;
    bool (*here)(void);
} ways[] = {
    [GEMM_INT8_PAIRS] = {"pairs", "", always},
    [GEMM_INT8_VNNI] = {"vnni", "AVX512-VNNI", has_vnni},
    [GEMM_INT8_AMX] = {"amx", "AMX", has_amx},
};
enum { WAYS = sizeof ways / sizeof *ways };

bool gemm_int8_here(gemm_int8_way way)
{
    return ways[way].here();
}

const char *gemm_int8_name(gemm_int8_way way)
{
    return ways[way].name;
}

bool gemm_int8_choose(gemm_ways *w, err *e)
{
    const char *name = getenv("KMIDI_INT8");
    bool forced = name && *name;
    int i = WAYS - 1;
    while (i >= 0 && (forced ? strcmp(name, ways[i].name) != 0 : !ways[i].here()))
        i--;
    if (i < 0)
        return err_set(e, ERR_USAGE,
                       "KMIDI_INT8 is '%s'; set it to amx, vnni or pairs, or leave it unset", name);
    w->int8 = (gemm_int8_way)i;
    return ways[i].here() ||
           err_set(e, ERR_USAGE,
                   "KMIDI_INT8 is %s, which multiplies on CPUs with %s alone; set it to pairs, or "
                   "leave it unset",
                   name, ways[i].needs);
}
