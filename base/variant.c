// SPDX-License-Identifier: GPL-3.0-or-later
// variant.c: which of the compiled vector widths this CPU can run.
#include "base/variant.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[VARIANT_COUNT] = {"base", "v3", "v4"};

static variant supported(void)
{
#ifdef KMIDI_HAS_v4
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi2"))
        return VARIANT_BASE;
    // The five parts of x86-64-v4.
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return VARIANT_V4;
    return VARIANT_V3;
#else
    return VARIANT_BASE;
#endif
}

// KMIDI_ISA can only ask for less than there is: more would end in an illegal instruction.
variant variant_best(void)
{
    variant best = supported();
    const char *wanted = getenv("KMIDI_ISA");
    for (int v = 0; wanted && v < (int)best; v++)
        if (strcmp(wanted, names[v]) == 0)
            return (variant)v;
    return best;
}

bool variant_lowered(void)
{
    return variant_best() < supported();
}

const char *variant_name(variant v)
{
    return names[v];
}
