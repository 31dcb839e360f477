// SPDX-License-Identifier: GPL-3.0-or-later
// dataset.c: shards side by side (dataset.h).
#include "data/dataset.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "data/shard.h"

// What grows while shards are looked at.
typedef struct builder {
    dataset *d;
    arena *a;
    const char *first_path; // what the others are compared with
    double *mel_sum, *mel_squares;
    int64_t *first, *counts, *label_count;
    digest *sum;
} builder;

// The first setting in which two JSON objects differ, as "mel.n_fft is 512 in A and 1024 in B". True when there is none.
static bool same_settings(const json *a, const json *b, const char *prefix, const char *where_a, const char *where_b, err *e)
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
        bool same = other && (json_type(other) == JSON_NUMBER ? json_num(other, 0) == json_num(json_value(it), NAN) : !strcmp(x.s, y.s));
        if (!same)
            err_set(e, ERR_MISMATCH, "%s is %s in %s, but %s in %s; prepare both with the same settings", name, x.s, where_a,
                    other ? y.s : "not set", where_b);
        strbuf_free(&x);
        strbuf_free(&y);
        if (!same)
            return false;
    }
    return true;
}

static bool compare_settings(const char *a, const char *b, const char *where_a, const char *where_b, err *e)
{
    if (!strcmp(a, b))
        return true;
    json *x = json_parse(a, strlen(a), e), *y = x ? json_parse(b, strlen(b), e) : NULL;
    bool ok = x && y ? same_settings(x, y, "", where_a, where_b, e) && same_settings(y, x, "", where_b, where_a, e)
                     : err_trail(e, "feature settings of %s", x ? where_b : where_a);
    json_free(x);
    json_free(y);
    return ok;
}

static bool compare_labels(const dataset *d, const builder *b, const shard *s, err *e)
{
    bool same = d->n_labels == s->info.n_labels;
    size_t i = 0;
    for (; same && i < d->n_labels; i++)
        same = !strcmp(d->labels[i], s->info.labels[i]);
    return same || err_set(e, ERR_MISMATCH, "'%s' has other label names (%zu) than '%s' (%zu); prepare both with the same `labels`",
                           s->path, s->info.n_labels, b->first_path, d->n_labels);
}

static bool compare(const builder *b, const shard *s, err *e)
{
    const dataset *d = b->d;
    const char *here = arena_printf(b->a, "'%s'", s->path), *there = arena_printf(b->a, "'%s'", b->first_path);
    if (!compare_settings(d->settings, s->info.settings, there, here, e) || !compare_labels(d, b, s, e))
        return false;
    return d->n_mels == s->info.n_mels || err_set(e, ERR_MISMATCH, "%s has %d bands, %s %d", there, d->n_mels, here, s->info.n_mels);
}

static void begin(builder *b, const shard *s)
{
    dataset *d = b->d;
    size_t n = s->info.n_labels;
    const char **labels = NEW(b->a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        labels[i] = arena_strdup(b->a, s->info.labels[i]);
    d->labels = labels;
    d->n_labels = n;
    d->n_mels = s->info.n_mels;
    d->settings = arena_strdup(b->a, s->info.settings);
    d->name = arena_strdup(b->a, s->info.dataset);
    d->label_counts = b->counts = NEW(b->a, int64_t, d->n_shards * (n + 1));
    d->label_count = b->label_count = NEW(b->a, int64_t, n + 1);
    d->mel_sum = b->mel_sum = NEW(b->a, double, (size_t)d->n_mels);
    d->mel_squares = b->mel_squares = NEW(b->a, double, (size_t)d->n_mels);
    b->first_path = d->paths[0];
}

static bool add(builder *b, size_t k, err *e)
{
    dataset *d = b->d;
    shard *s = shard_peek(d->paths[k], e);
    if (!s)
        return false;
    if (!s->info.n_mels) {
        err_set(e, ERR_MISMATCH, "'%s' is a shard of MIDI and has no mel frames, which are what is learnt from here", s->path);
        shard_close(s);
        return false;
    }
    if (k == 0)
        begin(b, s);
    bool ok = compare(b, s, e);
    if (ok) {
        size_t columns = d->n_labels + 1;
        for (size_t i = 0; i < columns; i++) {
            b->counts[k * columns + i] = s->label_count[i];
            b->label_count[i] += s->label_count[i];
        }
        for (int i = 0; i < d->n_mels; i++) {
            b->mel_sum[i] += s->mel_sum[i];
            b->mel_squares[i] += s->mel_squares[i];
        }
        b->first[k + 1] = b->first[k] + s->items;
        d->items += s->items;
        d->frames += s->frames;
        d->longest = s->longest > d->longest ? s->longest : d->longest;
        d->synthetic |= s->info.synthetic;
        if (strcmp(d->name, s->info.dataset) != 0)
            d->name = "several";
        digest_add_str(b->sum, s->info.key);
    }
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
    return d->n_shards > 0 || err_set(e, ERR_MISSING, "no shards were named; give paths or patterns such as 'shards/train-*.h5'");
}

static bool fill(dataset *d, err *e)
{
    arena *a = &d->memory;
    builder b = {.d = d, .a = a, .sum = digest_open()};
    d->first = b.first = NEW(a, int64_t, d->n_shards + 1);
    bool ok = true;
    for (size_t k = 0; ok && k < d->n_shards; k++)
        ok = add(&b, k, e);
    digest_close(b.sum, d->digest);
    if (ok && d->items == 0)
        return err_set(e, ERR_EMPTY, "'%s'%s no items; see rejected.jsonl beside it", d->paths[0],
                       d->n_shards > 1 ? " and the shards after it hold" : " holds");
    return ok;
}

dataset *dataset_open(const char *const *patterns, size_t n, err *e)
{
    dataset *d = base_checked(calloc(1, sizeof *d), sizeof *d);
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
    err_set(e, ERR_MISMATCH, "label '%s' ('%s' in '%s', and %" PRId64 " more) is not known to %s; leave those items out or train with them",
            d->labels[index], s->paths[i], d->paths[k], d->label_count[index] - 1, whose);
    shard_close(s);
    return false;
}

bool dataset_expect(const dataset *d, const char *const *labels, size_t n_labels, const char *settings, const char *whose, err *e)
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
