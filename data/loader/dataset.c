// SPDX-License-Identifier: GPL-3.0-or-later
// dataset.c: shards side by side (dataset.h).
#include "data/loader/dataset_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "data/shards/shard.h"

// What grows while shards are looked at.
typedef struct builder {
    dataset *d;
    arena *a;
    const char *first_path; // what the others are compared with
    double *mel_sum, *mel_squares;
    int64_t *first, *counts, *label_count, *class_count, *rows;
    digest *sum;
    const char **keys;
} builder;

// The first setting in which two JSON objects differ, as "mel.n_fft is 512 in A and 1024 in B".
// True when there is none.
static bool same_settings(const json *a, const json *b, const char *prefix, const char *where_a,
                          const char *where_b, err *e)
{
    for (void *it = json_first(a); it; it = json_next(a, it)) {
        char name[256];
        strbuf x = {0}, y = {0};
        const json *other = json_get(b, json_key(it));
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", json_key(it));
        if (json_type(json_value(it)) == JSON_OBJECT && json_type(other) == JSON_OBJECT) {
            if (!same_settings(json_value(it), other, name, where_a, where_b, e))
                return false;
            continue;
        }
        json_dump(json_value(it), 0, &x);
        json_dump(other, 0, &y);
        bool same = other && (json_type(other) == JSON_NUMBER
                                  ? json_num(other, 0) == json_num(json_value(it), NAN)
                                  : !strcmp(x.s, y.s));
        if (!same)
            err_set(e, ERR_MISMATCH,
                    "%s is %s in %s, but %s in %s; prepare both with the same settings", name, x.s,
                    where_a, other ? y.s : "not set", where_b);
        strbuf_free(&x);
        strbuf_free(&y);
        if (!same)
            return false;
    }
    return true;
}

static bool compare_settings(const char *a, const char *b, const char *where_a, const char *where_b,
                             err *e)
{
    if (!strcmp(a, b))
        return true;
    json *x = json_parse(a, strlen(a), e), *y = x ? json_parse(b, strlen(b), e) : NULL;
    bool ok = x && y ? same_settings(x, y, "", where_a, where_b, e) &&
                           same_settings(y, x, "", where_b, where_a, e)
                     : err_trail(e, "feature settings of %s", x ? where_b : where_a);
    json_free(x);
    json_free(y);
    return ok;
}

// Label names that the example uses.
static size_t labels_of(const dataset *d, const shard *s)
{
    return d->example->labelled ? s->info.n_labels : 0;
}

static bool compare_labels(const dataset *d, const builder *b, const shard *s, err *e)
{
    bool same = d->n_labels == labels_of(d, s);
    for (size_t i = 0; same && i < d->n_labels; i++)
        same = !strcmp(d->labels[i], s->info.labels[i]);
    return same || err_set(e, ERR_MISMATCH,
                           "'%s' has other label names (%zu) than '%s' (%zu); prepare both with "
                           "the same `labels`",
                           s->path, s->info.n_labels, b->first_path, d->n_labels);
}

bool dataset_of_mel(const dataset *d)
{
    return !strcmp(d->example->column, "mel");
}

// The settings of the features that the example is made of, so that shards of more features or
// fewer go together.
static const char *settings_of(const dataset *d, const shard *s, arena *a)
{
    const char *all = s->info.settings, *const used[] = {d->example->column, d->example->beside[0],
                                                         d->example->beside[1]};
    json *j = json_parse(all, strlen(all), NULL);
    strbuf text = {0};
    for (int k = 0; k < 1 + EXAMPLE_BESIDE; k++) {
        const json *own = used[k] ? json_get(j, used[k]) : NULL;
        if (!own)
            continue;
        strbuf_printf(&text, "%s\"%s\":", text.len ? "," : "{", used[k]);
        json_dump(own, 0, &text);
    }
    const char *settings = text.len ? arena_printf(a, "%s}", text.s) : arena_strdup(a, all);
    strbuf_free(&text);
    json_free(j);
    return settings;
}

static bool compare(const builder *b, const shard *s, err *e)
{
    const dataset *d = b->d;
    const char *here = arena_printf(b->a, "'%s'", s->path),
               *there = arena_printf(b->a, "'%s'", b->first_path);
    if (!compare_settings(d->settings, settings_of(d, s, b->a), there, here, e) ||
        !compare_labels(d, b, s, e) || (d->example->grouped && !dataset_groups_compare(d, s, e)))
        return false;
    return !dataset_of_mel(d) || d->n_mels == s->info.n_mels ||
           err_set(e, ERR_MISMATCH, "%s has %d bands, %s %d", there, d->n_mels, here,
                   s->info.n_mels);
}

