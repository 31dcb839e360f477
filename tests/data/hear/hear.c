// SPDX-License-Identifier: GPL-3.0-or-later
// hear.c: what is written is read back to the bit, what older files leave out is what they mean,
// and what cannot be meant is refused by its key.
#include "data/hear/hear.h"

#include <string.h>

#include "tests/test.h"

enum { BANDS = 40 };

static const char *const names[] = {"a \"quoted\" one", "grief", "j\xc3\xb6y"};

// Some description; of the bands one number of every magnitude.
static hear_rule some(uint32_t seed, arena *a)
{
    float *mean = NEW(a, float, BANDS), *deviation = NEW(a, float, BANDS);
    for (uint32_t i = 0; i < BANDS; i++) {
        mean[i] = test_fill(seed, i, 1) * (i % 2 ? 1e-20f : 1e4f);
        deviation[i] = 1e-5f + (1 + test_fill(seed + 1, i, 1)) * (i % 3 ? 1 : 1e9f);
    }
    return (hear_rule){.labels = names,
                       .n_labels = 3,
                       .mean = mean,
                       .deviation = deviation,
                       .n_bands = BANDS,
                       .settings = "{\"mel\": {\"n_mels\": 40}}",
                       .window = 1 + (int64_t)(test_fill_u32(seed, 1) % HEAR_WINDOW_MOST),
                       .views = (int)(test_fill_u32(seed, 2) % (HEAR_VIEWS_MOST + 1)),
                       .crop = (loader_crop)(test_fill_u32(seed, 3) % LOADER_RANDOM),
                       .eval_windows = (int64_t)(test_fill_u32(seed, 4) >> 1),
                       .untold = seed % 2};
}

static void check_same(const hear_rule *x, const hear_rule *y)
{
    EXPECT_INT(x->n_labels, y->n_labels);
    for (size_t i = 0; i < x->n_labels; i++)
        EXPECT_STR(x->labels[i], y->labels[i]);
    EXPECT_INT(x->n_bands, y->n_bands);
    EXPECT(!x->n_bands || !memcmp(x->mean, y->mean, x->n_bands * sizeof(float)));
    EXPECT(!x->n_bands || !memcmp(x->deviation, y->deviation, x->n_bands * sizeof(float)));
    EXPECT_STR(x->settings, y->settings);
    EXPECT_INT(x->window, y->window);
    EXPECT_INT(x->views, y->views);
    EXPECT_INT(x->crop, y->crop);
    EXPECT_INT(x->eval_windows, y->eval_windows);
    EXPECT_INT(x->untold, y->untold);
}

TEST(hear_reads_groups)
{
    static const char *const classes[] = {"a", "b"};
    static const int64_t items[] = {3, 0};
    static const hear_group groups[] = {{{"base", classes, 2}, items, 0}};
    arena a = {0};
    err e = {0};
    model_meta meta = {.arena = &a};
    hear_rule h = some(1, &a), got;
    h.groups = groups, h.n_groups = 1;
    hear_write(&h, &meta);
    EXPECT_OK(hear_read(&meta, "x.h5", &a, &got, &e), e);
    const hear_group *g = hear_find_group(&got, "base");
    EXPECT(g && g->group.n == 2 && !strcmp(g->group.classes[1], "b") && g->items[0] == 3);
    EXPECT_INT(g ? g->trained : -1, 3);
    EXPECT(!hear_find_group(&got, "node"));
    arena_free(&a);
}

TEST(hear_reads_what_it_wrote)
{
    for (uint32_t seed = 0; seed < 30; seed++) {
        arena a = {0};
        err e = {0};
        model_meta meta = {.arena = &a};
        hear_rule h = some(seed, &a), got;
        hear_write(&h, &meta);
        EXPECT_OK(hear_read(&meta, "x.h5", &a, &got, &e), e);
        check_same(&got, &h);
        arena_free(&a);
    }
}

