// SPDX-License-Identifier: GPL-3.0-or-later
// loader_songs.c: windows of songs lie where they should, every place about equally often, and are
// the same from any position on.
#include "data/loader/loader_songs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/shards/shard_write.h"
#include "tests/test.h"

enum {
    ITEMS = 24,
    MOST = 16,
    WINDOW = 6,
    BATCH = 5,
    TOKENS = 0,
    TARGET = 1,
    WEIGHT = 2,
    EMOTION = 3
};

// Item i has 2 to 16 tokens; token t of it is 16 i + t, so that each tells where it is from.
static int64_t length_of(int64_t i)
{
    return 2 + i * 4 % 15;
}

// `groups` 0: every item has an emotion of its own, i / 1000; else (i % groups) / 1000.
static const char *write_songs(const char *name, int64_t first, int64_t n, int groups)
{
    err e = {0};
    shard_info info = {.split = "train",
                       .dataset = "songs",
                       .settings = "{\"tokens\": {\"drums\": false}}",
                       .key = name,
                       .n_columns = 1};
    info.columns[0] = shard_column_of(feature_find("tokens", &e));
    const char *path = test_path(name);
    shard_writer *w = shard_create(path, &info, &e);
    for (int64_t i = first; w && i < first + n; i++) {
        uint16_t tokens[MOST];
        char song[16];
        snprintf(song, sizeof song, "s%02d.mid", (int)i);
        for (int t = 0; t < length_of(i); t++)
            tokens[t] = (uint16_t)(i * MOST + t);
        shard_item item = {.seconds = 1,
                           .label = -1,
                           .path = song,
                           .emotion = {(float)(groups ? i % groups : i) / 1000, 0.5F}};
        item.column[0].rows = tokens, item.column[0].n = length_of(i);
        EXPECT_OK(shard_add(w, &item, &e), e);
    }
    EXPECT_OK(w && shard_finish(w, &e), e);
    return path;
}

static dataset *open_songs(int groups)
{
    err e = {0};
    const char *patterns[] = {write_songs("a.h5", 0, 9, groups), write_songs("b.h5", 9, 5, groups),
                              write_songs("c.h5", 14, 10, groups)};
    dataset *d = dataset_open(patterns, 3, example_find("tokens"), &e);
    EXPECT_OK(d != NULL, e);
    return d;
}

static int32_t number(const batch *b, int field, int64_t row, int64_t t)
{
    return ((const int32_t *)b->field[field].data)[row * b->field[field].dim[1] + t];
}

static float weight(const batch *b, int64_t row, int64_t t)
{
    return ((const float *)b->field[WEIGHT].data)[row * b->field[WEIGHT].dim[1] + t];
}

static float emotion(const batch *b, int64_t row)
{
    return ((const float *)b->field[EMOTION].data)[row * SHARD_EMOTION];
}

// Every token is followed by its item's next, which is the target, or by another item's beginning,
// and then has no weight. Returns at how many places there is a token.
static int64_t check_row(const batch *b, int64_t row, int groups)
{
    int64_t window = b->field[TOKENS].dim[1], n = window;
    while (n > 0 && number(b, TOKENS, row, n - 1) == 0 && weight(b, row, n - 1) == 0)
        n--;
    for (int64_t t = 0; t < n; t++) {
        int32_t token = number(b, TOKENS, row, t), item = token / MOST, at = token % MOST;
        bool last = at == length_of(item) - 1;
        EXPECT_NEAR(emotion(b, row), (float)(groups ? item % groups : item) / 1000, 1e-7);
        EXPECT_NEAR(weight(b, row, t), !last, 0);
        EXPECT_INT(number(b, TARGET, row, t), last ? 0 : token + 1);
        if (t + 1 < n)
            EXPECT_INT(number(b, TOKENS, row, t + 1) % MOST, last ? 0 : at + 1);
    }
    for (int64_t t = n; t < window; t++)
        EXPECT(weight(b, row, t) == 0 && number(b, TARGET, row, t) == 0);
    return n;
}

static double sum_weights(const batch *b)
{
    double sum = 0;
    for (int64_t row = 0; row < b->field[WEIGHT].dim[0]; row++)
        for (int64_t t = 0; t < b->field[WEIGHT].dim[1]; t++)
            sum += (double)weight(b, row, t);
    return sum;
}

static int64_t windows_of(int64_t i)
{
    return (length_of(i) - 1 + WINDOW - 1) / WINDOW;
}

