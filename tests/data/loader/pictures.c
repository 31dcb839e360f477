// SPDX-License-Identifier: GPL-3.0-or-later
// pictures.c: rows of `picture` (data/loader/examples/picture.c), classes as a model asks for them,
// and rows that are mixed of two.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/larger.h"
#include "data/loader/loader.h"
#include "data/loader/loader_mix.h"
#include "tests/data/shards/group_files.h"
#include "tests/test.h"

enum { WINDOW = 8, ITEMS = 20, ROW = WINDOW * SHARD_BANDS };
enum { MEL, TARGET, WEIGHT, EMOTION, LENGTH, MORE, OTHER_TARGET, OTHER_WEIGHT };

static dataset *open_set(const char *made_of)
{
    err e = {0};
    const char *path = group_file_write("p.h5", 0, ITEMS);
    dataset *d = dataset_open(&path, 1, example_find(made_of), &e);
    test_expect(d != NULL, __FILE__, __LINE__, "%s", e.text);
    return d;
}

static const float *floats(const batch *b, int field, int64_t row, int64_t n)
{
    return (const float *)b->field[field].data + row * n;
}

static const int32_t *ints(const batch *b, int field, int64_t row, int64_t n)
{
    return (const int32_t *)b->field[field].data + row * n;
}

// Bands by frames, the same numbers as frames by bands; the groups in the model's order, one that
// the set has not among them.
TEST(pictures_are_turned_and_told)
{
    static const int groups[] = {1, -1, 0};
    err e = {0};
    dataset *d = open_set("picture"), *plain = open_set("mel");
    loader_options o = {.batch = 6, .window = WINDOW, .crop = LOADER_FIRST}, q = o;
    q.groups = groups, q.n_groups = 3;
    loader *l = loader_open(plain, &o, &e), *m = loader_open(d, &q, &e);
    for (int k = 0; l && m && k < 4; k++) {
        const batch *b = loader_next(l, &e), *c = loader_next(m, &e);
        double weight = 0;
        for (int64_t row = 0; row < c->items; row++) {
            int64_t i = atoll(c->paths[0] + 1) + row;
            const float *x = floats(b, MEL, row, ROW), *y = floats(c, MEL, row, ROW);
            for (int t = 0; t < WINDOW; t++)
                for (int f = 0; f < SHARD_BANDS; f++)
                    EXPECT(x[t * SHARD_BANDS + f] == y[f * WINDOW + t]);
            for (int g = 0; g < 3; g++) {
                int32_t want = groups[g] < 0 ? -1 : group_file_class(i, groups[g]);
                EXPECT_INT(ints(c, TARGET, row, 3)[g], want);
                EXPECT_NEAR(floats(c, WEIGHT, row, 3)[g], want >= 0, 0);
            }
            weight += group_file_class(i, 0) >= 0; // a node has a base
        }
        EXPECT_NEAR(c->weight, weight, 1e-9);
    }
    loader_close(l), loader_close(m);
    dataset_close(d), dataset_close(plain);
}

// A shard that is another one by the time it is read: of fewer groups.
TEST(pictures_of_a_shard_that_changed_are_refused)
{
    static const int groups[] = {0, 1};
    err e = {0};
    dataset *d = open_set("picture");
    (void)group_file_write_some("p.h5", 0, ITEMS, 1);
    loader_options o = {
        .batch = 4, .window = WINDOW, .crop = LOADER_FIRST, .groups = groups, .n_groups = 2};
    EXPECT_ERR(loader_open(d, &o, &e) != NULL, e, ERR_DAMAGED,
               "was changed while it was in use; start again");
    dataset_close(d);
}

// A mixed row is share x + (1 - share) y of two items, and its weights say which share.
static void expect_mixed(const batch *b, const batch *all, int64_t row, double *total)
{
    double own = -1, rest = 0;
    for (int g = 0; g < 2; g++) {
        double w = (double)floats(b, WEIGHT, row, 2)[g];
        own = w > 0 ? w : own;
        rest = larger(rest, (double)floats(b, OTHER_WEIGHT, row, 2)[g]);
    }
    if (own < 0) { // without a class: left alone
        EXPECT_NEAR(rest, 0, 0);
        return;
    }
    EXPECT(rest > 0 ? fabs(own + rest - 1) < 1e-6 : own == 1);
    *total += own + rest;
    int found = 0;
    for (int64_t j = 0; j < ITEMS; j++) {
        bool fits = true;
        for (int k = 0; fits && k < ROW; k++)
            fits = fabs(own * (double)floats(all, MEL, row, ROW)[k] +
                        rest * (double)floats(all, MEL, j, ROW)[k] -
                        (double)floats(b, MEL, row, ROW)[k]) < 1e-5;
        for (int g = 0; fits && rest > 0 && g < 2; g++)
            fits = ints(b, OTHER_TARGET, row, 2)[g] == ints(all, TARGET, j, 2)[g];
        found += fits;
    }
    EXPECT(rest > 0 ? found == 1 : found == ITEMS);
}

TEST(pictures_are_mixed_of_two)
{
    static const int groups[] = {0, 1};
    err e = {0};
    dataset *d = open_set("picture");
    loader_options o = {.batch = ITEMS,
                        .window = WINDOW,
                        .crop = LOADER_FIRST,
                        .groups = groups,
                        .n_groups = 2},
                   p = o;
    p.mixup = 0.4, p.seed = 5;
    loader *l = loader_open(d, &o, &e), *m = loader_open(d, &p, &e);
    const batch *all = loader_next(l, &e), *b = loader_next(m, &e);
    double total = 0;
    for (int64_t row = 0; row < ITEMS; row++)
        expect_mixed(b, all, row, &total);
    EXPECT_NEAR(b->weight, total, 1e-5);
    // the same rows in batches of four
    loader *parts = (p.batch = 4, loader_open(d, &p, &e));
    for (int k = 0; k < ITEMS / 4; k++) {
        const batch *part = loader_next(parts, &e);
        EXPECT(!memcmp(part->field[MEL].data, floats(b, MEL, 4 * k, ROW), 4 * ROW * sizeof(float)));
        EXPECT(!memcmp(part->field[OTHER_WEIGHT].data, floats(b, OTHER_WEIGHT, 4 * k, 2),
                       8 * sizeof(float)));
    }
    loader_close(l), loader_close(m), loader_close(parts);
    dataset_close(d);
}

// Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)).
TEST(mixup_shares_are_beta)
{
    for (double alpha = 0.2; alpha < 1.1; alpha += 0.4) {
        loader_mix m = {.alpha = alpha, .seed = 9};
        double sum = 0, squares = 0;
        int n = 20000;
        for (int i = 0; i < n; i++) {
            double x = loader_mix_share(&m, 3, (uint64_t)i);
            EXPECT(x >= 0 && x <= 1);
            sum += x, squares += x * x;
        }
        EXPECT_NEAR(sum / n, 0.5, 0.01);
        EXPECT_NEAR(squares / n - sum / n * sum / n, 0.25 / (2 * alpha + 1), 0.005);
    }
}
