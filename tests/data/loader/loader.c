// SPDX-License-Identifier: GPL-3.0-or-later
// loader.c: each item once, the right frames in the right place, and the same from any position on.
#include "data/loader/loader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/data/loader/two_shards.h"
#include "tests/test.h"

enum { WINDOW = 8 };

// The item's emotion begins with its number / 1000; of the first rows the path tells, too.
static int64_t item_of(const batch *b, int64_t row)
{
    const float *emotion = (const float *)b->field[3].data + row * SHARD_EMOTION;
    int64_t i = (int64_t)(emotion[0] * 1000 + 0.5f);
    if (row < BATCH_PATHS)
        EXPECT_INT(atoll(b->paths[row] + 1), i);
    return i;
}

static const float *mel_row(const batch *b, int64_t row)
{
    return (const float *)b->field[0].data + row * WINDOW * SHARD_BANDS;
}

// The row is the item's frames [begin, begin + n) at the end of the window, zeros before. Returns
// begin.
static int64_t check_row(const batch *b, int64_t row, const float *mean, const float *deviation)
{
    const int64_t window = b->field[0].dim[1];
    int64_t i = item_of(b, row), frames = shard_file_frames(i),
            n = frames < window ? frames : window;
    const float *x = (const float *)b->field[0].data + row * window * SHARD_BANDS;
    const float *last = x + (window - 1) * SHARD_BANDS;
    int64_t end = (int64_t)(last[0] * deviation[0] + mean[0] + 0.5f) - 100 * i,
            begin = end - (n - 1);
    EXPECT(begin >= 0 && begin + n <= frames);
    EXPECT_INT(((const int32_t *)b->field[4].data)[row], n);
    for (int64_t t = 0; t < window; t++)
        for (int c = 0; c < SHARD_BANDS; c++) {
            double want =
                t < window - n
                    ? 0
                    : (double)((shard_file_value(i, begin + t - (window - n), c) - mean[c]) /
                               deviation[c]);
            if (fabs((double)x[t * SHARD_BANDS + c] - want) > 1e-5) {
                EXPECT_NEAR(x[t * SHARD_BANDS + c], want, 1e-5);
                return begin;
            }
        }
    return begin;
}

static void check_labels(const batch *b, int64_t row)
{
    int64_t i = item_of(b, row);
    int32_t label = shard_file_label(i);
    EXPECT_INT(((const int32_t *)b->field[1].data)[row], label < 0 ? 0 : label);
    EXPECT_NEAR(((const float *)b->field[2].data)[row], label < 0 ? 0 : 1, 0);
    EXPECT_NEAR(((const float *)b->field[3].data)[row * 64], (float)i / 1000, 0);
}

TEST(loader_gives_each_item_once_an_epoch)
{
    err e = {0};
    float mean[SHARD_BANDS] = {1, 2, 3, 4, 5, 6, 7, 8},
          deviation[SHARD_BANDS] = {2, 2, 4, 4, 2, 2, 4, 4};
    dataset *d = two_shards(37);
    loader_options o = {.batch = 5,
                        .window = WINDOW,
                        .crop = LOADER_RANDOM,
                        .shuffle = true,
                        .seed = 3,
                        .mean = mean,
                        .deviation = deviation};
    loader *l = loader_open(d, &o, &e);
    EXPECT_INT(loader_batches(l), 8);
    EXPECT_INT(loader_items(l), 37);
    int order[2][40] = {{0}}, at = 0;
    bool cropped = false;
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        int seen[37] = {0};
        at = 0;
        for (uint64_t k = 0; k < 8; k++) {
            const batch *b = loader_next(l, &e);
            if (!test_expect(b != NULL, __FILE__, __LINE__, "%s", e.text))
                return;
            EXPECT_INT(b->epoch, epoch);
            EXPECT_INT(b->index, k);
            EXPECT_INT(b->items, k < 7 ? 5 : 2);
            for (int64_t row = 0; row < b->items; row++) {
                seen[item_of(b, row)]++;
                order[epoch][at++] = (int)item_of(b, row);
                cropped |= check_row(b, row, mean, deviation) > 0;
                check_labels(b, row);
            }
            for (int64_t row = b->items; row < 5; row++)
                EXPECT_NEAR(((const float *)b->field[2].data)[row], 0, 0);
        }
        for (int i = 0; i < 37; i++)
            EXPECT_INT(seen[i], 1);
    }
    EXPECT(cropped);
    EXPECT(memcmp(order[0], order[1], sizeof order[0]) != 0);
    loader_close(l);
    dataset_close(d);
}

