// SPDX-License-Identifier: GPL-3.0-or-later
// shard.c: reading a shard (shard.h). Nothing in the file is believed before it was held against
// the rest: shapes, offsets, labels, numbers.
#include "data/shards/shard.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/h5.h"
#include "base/json.h"
#include "data/music/tokens.h"
#include "data/readers/attributes.h"
#include "data/shards/shard_internal.h"

const shard_text shard_texts[] = {
    {"dataset", offsetof(shard_info, dataset)},
    {"split", offsetof(shard_info, split)},
    {"settings", offsetof(shard_info, settings)},
    {"key", offsetof(shard_info, key)},
    {"licence", offsetof(shard_info, licence)},
    {"citation", offsetof(shard_info, citation)},
    {NULL, 0},
};

bool shard_damaged(const shard *s, err *e, const char *what)
{
    return err_set(e, ERR_DAMAGED, "'%s': %s; remove the file and run kmidi prepare again", s->path,
                   what);
}

static bool read_format(shard *s, err *e)
{
    char *format = NULL;
    int64_t version = 0;
    h5 *f = s->file->h5;
    if (!h5_get_text(f, "/", "format", &s->file->memory, &format, NULL) ||
        strcmp(format, SHARD_FORMAT) != 0 || !h5_get_int(f, "/", "format_version", &version, NULL))
        return err_set(
            e, ERR_FORMAT,
            "'%s' is an HDF5 file, but not a shard of kmidi; make shards with kmidi prepare",
            s->path);
    if (version != SHARD_VERSION)
        return err_set(e, ERR_FORMAT,
                       "'%s' is a shard of version %" PRId64
                       ", this program reads version %d; run kmidi prepare again",
                       s->path, version, SHARD_VERSION);
    return true;
}

static bool read_labels(shard *s, err *e)
{
    char *text;
    arena *a = &s->file->memory;
    if (!h5_get_text(s->file->h5, "/", "labels", a, &text, e))
        return false;
    json *j = json_parse(text, strlen(text), NULL);
    size_t n = json_len(j);
    bool ok = json_type(j) == JSON_ARRAY && n <= SHARD_MAX_LABELS;
    const char **names = NEW(a, const char *, n + 1);
    for (size_t i = 0; ok && i < n; i++) {
        const char *name = json_str(json_at(j, i), NULL);
        ok = name != NULL;
        names[i] = ok ? arena_strdup(a, name) : NULL;
    }
    json_free(j);
    s->info.labels = names;
    s->info.n_labels = n;
    return ok || shard_damaged(s, e, "attribute 'labels' is not a list of names");
}

static bool read_info(shard *s, err *e)
{
    int64_t synthetic = 0;
    char *augment;
    for (const shard_text *t = shard_texts; t->name; t++) {
        char *value;
        if (!h5_get_text(s->file->h5, "/", t->name, &s->file->memory, &value, e))
            return false;
        *(const char **)((char *)&s->info + t->at) = value;
    }
    if (!h5_get_int(s->file->h5, "/", "synthetic", &synthetic, e) ||
        !h5_get_int(s->file->h5, "/", "longest", &s->file->longest, e))
        return false;
    s->info.synthetic = synthetic != 0;
    if (h5_get_text(s->file->h5, "/", "augment", &s->file->memory, &augment, NULL))
        s->info.augment = augment;
    return read_labels(s, e);
}

static bool read_dialect(shard *s, err *e)
{
    char *dialect;
    if (shard_find_column(&s->info, "tokens") < 0)
        return true;
    if (!h5_get_text(s->file->h5, "/", "dialect", &s->file->memory, &dialect, e))
        return false;
    return !strcmp(dialect, TOKENS_DIALECT) ||
           err_set(e, ERR_MISMATCH,
                   "'%s' has tokens in the dialect '%s', this program reads " TOKENS_DIALECT
                   "; run kmidi prepare again",
                   s->path, dialect);
}

