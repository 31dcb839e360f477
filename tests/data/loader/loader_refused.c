// SPDX-License-Identifier: GPL-3.0-or-later
// loader_refused.c: shards that changed behind the loader's back, labels that the model does not
// know.
#include "data/loader/loader.h"
#include "tests/data/loader/two_shards.h"
#include "tests/test.h"

enum { WINDOW = 8 };

TEST(loader_names_a_shard_that_was_replaced)
{
    err e = {0};
    dataset *d = two_shards(10);
    const char *out;
    test_shell(&out, "cp %s %s", test_path("t-0.h5"), test_path("t-1.h5"));
    loader_options o = {.batch = 2, .window = WINDOW};
    EXPECT_ERR(loader_open(d, &o, &e), e, ERR_DAMAGED, "t-1.h5");
    dataset_close(d);
}

// Item 5 has ten frames, of which the window shows eight; the bit that is turned is in its first.
TEST(loader_names_the_item_whose_bits_changed)
{
    err e = {0};
    const char *path = shard_file_write("b.h5", 0, 10);
    shard_file_turn_bit(path, 5, 0, 5);
    dataset *d = dataset_open(&path, 1, example_find("mel"), &e);
    loader_options o = {.batch = 2, .window = WINDOW, .crop = LOADER_LAST};
    loader *l = loader_open(d, &o, &e);
    EXPECT(loader_next(l, &e) && loader_next(l, &e));
    EXPECT_ERR(loader_next(l, &e), e, ERR_DAMAGED, "'i0005'");
    EXPECT_ERR(loader_next(l, &e), e, ERR_DAMAGED, "b.h5"); // and again, until a seek
    loader_seek(l, 0, 0);
    EXPECT(loader_next(l, &e) != NULL);
    loader_close(l);
    dataset_close(d);
}

TEST(loader_maps_labels_to_the_models)
{
    err e = {0};
    static const char *const model[] = {"cat", "dog", "ant", "bee"};
    dataset *d = two_shards(9);
    loader_options o = {.batch = 9, .window = WINDOW, .labels = model, .n_labels = 4};
    loader *l = loader_open(d, &o, &e);
    const int32_t *target = loader_next(l, &e)->field[1].data;
    EXPECT_INT(target[0], 2);
    EXPECT_INT(target[1], 3);
    EXPECT_INT(target[2], 0);
    loader_close(l);
    o.n_labels = 2;
    EXPECT_ERR(loader_open(d, &o, &e), e, ERR_MISMATCH, "'ant'");
    o = (loader_options){.batch = 10, .window = WINDOW, .drop_last = true};
    EXPECT_ERR(loader_open(d, &o, &e), e, ERR_VALUE, "fewer than one batch");
    dataset_close(d);
}
