// SPDX-License-Identifier: GPL-3.0-or-later
// shard.c: fuzz target (`make fuzz`): a good shard, of audio or of MIDI, with some bytes changed:
// one byte of input for which, then four each (place, place, place, value). It is read or refused;
// what is read fits together, so a loader may trust it.
#include "data/shards/shard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/shards/shard_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { BANDS = 4, ITEMS = 6, ROWS_MOST = 64, KINDS = 2 };
static char folder[] = "/tmp/kmidi-fuzz-XXXXXX", path[64];
static struct sample {
    char *bytes;
    size_t n;
} samples[KINDS];

static void leave(void)
{
    unlink(path);
    rmdir(folder);
}

// Item i has i + 1 frames, or as many rows of each column, but of the last, which has none in the
// first item.
static shard_item make_item(const shard_info *info, int i)
{
    static const float rows[ITEMS * 128] = {1, 2, 3};
    shard_item item = {
        .label = i % 3 - 1, .path = "a.wav", .attributes = i % 2 ? "{\"pitch\": 60}" : NULL};
    if (info->n_mels)
        item.mel = rows, item.frames = 1 + i;
    for (int k = 0; k < info->n_columns; k++)
        item.column[k].rows = rows,
        item.column[k].n = info->columns[k].single ? 1 : i + (k + 1 < info->n_columns);
    return item;
}

static struct sample write_sample(const shard_info *info)
{
    static arena kept = {.name = "fuzz"};
    struct sample x;
    err e = {0};
    shard_writer *w = shard_create(path, info, &e);
    for (int i = 0; w && i < ITEMS; i++) {
        shard_item item = make_item(info, i);
        CHECK(shard_add(w, &item, &e));
    }
    CHECK(w && shard_finish(w, &e));
    x.bytes = file_read(&kept, path, 1 << 20, &x.n, &e);
    CHECK(x.bytes);
    return x;
}

static void make_samples(void)
{
    static const char *const labels[] = {"ant", "bee"}, *const columns[] = {"tokens", "midi_stats",
                                                                            "harmony"};
    shard_info audio = {.dataset = "fuzz", .split = "train", .labels = labels, .n_labels = 2},
               midi = audio;
    audio.settings = "{\"mel\": {\"n_mels\": 4}}", audio.n_mels = BANDS;
    midi.settings =
        "{\"tokens\": {\"drums\": false}, \"midi_stats\": {}, \"harmony\": {\"step\": \"bars\"}}",
    midi.n_columns = 3;
    for (int k = 0; k < midi.n_columns; k++)
        midi.columns[k] = shard_column_of(feature_find(columns[k], NULL));
    CHECK(mkdtemp(folder));
    atexit(leave);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    samples[0] = write_sample(&audio);
    samples[1] = write_sample(&midi);
}

static void put_changed(const struct sample *from, const uint8_t *bytes, size_t n)
{
    char *copy = malloc(from->n);
    CHECK(copy);
    memcpy(copy, from->bytes, from->n);
    for (size_t i = 0; i + 3 < n; i += 4)
        copy[(size_t)(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]) % from->n] ^=
            (char)bytes[i + 3];
    FILE *f = fopen(path, "w");
    CHECK(f && fwrite(copy, 1, from->n, f) == from->n);
    fclose(f);
    free(copy);
}

static void check_item(shard *s, int64_t i)
{
    static float x[ROWS_MOST * SHARD_MAX_MELS];
    err e = {0};
    CHECK(s->label[i] < (int32_t)s->info.n_labels && s->paths[i]);
    CHECK(s->info.n_mels || s->seconds[i] >= 0);
    int64_t frames = s->info.n_mels ? s->offsets[i + 1] - s->offsets[i] : 0;
    CHECK(!s->info.n_mels || (frames > 0 && frames <= s->longest));
    CHECK(frames > ROWS_MOST || !frames || shard_frames(s, i, 0, frames, x, &e) ||
          e.code != ERR_NONE);
    for (int k = 0; k < s->info.n_columns; k++) {
        const shard_column *c = &s->info.columns[k];
        int64_t n = shard_item_count(s, k, i);
        CHECK(n >= 0 && n <= c->longest && n <= c->rows);
        CHECK(n > ROWS_MOST || shard_item_rows(s, k, i, x, &e) || e.code != ERR_NONE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    err e = {0};
    if (!samples[0].bytes)
        make_samples();
    if (n < 1)
        return 0;
    put_changed(&samples[bytes[0] % KINDS], bytes + 1, n - 1);
    shard *s = shard_open(path, &e);
    CHECK(s || (e.code != ERR_NONE && e.text[0]));
    for (int64_t i = 0; s && i < s->items; i++)
        check_item(s, i);
    const char *const *texts;
    arena a = {.name = "fuzz"};
    CHECK(!s || shard_attributes(s, &a, &texts, &e) || e.code != ERR_NONE);
    arena_free(&a);
    shard_close(s);
    return 0;
}