TEST(loader_songs_show_every_window_once_an_epoch)
{
    err e = {0};
    dataset *d = open_songs(0);
    loader_options o = {
        .batch = BATCH, .window = WINDOW, .crop = LOADER_RANDOM, .shuffle = true, .seed = 4};
    loader *l = loader_open(d, &o, &e);
    uint64_t units = 0;
    int seen[ITEMS * MOST] = {0};
    for (int64_t i = 0; i < ITEMS; i++)
        units += (uint64_t)windows_of(i);
    EXPECT_INT(loader_items(l), units);
    for (int epoch = 0; epoch < 60; epoch++) {
        int rows_of[ITEMS] = {0};
        for (uint64_t k = 0; k < loader_batches(l); k++) {
            const batch *b = loader_next(l, &e);
            if (!EXPECT_OK(b != NULL, e))
                return;
            EXPECT_NEAR(b->weight, sum_weights(b), 0);
            for (int64_t row = 0; row < b->items; row++) {
                int32_t item = number(b, TOKENS, row, 0) / MOST;
                int64_t n = check_row(b, row, 0), most = length_of(item) - 1;
                // never padded where the song is long enough
                EXPECT_INT(n, most < WINDOW ? most : WINDOW);
                rows_of[item]++;
                for (int64_t t = 0; t < n; t++)
                    seen[number(b, TOKENS, row, t)]++;
                if (row < BATCH_PATHS)
                    EXPECT_INT(atoi(b->paths[row] + 1), item);
            }
        }
        for (int64_t i = 0; i < ITEMS; i++)
            EXPECT_INT(rows_of[i], windows_of(i));
    }
    for (int64_t i = 0; i < ITEMS; i++)
        for (int64_t t = 0; t + 1 < length_of(i); t++)
            EXPECT(seen[i * MOST + t] >= 10);
    loader_close(l);
    dataset_close(d);
}

// Three emotions: the songs of one are joined, shard by shard, and only where all of them together
// are too short is a row not full.
TEST(loader_songs_of_one_emotion_fill_rows_together)
{
    enum { GROUPS = 3, LONG = 11 };
    static const int64_t shards[4] = {0, 9, 14, 24};
    err e = {0};
    dataset *d = open_songs(GROUPS);
    loader_options o = {
        .batch = BATCH, .window = LONG, .crop = LOADER_RANDOM, .shuffle = true, .seed = 4};
    loader *l = loader_open(d, &o, &e);
    uint64_t units = 0;
    for (int s = 0; s < 3; s++)
        for (int g = 0; g < GROUPS; g++) {
            int64_t rows = 0;
            for (int64_t i = shards[s]; i < shards[s + 1]; i++)
                rows += i % GROUPS == g ? length_of(i) : 0;
            EXPECT(rows > LONG);
            units += (uint64_t)((rows - 1 + LONG - 1) / LONG);
        }
    EXPECT_INT(loader_items(l), units);
    int seams = 0;
    for (uint64_t k = 0; k < 3 * loader_batches(l); k++) {
        const batch *b = loader_next(l, &e);
        for (int64_t row = 0; row < b->items; row++) {
            EXPECT_INT(check_row(b, row, GROUPS), LONG);
            for (int64_t t = 0; t < LONG; t++)
                seams += weight(b, row, t) == 0;
        }
    }
    EXPECT(seams > 30);
    loader_close(l);
    dataset_close(d);
}

TEST(loader_songs_are_evaluated_from_their_beginning_on)
{
    err e = {0};
    dataset *d = open_songs(2);
    for (int64_t limit = 0; limit <= 2; limit++) {
        loader_options o = {
            .batch = BATCH, .window = WINDOW, .crop = LOADER_LAST, .eval_windows = limit};
        loader *l = loader_open(d, &o, &e);
        int64_t item = 0, begin = 0, shown = 0;
        for (uint64_t k = 0; k < loader_batches(l); k++) {
            const batch *b = loader_next(l, &e);
            for (int64_t row = 0; row < b->items; row++) {
                int64_t left = length_of(item) - 1 - begin;
                EXPECT_INT(number(b, TOKENS, row, 0), item * MOST + begin);
                EXPECT_INT(check_row(b, row, 2), left < WINDOW ? left : WINDOW);
                shown++;
                begin += WINDOW;
                if (begin >= length_of(item) - 1 || (limit && begin >= limit * WINDOW))
                    item++, begin = 0;
            }
            for (int64_t row = b->items; row < BATCH; row++)
                EXPECT_INT(check_row(b, row, 2), 0);
        }
        EXPECT_INT(item, ITEMS);
        EXPECT_INT(loader_items(l), shown);
        loader_close(l);
    }
    dataset_close(d);
}

