// SPDX-License-Identifier: GPL-3.0-or-later
// columns_together.c (tests): mel and columns of MIDI in one shard: written, read, and heard in one
// batch; and shards of one kind keep the bytes that they had.
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/h5.h"
#include "data/loader/dataset.h"
#include "data/loader/loader.h"
#include "data/music/midi_stats.h"
#include "data/shards/shard_write.h"
#include "tests/test.h"

enum { ITEMS = 5, BANDS = 4, WINDOW = 6, MEL, STATS, TARGET, WEIGHT };

static float mel_at(int item, int64_t frame, int band)
{
    return test_fill((uint32_t)item + 1, (uint32_t)frame * BANDS + (uint32_t)band, 1);
}
static float stat_at(int item, int k)
{
    return test_fill((uint32_t)item + 101, (uint32_t)k, 1);
}
static int64_t frames_of(int item)
{
    return 3 + 2 * item;
}
static int64_t tokens_of(int item)
{
    return 1 + item % 3;
}

// `kinds`: 1 mel, 2 columns of MIDI, 3 both. Mel stands where the caller has it, or is asked for by
// n_mels alone.
static bool write_shard(const char *path, int kinds, bool named, err *e)
{
    static const char *const labels[] = {"a", "b"};
    static const char *const settings[] = {
        [1] = "{\"mel\": {\"n_mels\": 4}}",
        [2] = "{\"tokens\": {\"dialect\": \"note-seq-388\"}, \"midi_stats\": {}}",
        [3] = "{\"mel\": {\"n_mels\": 4}, \"tokens\": {\"dialect\": \"note-seq-388\"}, "
              "\"midi_stats\": {}}"};
    shard_info info = {.dataset = "both",
                       .split = "train",
                       .labels = labels,
                       .n_labels = 2,
                       .settings = settings[kinds],
                       .key = "k",
                       .licence = "",
                       .citation = ""};
    int tokens = -1, stats = -1;
    if (kinds & 2) {
        tokens = info.n_columns, stats = tokens + 1 + named;
        info.columns[info.n_columns++] = shard_column_of(feature_find("tokens", NULL));
        if (named)
            info.columns[info.n_columns++] = shard_column_mel(BANDS);
        info.columns[info.n_columns++] = shard_column_of(feature_find("midi_stats", NULL));
    }
    if ((kinds & 1) && !named)
        info.n_mels = BANDS;
    shard_writer *w = shard_create(path, &info, e);
    for (int i = 0; w && i < ITEMS; i++) {
        float mel[32 * BANDS], row[MIDI_STATS];
        uint16_t events[3] = {(uint16_t)(60 + i), (uint16_t)(300 + i), (uint16_t)(188 + i)};
        char name[16] = "item-0";
        name[5] = (char)('0' + i);
        shard_item item = {.label = i % 2, .path = name, .seconds = i};
        for (int64_t t = 0; t < frames_of(i); t++)
            for (int b = 0; b < BANDS; b++)
                mel[t * BANDS + b] = mel_at(i, t, b);
        for (int k = 0; k < MIDI_STATS; k++)
            row[k] = stat_at(i, k);
        if (kinds & 1)
            item.mel = mel, item.frames = frames_of(i);
        if (kinds & 2) {
            item.column[tokens].rows = events, item.column[tokens].n = tokens_of(i);
            item.column[stats].rows = row, item.column[stats].n = 1;
        }
        if (!shard_add(w, &item, e)) {
            shard_abandon(w);
            return false;
        }
    }
    return w && shard_finish(w, e);
}

static void expect_rows(shard *s)
{
    int mel = shard_find_column(&s->info, "mel"), tokens = shard_find_column(&s->info, "tokens"),
        stats = shard_find_column(&s->info, "midi_stats");
    EXPECT(mel >= 0 && tokens >= 0 && stats >= 0 && s->info.n_mels == BANDS && s->seconds);
    for (int i = 0; i < ITEMS && mel >= 0 && tokens >= 0 && stats >= 0; i++) {
        float frames[32 * BANDS], again[32 * BANDS], row[MIDI_STATS];
        uint16_t events[3];
        err e = {0};
        EXPECT_INT(shard_item_count(s, mel, i), frames_of(i));
        EXPECT_INT(shard_item_count(s, tokens, i), tokens_of(i));
        EXPECT_OK(shard_frames(s, i, 0, frames_of(i), frames, &e) &&
                      shard_item_rows(s, mel, i, again, &e) &&
                      shard_item_rows(s, tokens, i, events, &e) &&
                      shard_item_rows(s, stats, i, row, &e),
                  e);
        EXPECT(!memcmp(frames, again, (size_t)frames_of(i) * BANDS * sizeof *frames));
        EXPECT(frames[BANDS + 1] == mel_at(i, 1, 1) && row[7] == stat_at(i, 7));
        EXPECT(events[0] == 60 + i && s->seconds[i] == i);
    }
}

TEST(columns_of_audio_and_midi_stand_in_one_shard)
{
    for (int named = 0; named < 2; named++) {
        err e = {0};
        EXPECT_OK(write_shard(test_path("both.h5"), 3, named, &e), e);
        shard *s = shard_open(test_path("both.h5"), &e);
        EXPECT_OK(s != NULL, e);
        if (!s)
            return;
        EXPECT_INT(s->info.n_columns, 3);
        expect_rows(s);
        shard_close(s);
    }
}

// ---- An example that hears both

enum { F_MEL, F_STATS, F_TARGET, F_WEIGHT };

