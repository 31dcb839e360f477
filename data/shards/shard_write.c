// SPDX-License-Identifier: GPL-3.0-or-later
// shard_write.c: writing a shard (shard.h). Frames go to the file as they come; what is small is
// kept and written at the end.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/h5.h"
#include "base/json.h"
#include "base/str.h"
#include "data/music/tokens.h"
#include "data/readers/attributes.h"
#include "data/shards/shard.h"
#include "data/shards/shard_internal.h"
#include "data/shards/shard_write.h"

// Of mel: about one crop, so that a random crop costs two chunks at most. Rows of songs are read a
// column at a time, and a chunk is never shorter, however little is in it.
enum { MEL_CHUNK = 1 << 16, SONG_CHUNK = 1 << 14 };
enum { WAITING = 256, WAITING_BYTES = 256 << 10 }; // attributes that wait to be written

// A column as far as it is written.
typedef struct column {
    shard_column c;
    int from;               // its place in the caller's info and items; mel: -1
    h5_series *series;      // NULL when it is closed
    strbuf offsets, checks; // i64 as bytes
} column;

struct shard_writer {
    h5 *file;
    shard_info info;
    column columns[SHARD_COLUMNS];
    int n_columns;
    bool songs;            // features of MIDI are among them
    h5_series *attributes; // NULL until an item has some
    // const char * as bytes: attributes not written yet; the texts are in `texts`
    strbuf waiting;
    arena texts;
    int64_t items, rejects;
    strbuf label, emotion, seconds;          // rows as bytes
    strbuf paths, groups, sources, rejected; // const char * as bytes; the texts are in `memory`
    double *mel_sum, *mel_squares;           // [n_mels]
    int64_t *label_count;                    // [n_labels + 1]
    strbuf classes;                          // [items][n_groups] as bytes
    int64_t *class_count;                    // of all groups
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
    bool ok = h5_set_text(f, "/", "format", SHARD_FORMAT, e) &&
              h5_set_int(f, "/", "format_version", SHARD_VERSION, e) &&
              h5_set_text(f, "/", "labels", labels.s, e);
    strbuf_free(&labels);
    for (const shard_text *t = shard_texts; ok && t->name; t++) {
        const char *value = *(const char *const *)((const char *)i + t->at);
        ok = h5_set_text(f, "/", t->name, value ? value : "", e);
    }
    if (shard_find_column(i, "tokens") >= 0)
        ok = ok && h5_set_text(f, "/", "dialect", TOKENS_DIALECT, e);
    if (i->augment)
        ok = ok && h5_set_text(f, "/", "augment", i->augment, e);
    return ok && h5_set_int(f, "/", "synthetic", i->synthetic, e);
}

static bool set_one(h5 *f, const char *dataset, const char *name, const json *v, err *e)
{
    double num = json_num(v, json_bool(v, false));
    if (json_type(v) == JSON_STRING)
        return h5_set_text(f, dataset, name, json_str(v, ""), e);
    if (num == floor(num) && fabs(num) < 1e15)
        return h5_set_int(f, dataset, name, (int64_t)num, e);
    return h5_set_num(f, dataset, name, num, e);
}

// Every feature setting by itself, for who reads the file without us.
static bool set_settings(const shard_writer *w, err *e)
{
    json *all = json_parse(w->info.settings, strlen(w->info.settings), e);
    bool ok = all != NULL;
    for (int k = 0; ok && k < w->n_columns; k++) {
        const char *name = w->columns[k].c.name;
        const json *of = json_get(all, name);
        CHECK(of || w->info.n_mels); // by these names the columns are found again
        for (void *it = json_first(of); ok && it; it = json_next(of, it))
            ok = set_one(w->file, name, json_key(it), json_value(it), e);
        ok = ok && (w->columns[k].c.single ||
                    h5_set_int(w->file, name, "longest", w->columns[k].c.longest, e));
    }
    json_free(all);
    return ok;
}

