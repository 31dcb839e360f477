// SPDX-License-Identifier: GPL-3.0-or-later
// shard_write.c: writing a shard (shard.h). Frames go to the file as they come; what is small is kept and written at the end.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/h5.h"
#include "base/json.h"
#include "base/str.h"
#include "data/shard.h"
#include "data/shard_internal.h"
#include "data/tokens.h"

enum { CHUNK_BYTES = 1 << 16 }; // of frames: about one crop, so that a random crop costs two chunks at most

struct shard_writer {
    h5 *file;
    h5_series *rows; // mel or tokens; NULL: neither
    shard_info info;
    int64_t items, frames, longest, rejects;
    strbuf offsets, checks, label, emotion, stats, seconds; // rows as bytes
    strbuf paths, groups, sources, rejected;                // const char * as bytes; the texts are in `memory`
    double *mel_sum, *mel_squares;                          // [n_mels]
    int64_t *label_count;                                   // [n_labels + 1]
    arena memory;
};

static bool set_info(h5 *f, const shard_info *i, err *e)
{
    strbuf labels = {0};
    json *names = json_array();
    for (size_t k = 0; k < i->n_labels; k++)
        json_push_str(names, i->labels[k]);
    json_dump(names, 0, &labels);
    json_free(names);
    bool ok = h5_set_text(f, "/", "format", SHARD_FORMAT, e) && h5_set_int(f, "/", "format_version", SHARD_VERSION, e) &&
              h5_set_text(f, "/", "labels", labels.s, e);
    strbuf_free(&labels);
    for (const shard_text *t = shard_texts; ok && t->name; t++) {
        const char *value = *(const char *const *)((const char *)i + t->at);
        ok = h5_set_text(f, "/", t->name, value ? value : "", e);
    }
    if (i->tokens)
        ok = ok && h5_set_text(f, "/", "dialect", TOKENS_DIALECT, e);
    return ok && h5_set_int(f, "/", "synthetic", i->synthetic, e);
}

static bool set_one(h5 *f, const char *feature, const char *name, const json *v, err *e)
{
    double num = json_num(v, json_bool(v, false));
    if (json_type(v) == JSON_STRING)
        return h5_set_text(f, feature, name, json_str(v, ""), e);
    if (num == floor(num) && fabs(num) < 1e15)
        return h5_set_int(f, feature, name, (int64_t)num, e);
    return h5_set_num(f, feature, name, num, e);
}

// Every feature setting by itself, for who reads the file without us.
static bool set_settings(h5 *f, const char *settings, err *e)
{
    static const char *const features[] = {"mel", "tokens", "midi_stats"};
    json *all = json_parse(settings, strlen(settings), e);
    bool ok = all != NULL;
    for (size_t k = 0; ok && k < sizeof features / sizeof *features; k++) {
        const json *of = json_get(all, features[k]);
        for (void *it = json_first(of); ok && it; it = json_next(of, it))
            ok = set_one(f, features[k], json_key(it), json_value(it), e);
    }
    json_free(all);
    return ok;
}

// Room for the frames or tokens as they come; info of what has neither.
static bool open_rows(shard_writer *w, err *e)
{
    size_t bands = (size_t)w->info.n_mels, chunk = bands ? CHUNK_BYTES / (bands * sizeof(float)) : CHUNK_BYTES / sizeof(uint16_t);
    if (bands)
        w->rows = h5_series_open(w->file, "mel", (h5_shape){H5_F32, 1, {bands}}, chunk ? chunk : 1, e);
    else if (w->info.tokens)
        w->rows = h5_series_open(w->file, "tokens", (h5_shape){H5_U16, 0, {0}}, chunk, e);
    else
        return true;
    return w->rows != NULL;
}

shard_writer *shard_create(const char *path, const shard_info *info, err *e)
{
    bool of_midi = info->tokens || info->midi_stats;
    CHECK(info->n_mels >= 0 && info->n_mels <= SHARD_MAX_MELS && info->n_labels <= SHARD_MAX_LABELS && info->settings);
    CHECK((info->n_mels > 0) != of_midi);
    shard_writer *w = base_checked(calloc(1, sizeof *w), sizeof *w);
    size_t bands = (size_t)info->n_mels;
    int64_t zero = 0;
    w->info = *info;
    w->memory.name = "shard";
    w->mel_sum = NEW(&w->memory, double, bands);
    w->mel_squares = NEW(&w->memory, double, bands);
    w->label_count = NEW(&w->memory, int64_t, info->n_labels + 1);
    strbuf_add(&w->offsets, (const char *)&zero, sizeof zero);
    w->file = h5_create(path, e);
    if (w->file && open_rows(w, e) && set_info(w->file, info, e))
        return w;
    shard_abandon(w);
    return NULL;
}

static void add_bytes(strbuf *b, const void *p, size_t n)
{
    strbuf_add(b, p, n);
}

static void add_text(shard_writer *w, strbuf *b, const char *s)
{
    const char *copy = arena_strdup(&w->memory, s ? s : "");
    add_bytes(b, &copy, sizeof copy);
}