// Rows that would be zeros move no mean of a batch: its items once more, which weigh nothing.
TEST(loader_repeats_items_where_a_batch_is_short)
{
    err e = {0};
    float mean[SHARD_BANDS] = {0}, deviation[SHARD_BANDS] = {1, 1, 1, 1, 1, 1, 1, 1};
    dataset *d = two_shards(37);
    loader_options o = {.batch = 5,
                        .repeat = true,
                        .window = WINDOW,
                        .crop = LOADER_RANDOM,
                        .shuffle = true,
                        .seed = 3,
                        .mean = mean,
                        .deviation = deviation};
    loader *l = loader_open(d, &o, &e);
    loader_seek(l, 0, 7);
    const batch *b = loader_next(l, &e);
    EXPECT(b && b->items == 2);
    const size_t n = WINDOW * SHARD_BANDS;
    for (int64_t row = 2; row < 5; row++) {
        const float *mel = b->field[0].data;
        EXPECT(!memcmp(mel + (size_t)row * n, mel + (size_t)(row % 2) * n, n * sizeof *mel));
        EXPECT_NEAR(((const float *)b->field[2].data)[row], 0, 0);
    }
    loader_close(l);
    dataset_close(d);
}

// What a batch holds, for comparing.
static void keep(const batch *b, float *out)
{
    memcpy(out, b->field[0].data, sizeof(float) * 4 * WINDOW * SHARD_BANDS);
    for (int i = 0; i < 4; i++)
        out[4 * WINDOW * SHARD_BANDS + i] = (float)((const int32_t *)b->field[1].data)[i];
}

enum { KEPT = 4 * WINDOW * SHARD_BANDS + 4 };

TEST(loader_goes_on_in_the_middle_as_if_it_had_not_stopped)
{
    static float whole[20][KEPT], part[KEPT];
    err e = {0};
    dataset *d = two_shards(37);
    loader_options o = {.batch = 4,
                        .window = WINDOW,
                        .crop = LOADER_RANDOM,
                        .shuffle = true,
                        .seed = 9,
                        .freq_masks = 2,
                        .freq_width = 3,
                        .time_masks = 1,
                        .time_width = 2};
    loader *l = loader_open(d, &o, &e);
    for (int i = 0; i < 20; i++)
        keep(loader_next(l, &e), whole[i]);
    loader_close(l);
    l = loader_open(d, &o, &e);
    for (int i = 19; i >= 0; i -= 3) {
        loader_seek(l, (uint64_t)i / 10, (uint64_t)i % 10);
        for (int k = i; k < 20 && k < i + 2; k++) {
            keep(loader_next(l, &e), part);
            EXPECT(memcmp(part, whole[k], sizeof part) == 0);
        }
    }
    loader_close(l);
    dataset_close(d);
}

// A gain is one number for all that is the item's in a row, another for the next row, and the same
// when the row comes again.
TEST(loader_makes_rows_louder)
{
    static const float octave[SHARD_BANDS] = {0};
    err e = {0};
    dataset *d = two_shards(36);
    loader_options o = {.batch = 6, .window = WINDOW, .crop = LOADER_LAST, .seed = 1}, louder = o;
    louder.mel = (augment_mel){.gain = 6, .per_db = 1, .octave = octave};
    loader *l = loader_open(d, &o, &e), *m = loader_open(d, &louder, &e);
    float seen[12] = {0};
    for (int k = 0; k < 24; k++) {
        if (k == 12)
            loader_seek(l, 0, 0), loader_seek(m, 0, 0);
        const batch *b = loader_next(l, &e), *c = loader_next(m, &e);
        for (int64_t row = 0; row < b->items; row++) {
            const float *x = mel_row(b, row), *y = mel_row(c, row);
            int64_t n = ((const int32_t *)b->field[4].data)[row];
            float by = y[WINDOW * SHARD_BANDS - 1] - x[WINDOW * SHARD_BANDS - 1];
            EXPECT(by != 0 && fabsf(by) <= 6.01f);
            for (int64_t i = 0; i < WINDOW * SHARD_BANDS; i++)
                EXPECT_NEAR(y[i] - x[i], i < (WINDOW - n) * SHARD_BANDS ? 0 : by, 2e-3);
            if (row == 0 && k % 12 < 6) {
                EXPECT(k < 12 ? by != seen[(k + 11) % 12] : by == seen[k % 12]);
                seen[k % 12] = by;
            }
        }
    }
    loader_close(l), loader_close(m);
    dataset_close(d);
}