TEST(hear_reads_what_older_files_mean)
{
    arena a = {0};
    err e = {0};
    model_meta meta = {.arena = &a};
    hear_rule h;
    hear_feature f;
    EXPECT_OK(hear_read(&meta, "x.h5", &a, &h, &e), e);
    EXPECT(!h.labels && !h.mean && !h.deviation && !h.settings && h.window == 0);
    EXPECT_INT(h.views, 1);
    EXPECT_INT(h.crop, LOADER_LAST);
    EXPECT_INT(h.eval_windows, 0);
    EXPECT(!h.untold);
    EXPECT_OK(hear_settings(h.settings, "x.h5", "mel", &a, &f, &e), e);
    EXPECT(f.settings && !f.said);
    meta_set(&meta, "labels", "[]"); // of songs: said, and none
    EXPECT_OK(hear_read(&meta, "x.h5", &a, &h, &e), e);
    EXPECT(h.labels && h.n_labels == 0);
    arena_free(&a);
}

TEST(hear_refuses_by_the_key)
{
    static const char *const cases[][3] = {
        {"labels", "[\"calm\", 3]", "its 'labels' is not a list of texts"},
        {"labels", "calm", "its 'labels' is not a list of texts"},
        {"labels", "{\"calm\": 1}", "its 'labels' is not a list of texts"},
        {"groups", "{}", "its 'groups' are not names with classes and items"},
        {"groups", "[{\"name\": \"a\", \"classes\": [\"b\"], \"items\": []}]", "its 'groups'"},
        {"groups", "[{\"name\": \"a\", \"classes\": [\"b\"], \"items\": [-1]}]", "its 'groups'"},
        {"groups", "[{\"name\": \"a\", \"classes\": [], \"items\": []}]", "its 'groups'"},
        {"mean", "[0, \"x\"]", "its 'mean' is not a list of finite numbers"},
        {"mean", "[1, 2", "its 'mean' is not a list of finite numbers"},
        {"mean", "[0, 1]", "its 'mean' is of 2 bands and its 'deviation' of 40"},
        {"deviation", "[1e99]", "its 'deviation' is not a list of finite numbers"},
        {"deviation", "[]", "its 'mean' is of 40 bands and its 'deviation' of 0"},
        {"settings", "[]", "its 'settings' are not a JSON object"},
        {"settings", "{\"mel\": ", "its 'settings' are not a JSON object"},
        {"window", "-3", "its 'window' is '-3', not a whole number from 0 to 1048576"},
        {"window", "1e3", "its 'window' is '1e3'"},
        {"window", "99999999999999999999", "its 'window' is"},
        {"eval_views", "65", "its 'eval_views' is '65', not a whole number from 0 to 64"},
        {"eval_views", "", "its 'eval_views' is ''"},
        {"eval_crop", "random", "its 'eval_crop' is 'random', not first, center or last"},
        {"eval_crop", "Last", "its 'eval_crop' is 'Last'"},
        {"eval_windows", "many", "its 'eval_windows' is 'many'"},
        {"untold", "2", "its 'untold' is '2', not a whole number from 0 to 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        err e = {0};
        model_meta meta = {.arena = &a};
        hear_rule h = some(7, &a);
        hear_write(&h, &meta);
        meta_set(&meta, cases[i][0], cases[i][1]);
        EXPECT_ERR(hear_read(&meta, "x.h5", &a, &h, &e), e, ERR_DAMAGED, cases[i][2]);
        EXPECT_HAS(e.text, "'x.h5': ");
        EXPECT_HAS(e.text, "; take another checkpoint of the run");
        arena_free(&a);
    }
}

// 0 would divide; a band that says nothing has the deviation 1.
TEST(hear_refuses_a_deviation_that_divides_by_nothing)
{
    arena a = {0};
    err e = {0};
    model_meta meta = {.arena = &a};
    hear_rule h;
    meta_set(&meta, "mean", "[1, 2]");
    meta_set(&meta, "deviation", "[1, 0]");
    EXPECT_ERR(hear_read(&meta, "x.h5", &a, &h, &e), e, ERR_DAMAGED,
               "its 'deviation' of band 1 is 0, not above 0");
    meta_set(&meta, "deviation", "[1, 2]");
    EXPECT_OK(hear_read(&meta, "x.h5", &a, &h, &e), e);
    EXPECT(h.n_bands == 2 && h.deviation[1] == 2);
    arena_free(&a);
}
