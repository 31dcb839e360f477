// SPDX-License-Identifier: GPL-3.0-or-later
// metrics.c (tests): figures against values worked out by hand (and by scikit-learn).
#include <math.h>

#include "tests/test.h"
#include "train/metrics.h"

TEST(metrics_of_classes)
{
    // targets 0 0 1 1 2 (2 is never predicted), the last row has no weight
    static const float out[] = {2, 0, 0, 0, 1, 0, 0, 3, 0, 0, 1, 0, 1, 0, 0, 9, 9, 9};
    static const int32_t target[] = {0, 0, 1, 1, 2, 0};
    static const float weight[] = {1, 1, 1, 1, 1, 0};
    arena a = {0};
    metrics *m = metrics_open(TASK_CLASSES, 3, &a);
    metrics_clear(m);
    metrics_add(
        m, &(metrics_rows){.out = out, .classes = target, .weight = weight, .rows = 6, .width = 3});
    metrics_result r = metrics_close(m);
    EXPECT_INT(r.items, 5);
    EXPECT_NEAR(r.accuracy, 3.0 / 5, 1e-12);
    // F1: class 0: tp 1, said 2, true 2 -> 1/2; class 1: tp 2, said 3, true 2 -> 4/5; class 2: 0
    EXPECT_NEAR(r.macro_f1, (0.5 + 0.8 + 0) / 3, 1e-12);
    double z = exp(2) + 2, y = exp(1) + 2, x = exp(3) + 2;
    EXPECT_NEAR(r.loss, ((log(z) - 2) + log(y) + (log(x) - 3) + (log(y) - 1) + log(y)) / 5, 1e-7);
    EXPECT_INT(r.confusion[0 * 3 + 1], 1);
    EXPECT_INT(r.confusion[2 * 3 + 0], 1);
    EXPECT_INT(r.confusion[1 * 3 + 1], 2);
    EXPECT(isnan(r.perplexity) && isnan(r.mse));
    EXPECT_STR(metrics_at(&r, 2).name, "macro_f1");
    EXPECT(metrics_at(&r, 3).name == NULL);
    EXPECT(metrics_find(&r, "accuracy").higher && !metrics_find(&r, "loss").higher);
    metrics_clear(m);
    EXPECT(isnan(metrics_close(m).loss));
    arena_free(&a);
}

TEST(metrics_average_the_windows_of_an_item)
{
    // one item seen twice: (0, 1) and (3, 0) average to (1.5, 0.5): class 0
    static const float out[] = {0, 1, 3, 0};
    static const int32_t target[] = {0, 0};
    static const float weight[] = {0.5f, 0.5f};
    static const int32_t more[] = {1, 0};
    arena a = {0};
    metrics *m = metrics_open(TASK_CLASSES, 2, &a);
    for (int k = 0; k < 2; k++) // in two batches
        metrics_add(m, &(metrics_rows){.out = out + 2 * k,
                                       .classes = target,
                                       .weight = weight + k,
                                       .more = more + k,
                                       .rows = 1,
                                       .width = 2});
    metrics_result r = metrics_close(m);
    EXPECT_INT(r.items, 1);
    EXPECT_NEAR(r.accuracy, 1, 0);
    EXPECT_NEAR(r.loss, log(exp(1.5) + exp(0.5)) - 1.5, 1e-9);
    arena_free(&a);
}

TEST(metrics_of_tokens_and_values)
{
    static const float out[] = {0, 0, 0, 0, 1, 1, 1, 1}, values[] = {1, 0, 0, 0, 1, 1, 1, 4},
                       weight[] = {1, 3};
    static const int32_t target[] = {3, 0};
    arena a = {0};
    metrics *m = metrics_open(TASK_TOKENS, 4, &a);
    metrics_add(
        m, &(metrics_rows){.out = out, .classes = target, .weight = weight, .rows = 2, .width = 4});
    metrics_result r = metrics_close(m);
    EXPECT_NEAR(r.perplexity, 4, 1e-9);
    m = metrics_open(TASK_REGRESSION, 4, &a);
    metrics_add(
        m, &(metrics_rows){.out = out, .values = values, .weight = weight, .rows = 2, .width = 4});
    r = metrics_close(m);
    EXPECT_NEAR(r.mse, (1 * 0.25 + 3 * 2.25) / 4, 1e-9);
    EXPECT_NEAR(r.mae, (1 * 0.25 + 3 * 0.75) / 4, 1e-9);
    EXPECT(isnan(r.accuracy));
    arena_free(&a);
}
