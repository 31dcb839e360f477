// SPDX-License-Identifier: GPL-3.0-or-later
// shard.c: fuzz target (`make fuzz`): a good shard with some bytes changed, three bytes of input each (place, place, value). It is read or
// refused; what is read fits together, so a loader may trust it.
#include "data/shard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { BANDS = 4, ITEMS = 6 };
static char folder[] = "/tmp/kmidi-fuzz-XXXXXX", path[64], *sample;
static size_t sample_bytes;

static void leave(void)
{
    unlink(path);
    rmdir(folder);
}

static void make_sample(void)
{
    static const char *const labels[] = {"ant", "bee"};
    static const float mel[8 * BANDS] = {1, 2, 3};
    static arena kept = {.name = "fuzz"};
    err e = {0};
    CHECK(mkdtemp(folder));
    atexit(leave);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    shard_info info = {
        .dataset = "fuzz", .split = "train", .labels = labels, .n_labels = 2, .settings = "{\"mel\": {\"n_mels\": 4}}", .n_mels = BANDS};
    shard_writer *w = shard_create(path, &info, &e);
    for (int i = 0; w && i < ITEMS; i++) {
        shard_item item = {
            .mel = mel, .frames = 1 + i, .label = i % 3 - 1, .path = "a.wav", .attributes = i % 2 ? "{\"pitch\": 60}" : NULL};
        CHECK(shard_add(w, &item, &e));
    }
    CHECK(w && shard_finish(w, &e));
    sample = file_read(&kept, path, 1 << 20, &sample_bytes, &e);
    CHECK(sample);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    float x[64 * BANDS];
    err e = {0};
    if (!sample)
        make_sample();
    char *copy = malloc(sample_bytes);
    memcpy(copy, sample, sample_bytes);
    for (size_t i = 0; i + 2 < n; i += 3)
        copy[(bytes[i] << 8 | bytes[i + 1]) % sample_bytes] ^= (char)bytes[i + 2];
    FILE *f = fopen(path, "w");
    CHECK(f && fwrite(copy, 1, sample_bytes, f) == sample_bytes);
    fclose(f);
    free(copy);
    shard *s = shard_open(path, &e);
    CHECK(s || (e.code != ERR_NONE && e.text[0]));
    for (int64_t i = 0; s && i < s->items; i++) {
        int64_t frames = s->offsets[i + 1] - s->offsets[i];
        CHECK(frames > 0 && s->label[i] < (int32_t)s->info.n_labels && s->paths[i]);
        CHECK(frames > 64 || shard_frames(s, i, 0, frames, x, &e) || e.code != ERR_NONE);
    }
    const char *const *texts;
    arena a = {.name = "fuzz"};
    CHECK(!s || shard_attributes(s, &a, &texts, &e) || e.code != ERR_NONE);
    arena_free(&a);
    shard_close(s);
    return 0;
}