static void begin(builder *b, const shard *s)
{
    dataset *d = b->d;
    size_t n = labels_of(d, s);
    const char **labels = NEW(b->a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        labels[i] = arena_strdup(b->a, s->info.labels[i]);
    d->labels = labels;
    d->n_labels = n;
    d->n_mels = dataset_of_mel(d) ? s->info.n_mels : 0;
    d->settings = settings_of(d, s, b->a);
    d->name = arena_strdup(b->a, s->info.dataset);
    d->licence = arena_strdup(b->a, s->info.licence);
    d->citation = arena_strdup(b->a, s->info.citation);
    d->label_counts = b->counts = NEW(b->a, int64_t, d->n_shards * (n + 1));
    d->label_count = b->label_count = NEW(b->a, int64_t, n + 1);
    d->mel_sum = b->mel_sum = NEW(b->a, double, (size_t)d->n_mels + 1);
    d->mel_squares = b->mel_squares = NEW(b->a, double, (size_t)d->n_mels + 1);
    d->rows = b->rows = NEW(b->a, int64_t, d->n_shards);
    if (d->example->grouped)
        d->class_count = b->class_count = dataset_groups_begin(d, s);
    b->first_path = d->paths[0];
}

// The shard holds what the example is made of.
// The columns that an example is made of, "mel, midi_stats, points".
static const char *columns_of(const example_def *x, arena *a)
{
    const char *all = x->column;
    for (int i = 0; i < EXAMPLE_BESIDE; i++)
        if (x->beside[i])
            all = arena_printf(a, "%s, %s", all, x->beside[i]);
    return all;
}

static bool check_feature(const builder *b, const shard *s, const char *column, err *e)
{
    if (!column || shard_find_column(&s->info, column) >= 0)
        return true;
    const char *what = arena_printf(b->a, "has no '%s'", column);
    if (!strcmp(column, "mel"))
        what = "is a shard of MIDI and has no mel frames";
    else if (!shard_has_songs(&s->info))
        what = arena_printf(b->a, "is a shard of audio and has no '%s' of MIDI", column);
    return err_set(e, ERR_MISMATCH,
                   "'%s' %s, which is what is learnt from here; make one that has it by kmidi "
                   "prepare CONFIG --out DIR 'features=[%s]'",
                   s->path, what, columns_of(b->d->example, b->a));
}

static bool check_features(const builder *b, const shard *s, err *e)
{
    const example_def *x = b->d->example;
    bool ok = check_feature(b, s, x->column, e);
    for (int i = 0; i < EXAMPLE_BESIDE; i++)
        ok = ok && check_feature(b, s, x->beside[i], e);
    return ok;
}

static void count_mel(builder *b, const shard *s)
{
    for (int i = 0; i < b->d->n_mels; i++) {
        b->mel_sum[i] += s->mel_sum[i];
        b->mel_squares[i] += s->mel_squares[i];
    }
}

// What all shards' columns of that name have in common, and the longest item.
static const shard_column *count_column(shard_column *all, const shard *s, const char *name)
{
    const shard_column *c = &s->info.columns[shard_find_column(&s->info, name)];
    int64_t longest = c->longest > all->longest ? c->longest : all->longest;
    *all = (shard_column){
        .name = name, .u16 = c->u16, .width = c->width, .single = c->single, .longest = longest};
    return c;
}

static void count_rows(builder *b, size_t k, const shard *s)
{
    dataset *d = b->d;
    const shard_column *c = count_column(&d->column, s, d->example->column);
    b->rows[k] = c->rows;
    d->frames += c->rows;
    d->longest = d->column.longest;
    for (int i = 0; i < EXAMPLE_BESIDE; i++)
        if (d->example->beside[i])
            (void)count_column(&d->beside[i], s, d->example->beside[i]);
}

static void count(builder *b, size_t k, const shard *s)
{
    dataset *d = b->d;
    size_t columns = d->n_labels + 1;
    count_rows(b, k, s);
    count_mel(b, s);
    for (size_t i = 0; i < columns; i++) {
        int64_t n = d->example->labelled ? s->label_count[i] : s->items;
        b->counts[k * columns + i] = n;
        b->label_count[i] += n;
    }
    dataset_groups_count(d, s, b->class_count);
    b->first[k + 1] = b->first[k] + s->items;
    d->items += s->items;
    d->synthetic |= s->info.synthetic;
    if (strcmp(d->name, s->info.dataset) != 0)
        d->name = "several";
    if (strcmp(d->licence, s->info.licence) != 0)
        d->licence = "";
    if (strcmp(d->citation, s->info.citation) != 0)
        d->citation = "";
    b->keys[k] = arena_strdup(b->a, s->info.key);
    digest_add_str(b->sum, s->info.key);
}

static bool add(builder *b, size_t k, err *e)
{
    shard *s = shard_peek(b->d->paths[k], e);
    bool ok = s && check_features(b, s, e);
    if (ok && k == 0)
        begin(b, s);
    ok = ok && compare(b, s, e);
    if (ok)
        count(b, k, s);
    shard_close(s);
    return ok;
}

static bool find_shards(dataset *d, const char *const *patterns, size_t n, err *e)
{
    arena *a = &d->memory;
    const char **all = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t found;
        char **names = file_glob(a, patterns[i], &found, e);
        if (!names)
            return err_trail(e, "shards");
        const char **more = NEW(a, const char *, d->n_shards + found);
        if (d->n_shards)
            memcpy(more, all, d->n_shards * sizeof *more);
        for (size_t k = 0; k < found; k++)
            more[d->n_shards + k] = names[k];
        all = more;
        d->n_shards += found;
    }
    d->paths = all;
    return d->n_shards > 0 ||
           err_set(e, ERR_MISSING,
                   "no shards were named; give paths or patterns such as 'shards/train-*.h5'");
}

