// SPDX-License-Identifier: GPL-3.0-or-later
// precision.c (tests): loss curves of one run in three precisions.
#include <math.h>
#include <stdlib.h>

#include "autograd/gemm/gemm_bf16.h"
#include "tests/train/small.h"

enum { STEPS = 120 };

// Losses of a short run on random data that it learns slowly: one that learns by heart wanders off
// by whatever is rounded, in fp32, too.
static void curve(precision how, double losses[STEPS])
{
    small_run s;
    err e = {0};
    small_open(&s, "groove_predictor", 1024, 3);
    s.o.precision = how;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    for (int i = 0; t && i < STEPS; i++) {
        EXPECT_OK(trainer_step(t, &e), e);
        losses[i] = trainer_state(t)->last_loss;
    }
    trainer_close(t);
    small_close(&s);
}

static double furthest(const double a[STEPS], const double b[STEPS])
{
    double most = 0;
    for (int i = 0; i < STEPS; i++)
        most = larger(most, fabs(a[i] - b[i]) / b[i]);
    return most;
}

static void check_way(gemm_bf16_way way, const double full[STEPS])
{
    double three[STEPS], narrow[STEPS];
    setenv("KMIDI_BF16", gemm_bf16_name(way), 1);
    curve(PRECISION_BF16X3, three), curve(PRECISION_BF16, narrow);
    EXPECT_BELOW(furthest(three, full), 1e-3);
    EXPECT_BELOW(furthest(narrow, full), 1e-2);
    EXPECT(three[STEPS - 1] != full[STEPS - 1] && narrow[STEPS - 1] != full[STEPS - 1]);
}

TEST(trainer_loss_curves_agree_in_every_precision)
{
    double full[STEPS];
    curve(PRECISION_FP32, full);
    EXPECT(full[STEPS - 1] < 0.96 * full[0]);
    for (int way = 0; way <= GEMM_BF16_AMX; way++)
        if (gemm_bf16_natively((gemm_bf16_way)way))
            check_way((gemm_bf16_way)way, full);
}