// What a row shows is what the functions of augment_midi.h make of the stretch that it shows
// without them.
TEST(loader_songs_are_augmented_by_position)
{
    err e = {0};
    dataset *d = open_songs(0);
    loader_options o = {
        .batch = BATCH, .window = WINDOW, .crop = LOADER_RANDOM, .shuffle = true, .seed = 21};
    loader *plain = loader_open(d, &o, &e);
    o.midi = (augment_midi){.transpose = {-3, 3}, .stretch = {0.8, 1.2}, .drop = 0.3};
    loader *changed = loader_open(d, &o, &e);
    int same = 0, different = 0;
    for (uint64_t k = 0; k < 2 * loader_batches(plain); k++) {
        const batch *b = loader_next(plain, &e), *c = loader_next(changed, &e);
        for (int64_t row = 0; row < b->items; row++) {
            uint16_t in[MOST], want[WINDOW + 1];
            int32_t first = number(b, TOKENS, row, 0),
                    left = (int32_t)length_of(first / MOST) - first % MOST;
            size_t n = (size_t)check_row(b, row, 0), raw = augment_tokens_raw(&o.midi, n + 1);
            for (int32_t t = 0; t < left; t++)
                in[t] = (uint16_t)(first + t);
            midi_draw draw =
                augment_midi_draw(&o.midi, o.seed, b->epoch, b->index * BATCH + (uint64_t)row);
            size_t made =
                augment_tokens(&draw, in, raw < (size_t)left ? raw : (size_t)left, want, n + 1);
            for (size_t t = 0; t < WINDOW; t++) {
                bool shown = t < n && t < made, known = shown && t + 1 < made;
                EXPECT_INT(number(c, TOKENS, row, (int64_t)t), shown ? want[t] : 0);
                EXPECT_INT(number(c, TARGET, row, (int64_t)t), known ? want[t + 1] : 0);
                EXPECT_NEAR(weight(c, row, (int64_t)t), known, 0);
                *(number(c, TOKENS, row, (int64_t)t) == number(b, TOKENS, row, (int64_t)t)
                      ? &same
                      : &different) += 1;
            }
        }
        EXPECT_NEAR(c->weight, sum_weights(c), 0);
    }
    EXPECT(same > 0 && different > 50);
    loader_close(plain);
    loader_close(changed);
    dataset_close(d);
}

// With pools of one shard, so that going back means reading again.
TEST(loader_songs_go_on_in_the_middle_as_if_they_had_not_stopped)
{
    enum { KEPT = BATCH * WINDOW, BATCHES = 40 };
    static int32_t whole[BATCHES][KEPT], seen[ITEMS];
    err e = {0};
    dataset *d = open_songs(0);
    for (int pools = 0; pools < 2; pools++) {
        loader_options o = {.batch = BATCH,
                            .window = WINDOW,
                            .crop = LOADER_RANDOM,
                            .shuffle = true,
                            .seed = 11,
                            .pool = pools ? 1 : 0};
        loader *l = loader_open(d, &o, &e);
        int batches = (int)loader_batches(l);
        for (int i = 0; i < 2 * batches; i++) {
            const batch *b = loader_next(l, &e);
            memcpy(whole[i], b->field[TOKENS].data, sizeof whole[i]);
            for (int64_t row = 0; i < batches && row < b->items; row++)
                seen[number(b, TOKENS, row, 0) / MOST]++;
        }
        loader_close(l);
        for (int64_t i = 0; i < ITEMS; i++)
            EXPECT_INT(seen[i], windows_of(i) * (pools + 1));
        l = loader_open(d, &o, &e);
        for (int i = 2 * batches - 1; i >= 0; i -= 3) {
            loader_seek(l, (uint64_t)(i / batches), (uint64_t)(i % batches));
            EXPECT(memcmp(loader_next(l, &e)->field[TOKENS].data, whole[i], sizeof whole[i]) == 0);
        }
        EXPECT(memcmp(whole[0], whole[batches], sizeof whole[0]) != 0);
        loader_close(l);
    }
    dataset_close(d);
}

