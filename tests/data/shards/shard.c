// SPDX-License-Identifier: GPL-3.0-or-later
// shard.c: what goes into a shard comes out; what is not one, or no longer is, is named.
#include "data/shards/shard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/h5.h"
#include "data/loader/dataset.h"
#include "data/shards/shard_write.h"
#include "tests/data/shards/shard_files.h"
#include "tests/test.h"

TEST(shard_gives_back_what_was_written)
{
    err e = {0};
    float x[16 * SHARD_BANDS];
    shard *s = shard_open(shard_file_write("a.h5", 0, 25), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(s->items, 25);
    EXPECT_INT(s->info.n_labels, 3);
    EXPECT_STR(s->info.labels[2], "cat");
    EXPECT_STR(s->info.split, "train");
    EXPECT_INT(s->longest, 11);
    int64_t frames = 0;
    for (int64_t i = 0; i < 25; i++) {
        int64_t n = shard_file_frames(i);
        EXPECT_INT(s->offsets[i], frames);
        EXPECT_INT(s->label[i], shard_file_label(i));
        EXPECT_OK(shard_frames(s, i, 0, n, x, &e), e);
        EXPECT_NEAR(x[(n - 1) * SHARD_BANDS + 3], shard_file_value(i, n - 1, 3), 0);
        EXPECT_OK(shard_frames(s, i, 2, 3, x, &e), e);
        EXPECT_NEAR(x[0], shard_file_value(i, 2, 0), 0);
        EXPECT_NEAR(s->emotion[i * SHARD_EMOTION], (float)i / 1000, 0);
        frames += n;
    }
    EXPECT_INT(s->frames, frames);
    EXPECT_STR(s->paths[24], "i0024");
    EXPECT_INT(s->label_count[3], 2);
    shard_close(s);
}

TEST(shard_statistics_are_those_of_the_frames)
{
    err e = {0};
    const char *patterns[] = {shard_file_write("a-0.h5", 0, 10), shard_file_write("a-1.h5", 10, 5)};
    double sum = 0, squares = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < 15; i++)
        for (int64_t t = 0; t < shard_file_frames(i); t++, n++) {
            double v = (double)shard_file_value(i, t, 3);
            sum += v;
            squares += v * v;
        }
    dataset *d = dataset_open(patterns, 2, example_find("mel"), &e);
    if (!test_expect(d != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    float mean[SHARD_BANDS], deviation[SHARD_BANDS];
    dataset_bands(d, mean, deviation);
    EXPECT_INT(d->items, 15);
    EXPECT_INT(d->frames, n);
    EXPECT_NEAR(mean[3], sum / (double)n, 1e-3);
    EXPECT_NEAR(deviation[3], sqrt(squares / (double)n - sum / (double)n * sum / (double)n), 1e-2);
    EXPECT_INT(d->label_count[0] + d->label_count[1] + d->label_count[2] + d->label_count[3], 15);
    dataset_close(d);
}

// Every bit that is turned is noticed: when the shard is opened, when the item is read, or by
// h5_verify.
static bool notices(const char *path, err *e)
{
    float x[16 * SHARD_BANDS];
    shard *s = shard_open(path, e);
    bool ok = s != NULL;
    for (int64_t i = 0; ok && i < s->items; i++)
        ok = shard_frames(s, i, 0, s->offsets[i + 1] - s->offsets[i], x, e);
    shard_close(s);
    size_t n;
    h5 *f = ok ? h5_open(path, e) : NULL;
    ok = ok && f && h5_verify(f, &n, e);
    h5_close(f);
    return !ok;
}

TEST(shard_with_a_flipped_bit_is_named)
{
    err e = {0};
    const char *bad = shard_file_write("bad.h5", 0, 25);
    shard_file_turn_bit(bad, 12, 4, 5);
    EXPECT(notices(bad, &e));
    EXPECT_INT(e.code, ERR_DAMAGED);
    EXPECT_HAS(e.text, "bad.h5");
    EXPECT_HAS(e.text, "i0012");
}

TEST(shard_that_is_none_is_refused)
{
    arena a = {0};
    err e = {0};
    size_t n;
    EXPECT_ERR(shard_open(test_path("none.h5"), &e), e, ERR_MISSING, "none.h5");
    EXPECT_OK(file_write(test_path("text.h5"), "hello", 5, &e), e);
    EXPECT_ERR(shard_open(test_path("text.h5"), &e), e, ERR_FORMAT, "text.h5");
    char *bytes = file_read(&a, shard_file_write("a.h5", 0, 25), 1 << 24, &n, &e);
    EXPECT_OK(file_write(test_path("half.h5"), bytes, n / 2, &e), e);
    EXPECT_ERR(shard_open(test_path("half.h5"), &e), e, ERR_DAMAGED, "half.h5");
    static const char *const mute[] = {"{}", "[]", "{\"mel\": 3}", "{\"mel\": null}",
                                       "{\"Mel\": {}}"};
    for (size_t i = 0; i < sizeof mute / sizeof *mute; i++)
        EXPECT_ERR(shard_open(shard_file_write_settings("mute.h5", 0, 3, mute[i]), &e), e,
                   ERR_DAMAGED, "does not say how 'mel' was made");
    h5 *f = h5_create(test_path("other.h5"), &e);
    EXPECT_OK(h5_commit(f, &e), e);
    EXPECT_ERR(shard_open(test_path("other.h5"), &e), e, ERR_FORMAT, "not a shard");
    arena_free(&a);
}

TEST(shard_abandoned_leaves_nothing)
{
    err e = {0};
    shard_info info = {.settings = "{}", .n_mels = 4};
    shard_writer *w = shard_create(test_path("gone.h5"), &info, &e);
    EXPECT(w != NULL);
    shard_abandon(w);
    EXPECT(!file_exists(test_path("gone.h5")));
    const char *out;
    test_shell(&out, "ls %s", test_dir());
    EXPECT_STR(out, "");
}

TEST(shard_without_items_is_one)
{
    err e = {0};
    shard *s = shard_open(shard_file_write("empty.h5", 0, 0), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(s->items, 0);
    shard_close(s);
    const char *path = test_path("empty.h5");
    EXPECT_ERR(dataset_open(&path, 1, example_find("mel"), &e), e, ERR_EMPTY, "empty.h5");
}

TEST(dataset_names_what_does_not_fit)
{
    err e = {0};
    const char *patterns[] = {
        shard_file_write("a-0.h5", 0, 10),
        shard_file_write_settings(
            "a-1.h5", 10, 5,
            "{\"mel\": {\"sample_rate\": 22050, \"n_mels\": 8, \"log\": \"ln\"}}")};
    EXPECT_ERR(dataset_open(patterns, 2, example_find("mel"), &e), e, ERR_MISMATCH,
               "mel.sample_rate is 16000");
    EXPECT_HAS(e.text, "a-0.h5");
    EXPECT_HAS(e.text, "a-1.h5");
    EXPECT_HAS(e.text, "22050");
    const char *nothing = test_path("no-*.h5");
    EXPECT_ERR(dataset_open(&nothing, 1, example_find("mel"), &e), e, ERR_MISSING, "no-*.h5");
    dataset *d = dataset_open(patterns, 1, example_find("mel"), &e);
    const char *const known[] = {"ant", "cat"};
    EXPECT_ERR(dataset_expect(d, known, 2, NULL, "the checkpoint 'x.h5'", &e), e, ERR_MISMATCH,
               "'bee' ('i0001'");
    EXPECT_HAS(e.text, "x.h5");
    EXPECT_ERR(dataset_expect(d, NULL, 0,
                              "{\"mel\": {\"sample_rate\": 16000, \"n_mels\": 8, \"log\": \"db\"}}",
                              "the checkpoint 'x.h5'", &e),
               e, ERR_MISMATCH, "mel.log is \"db\" in the checkpoint");
    // as values, not as text
    EXPECT_OK(dataset_expect(d, d->labels, 3,
                             "{\"mel\":{\"n_mels\":8.0,\"sample_rate\":16000,\"log\":\"ln\"}}", "x",
                             &e),
              e);
    dataset_close(d);
}
