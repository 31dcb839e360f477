// SPDX-License-Identifier: GPL-3.0-or-later
// metrics.c (tests): figures against values worked out by hand (and by scikit-learn).
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/music/tokens.h"
#include "tests/test.h"
#include "train/metrics.h"

TEST(metrics_of_classes)
{
    // targets 0 0 1 1 2 (2 is never predicted), the last row has no weight
    static const float out[] = {2, 0, 0, 0, 1, 0, 0, 3, 0, 0, 1, 0, 1, 0, 0, 9, 9, 9};
    static const int32_t target[] = {0, 0, 1, 1, 2, 0};
    static const float weight[] = {1, 1, 1, 1, 1, 0};
    arena a = {0};
    metrics *m = metrics_open(&(model_def){.task = TASK_CLASSES}, 3, &a);
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
    EXPECT_NEAR(r.uar, (0.5 + 1 + 0) / 3, 1e-12); // found: 1 of 2, 2 of 2, 0 of 1
    EXPECT_STR(metrics_at(&r, 3).name, "uar");
    EXPECT(metrics_at(&r, 4).name == NULL);
    EXPECT(metrics_find(&r, "accuracy").higher && !metrics_find(&r, "loss").higher);
    metrics_clear(m);
    EXPECT(isnan(metrics_close(m).loss));
    arena_free(&a);
}

// The largest losses of what was told wrongly, the worst first, no more than there is room for.
TEST(metrics_keep_the_worst)
{
    enum { N = 40 };
    float out[3 * N] = {0};
    int32_t target[N];
    float weight[N];
    char names[N][16];
    const char *paths[N];
    arena a = {0};
    for (int i = 0; i < N; i++) {
        target[i] = 1, weight[i] = i == 17 ? 0 : 1;                     // 17 does not count
        out[3 * i + (i % 4 ? 2 : 1)] = (float)(i % 4 ? i * 7 % N : 20); // every fourth is right
        snprintf(names[i], sizeof names[i], "p%d", i), paths[i] = names[i];
    }
    metrics *m = metrics_open(&(model_def){.task = TASK_CLASSES}, 3, &a);
    metrics_clear(m);
    for (int k = 0; k < N; k += 10) // in four batches
        metrics_add(m, &(metrics_rows){.out = out + 3 * k,
                                       .classes = target + k,
                                       .weight = weight + k,
                                       .rows = 10,
                                       .width = 3,
                                       .paths = paths + k,
                                       .n_paths = 10,
                                       .per_path = 1});
    metrics_result r = metrics_close(m);
    EXPECT_INT(r.n_worst, METRICS_WORST);
    // 17 * 7 % 40 is 39, the largest of all; then 34: 38, 11: 37, 5: 35
    EXPECT_STR(r.worst[0].path, "p34");
    EXPECT_STR(r.worst[1].path, "p11");
    EXPECT_STR(r.worst[2].path, "p5");
    EXPECT_INT(r.worst[0].truth, 1);
    EXPECT_INT(r.worst[0].said, 2);
    EXPECT_NEAR(r.worst[0].loss, 38, 1e-9);
    EXPECT_NEAR(r.worst[0].p_truth, exp(-38), 1e-24);
    EXPECT_NEAR(r.worst[0].p, 1, 1e-12);
    for (int i = 1; i < r.n_worst; i++)
        EXPECT(r.worst[i].loss <= r.worst[i - 1].loss);
    metrics_clear(m);
    EXPECT_INT(metrics_close(m).n_worst, 0);
    // of values: the mean of a file's rows, each file with its worst window
    static const float values[] = {1, 2, 3, 4, 5, 6, 0, 0}, zero[8] = {0};
    static const float ones[] = {1, 1, 1, 1};
    static const char *const two[] = {"x", "y"}, *const again[] = {"x", "z"};
    m = metrics_open(&(model_def){.task = TASK_REGRESSION}, 2, &a);
    metrics_clear(m);
    metrics_rows rows = {.out = zero,
                         .values = values,
                         .weight = ones,
                         .rows = 4,
                         .width = 2,
                         .paths = two,
                         .n_paths = 2,
                         .per_path = 2};
    metrics_add(m, &rows);
    rows.paths = again, rows.out = values, rows.values = zero;
    metrics_add(m, &rows);
    r = metrics_close(m);
    EXPECT_INT(r.n_worst, 3);
    EXPECT_STR(r.worst[0].path, "y");
    EXPECT_NEAR(r.worst[0].loss, (25 + 36 + 0 + 0) / 4.0, 1e-9);
    EXPECT_STR(r.worst[1].path, "z");
    EXPECT_STR(r.worst[2].path, "x");
    EXPECT_NEAR(r.worst[2].loss, (1 + 4 + 9 + 16) / 4.0, 1e-9);
    EXPECT_INT(r.worst[2].truth, -1);
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
    metrics *m = metrics_open(&(model_def){.task = TASK_CLASSES}, 2, &a);
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
    metrics *m = metrics_open(&(model_def){.task = TASK_TOKENS}, 4, &a);
    metrics_add(
        m, &(metrics_rows){.out = out, .classes = target, .weight = weight, .rows = 2, .width = 4});
    metrics_result r = metrics_close(m);
    EXPECT_NEAR(r.perplexity, 4, 1e-9);
    EXPECT(isnan(r.nats_per_note) && isnan(r.nats_per_second));
    m = metrics_open(&(model_def){.task = TASK_REGRESSION}, 4, &a);
    metrics_add(
        m, &(metrics_rows){.out = out, .values = values, .weight = weight, .rows = 2, .width = 4});
    r = metrics_close(m);
    EXPECT_NEAR(r.mse, (1 * 0.25 + 3 * 2.25) / 4, 1e-9);
    EXPECT_NEAR(r.mae, (1 * 0.25 + 3 * 0.75) / 4, 1e-9);
    EXPECT(isnan(r.accuracy));
    arena_free(&a);
}