static void add_statistics(shard_writer *w, const shard_item *item)
{
    int bands = w->info.n_mels;
    for (int64_t t = 0; t < item->frames; t++)
        for (int b = 0; b < bands; b++) {
            double x = item->mel[t * bands + b];
            w->mel_sum[b] += x;
            w->mel_squares[b] += x * x;
        }
}

bool shard_add(shard_writer *w, const shard_item *item, err *e)
{
    bool mel = w->info.n_mels > 0;
    const void *rows = mel ? (const void *)item->mel : item->tokens;
    size_t size = mel ? (size_t)w->info.n_mels * sizeof(float) : sizeof(uint16_t);
    CHECK(item->frames >= (w->rows != NULL) && item->label >= -1 && item->label < (int32_t)w->info.n_labels);
    CHECK(w->items < SHARD_MAX_ITEMS);
    if (w->rows && !h5_series_add(w->rows, rows, (uint64_t)item->frames, e))
        return false;
    int64_t check = w->rows ? crc32c(rows, (size_t)item->frames * size) : 0;
    w->items++;
    w->frames += item->frames;
    w->longest = item->frames > w->longest ? item->frames : w->longest;
    w->label_count[item->label < 0 ? (int32_t)w->info.n_labels : item->label]++;
    add_bytes(&w->offsets, &w->frames, sizeof w->frames);
    add_bytes(&w->checks, &check, sizeof check);
    add_bytes(&w->label, &item->label, sizeof item->label);
    add_bytes(&w->emotion, item->emotion, sizeof item->emotion);
    add_text(w, &w->paths, item->path);
    add_text(w, &w->groups, item->group);
    add_text(w, &w->sources, item->label_source);
    if (mel)
        add_statistics(w, item);
    if (w->info.midi_stats)
        add_bytes(&w->stats, item->stats, SHARD_STATS * sizeof *item->stats);
    add_bytes(&w->seconds, &item->seconds, sizeof item->seconds);
    return true;
}

bool shard_reject(shard_writer *w, const char *json_line, err *e)
{
    (void)e;
    add_text(w, &w->rejected, json_line);
    w->rejects++;
    return true;
}

static bool write_tables(shard_writer *w, err *e)
{
    uint64_t n = (uint64_t)w->items, m = (uint64_t)w->info.n_mels;
    bool mel = m > 0, tokens = w->info.tokens, stats = w->info.midi_stats;
    const struct {
        const char *name;
        h5_shape shape;
        const void *data;
        bool left_out;
    } tables[] = {
        {"mel_offsets", {H5_I64, 1, {n + 1}}, w->offsets.s, !mel},
        {"mel_checks", {H5_I64, 1, {n}}, w->checks.s, !mel},
        {"tokens_offsets", {H5_I64, 1, {n + 1}}, w->offsets.s, !tokens},
        {"tokens_checks", {H5_I64, 1, {n}}, w->checks.s, !tokens},
        {"midi_stats", {H5_F32, 2, {n, SHARD_STATS}}, w->stats.s, !stats},
        {"seconds", {H5_F64, 1, {n}}, w->seconds.s, mel},
        {"label", {H5_I32, 1, {n}}, w->label.s, false},
        {"emotion", {H5_F32, 2, {n, SHARD_EMOTION}}, w->emotion.s, false},
        {"path", {H5_TEXT, 1, {n}}, w->paths.s, false},
        {"group", {H5_TEXT, 1, {n}}, w->groups.s, false},
        {"label_source", {H5_TEXT, 1, {n}}, w->sources.s, false},
        {"mel_sum", {H5_F64, 1, {m}}, w->mel_sum, !mel},
        {"mel_squares", {H5_F64, 1, {m}}, w->mel_squares, !mel},
        {"label_count", {H5_I64, 1, {w->info.n_labels + 1}}, w->label_count, false},
        {"rejected", {H5_TEXT, 1, {(uint64_t)w->rejects}}, w->rejected.s, false},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!tables[i].left_out && !h5_write(w->file, tables[i].name, tables[i].shape, tables[i].data, e))
            return false;
    return h5_set_int(w->file, "/", "longest", w->longest, e) && set_settings(w->file, w->info.settings, e);
}

static void writer_free(shard_writer *w)
{
    strbuf *all[] = {&w->offsets, &w->checks, &w->label,  &w->emotion, &w->stats,
                     &w->seconds, &w->paths,  &w->groups, &w->sources, &w->rejected};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        strbuf_free(all[i]);
    arena_free(&w->memory);
    free(w);
}

bool shard_finish(shard_writer *w, err *e)
{
    h5_series *rows = w->rows;
    w->rows = NULL;
    if ((rows && !h5_series_close(rows, e)) || !write_tables(w, e)) {
        shard_abandon(w);
        return false;
    }
    bool ok = h5_commit(w->file, e);
    writer_free(w);
    return ok;
}

void shard_abandon(shard_writer *w)
{
    if (!w)
        return;
    if (w->rows && !h5_series_close(w->rows, NULL))
        w->rows = NULL; // the file goes anyway
    h5_abandon(w->file);
    writer_free(w);
}
