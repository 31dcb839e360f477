// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_own.c: products without a library, for where one may not be called: in real time (serve/),
// where OpenBLAS and oneDNN take memory as they multiply, and in somebody else's program, which has
// no 128 MiB of address space for each of its threads to spare. It takes nothing, ever.
//
// Rows of C by rows of B (A B, A^T B: a row of C is a sum of rows of B), or elements by dot
// products in lanes (A B^T), in vectors of what every machine has. On AVX-512 whole networks are
// three to four times slower by it than by oneDNN; products of single rows, all that real time has,
// have kernels of their own (autograd/ops/few_rows.h).
#include <string.h>

#include "autograd/gemm/gemm_library.h"

enum { OWN_LANES = 16 };

static float dot(const float *a, int64_t step, const float *b, int64_t k)
{
    float lane[OWN_LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; step == 1 && i + OWN_LANES <= k; i += OWN_LANES)
        for (int l = 0; l < OWN_LANES; l++)
            lane[l] += a[i + l] * b[i + l];
    for (int l = 0; l < OWN_LANES; l++)
        sum += lane[l];
    for (; i < k; i++)
        sum += a[i * step] * b[i];
    return sum;
}

static void add_row(float *restrict c, const float *restrict b, float a, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        c[j] += a * b[j];
}

static void own_serial(const gemm *p)
{
    int64_t row = p->ta ? 1 : p->lda, step = p->ta ? p->lda : 1;
    for (int64_t i = 0; i < p->m; i++) {
        const float *a = p->a + i * row;
        float *c = p->c + i * p->ldc;
        for (int64_t j = 0; j < p->n; j++)
            c[j] = p->beta == 0 ? 0 : p->beta * c[j];
        for (int64_t j = 0; p->tb && j < p->n; j++)
            c[j] += dot(a, step, p->b + j * p->ldb, p->k);
        for (int64_t k = 0; !p->tb && k < p->k; k++)
            add_row(c, p->b + k * p->ldb, a[k * step], p->n);
    }
}

static bool own_load(err *e)
{
    (void)e;
    return true;
}

static uint64_t own_need(int count)
{
    (void)count;
    return 0;
}

static bool own_reserve(int count)
{
    (void)count;
    return true;
}

static void own_describe(char *out, size_t size)
{
    memcpy(out, "own", size < 4 ? size : 4);
}

const gemm_library gemm_library_own = {
    .name = "own",
    .tile_m = 4,
    .tile_n = OWN_LANES,
    .load = own_load,
    .need = own_need,
    .reserve = own_reserve,
    .serial = own_serial,
    .describe = own_describe,
};
