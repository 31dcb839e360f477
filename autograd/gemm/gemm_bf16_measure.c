// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_bf16_measure.c: whether three products of bf16 halves take less time here than one of f32,
// and how fast the instruction is that they are made of without AMX.
#include <math.h>
#include <string.h>

#include "autograd/gemm/gemm_bf16.h"
#include "base/arena.h"
#include "base/hw.h"

enum {
    // multiply-adds: a larger product is measured on a part of it, a millisecond or two
    MEASURED_MOST = 1 << 26,
    TRIALS = 5
};

// The share of f32's time that three products may take: what is left goes into splitting both
// matrices.
#define SHARE_MOST 0.8

typedef void product_fn(const gemm_ways *w, const void *p);

static void in_f32(const gemm_ways *w, const void *p)
{
    gemm_serial(w, p);
}

static void in_three(const gemm_ways *w, const void *p)
{
    gemm_bf16_serial(w, p);
}

// Lowers *least to the time that a product takes, of the processor: what else runs on it is no
// reason to multiply in another way.
static void time_one(product_fn *fn, const gemm_ways *w, const void *p, double *least)
{
    double began = hw_thread_seconds(), took;
    fn(w, p);
    took = hw_thread_seconds() - began;
    *least = took < *least ? took : *least;
}

static void cut(int64_t mnk[3])
{
    while (mnk[0] * mnk[1] * mnk[2] > MEASURED_MOST) {
        int largest = mnk[0] >= mnk[1] && mnk[0] >= mnk[2] ? 0 : mnk[1] >= mnk[2] ? 1 : 2;
        mnk[largest] = (mnk[largest] + 1) / 2;
    }
}

// One buffer of zeros serves as every matrix that is read: their speed does not depend on what is
// in them. Both take turns: where three other processes share two cores, a product beside itself
// then differs by a fifth in 2 of 300 trials; three times each, one behind the other, in 15.
bool gemm_bf16x3_faster(const gemm_ways *w, const gemm *sizes)
{
    int64_t mnk[3] = {sizes->m, sizes->n, sizes->k};
    cut(mnk);
    int64_t m = mnk[0], n = mnk[1], k = mnk[2], read = m * k > k * n ? m * k : k * n;
    size_t bytes = (size_t)(2 * read + m * n) * sizeof(float);
    float *a = base_pages(bytes);
    if (!a)
        return false;
    memset(a, 0, bytes); // pages that no one has written are all one page
    gemm one = {.ta = sizes->ta,
                .tb = sizes->tb,
                .m = m,
                .n = n,
                .k = k,
                .a = a,
                .b = a + read,
                .c = a + 2 * read};
    one = gemm_dense(one);
    gemm_bf16 three = gemm_bf16_like(&one);
    three.a = (const bf16 *)one.a, three.b = (const bf16 *)one.b, three.a_low = m * k,
    three.b_low = k * n;
    double of_three = INFINITY, of_one = INFINITY;
    for (int i = 0; i < TRIALS; i++)
        time_one(in_three, w, &three, &of_three), time_one(in_f32, w, &one, &of_one);
    base_pages_free(a, bytes);
    return of_three < SHARE_MOST * of_one;
}

// ---- VDPBF16PS beside VFMADD231PS

#ifdef __x86_64__

// Sixteen sums that do not wait for each other: what hides the latency of either on every core so
// far. All are zero, so that no number is special.
#define EACH_SUM(op)                                                                               \
    op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) \
        op(15)
#define CLEAR(i) "vpxord %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n\t"
#define FMA(i)   "vfmadd231ps %%zmm16, %%zmm17, %%zmm" #i "\n\t"
#define DOT(i)   "vdpbf16ps %%zmm16, %%zmm17, %%zmm" #i "\n\t"
#define LOOP(op)                                                                                   \
    __asm__ volatile(EACH_SUM(CLEAR) CLEAR(16) CLEAR(17) "1:\n\t" EACH_SUM(op) "dec %0\n\tjnz 1b"  \
                     : "+r"(rounds)                                                                \
                     :                                                                             \
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",       \
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",       \
                       "xmm16", "xmm17")

enum { ROUNDS = 200 };

__attribute__((target("avx512f"))) static void sum_f32(void)
{
    int64_t rounds = ROUNDS;
    LOOP(FMA);
}

__attribute__((target("avx512f"))) static void sum_bf16(void)
{
    int64_t rounds = ROUNDS;
    LOOP(DOT);
}

// The least of many, in turns: what else the core does, and waking its wide units, only adds. A
// turn is a microsecond, as long as it takes to read the clock of a thread.
double gemm_bf16_dots(void)
{
    enum { TURNS = 40 };
    static void (*const sums[2])(void) = {sum_f32, sum_bf16};
    double least[2] = {1, 1};
    for (int i = 0; i < 2 * TURNS; i++) {
        double began = hw_seconds(), took;
        sums[i & 1]();
        took = hw_seconds() - began;
        least[i & 1] = took < least[i & 1] ? took : least[i & 1];
    }
    return 2 * least[0] / least[1];
}

#else
double gemm_bf16_dots(void)
{
    return 0;
}
#endif