TEST(loader_masks_bands_and_frames_with_the_mean)
{
    err e = {0};
    float mean[SHARD_BANDS] = {-5, -5, -5, -5, -5, -5, -5, -5},
          deviation[SHARD_BANDS] = {1, 1, 1, 1, 1, 1, 1, 1};
    dataset *d = two_shards(36);
    loader_options o = {.batch = 6,
                        .window = WINDOW,
                        .crop = LOADER_LAST,
                        .seed = 1,
                        .freq_masks = 1,
                        .freq_width = 4,
                        .mean = mean,
                        .deviation = deviation};
    loader *l = loader_open(d, &o, &e);
    int widths[SHARD_BANDS + 1] = {0};
    for (int k = 0; k < 12; k++) {
        const batch *b = loader_next(l, &e);
        for (int64_t row = 0; row < b->items; row++) {
            const float *last = mel_row(b, row) + (WINDOW - 1) * SHARD_BANDS;
            int zeros = 0, changes = 0;
            for (int c = 0; c < SHARD_BANDS; c++) {
                zeros += last[c] == 0;
                changes += c > 0 && (last[c] == 0) != (last[c - 1] == 0);
            }
            EXPECT(zeros <= 4 && changes <= 2);
            widths[zeros]++;
        }
    }
    for (int w = 0; w <= 4; w++) // uniform in 0..4: 72 rows, about 14 each
        EXPECT(widths[w] > 3);
    loader_close(l);
    dataset_close(d);
}

TEST(loader_evaluates_in_order_and_at_the_asked_place)
{
    static const loader_crop crops[] = {LOADER_LAST, LOADER_CENTER, LOADER_FIRST};
    err e = {0};
    float mean[SHARD_BANDS] = {0}, deviation[SHARD_BANDS] = {1, 1, 1, 1, 1, 1, 1, 1};
    dataset *d = two_shards(20);
    for (int c = 0; c < 3; c++) {
        loader_options o = {.batch = 20, .window = WINDOW, .crop = crops[c]};
        loader *l = loader_open(d, &o, &e);
        const batch *b = loader_next(l, &e);
        for (int64_t i = 0; i < 20; i++) {
            int64_t spare = shard_file_frames(i) > WINDOW ? shard_file_frames(i) - WINDOW : 0;
            EXPECT_INT(item_of(b, i), i);
            EXPECT_INT(check_row(b, i, mean, deviation), c == 0 ? spare : c == 1 ? spare / 2 : 0);
        }
        EXPECT_NEAR(b->weight, 18, 0);
        loader_close(l);
    }
    dataset_close(d);
}

// Every window of every item is a row, in order; an item's begin at its first frame and end at its
// last.
enum { SMALL = 4 }; // so that an item of 5 to 11 frames has two or three

static void check_windows(int views)
{
    err e = {0};
    float mean[SHARD_BANDS] = {0}, deviation[SHARD_BANDS] = {1, 1, 1, 1, 1, 1, 1, 1};
    dataset *d = two_shards(20);
    loader_options o = {
        .batch = 5, .window = SMALL, .crop = LOADER_LAST, .hear = true, .views = views};
    loader *l = loader_open(d, &o, &e);
    EXPECT(l != NULL);
    const batch *b = NULL;
    int64_t row = 5;
    for (int64_t i = 0; l && i < 20; i++) {
        int64_t frames = shard_file_frames(i), count = (frames + SMALL - 1) / SMALL,
                spare = frames > SMALL ? frames - SMALL : 0;
        if (views && frames > SMALL && frames <= 2 * views * SMALL)
            count = views;
        for (int64_t k = 0; k < count; k++, row++) {
            if (row == 5)
                b = loader_next(l, &e), row = 0;
            EXPECT_INT(item_of(b, row), i);
            EXPECT_INT(check_row(b, row, mean, deviation),
                       count > 1 ? spare * k / (count - 1) : spare);
            EXPECT_NEAR(((const float *)b->field[2].data)[row],
                        shard_file_label(i) < 0 ? 0 : 1.0 / (double)count, 1e-6);
            EXPECT_INT(((const int32_t *)b->field[5].data)[row], count - 1 - k);
        }
    }
    EXPECT_INT(b ? b->items : 0, row);
    loader_close(l);
    dataset_close(d);
}