TEST(loader_songs_hold_no_more_than_a_pool)
{
    dataset *d = open_songs(0);
    loader_options o = {.batch = BATCH, .window = WINDOW, .crop = LOADER_RANDOM, .shuffle = true};
    uint64_t all = loader_bytes(d, &o),
             ring = 4 * BATCH * (3 * WINDOW + SHARD_EMOTION) * sizeof(float);
    o.pool = 1;
    uint64_t one = loader_bytes(d, &o); // the largest shard still
    EXPECT(one > ring && one < all && all - one > 14 * SHARD_EMOTION * sizeof(float));
    o.pool = 1 << 30;
    EXPECT_INT(loader_bytes(d, &o), all);
    dataset_close(d);
}

TEST(loader_songs_name_the_song_whose_bits_changed)
{
    arena a = {0};
    err e = {0};
    size_t n;
    const char *path = write_songs("a.h5", 0, 9, 0);
    char *bytes = file_read(&a, path, 1 << 24, &n, &e);
    uint16_t needle[] = {5 * MOST + 1, 5 * MOST + 2, 5 * MOST + 3};
    char *at = memmem(bytes, n, needle, sizeof needle);
    if (!EXPECT(at != NULL))
        return;
    at[0] ^= 4;
    EXPECT_OK(file_write(path, bytes, n, &e), e);
    dataset *d = dataset_open(&path, 1, example_find("tokens"), &e);
    loader_options o = {.batch = 2, .window = WINDOW, .crop = LOADER_LAST};
    loader *l = loader_open(d, &o, &e);
    EXPECT_OK(l != NULL, e);
    EXPECT_ERR(loader_next(l, &e), e, ERR_DAMAGED, "'s05.mid'");
    loader_close(l);
    dataset_close(d);
    arena_free(&a);
}

TEST(loader_songs_want_the_feature_that_is_learnt)
{
    err e = {0};
    const char *path = write_songs("a.h5", 0, 9, 0);
    EXPECT_ERR(dataset_open(&path, 1, example_find("groove"), &e), e, ERR_MISMATCH,
               "features=[groove]");
    EXPECT_ERR(dataset_open(&path, 1, example_find("mel"), &e), e, ERR_MISMATCH, "shard of MIDI");
}

static float told(const batch *b, int64_t row)
{
    return ((const float *)b->field[EMOTION].data)[row * SHARD_EMOTION + 1];
}

// The rows are those of a loader that tells every emotion; of who is told none, position and epoch
// decide, however many rows a batch has.
TEST(loader_songs_are_told_no_emotion_by_position)
{
    enum { EPOCHS = 40 };
    err e = {0};
    dataset *d = open_songs(0);
    loader_options o = {
        .batch = 1, .window = WINDOW, .crop = LOADER_RANDOM, .shuffle = true, .seed = 4};
    loader *plain = loader_open(d, &o, &e);
    o.condition_dropout = 0.25;
    loader *one = loader_open(d, &o, &e);
    o.batch = BATCH;
    loader *many = loader_open(d, &o, &e);
    int64_t untold = 0, rows = 0, again = 0;
    static bool was[ITEMS * MOST];
    for (int epoch = 0; epoch < EPOCHS; epoch++)
        for (uint64_t k = 0; k < loader_batches(many); k++) {
            const batch *all = loader_next(many, &e);
            for (int64_t row = 0; all && row < all->items; row++, rows++) {
                const batch *p = loader_next(plain, &e), *b = loader_next(one, &e);
                uint64_t at = k * BATCH + (uint64_t)row;
                bool none = emotion(b, 0) == 0 && told(b, 0) == 0;
                EXPECT(!memcmp(p->field[TOKENS].data, b->field[TOKENS].data,
                               WINDOW * sizeof(int32_t)));
                EXPECT_NEAR(told(b, 0), none ? 0 : 0.5F, 0);
                EXPECT_NEAR(emotion(b, 0), none ? 0 : emotion(p, 0), 0);
                EXPECT_NEAR(told(all, row), told(b, 0), 0);
                EXPECT_NEAR(emotion(all, row), emotion(b, 0), 0);
                untold += none, again += none && was[at];
                was[at] = none;
            }
        }
    EXPECT(rows > 1000);
    EXPECT_NEAR((double)untold / (double)rows, 0.25, 0.04);
    EXPECT_NEAR((double)again / (double)untold, 0.25, 0.08);
    loader_close(plain), loader_close(one), loader_close(many);
    dataset_close(d);
}
