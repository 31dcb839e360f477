// SPDX-License-Identifier: GPL-3.0-or-later
// shard_columns.c: rows of songs come out of a shard as they went in, of one item or of all;
// offsets and numbers that cannot be are refused.
#include <string.h>

#include "base/h5.h"
#include "data/music/midi_stats.h"
#include "data/music/tokens.h"
#include "data/shards/shard.h"
#include "data/shards/shard_write.h"
#include "tests/test.h"

enum { ITEMS = 7 };

// Item i has i + 1 tokens i, i + 1, ... and statistics i / 10.
static shard_item item_of(int i, uint16_t *tokens, float *stats)
{
    for (int k = 0; k <= i; k++)
        tokens[k] = (uint16_t)(i + k);
    for (int k = 0; k < MIDI_STATS; k++)
        stats[k] = (float)i / 10;
    shard_item item = {.seconds = i, .label = -1, .path = "x.mid"};
    item.column[0].rows = tokens, item.column[0].n = i + 1;
    item.column[1].rows = stats, item.column[1].n = 1;
    return item;
}

// With a number that tokens never have where `bad` is not 0.
static const char *write_shard(uint16_t bad)
{
    static const char *const names[] = {"tokens", "midi_stats"};
    err e = {0};
    shard_info info = {.split = "train",
                       .settings = "{\"tokens\": {\"drums\": true}, \"midi_stats\": {}}",
                       .n_columns = 2};
    for (int k = 0; k < 2; k++)
        info.columns[k] = shard_column_of(feature_find(names[k], &e));
    const char *path = test_path("songs.h5");
    shard_writer *w = shard_create(path, &info, &e);
    for (int i = 0; w && i < ITEMS; i++) {
        uint16_t tokens[ITEMS + 1];
        float stats[MIDI_STATS];
        shard_item item = item_of(i, tokens, stats);
        if (bad && i == 3)
            tokens[1] = bad;
        EXPECT_OK(shard_add(w, &item, &e), e);
    }
    EXPECT_OK(w && shard_finish(w, &e), e);
    return path;
}

