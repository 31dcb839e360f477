// SPDX-License-Identifier: GPL-3.0-or-later
// configure.c: models of other sizes: their counts, the text that they travel by, and sizes that
// make no network.
#include "models/model.h"
#include "tests/test.h"

static const char small[] = "layers=4 dim=128 heads=4 ffn=512 cross=0";

TEST(configure_counts_what_is_built)
{
    arena a = {.name = "configure"};
    err e = {0};
    const model_def *whole = model_find("emotion_midi_transformer"),
                    *m = model_configure(whole, small, &a, &e);
    EXPECT_OK(m != NULL, e);
    EXPECT_INT(m->params, 1309312);
    EXPECT_STR(model_sizes(m, &a), "layers=4 dim=128 heads=4 ffn=512 cross=0 emotion_tokens=8");
    EXPECT_STR(model_sizes(whole, &a),
               "layers=8 dim=384 heads=6 ffn=1792 cross=0,2,4,6 emotion_tokens=8");
    const model_def *again = model_configure(whole, model_sizes(m, &a), &a, &e);
    EXPECT_OK(again && again->params == m->params, e);
    EXPECT(model_configure(whole, model_sizes(whole, &a), &a, &e)->params == whole->params);
    EXPECT(model_configure(whole, "", &a, &e) == whole &&
           model_configure(whole, NULL, &a, &e) == whole);
    EXPECT_STR(model_sizes(model_find("dynamics_engine"), &a), "");
    EXPECT_STR(model_sizes(model_configure(whole, "dim=36 heads=3 qk_norm=1", &a, &e), &a),
               "layers=8 dim=36 heads=3 ffn=1792 cross=0,2,4,6 emotion_tokens=8 qk_norm=1");
    EXPECT_STR(model_sizes(model_configure(whole, "cross=", &a, &e), &a),
               "layers=8 dim=384 heads=6 ffn=1792 cross= emotion_tokens=8");
    arena_free(&a);
}

TEST(configure_refuses_what_makes_no_network)
{
    static const char *const texts[] = {
        "layer=4",  "layers=0",       "layers=4x",         "layers=",
        "layers",   "layers=99",      "cross=0,,2",        "cross=0,",
        "cross=63", "qk_norm=2",      "cross=a",           "=4",
        "heads=-2", "dim=9999999999", "cross=0,2 depth=3", "layers=99999999999999999999"};
    arena a = {.name = "configure"};
    err e = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        EXPECT_ERR(model_configure(model_find("emotion_midi_transformer"), texts[i], &a, &e) !=
                       NULL,
                   e, ERR_VALUE, "is not a size of");
    EXPECT_ERR(model_configure(model_find("emotion_midi_transformer"), "norm=1", &a, &e) != NULL, e,
               ERR_VALUE,
               "'norm=1' is not a size of emotion_midi_transformer; its sizes and their form are "
               "layers=8 dim=384 heads=6 ffn=1792 cross=0,2,4,6 emotion_tokens=8 qk_norm=0");
    EXPECT_ERR(model_configure(model_find("emotion_midi_transformer"), "heads=5", &a, &e) != NULL,
               e, ERR_SHAPE, "5 heads");
    EXPECT_ERR(model_configure(model_find("spectocloud_vit"), "dim=48", &a, &e) != NULL, e,
               ERR_SHAPE, "dim 48 is not a multiple of 32");
    EXPECT_ERR(model_configure(model_find("spectocloud_vit"), "dim=0", &a, &e) != NULL, e,
               ERR_VALUE, "is not a size of");
    EXPECT_ERR(model_configure(model_find("dynamics_engine"), "layers=2", &a, &e) != NULL, e,
               ERR_VALUE, "dynamics_engine");
    arena_free(&a);
}