// Which columns there are: those of the caller, and mel first where n_mels alone asks for it.
static void take_columns(shard_writer *w, const shard_info *info)
{
    int own = shard_find_column(info, "mel");
    if (info->n_mels > 0 && own < 0)
        w->columns[w->n_columns++] = (column){.c = shard_column_mel(info->n_mels), .from = -1};
    CHECK(w->n_columns + info->n_columns > 0 && w->n_columns + info->n_columns <= SHARD_COLUMNS);
    for (int k = 0; k < info->n_columns; k++)
        w->columns[w->n_columns++] = (column){.c = info->columns[k], .from = k == own ? -1 : k};
    w->info.n_mels = own < 0 ? info->n_mels : info->columns[own].width;
    w->songs = shard_has_songs(info);
}

// Room for rows as they come.
static bool open_columns(shard_writer *w, err *e)
{
    int64_t zero = 0;
    for (int k = 0; k < w->n_columns; k++) {
        column *x = &w->columns[k];
        x->c.rows = x->c.longest = 0;
        size_t most = x->from < 0 ? MEL_CHUNK : SONG_CHUNK, chunk = most / shard_row_bytes(&x->c);
        h5_shape row = {
            x->c.u16 ? H5_U16 : H5_F32, shard_column_flat(&x->c) ? 0 : 1, {(uint64_t)x->c.width}};
        strbuf_add(&x->offsets, (const char *)&zero, sizeof zero);
        if (!(x->series = h5_series_open(w->file, x->c.name, row, chunk ? chunk : 1, e)))
            return false;
    }
    return true;
}

