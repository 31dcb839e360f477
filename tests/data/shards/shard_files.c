// SPDX-License-Identifier: GPL-3.0-or-later
// shard_files.c: shards for tests (shard_files.h).
#include "tests/data/shards/shard_files.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "data/shards/shard_write.h"
#include "tests/test.h"

int64_t shard_file_frames(int64_t i)
{
    return 5 + i % 7;
}

int32_t shard_file_label(int64_t i)
{
    return i % 10 == 9 ? -1 : (int32_t)(i % 3);
}

float shard_file_value(int64_t i, int64_t t, int b)
{
    return (float)(100 * i + t) + (float)b / 16;
}

static bool add_item(shard_writer *w, int64_t i, err *e)
{
    float mel[16 * SHARD_BANDS];
    char path[16];
    int64_t n = shard_file_frames(i);
    for (int64_t t = 0; t < n; t++)
        for (int b = 0; b < SHARD_BANDS; b++)
            mel[t * SHARD_BANDS + b] = shard_file_value(i, t, b);
    snprintf(path, sizeof path, "i%04d", (int)i);
    shard_item item = {.mel = mel,
                       .frames = n,
                       .label = shard_file_label(i),
                       .path = path,
                       .group = "g",
                       .label_source = "given"};
    item.emotion[0] = (float)i / 1000;
    return shard_add(w, &item, e);
}

const char *shard_file_write_settings(const char *name, int64_t first, int64_t n,
                                      const char *settings)
{
    static const char *const labels[] = {"ant", "bee", "cat"};
    shard_info info = {.dataset = "test",
                       .split = "train",
                       .labels = labels,
                       .n_labels = 3,
                       .settings = settings,
                       .key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                       .licence = "CC0-1.0",
                       .n_mels = SHARD_BANDS};
    err e = {0};
    const char *path = test_path(name);
    shard_writer *w = shard_create(path, &info, &e);
    if (!test_expect(w != NULL, __FILE__, __LINE__, "%s", e.text))
        return path;
    for (int64_t i = first; i < first + n; i++)
        EXPECT_OK(add_item(w, i, &e), e);
    EXPECT_OK(shard_reject(w,
                           "{\"path\": \"bad.wav\", \"line\": 7, \"reason\": \"damaged\", "
                           "\"message\": \"'bad.wav' is damaged\"}",
                           &e),
              e);
    EXPECT_OK(shard_finish(w, &e), e);
    return path;
}

const char *shard_file_write(const char *name, int64_t first, int64_t n)
{
    return shard_file_write_settings(
        name, first, n, "{\"mel\": {\"sample_rate\": 16000, \"n_mels\": 8, \"log\": \"ln\"}}");
}

void shard_file_turn_bit(const char *path, int64_t i, int64_t t, int b)
{
    arena a = {0};
    err e = {0};
    size_t n = 0;
    float needle = shard_file_value(i, t, b);
    char *bytes = file_read(&a, path, 1 << 24, &n, &e),
         *at = bytes ? memmem(bytes, n, &needle, sizeof needle) : NULL;
    if (test_expect(at != NULL, __FILE__, __LINE__, "%s: %s", path, e.text)) {
        at[1] ^= 4;
        EXPECT_OK(file_write(path, bytes, n, &e), e);
    }
    arena_free(&a);
}
