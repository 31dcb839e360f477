// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_ways.c: kinds of products, and the table as text (gemm_ways.h).
#include "autograd/gemm/gemm_ways.h"

#include <stdio.h>
#include <string.h>

#include "autograd/gemm/gemm_bf16.h"
#include "base/str.h"

// Skinny, small, middling, large: below 16, 64, 256, and more. Packing dominates the first, the
// inner kernel the last.
static int range_of(int64_t n)
{
    return n < 16 ? 0 : n < 64 ? 1 : n < 256 ? 2 : 3;
}

int gemm_kind(const gemm *p)
{
    int transposed = 2 * p->ta + p->tb;
    return ((transposed * GEMM_RANGES + range_of(p->m)) * GEMM_RANGES + range_of(p->n)) *
               GEMM_RANGES +
           range_of(p->k);
}

const char *gemm_kind_name(int kind, char out[16])
{
    int transposed = kind / (GEMM_RANGES * GEMM_RANGES * GEMM_RANGES);
    snprintf(out, 16, "%c%c%d%d%d", transposed & 2 ? 't' : 'n', transposed & 1 ? 't' : 'n',
             kind / (GEMM_RANGES * GEMM_RANGES) % GEMM_RANGES, kind / GEMM_RANGES % GEMM_RANGES,
             kind % GEMM_RANGES);
    return out;
}

int gemm_kind_find(const char *name)
{
    char text[16];
    for (int i = 0; i < GEMM_KINDS; i++)
        if (!strcmp(gemm_kind_name(i, text), name))
            return i;
    return -1;
}

gemm_ways gemm_ways_open(const gemm_ways *w)
{
    gemm_ways open = *w;
    memset(open.of, GEMM_OPEN, sizeof open.of);
    return open;
}

static bool differs(const gemm_ways *w, int kind)
{
    return w->of[kind] != GEMM_OPEN && w->of[kind] != (signed char)w->first;
}

const char *gemm_said(const gemm_ways *w, bool narrow, arena *a)
{
    strbuf text = {0};
    char kind[16];
    strbuf_printf(&text, "%s", gemm_backend_name(w->first));
    if (narrow)
        strbuf_printf(&text, " bf16=%s", gemm_bf16_name(w->bf16));
    for (int i = 0; i < GEMM_KINDS; i++)
        if (differs(w, i))
            strbuf_printf(&text, " %s=%s", gemm_kind_name(i, kind),
                          gemm_backend_name((gemm_backend)w->of[i]));
    return strbuf_keep(&text, a);
}

const char *gemm_told(const gemm_ways *w, char out[80])
{
    int others = 0, other = 0;
    for (int i = 0; i < GEMM_KINDS; i++)
        if (differs(w, i))
            others++, other = w->of[i];
    if (others)
        snprintf(out, 80, "%s, and %s for %d of %d kinds", gemm_backend_name(w->first),
                 gemm_backend_name((gemm_backend)other), others, GEMM_KINDS);
    else
        snprintf(out, 80, "%s", gemm_backend_name(w->first));
    return out;
}