shard_writer *shard_create(const char *path, const shard_info *info, err *e)
{
    CHECK(info->n_mels >= 0 && info->n_mels <= SHARD_MAX_MELS &&
          info->n_labels <= SHARD_MAX_LABELS && info->settings);
    shard_writer *w = base_checked(calloc(1, sizeof *w), sizeof *w);
    w->info = *info;
    w->memory.name = "shard";
    take_columns(w, info);
    w->mel_sum = NEW(&w->memory, double, (size_t)w->info.n_mels);
    w->mel_squares = NEW(&w->memory, double, (size_t)w->info.n_mels);
    w->label_count = NEW(&w->memory, int64_t, info->n_labels + 1);
    w->class_count = NEW(&w->memory, int64_t, (size_t)shard_class_total(info) + 1);
    w->file = h5_create(path, e);
    if (w->file && open_columns(w, e) && set_info(w->file, info, e))
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
    // HDF5 is told that it is UTF-8
    const char *copy = arena_strdup(&w->memory, str_utf8_escape(&w->memory, s ? s : ""));
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

static bool add_rows(column *x, const void *rows, int64_t n, err *e)
{
    CHECK(n >= 0 && (!x->c.single || n == 1));
    if (n > 0 && !h5_series_add(x->series, rows, (uint64_t)n, e))
        return false;
    int64_t check = crc32c(rows, (size_t)n * shard_row_bytes(&x->c));
    x->c.rows += n;
    x->c.longest = n > x->c.longest ? n : x->c.longest;
    add_bytes(&x->offsets, &x->c.rows, sizeof x->c.rows);
    add_bytes(&x->checks, &check, sizeof check);
    return true;
}

static bool flush_attributes(shard_writer *w, err *e)
{
    size_t n = w->waiting.len / sizeof(char *);
    bool ok = n == 0 || h5_series_add(w->attributes, w->waiting.s, n, e);
    w->waiting.len = 0;
    arena_reset(&w->texts);
    return ok;
}

// Texts are written many at a time: for each write HDF5 clears a MiB.
static bool add_attribute(shard_writer *w, const char *text, err *e)
{
    const char *copy = text ? arena_strdup(&w->texts, text) : "";
    add_bytes(&w->waiting, &copy, sizeof copy);
    return (w->waiting.len < WAITING * sizeof copy && w->texts.used < WAITING_BYTES) ||
           flush_attributes(w, e);
}

// A dataset as soon as an item has some; those before it had none.
static bool add_attributes(shard_writer *w, const char *text, err *e)
{
    if (!text && !w->attributes)
        return true;
    CHECK(!text || strlen(text) <= ATTRIBUTES_BYTES);
    if (!w->attributes) {
        if (!(w->attributes =
                  h5_series_open(w->file, "attributes", (h5_shape){H5_TEXT, 0, {0}}, 0, e)))
            return false;
        for (int64_t i = 0; i < w->items; i++)
            if (!add_attribute(w, NULL, e))
                return false;
    }
    return add_attribute(w, text, e);
}

static void add_classes(shard_writer *w, const int32_t *classes)
{
    int64_t *count = w->class_count;
    for (int k = 0; k < w->info.n_groups; count += w->info.groups[k++].n) {
        CHECK(classes[k] >= -1 && classes[k] < w->info.groups[k].n);
        if (classes[k] >= 0)
            count[classes[k]]++;
    }
    if (w->info.n_groups)
        add_bytes(&w->classes, classes, (size_t)w->info.n_groups * sizeof *classes);
}

bool shard_add(shard_writer *w, const shard_item *item, err *e)
{
    bool mel = w->info.n_mels > 0;
    CHECK(item->frames >= mel && item->label >= -1 && item->label < (int32_t)w->info.n_labels);
    CHECK(w->items < SHARD_MAX_ITEMS);
    for (int k = 0; k < w->n_columns; k++) {
        int from = w->columns[k].from;
        if (!add_rows(&w->columns[k], from < 0 ? item->mel : item->column[from].rows,
                      from < 0 ? item->frames : item->column[from].n, e))
            return false;
    }
    if (!add_attributes(w, item->attributes, e))
        return false;
    w->items++;
    w->label_count[item->label < 0 ? (int32_t)w->info.n_labels : item->label]++;
    add_bytes(&w->label, &item->label, sizeof item->label);
    add_classes(w, item->classes);
    add_bytes(&w->emotion, item->emotion, sizeof item->emotion);
    add_text(w, &w->paths, item->path);
    add_text(w, &w->groups, item->group);
    add_text(w, &w->sources, item->label_source);
    if (mel)
        add_statistics(w, item);
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

static bool write_offsets(shard_writer *w, column *x, err *e)
{
    uint64_t n = (uint64_t)w->items;
    const char *offsets = arena_printf(&w->memory, "%s_offsets", x->c.name),
               *checks = arena_printf(&w->memory, "%s_checks", x->c.name);
    return (x->c.single ||
            h5_write(w->file, offsets, (h5_shape){H5_I64, 1, {n + 1}}, x->offsets.s, e)) &&
           h5_write(w->file, checks, (h5_shape){H5_I64, 1, {n}}, x->checks.s, e);
}

static bool write_tables(shard_writer *w, err *e)
{
    uint64_t n = (uint64_t)w->items, m = (uint64_t)w->info.n_mels;
    bool mel = m > 0;
    const struct {
        const char *name;
        h5_shape shape;
        const void *data;
        bool left_out;
    } tables[] = {
        {"seconds", {H5_F64, 1, {n}}, w->seconds.s, !w->songs},
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
        if (!tables[i].left_out &&
            !h5_write(w->file, tables[i].name, tables[i].shape, tables[i].data, e))
            return false;
    for (int k = 0; k < w->n_columns; k++)
        if (!write_offsets(w, &w->columns[k], e))
            return false;
    return h5_set_int(w->file, "/", "longest", w->columns[0].c.longest, e) && set_settings(w, e) &&
           shard_groups_write(w->file, &w->info, w->items, w->classes.s, w->class_count, e);
}

static void writer_free(shard_writer *w)
{
    strbuf *all[] = {&w->label,   &w->emotion,  &w->seconds, &w->paths,  &w->groups,
                     &w->sources, &w->rejected, &w->waiting, &w->classes};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        strbuf_free(all[i]);
    for (int k = 0; k < w->n_columns; k++) {
        strbuf_free(&w->columns[k].offsets);
        strbuf_free(&w->columns[k].checks);
    }
    arena_free(&w->texts);
    arena_free(&w->memory);
    free(w);
}

// All of them, whatever becomes of one.
static bool close_columns(shard_writer *w, err *e)
{
    bool ok = true;
    for (int k = 0; k < w->n_columns; k++) {
        h5_series *x = w->columns[k].series;
        w->columns[k].series = NULL;
        ok = (!x || h5_series_close(x, ok ? e : NULL)) && ok;
    }
    h5_series *attributes = w->attributes;
    w->attributes = NULL;
    return (!attributes || h5_series_close(attributes, ok ? e : NULL)) && ok;
}

bool shard_finish(shard_writer *w, err *e)
{
    if (!flush_attributes(w, e) || !close_columns(w, e) || !write_tables(w, e)) {
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
    (void)!close_columns(w, NULL); // the file goes anyway
    h5_abandon(w->file);
    writer_free(w);
}