TEST(shard_columns_give_back_what_was_written)
{
    err e = {0};
    uint16_t all[64], one[ITEMS + 1], want[ITEMS + 1];
    float x[ITEMS * MIDI_STATS], stats[MIDI_STATS];
    shard *s = shard_open(write_shard(0), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    int tokens = shard_find_column(&s->info, "tokens"),
        numbers = shard_find_column(&s->info, "midi_stats");
    EXPECT_INT(s->info.n_columns, 2);
    EXPECT_INT(shard_find_column(&s->info, "melody"), -1);
    EXPECT_INT(s->info.columns[tokens].rows, ITEMS * (ITEMS + 1) / 2);
    EXPECT_INT(s->info.columns[tokens].longest, ITEMS);
    EXPECT(s->info.columns[tokens].u16 && !s->info.columns[tokens].single &&
           !s->info.columns[numbers].u16);
    EXPECT(s->info.columns[numbers].single && !s->info.columns[numbers].offsets);
    EXPECT_OK(shard_rows(s, tokens, 0, s->info.columns[tokens].rows, all, &e), e);
    EXPECT_OK(shard_rows(s, numbers, 0, ITEMS, x, &e), e);
    for (int i = 0, at = 0; i < ITEMS; at += ++i) {
        item_of(i, want, stats);
        EXPECT_INT(shard_item_count(s, tokens, i), i + 1);
        EXPECT_OK(shard_item_rows(s, tokens, i, one, &e), e);
        EXPECT(!memcmp(one, want, (size_t)(i + 1) * sizeof *want) &&
               !memcmp(all + at, want, (size_t)(i + 1) * sizeof *want));
        EXPECT_NEAR(x[i * MIDI_STATS + 31], (float)i / 10, 0);
        EXPECT_OK(shard_item_rows(s, numbers, i, stats, &e), e);
        EXPECT_NEAR(stats[7], (float)i / 10, 0);
        EXPECT_NEAR(s->seconds[i], i, 0);
    }
    EXPECT_OK(shard_rows(s, tokens, 2, 3, one, &e), e);
    EXPECT(one[0] == 2 && one[1] == 2 && one[2] == 3);
    shard_close(s);
}

TEST(shard_columns_are_peeked_without_tables)
{
    err e = {0};
    shard *s = shard_peek(write_shard(0), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(s->info.columns[0].rows, ITEMS * (ITEMS + 1) / 2);
    EXPECT_INT(s->info.columns[0].longest, ITEMS);
    EXPECT_INT(s->info.columns[1].rows, ITEMS);
    EXPECT(!s->info.columns[0].offsets && !s->info.columns[0].checks);
    shard_close(s);
}

TEST(shard_columns_with_numbers_that_no_feature_makes_are_refused)
{
    err e = {0};
    uint16_t all[64];
    shard *s = shard_open(write_shard(TOKENS_COUNT), &e);
    EXPECT(s != NULL);
    EXPECT_OK(shard_item_rows(s, 0, 2, all, &e), e);
    EXPECT_ERR(shard_item_rows(s, 0, 3, all, &e), e, ERR_DAMAGED, "column 'tokens' has numbers");
    EXPECT_ERR(shard_rows(s, 0, 0, s->info.columns[0].rows, all, &e), e, ERR_DAMAGED, "songs.h5");
    shard_close(s);
}

// ---- A shard of three items whose tables are whatever a test says, each with a sound checksum.

typedef struct forged {
    const char *settings;
    int64_t offsets[4], longest;
    uint64_t tokens, stats; // rows
    bool f32;               // tokens
} forged;

static const forged sound = {.settings = "{\"tokens\": {}, \"midi_stats\": {}}",
                             .offsets = {0, 2, 3, 6},
                             .longest = 3,
                             .tokens = 6,
                             .stats = 3};

static bool set_texts(h5 *f, const char *settings, err *e)
{
    static const char *const names[] = {"dataset", "split", "key", "licence", "citation"};
    bool ok =
        h5_set_text(f, "/", "format", "kmidi-shard", e) &&
        h5_set_int(f, "/", "format_version", SHARD_VERSION, e) &&
        h5_set_text(f, "/", "labels", "[]", e) && h5_set_text(f, "/", "settings", settings, e) &&
        h5_set_text(f, "/", "dialect", TOKENS_DIALECT, e) && h5_set_int(f, "/", "synthetic", 0, e);
    for (size_t i = 0; ok && i < sizeof names / sizeof *names; i++)
        ok = h5_set_text(f, "/", names[i], "x", e);
    return ok;
}

static shard *forge(const forged *x, err *e)
{
    static const float numbers[8 * MIDI_STATS];
    static const double seconds[3] = {1, 2, 3};
    static const float emotion[3 * SHARD_EMOTION];
    static const int32_t label[3] = {-1, -1, -1};
    static const int64_t checks[3], counts[1] = {3};
    static const char *const texts[] = {"a", "b", "c"};
    *e = (err){0};
    h5 *f = h5_create(test_path("forged.h5"), e);
    bool ok =
        f && set_texts(f, x->settings, e) && h5_set_int(f, "/", "longest", x->longest, e) &&
        h5_write(f, "tokens", (h5_shape){x->f32 ? H5_F32 : H5_U16, 1, {x->tokens}}, numbers, e) &&
        h5_write(f, "midi_stats", (h5_shape){H5_F32, 2, {x->stats, MIDI_STATS}}, numbers, e) &&
        h5_write(f, "tokens_offsets", (h5_shape){H5_I64, 1, {4}}, x->offsets, e) &&
        h5_write(f, "tokens_checks", (h5_shape){H5_I64, 1, {3}}, checks, e) &&
        h5_write(f, "seconds", (h5_shape){H5_F64, 1, {3}}, seconds, e) &&
        h5_write(f, "label", (h5_shape){H5_I32, 1, {3}}, label, e) &&
        h5_write(f, "emotion", (h5_shape){H5_F32, 2, {3, SHARD_EMOTION}}, emotion, e) &&
        h5_write(f, "label_count", (h5_shape){H5_I64, 1, {1}}, counts, e) &&
        h5_write(f, "path", (h5_shape){H5_TEXT, 1, {3}}, texts, e) &&
        h5_write(f, "group", (h5_shape){H5_TEXT, 1, {3}}, texts, e) &&
        h5_write(f, "label_source", (h5_shape){H5_TEXT, 1, {3}}, texts, e);
    EXPECT_OK(ok, *e);
    EXPECT_OK(h5_commit(f, e), *e);
    return shard_open(test_path("forged.h5"), e);
}

// Without the attribute `longest` of a column and without checks of what has one row an item: as
// shards were before there were columns.
TEST(shard_columns_of_older_shards_are_read)
{
    err e = {0};
    float x[MIDI_STATS];
    uint16_t tokens[3];
    shard *s = forge(&sound, &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(s->info.columns[0].longest, 3);
    EXPECT_OK(shard_item_rows(s, 1, 2, x, &e), e);
    EXPECT_ERR(shard_item_rows(s, 0, 2, tokens, &e), e, ERR_DAMAGED,
               "the tokens of item 2 ('c') do not match their checksum");
    shard_close(s);
}

TEST(shard_columns_that_cannot_be_are_refused)
{
    err e = {0};
    forged x;
    x = sound, x.offsets[0] = 1;
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "column 'tokens' has offsets");
    x = sound, x.offsets[1] = 4;
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "offsets");
    x = sound, x.offsets[1] = -1;
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "offsets");
    x = sound, x.offsets[2] = INT64_MAX;
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "offsets");
    x = sound, x.offsets[3] = 7;
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "offsets");
    x = sound, x.offsets[2] = 2; // no song is without tokens
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "offsets");
    x = sound, x.longest = 4;
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "offsets");
    x = sound, x.longest = 7;
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "'longest'");
    x = sound, x.stats = 2;
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "one row an item");
    x = sound, x.f32 = true;
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "shape");
    x = sound, x.settings = "{}";
    EXPECT_ERR(forge(&x, &e), e, ERR_DAMAGED, "names no feature");
    x = sound, x.settings = "{\"tokens\": {}, \"scent\": {}}";
    EXPECT_ERR(forge(&x, &e), e, ERR_MISMATCH, "column 'scent'");
    x = sound, x.settings = "{\"mel\": {}}";
    EXPECT_ERR(forge(&x, &e), e, ERR_MISMATCH, "column 'mel'");
}
