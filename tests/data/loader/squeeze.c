// SPDX-License-Identifier: GPL-3.0-or-later
// squeeze.c: a whole item as so many columns (loader_squeeze), and a shard that lacks what a cloud
// is learnt from.
#include <string.h>

#include "data/loader/dataset.h"
#include "data/loader/loader.h"
#include "tests/data/prepare/prepared.h"
#include "tests/test.h"

// Frame t of band b is 100 b + t.
static void fill(float *frames, int64_t n, int bands)
{
    for (int64_t t = 0; t < n; t++)
        for (int b = 0; b < bands; b++)
            frames[t * bands + b] = (float)(100 * b + t);
}

TEST(loader_squeezes_frames_into_columns)
{
    float frames[8 * 2], out[2 * 4];
    fill(frames, 8, 2);
    loader_squeeze(frames, 8, 2, 4, out);
    for (int c = 0; c < 4; c++) {
        EXPECT_NEAR((double)out[c], 2 * c + 0.5, 0);
        EXPECT_NEAR((double)out[4 + c], 100 + 2 * c + 0.5, 0);
    }
    // seven frames: columns of 1, 2, 2, 2
    static const double uneven[] = {0, 1.5, 3.5, 5.5};
    loader_squeeze(frames, 7, 2, 4, out);
    for (int c = 0; c < 4; c++)
        EXPECT_NEAR((double)out[c], uneven[c], 0);
}

// Fewer frames than columns: each column is the frame that it lies in.
TEST(loader_squeezes_few_frames_by_repeating_them)
{
    static const double want[] = {0, 0, 1, 2};
    float frames[3], out[4];
    fill(frames, 3, 1);
    loader_squeeze(frames, 3, 1, 4, out);
    for (int c = 0; c < 4; c++)
        EXPECT_NEAR((double)out[c], want[c], 0);
}

// A shard of three pieces with these features.
static const char *shard_of(const char *features, arena *a)
{
    err e = {0};
    prepare_report r;
    const char *lines = arena_printf(a,
                                     "dataset: synth\nsynth: {items: 3, seconds: 2}\nmel: {n_mels: "
                                     "32, n_fft: 512}\nsplit: {val: 0, test: 0}\nfeatures: [%s]\n",
                                     features);
    EXPECT_OK(prepared("set", lines, 1, 1, 1, &r, &e), e);
    return arena_strdup(a, test_path("set/train-00000.h5"));
}

static void check_rows(const batch *b)
{
    const batch_field *mel = &b->field[0], *target = &b->field[3];
    const float *x = target->data;
    bool ordered = true;
    EXPECT_INT(b->items, 3);
    EXPECT_NEAR(b->weight, 3, 0);
    EXPECT_INT(mel->dim[2], 32);
    EXPECT_INT(mel->dim[3], 64);
    for (int i = 1; i < 1200; i++)
        ordered = ordered && x[i * 10] > x[(i - 1) * 10];
    EXPECT(ordered);
    EXPECT(memcmp(x, x + 12000, 12000 * sizeof *x) != 0);
}

TEST(loader_of_clouds_hears_whole_items)
{
    err e = {0};
    arena a = {0};
    const char *path = shard_of("mel, midi_stats, points", &a);
    dataset *d = dataset_open(&path, 1, example_find("cloud"), &e);
    EXPECT_OK(d != NULL, e);
    loader_options o = {.batch = 3, .window = 64, .hear = true};
    loader *l = d ? loader_open(d, &o, &e) : NULL;
    const batch *b = l ? loader_next(l, &e) : NULL;
    EXPECT_OK(b != NULL, e);
    if (b) {
        EXPECT_INT(loader_items(l), 3); // an item is one example, however long
        check_rows(b);
    }
    loader_close(l);
    dataset_close(d);
    arena_free(&a);
}

TEST(loader_of_clouds_names_the_column_that_is_not_there)
{
    err e = {0};
    arena a = {0};
    const char *path = shard_of("mel, midi_stats", &a);
    EXPECT_ERR(dataset_open(&path, 1, example_find("cloud"), &e) != NULL, e, ERR_MISMATCH,
               "has no 'points', which is what is learnt from here; make one that has it by kmidi "
               "prepare CONFIG --out DIR 'features=[mel, midi_stats, points]'");
    arena_free(&a);
}