static bool read_sizes(shard *s, err *e)
{
    h5_shape label;
    if (!h5_stat(s->file->h5, "label", &label, e))
        return false;
    if (label.type != H5_I32 || label.rank != 1 || label.dim[0] > SHARD_MAX_ITEMS)
        return shard_damaged(s, e, "dataset 'label' is not i32 [items]");
    s->items = (int64_t)label.dim[0];
    return shard_columns_find(s, e) && read_dialect(s, e);
}

const void *shard_table(shard *s, const char *name, h5_type type, size_t size, int64_t n, int64_t m,
                        err *e)
{
    h5_shape shape = {type, m ? 2 : 1, {(uint64_t)n, (uint64_t)m}};
    void *p = arena_alloc(&s->file->memory, (size_t)n * (m ? (size_t)m : 1), size);
    return h5_read(s->file->h5, name, shape, p, e) ? p : NULL;
}

static bool read_texts(shard *s, const char *name, const char *const **out, err *e)
{
    char **texts;
    uint64_t n;
    if (!h5_read_texts(s->file->h5, name, &s->file->memory, &texts, &n, e))
        return false;
    *out = (const char *const *)texts;
    return n == (uint64_t)s->items ||
           shard_damaged(s, e, "a list of texts has not as many rows as 'label'");
}

static bool all_finite(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * 0;
    return sum == 0;
}

static bool read_statistics(shard *s, err *e)
{
    bool mel = s->info.n_mels > 0;
    if ((mel &&
         !(s->mel_sum = shard_table(s, "mel_sum", H5_F64, sizeof(double), s->info.n_mels, 0, e))) ||
        (mel && !(s->mel_squares = shard_table(s, "mel_squares", H5_F64, sizeof(double),
                                               s->info.n_mels, 0, e))) ||
        !(s->label_count = shard_table(s, "label_count", H5_I64, sizeof(int64_t),
                                       (int64_t)s->info.n_labels + 1, 0, e)))
        return false;
    int64_t sum = 0;
    for (size_t i = 0; i <= s->info.n_labels; i++) {
        if (s->label_count[i] < 0 || s->label_count[i] > s->items)
            return shard_damaged(s, e, "dataset 'label_count' does not fit the items");
        sum += s->label_count[i];
    }
    if (sum != s->items)
        return shard_damaged(s, e, "dataset 'label_count' does not fit the items");
    if (!all_finite(s->mel_sum, s->info.n_mels) || !all_finite(s->mel_squares, s->info.n_mels))
        return shard_damaged(s, e, "the sums over its frames are not finite");
    return shard_groups_find(s, e);
}

static bool check_items(const shard *s, err *e)
{
    int32_t n_labels = (int32_t)s->info.n_labels;
    bool ok = true;
    for (int64_t i = 0; ok && i < s->items; i++)
        ok = s->label[i] >= -1 && s->label[i] < n_labels;
    if (!ok)
        return shard_damaged(s, e, "labels do not fit its label names");
    float sum = 0;
    for (int64_t i = 0; i < s->items * SHARD_EMOTION; i++)
        sum += s->emotion[i] * 0;
    if (sum != 0)
        return shard_damaged(s, e, "an emotion vector is not finite");
    int64_t *count = NEW(&s->file->memory, int64_t, s->info.n_labels + 1);
    for (int64_t i = 0; i < s->items; i++)
        count[s->label[i] < 0 ? n_labels : s->label[i]]++;
    return memcmp(count, s->label_count, (s->info.n_labels + 1) * sizeof *count) == 0 ||
           shard_damaged(s, e, "dataset 'label_count' does not fit the labels");
}