static bool fill(dataset *d, err *e)
{
    arena *a = &d->memory;
    builder b = {.d = d, .a = a, .sum = digest_open()};
    d->first = b.first = NEW(a, int64_t, d->n_shards + 1);
    d->keys = b.keys = NEW(a, const char *, d->n_shards);
    bool ok = true;
    for (size_t k = 0; ok && k < d->n_shards; k++)
        ok = add(&b, k, e);
    digest_close(b.sum, d->digest);
    if (ok && d->items > 0 && d->frames == 0)
        return err_set(e, ERR_EMPTY, "'%s': none of its %" PRId64 " items has a row of '%s'",
                       d->paths[0], d->items, d->example->column);
    if (ok && d->items == 0)
        return err_set(e, ERR_EMPTY, "'%s'%s no items; see rejected.jsonl beside it", d->paths[0],
                       d->n_shards > 1 ? " and the shards after it hold" : " holds");
    return ok;
}

dataset *dataset_open(const char *const *patterns, size_t n, const example_def *x, err *e)
{
    dataset *d = base_checked(calloc(1, sizeof *d), sizeof *d);
    d->example = x;
    d->memory.name = "dataset";
    if (find_shards(d, patterns, n, e) && fill(d, e))
        return d;
    dataset_close(d);
    return NULL;
}

void dataset_close(dataset *d)
{
    if (!d)
        return;
    arena_free(&d->memory);
    free(d);
}

const char *const *dataset_patterns(arena *a, const char *const *patterns, size_t n,
                                    const char *splits)
{
    const char **out = NEW(a, const char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *names = splits, *found = NULL, *first = NULL;
        size_t there;
        out[i] = patterns[i];
        for (char name[64]; file_is_folder(patterns[i]) && !found && str_name(&names, name);) {
            char *pattern = path_join(a, patterns[i], arena_printf(a, "%s-*.h5", name));
            first = first ? first : pattern;
            found = file_glob(a, pattern, &there, NULL) ? pattern : NULL;
        }
        out[i] = found ? found : first ? first : out[i];
    }
    return out;
}

// Names the first item with label `index`, for a message.
static bool blame_label(const dataset *d, size_t index, const char *whose, err *e)
{
    size_t k = 0;
    while (!d->label_counts[k * (d->n_labels + 1) + index])
        k++;
    shard *s = shard_open(d->paths[k], e);
    if (!s)
        return false;
    int64_t i = 0;
    while (i + 1 < s->items && s->label[i] != (int32_t)index)
        i++;
    err_set(e, ERR_MISMATCH,
            "label '%s' ('%s' in '%s', and %" PRId64
            " more) is not known to %s; leave those items out or train with them",
            d->labels[index], s->paths[i], d->paths[k], d->label_count[index] - 1, whose);
    shard_close(s);
    return false;
}

bool dataset_expect(const dataset *d, const char *const *labels, size_t n_labels,
                    const char *settings, const char *whose, err *e)
{
    char here[1200];
    snprintf(here, sizeof here, "'%s'", d->paths[0]);
    if (settings && !compare_settings(settings, d->settings, whose, here, e))
        return false;
    for (size_t i = 0; labels && i < d->n_labels; i++) {
        size_t k = 0;
        while (k < n_labels && strcmp(labels[k], d->labels[i]) != 0)
            k++;
        if (k == n_labels && d->label_count[i] > 0)
            return blame_label(d, i, whose, e);
    }
    return true;
}

void dataset_bands(const dataset *d, float *mean, float *deviation)
{
    double n = (double)d->frames;
    for (int b = 0; b < d->n_mels; b++) {
        double m = d->mel_sum[b] / n, v = d->mel_squares[b] / n - m * m;
        mean[b] = (float)m;
        deviation[b] = v > 1e-10 ? (float)sqrt(v) : 1;
    }
}
