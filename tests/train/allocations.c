// SPDX-License-Identifier: GPL-3.0-or-later
// allocations.c (tests): the training loop takes no memory after its first step, and the process
// does not grow.
//
// oneDNN takes the memory it packs matrices into from the C library inside a call and gives it back
// at its end; that goes through posix_memalign, which nobody else here calls, and is counted apart:
// it must be balanced. With OpenBLAS (KMIDI_GEMM=openblas) it is none.
//
// glibc lets a program put its own functions in front of malloc and its kin; ours count while a
// flag is up. Elsewhere, and under sanitizers (which do the same), the test is skipped.
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "autograd/gemm/gemm.h"
#include "base/hw.h"
#include "tests/train/small.h"

#if defined(__GLIBC__) && !SANITIZED
#define COUNTED 1
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
extern void __libc_free(void *p);

static atomic_int counting, counted, packed, freed;

static void note(void)
{
    if (counting)
        counted++;
}

void *malloc(size_t n)
{
    note();
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    note();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    note();
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    note();
    return __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    if (counting)
        packed++;
    *p = __libc_memalign(align, n);
    return *p ? 0 : ENOMEM;
}

void free(void *p)
{
    if (counting && p)
        freed++;
    __libc_free(p);
}
#else
#define COUNTED 0
static atomic_int counting, counted, packed, freed;
#endif

TEST(trainer_allocates_nothing_after_the_first_step)
{
    static const char *const names[] = {"dynamics_engine", "groove_predictor", "harmony_predictor",
                                        "melody_transformer", "emotion_recognizer"};
    if (!COUNTED)
        test_skip("malloc cannot be counted here");
    for (size_t i = 0; COUNTED && i < sizeof names / sizeof *names; i++) {
        small_run s;
        err e = {0};
        small_open(&s, names[i], 16, 4);
        s.o.grad_accum = 2, s.o.ema = 0.9f;
        s.env.pool = threads_open(2, &e);
        trainer *t = trainer_open(&s.setup, &s.a, &e);
        folder *f = folder_create(test_path(names[i]), false, NULL, &s.a, &e);
        EXPECT_OK(t && f && trainer_attach(t, f, &e) && trainer_step(t, &e), e);
        counting = 1;
        for (int k = 0; t && k < 50; k++)
            EXPECT_OK(trainer_step(t, &e), e);
        counting = 0;
        EXPECT_INT(counted, 0);
        EXPECT_INT(freed, packed);
        EXPECT(packed == 0 || trainer_kit(t)->products.first == GEMM_ONEDNN);
        trainer_close(t), folder_close(f), threads_close(s.env.pool);
        small_close(&s);
    }
}

TEST(trainer_does_not_grow_over_ten_thousand_steps)
{
    small_run s;
    err e = {0};
    small_open(&s, "dynamics_engine", 8, 10);
    small_validate(&s, 1);
    s.o.epochs = 1000000, s.o.max_steps = 100, s.o.log_every = 1, s.o.eval_every = 1,
    s.o.keep_top_k = 2;
    s.o.save_every_steps = 50, s.o.tensorboard = true;
    trainer_result r;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    folder *f = folder_create(test_path("long"), false, NULL, &s.a, &e);
    EXPECT_OK(t && f && trainer_attach(t, f, &e) && trainer_run(t, &r, &e), e);
    uint64_t before = hw_rss();
    for (int i = 0; t && i < 10000; i++)
        EXPECT_OK(trainer_step(t, &e), e);
    if (!SANITIZED)
        EXPECT_BELOW((double)hw_rss() - (double)before, 256 << 10);
    trainer_close(t), folder_close(f);
    small_close(&s);
}