// Events of a performance: what is told of a note and of a second, by events of any weight, the
// same from sums of two places; without notes or without time there is no such figure.
TEST(metrics_of_performances)
{
    enum { WIDTH = TOKENS_COUNT, ROWS = 5 };
    static const int32_t target[ROWS] = {60, TOKENS_SHIFT + 49, TOKENS_OFF + 60, TOKENS_VELOCITY,
                                         64};
    static const float weight[ROWS] = {1, 2, 1, 1, 0}, even[WIDTH] = {0};
    arena a = {0};
    metrics *m = metrics_open(model_find("emotion_midi_transformer"), WIDTH, &a);
    metrics_clear(m);
    metrics_rows r = {
        .out = even, .same = true, .classes = target, .weight = weight, .width = WIDTH};
    metrics_result v = metrics_close(m);
    EXPECT(isnan(v.nats_per_note) && isnan(v.nats_per_second));
    r.rows = ROWS, metrics_add(m, &r);
    v = metrics_close(m);
    EXPECT_NEAR(v.loss, log(WIDTH), 1e-9);
    EXPECT_NEAR(v.nats_per_note, 5 * log(WIDTH), 1e-9);
    EXPECT_NEAR(v.nats_per_second, 5 * log(WIDTH), 1e-9);
    metrics_sums twice[] = {metrics_take(m), metrics_take(m)};
    metrics_put(m, twice, 2);
    v = metrics_close(m);
    EXPECT_NEAR(metrics_find(&v, "nats_per_note").value, 5 * log(WIDTH), 1e-9);
    EXPECT_NEAR(metrics_find(&v, "nats_per_second").value, 5 * log(WIDTH), 1e-9);
    arena_free(&a);
}

// Two groups of 2 and 3 in an output of 5: each as if it were alone, the loss by weights, a masked
// class nowhere; what is averaged is the groups'.
TEST(metrics_of_groups)
{
    static const model_group groups[] = {
        {.name = "a", .offset = 0, .size = 2, .weight = 1},
        {.name = "b", .offset = 2, .size = 3, .weight = 0.5f},
        {.name = "never", .offset = 5, .size = 2, .weight = 7},
    };
    static const float out[] = {1, 0, 0, 2, 0, 9, 9, 0, 1, 5, 0, 0, 9, 9, 3, 3, 0, 0, 1, 9, 9};
    static const int32_t classes[] = {0, 1, -1, 0, -1, -1, -1, -1, -1};
    static const float weight[] = {1, 1, 0, 1, 0, 0, 0, 0, 0};
    arena a = {0};
    metrics *m =
        metrics_open(&(model_def){.task = TASK_GROUPS, .groups = groups, .n_groups = 3}, 7, &a);
    metrics_clear(m);
    metrics_add(
        m,
        &(metrics_rows){
            .out = out, .classes = classes, .weight = weight, .rows = 3, .width = 7, .every = 3});
    metrics_result r = metrics_close(m);
    EXPECT_INT(r.items, 2); // the third has no class at all
    EXPECT_INT(r.group[0].items, 2);
    EXPECT_INT(r.group[1].items, 1);
    EXPECT_INT(r.group[2].items, 0);
    EXPECT_NEAR(r.group[0].accuracy, 0.5, 1e-12);
    EXPECT_NEAR(r.group[1].accuracy, 1, 1e-12);
    EXPECT(isnan(r.group[2].accuracy));
    EXPECT_NEAR(r.accuracy, 0.75, 1e-12);
    double first = log(1 + exp(-1)), second = 1 + first, other = log(exp(-2) * 2 + 1);
    EXPECT_NEAR(r.loss, (first + second + 0.5 * other) / 2, 1e-7);
    EXPECT_INT(r.main, 0);
    EXPECT_INT(r.classes, 2);
    EXPECT_INT(r.confusion[0 * 2 + 1], 1);
    arena_free(&a);
}

// Three points far from each other, said 0.1 beside where they are, colours half and the rest two
// off: chamfer 2 x 0.01, colours 0.25, smooth L1 1.5.
TEST(metrics_of_clouds)
{
    arena a = {0};
    float meant[30] = {0}, said[30], weight[2] = {1, 0}, both[60], wanted[60] = {0};
    for (int i = 0; i < 30; i++) {
        int k = i % 10;
        meant[i] = k < 3 ? (float)(i / 10 * 10) : 0.25f;
        said[i] = meant[i] + (k == 0 ? 0.1f : k < 3 ? 0 : k < 7 ? 0.5f : 2);
    }
    memcpy(both, said, sizeof said), memcpy(wanted, meant, sizeof meant);
    for (int i = 30; i < 60; i++)
        both[i] = NAN; // of a row that does not count
    metrics *m = metrics_open(&(model_def){.task = TASK_CLOUDS}, 30, &a);
    metrics_add(m, &(metrics_rows){
                       .out = both, .values = wanted, .weight = weight, .rows = 2, .width = 30});
    metrics_result r = metrics_close(m);
    EXPECT_INT(r.items, 1);
    EXPECT_NEAR(r.chamfer, 0.02, 1e-6);
    EXPECT_NEAR(r.colours, 0.25, 1e-6);
    EXPECT_NEAR(r.loss, 0.02 + 0.5 * 0.25 + 0.3 * 1.5, 1e-6);
    EXPECT_STR(metrics_at(&r, 1).name, "chamfer");
    EXPECT(isnan(r.mse));
    arena_free(&a);
}