static double fill(const example *x, const example_piece *p, const batch_field *f, int64_t row)
{
    loader_row(p->rows, p->n, 0, x->window, x->width, NULL, NULL,
               (float *)f[F_MEL].data + row * x->window * x->width);
    EXPECT(p->beside[0] && p->n_beside[0] == 1);
    memcpy((float *)f[F_STATS].data + row * MIDI_STATS, p->beside[0], MIDI_STATS * sizeof(float));
    ((int32_t *)f[F_TARGET].data)[row] = p->label;
    ((float *)f[F_WEIGHT].data)[row] = p->weight;
    return (double)p->weight;
}

static const example_def seen_and_heard = {
    .name = "seen_and_heard",
    .column = "mel",
    .beside = {"midi_stats"},
    .windows = true,
    .labelled = true,
    .fields =
        (const batch_field[]){
            [F_MEL] = {"mel", BATCH_F32, 3, {EXAMPLE_ROWS, EXAMPLE_WINDOW, EXAMPLE_WIDTH}, NULL},
            [F_STATS] = {"midi_stats", BATCH_F32, 2, {EXAMPLE_ROWS, MIDI_STATS}, NULL},
            [F_TARGET] = {"target", BATCH_I32, 1, {EXAMPLE_ROWS}, NULL},
            [F_WEIGHT] = {"weight", BATCH_F32, 1, {EXAMPLE_ROWS}, NULL},
            {0}},
    .fill = fill,
};

static dataset *open_set(const char *name, const example_def *x, err *e)
{
    const char *paths[] = {test_path(name)};
    return dataset_open(paths, 1, x, e);
}

TEST(columns_of_audio_and_midi_are_heard_in_one_batch)
{
    err e = {0};
    EXPECT_OK(write_shard(test_path("both.h5"), 3, false, &e), e);
    dataset *d = open_set("both.h5", &seen_and_heard, &e);
    EXPECT_OK(d != NULL, e);
    if (!d)
        return;
    EXPECT_HAS(d->settings, "\"midi_stats\"");
    loader *l =
        loader_open(d, &(loader_options){.batch = 2, .window = WINDOW, .crop = LOADER_FIRST}, &e);
    EXPECT_OK(l != NULL, e);
    int seen = 0;
    for (const batch *b; l && (b = loader_next(l, &e)) && seen < ITEMS;) {
        for (int r = 0; r < b->items; r++, seen++) {
            const float *mel = (const float *)b->field[F_MEL].data + r * WINDOW * BANDS,
                        *stats = (const float *)b->field[F_STATS].data + r * MIDI_STATS;
            int64_t n = frames_of(seen) < WINDOW ? frames_of(seen) : WINDOW;
            EXPECT(mel[(WINDOW - n) * BANDS + 2] == mel_at(seen, 0, 2));
            EXPECT(stats[0] == stat_at(seen, 0) && stats[MIDI_STATS - 1] == stat_at(seen, 31));
            EXPECT_INT(((const int32_t *)b->field[F_TARGET].data)[r], seen % 2);
        }
    }
    EXPECT_INT(seen, ITEMS);
    loader_close(l);
    dataset_close(d);
}

// The same set is one of tokens to an example of tokens, and of mel to one of mel.
TEST(columns_of_a_set_are_chosen_by_the_example)
{
    err e = {0};
    EXPECT_OK(write_shard(test_path("both.h5"), 3, false, &e), e);
    dataset *mel = open_set("both.h5", example_find("mel"), &e),
            *tokens = open_set("both.h5", example_find("tokens"), &e);
    EXPECT_OK(mel && tokens, e);
    if (mel && tokens) {
        EXPECT(mel->n_mels == BANDS && dataset_of_mel(mel) && mel->frames == 35);
        EXPECT(tokens->n_mels == 0 && !dataset_of_mel(tokens) && tokens->frames == 9);
        EXPECT_INT(tokens->longest, 3);
    }
    dataset_close(mel);
    dataset_close(tokens);
    EXPECT_OK(write_shard(test_path("mel.h5"), 1, false, &e), e);
    EXPECT_ERR(open_set("mel.h5", &seen_and_heard, &e) != NULL, e, ERR_MISMATCH,
               "is a shard of audio and has no 'midi_stats' of MIDI");
    EXPECT_OK(write_shard(test_path("midi.h5"), 2, false, &e), e);
    EXPECT_ERR(open_set("midi.h5", &seen_and_heard, &e) != NULL, e, ERR_MISMATCH,
               "is a shard of MIDI and has no mel frames");
}

// Digests of what was written before the two could stand together, by this version of HDF5.
TEST(columns_of_one_kind_keep_the_bytes_of_their_shards)
{
    static const char *const digests[] = {
        [1] = "7540fbc33ca211fac2f228ff93082955be187bea4dbdacbd3a64e3f600e3ffde",
        [2] = "b5b39bb88fd931c0d19dab3738c2313c364f80775c5a25ace703357a6ed0dfe4"};
    if (strcmp(h5_library(), "1.10.8") != 0) {
        test_skip("the digests are of files by HDF5 1.10.8");
        return;
    }
    for (int kinds = 1; kinds <= 2; kinds++) {
        arena a = {0};
        err e = {0};
        char sum[65];
        size_t n = 0;
        EXPECT_OK(write_shard(test_path("one.h5"), kinds, false, &e), e);
        char *bytes = file_read(&a, test_path("one.h5"), 1 << 24, &n, &e);
        digest *d = digest_open();
        digest_add(d, bytes, n);
        digest_close(d, sum);
        EXPECT_STR(sum, digests[kinds]);
        arena_free(&a);
    }
}