TEST(loader_hears_all_of_an_item)
{
    check_windows(0);
    check_windows(1);
    check_windows(3);
}

TEST(loader_balances_labels)
{
    err e = {0};
    // 17, 17, 16 less the unlabelled: 15, 15, 15
    const char *path = shard_file_write("b.h5", 0, 50);
    const char *few = shard_file_write("c.h5", 60, 1); // and one more ant
    const char *patterns[] = {path, few};
    dataset *d = dataset_open(patterns, 2, example_find("mel"), &e);
    loader_options o = {.batch = 4,
                        .window = WINDOW,
                        .crop = LOADER_RANDOM,
                        .shuffle = true,
                        .balanced = true,
                        .seed = 5};
    loader *l = loader_open(d, &o, &e);
    int count[3] = {0}, seen[64] = {0};
    uint64_t n = loader_batches(l);
    EXPECT_INT(loader_items(l), d->items - d->label_count[3]);
    for (uint64_t k = 0; k < n; k++) {
        const batch *b = loader_next(l, &e);
        for (int64_t row = 0; row < b->items; row++) {
            EXPECT(shard_file_label(item_of(b, row)) >= 0);
            check_labels(b, row);
            count[((const int32_t *)b->field[1].data)[row]]++;
            seen[item_of(b, row)]++;
        }
    }
    EXPECT(abs(count[0] - count[1]) <= 1 && abs(count[1] - count[2]) <= 1);
    for (int i = 0; i < 64; i++)
        EXPECT(seen[i] <= 2);
    loader_close(l);
    dataset_close(d);
}

// More shards than are held open: shuffled in pools, still each once, and the same after a seek.
TEST(loader_covers_more_shards_than_it_holds_open)
{
    enum { N = LOADER_SHARDS * 2 + 5, EACH = 3 };
    static int seen[N * EACH], first[N * EACH];
    err e = {0};
    for (int k = 0; k < N; k++) {
        char name[32];
        snprintf(name, sizeof name, "m-%03d.h5", k);
        shard_file_write(name, k * EACH, EACH);
    }
    const char *pattern = test_path("m-*.h5");
    dataset *d = dataset_open(&pattern, 1, example_find("mel"), &e);
    loader_options o = {
        .batch = EACH, .window = WINDOW, .crop = LOADER_LAST, .shuffle = true, .seed = 2};
    loader *l = loader_open(d, &o, &e);
    memset(seen, 0, sizeof seen);
    for (int k = 0; k < N; k++) {
        const batch *b = loader_next(l, &e);
        for (int64_t row = 0; row < EACH; row++) {
            first[k * EACH + row] = (int)item_of(b, row);
            seen[item_of(b, row)]++;
        }
    }
    for (int i = 0; i < N * EACH; i++)
        EXPECT_INT(seen[i], 1);
    loader_seek(l, 0, N - 2);
    EXPECT_INT(item_of(loader_next(l, &e), 1), first[(N - 2) * EACH + 1]);
    loader_close(l);
    dataset_close(d);
}

TEST(loader_row_is_what_the_loader_makes)
{
    err e = {0};
    float mean[SHARD_BANDS] = {1, 2, 3, 4, 5, 6, 7, 8},
          deviation[SHARD_BANDS] = {2, 3, 5, 7, 2, 3, 5, 7}, row[WINDOW * SHARD_BANDS];
    dataset *d = two_shards(12);
    loader_options o = {
        .batch = 12, .window = WINDOW, .crop = LOADER_CENTER, .mean = mean, .deviation = deviation};
    loader *l = loader_open(d, &o, &e);
    const batch *b = loader_next(l, &e);
    for (int64_t i = 0; i < 12; i++) {
        float x[16 * SHARD_BANDS];
        int64_t n = shard_file_frames(i);
        for (int64_t k = 0; k < n * SHARD_BANDS; k++)
            x[k] = shard_file_value(i, k / SHARD_BANDS, (int)(k % SHARD_BANDS));
        loader_row(x, n, loader_begin(LOADER_CENTER, 0, 1, n, WINDOW), WINDOW, SHARD_BANDS, mean,
                   deviation, row);
        EXPECT(memcmp(row, mel_row(b, i), sizeof row) == 0);
    }
    loader_close(l);
    dataset_close(d);
}
