// SPDX-License-Identifier: GPL-3.0-or-later
// schedule.c (tests): factors against Hugging Face's formulas, evaluated with Python's math at
// warm-up 10, total 100, three cycles.
#include <math.h>
#include <string.h>

#include "tests/test.h"
#include "train/schedule.h"

static double factor(const char *name, int64_t step)
{
    schedule_options o = {
        .curve = schedule_find(name), .warmup_steps = 10, .cycles = 3, .decay_ratio = 0.2};
    return schedule_factor(&o, 10, step, 100);
}

TEST(schedule_equals_the_published_formulas)
{
    static const struct {
        int64_t step;
        double cosine, restarts, linear, stable; // the last: 72 steps at the top, then 18 down
    } want[] = {
        {0, 0, 0, 0, 0},
        {3, 0.3, 0.3, 0.3, 0.3},
        {10, 1, 1, 1, 1},
        {37, 0.793892626146237, 0.0244717418524233, 0.7, 1},
        {99, 0.000304586490452119, 0.0027390523158633, 0.0111111111111111, 0.0555555555555556},
        {91, 0.0244717418524232, 0.206107373853763, 0.1, 0.5},
        {100, 0, 0, 0, 0},
        {150, 0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        EXPECT_NEAR(factor("cosine", want[i].step), want[i].cosine, 1e-12);
        EXPECT_NEAR(factor("cosine_with_restarts", want[i].step), want[i].restarts, 1e-12);
        EXPECT_NEAR(factor("linear", want[i].step), want[i].linear, 1e-12);
        EXPECT_NEAR(factor("constant", want[i].step),
                    want[i].step < 10 ? 0.1 * (double)want[i].step : 1, 1e-12);
        EXPECT_NEAR(factor("warmup_stable_decay", want[i].step), want[i].stable, 1e-12);
    }
}

TEST(schedule_floor_and_warmup)
{
    schedule_options o = {
        .curve = schedule_find("cosine"), .warmup_epochs = 1.5, .min_lr_ratio = 0.1};
    EXPECT_INT(schedule_warmup(&o, 12), 18);
    EXPECT_NEAR(schedule_factor(&o, 0, 720, 720), 0.1, 1e-12);
    EXPECT_NEAR(schedule_factor(&o, 0, 0, 720), 1, 0);
    EXPECT_NEAR(schedule_factor(&o, 0, 360, 720), 0.55, 1e-12);
    EXPECT_NEAR(schedule_factor(&o, 10, 10, 10), 0.1, 1e-12);
    o.warmup_steps = 7;
    EXPECT_INT(schedule_warmup(&o, 12), 7);
    EXPECT(schedule_find("exponential") == NULL);
}