// Of mel its offsets, of songs how long they are.
static bool read_rows(shard *s, err *e)
{
    if (!shard_columns_tables(s, e))
        return false;
    s->offsets = s->info.n_mels ? s->info.columns[0].offsets : NULL;
    if (!shard_has_songs(&s->info))
        return true;
    if (!(s->seconds = shard_table(s, "seconds", H5_F64, sizeof(double), s->items, 0, e)))
        return false;
    double sum = 0;
    for (int64_t i = 0; i < s->items; i++)
        sum += s->seconds[i] >= 0 ? s->seconds[i] * 0 : NAN;
    return sum == 0 || shard_damaged(s, e, "seconds of an item are out of range");
}

static bool read_items(shard *s, err *e)
{
    return read_rows(s, e) &&
           (s->label = shard_table(s, "label", H5_I32, sizeof(int32_t), s->items, 0, e)) &&
           (s->emotion =
                shard_table(s, "emotion", H5_F32, sizeof(float), s->items, SHARD_EMOTION, e)) &&
           read_texts(s, "path", &s->paths, e) && read_texts(s, "group", &s->groups, e) &&
           read_texts(s, "label_source", &s->sources, e) && check_items(s, e) &&
           shard_groups_items(s, e);
}

static shard *open_with(const char *path, bool items, err *e)
{
    shard *s = base_checked(calloc(1, sizeof *s), sizeof *s);
    s->file = base_checked(calloc(1, sizeof *s->file), sizeof *s->file);
    s->file->memory.name = "shard";
    s->path = arena_strdup(&s->file->memory, path);
    s->file->h5 = h5_open(path, e);
    if (s->file->h5 && read_format(s, e) && read_info(s, e) && read_sizes(s, e) &&
        read_statistics(s, e) && (!items || read_items(s, e)))
        return s;
    shard_close(s);
    return NULL;
}

shard *shard_open(const char *path, err *e)
{
    return open_with(path, true, e);
}

shard *shard_peek(const char *path, err *e)
{
    shard *s = open_with(path, false, e);
    if (s) {
        h5_close(s->file->h5);
        s->file->h5 = NULL;
    }
    return s;
}

void shard_close(shard *s)
{
    if (!s)
        return;
    h5_close(s->file->h5);
    arena_free(&s->file->memory);
    free(s->file);
    free(s);
}

bool shard_attributes(shard *s, arena *a, const char *const **out, err *e)
{
    char **texts;
    uint64_t n;
    *out = NULL;
    if (!h5_has(s->file->h5, "attributes"))
        return !h5_lost(s->file->h5, e);
    if (!h5_read_texts(s->file->h5, "attributes", a, &texts, &n, e))
        return false;
    bool ok = n == (uint64_t)s->items;
    for (uint64_t i = 0; ok && i < n; i++)
        ok = attributes_ok(texts[i]);
    *out = (const char *const *)texts;
    return ok ||
           shard_damaged(s, e, "dataset 'attributes' is not an object or nothing for each item");
}

bool shard_rejected(const char *path, arena *a, char ***lines, size_t *n, err *e)
{
    uint64_t count = 0;
    h5 *f = h5_open(path, e);
    bool ok = f && h5_read_texts(f, "rejected", a, lines, &count, e);
    *n = (size_t)count;
    h5_close(f);
    return ok;
}

bool shard_is(const char *path, const char *key)
{
    arena a = {.name = "shard"};
    char **lines;
    const char *const *attributes;
    size_t n;
    shard *s = shard_open(path, NULL);
    bool is = s && !strcmp(s->info.key, key) && shard_attributes(s, &a, &attributes, NULL) &&
              shard_rejected(path, &a, &lines, &n, NULL);
    shard_close(s);
    arena_free(&a);
    return is;
}

bool shard_key(const char *path, char key[65])
{
    arena a = {.name = "key"};
    char *text = NULL;
    h5 *f = h5_open(path, NULL);
    bool ok = f && h5_get_text(f, "/", "key", &a, &text, NULL) && strlen(text) == 64;
    if (ok)
        memcpy(key, text, 65);
    h5_close(f);
    arena_free(&a);
    return ok;
}
