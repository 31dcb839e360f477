// SPDX-License-Identifier: GPL-3.0-or-later
// loader_rows.c: from a position to a row (loader_rows.h). Masks: Park et al., "SpecAugment" (2019), without time warping.
#include "data/loader_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHOLE_WINDOWS = 4 }; // longer items than so many windows are read in part, unverified: reading all of them would cost too much
enum { ITEM_BYTES = 500, OPEN_BYTES = 3 << 20 }; // of an open shard: its tables per item; HDF5's caches and the file

// ---- Shards held open

static void list_by_label(loader_open_shard *o, size_t n_labels)
{
    const shard *s = o->s;
    int64_t at = 0;
    o->by_label = base_checked(malloc((size_t)(s->items + 1) * sizeof *o->by_label), 0);
    o->first = base_checked(malloc((n_labels + 1) * sizeof *o->first), 0);
    for (size_t c = 0; c <= n_labels; c++) {
        o->first[c] = at;
        for (int64_t i = 0; c < n_labels && i < s->items; i++)
            if (s->label[i] == (int32_t)c)
                o->by_label[at++] = (int32_t)i;
    }
}

static void close_slot(loader_open_shard *o)
{
    shard_close(o->s);
    free(o->by_label);
    free(o->first);
    *o = (loader_open_shard){0};
}

// The shard may have been replaced since the dataset was opened.
static bool unchanged(const loader_rows *r, const shard *s, size_t index, err *e)
{
    const dataset *d = r->d;
    bool same = s->items == d->first[index + 1] - d->first[index] && s->info.n_mels == d->n_mels && s->info.n_labels == d->n_labels &&
                memcmp(s->label_count, d->label_counts + index * (d->n_labels + 1), (d->n_labels + 1) * sizeof *s->label_count) == 0;
    return same || err_set(e, ERR_DAMAGED, "'%s' was changed while it was in use; start again", s->path);
}

static loader_open_shard *get_shard(loader_rows *r, size_t index, err *e)
{
    loader_open_shard *oldest = &r->open[0];
    for (int i = 0; i < LOADER_SHARDS; i++) {
        loader_open_shard *o = &r->open[i];
        if (o->s && o->index == index) {
            o->used = ++r->clock;
            return o;
        }
        if (o->used < oldest->used)
            oldest = o;
    }
    close_slot(oldest);
    shard *s = shard_open(r->d->paths[index], e);
    if (!s)
        return NULL;
    *oldest = (loader_open_shard){.s = s, .index = index, .used = ++r->clock};
    if (!unchanged(r, s, index, e)) {
        close_slot(oldest);
        return NULL;
    }
    if (r->options.balanced)
        list_by_label(oldest, r->d->n_labels);
    return oldest;
}

// ---- Opening

static const float *copy_floats(arena *a, const float *p, size_t n)
{
    if (!p)
        return NULL;
    float *q = NEW(a, float, n);
    memcpy(q, p, n * sizeof *q);
    return q;
}

// Which index of the model's label names each of ours has; -1 where the model does not know it (dataset_expect has seen that it does not
// occur).
static bool map_labels(loader_rows *r, const loader_options *o, err *e)
{
    const dataset *d = r->d;
    r->target = NEW(&r->memory, int32_t, d->n_labels + 1);
    for (size_t i = 0; i < d->n_labels; i++) {
        r->target[i] = o->labels ? -1 : (int32_t)i;
        for (size_t k = 0; o->labels && k < o->n_labels; k++)
            if (!strcmp(o->labels[k], d->labels[i]))
                r->target[i] = (int32_t)k;
        if (r->target[i] < 0 && d->label_count[i])
            return err_set(e, ERR_MISMATCH, "label '%s' of '%s' is not known to the model", d->labels[i], d->paths[0]);
    }
    return true;
}

static rng *streams(arena *a, uint64_t seed, const char *name, int n)
{
    rng *r = NEW(a, rng, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        r[i] = rng_stream(seed, name, (uint32_t)i);
    return r;
}

static int64_t whole_most(const dataset *d, const loader_options *o)
{
    int64_t most = WHOLE_WINDOWS * o->window;
    return most < d->longest ? most : d->longest;
}

bool loader_rows_open(loader_rows *r, const dataset *d, const loader_options *o, err *e)
{
    arena *a = &r->memory;
    size_t bands = (size_t)d->n_mels, n_labels = o->labels ? o->n_labels : d->n_labels;
    a->name = "loader";
    r->d = d;
    r->options = *o;
    r->options.views = o->views > 0 ? o->views : 1;
    r->options.ahead = o->ahead > 0 ? o->ahead : LOADER_AHEAD;
    r->options.mean = copy_floats(a, o->mean, bands);
    r->options.deviation = copy_floats(a, o->deviation, bands);
    r->options.class_weight = copy_floats(a, o->class_weight, n_labels);
    r->options.labels = NULL;
    r->crop = rng_stream(o->seed, "crop", 0);
    r->freq = streams(a, o->seed, "freq_mask", o->freq_masks);
    r->time = streams(a, o->seed, "time_mask", o->time_masks);
    r->whole_most = whole_most(d, o);
    r->whole = NEW(a, float, (size_t)r->whole_most *bands);
    loader_order_open(&r->order, d, o, a);
    if (!map_labels(r, o, e))
        return false;
    for (size_t k = 0; k < d->n_shards && k < LOADER_SHARDS; k++)
        if (!get_shard(r, k, e))
            return false;
    return true;
}

void loader_rows_close(loader_rows *r)
{
    for (int i = 0; i < LOADER_SHARDS; i++)
        close_slot(&r->open[i]);
    arena_free(&r->memory);
}

uint64_t loader_rows_bytes(const dataset *d, const loader_options *o)
{
    uint64_t open = d->n_shards < LOADER_SHARDS ? d->n_shards : LOADER_SHARDS;
    uint64_t per_shard = (uint64_t)d->items / d->n_shards;
    return open * (OPEN_BYTES + per_shard * ITEM_BYTES) + (uint64_t)whole_most(d, o) * (uint64_t)d->n_mels * sizeof(float);
}

// ---- Rows

int64_t loader_begin(loader_crop crop, int view, int views, int64_t frames, int64_t window)
{
    int64_t spare = frames - window;
    if (spare <= 0)
        return 0;
    if (views > 1)
        return spare * view / (views - 1);
    return crop == LOADER_FIRST ? 0 : crop == LOADER_CENTER ? spare / 2 : spare;
}

static void standardise(float *x, int64_t frames, int n_mels, const float *mean, const float *deviation)
{
    for (int64_t t = 0; mean && t < frames; t++)
        for (int b = 0; b < n_mels; b++)
            x[t * n_mels + b] = (x[t * n_mels + b] - mean[b]) / deviation[b];
}

void loader_row(const float *item, int64_t frames, int64_t begin, int64_t window, int n_mels, const float *mean, const float *deviation,
                float *row)
{
    int64_t n = frames < window ? frames : window;
    float *x = row + (window - n) * n_mels;
    memset(row, 0, (size_t)((window - n) * n_mels) * sizeof *row);
    memcpy(x, item + begin * n_mels, (size_t)(n * n_mels) * sizeof *x);
    standardise(x, n, n_mels, mean, deviation);
}

// Where mask `r` lies on an axis of `size`: its width is uniform in 0..width, its place uniform in what remains.
static int64_t mask(rng r, uint64_t epoch, uint64_t position, int width, int64_t size, int64_t *n)
{
    uint32_t element = (uint32_t)position * 2;
    int64_t most = width < size ? width : size;
    *n = rng_below(r, epoch, element, (uint32_t)most + 1);
    return rng_below(r, epoch, element + 1, (uint32_t)(size - *n) + 1);
}

static void mask_row(const loader_rows *r, uint64_t epoch, uint64_t position, float *row)
{
    const loader_options *o = &r->options;
    int64_t bands = r->d->n_mels, n;
    for (int i = 0; i < o->freq_masks; i++) {
        int64_t from = mask(r->freq[i], epoch, position, o->freq_width, bands, &n);
        for (int64_t t = 0; t < o->window; t++)
            memset(row + t * bands + from, 0, (size_t)n * sizeof *row);
    }
    for (int i = 0; i < o->time_masks; i++) {
        int64_t from = mask(r->time[i], epoch, position, o->time_width, o->window, &n);
        memset(row + from * bands, 0, (size_t)(n * bands) * sizeof *row);
    }
}

static void copy_path(char *out, const char *path)
{
    size_t n = strlen(path);
    if (n < LOADER_PATH)
        memcpy(out, path, n + 1);
    else
        snprintf(out, LOADER_PATH, "...%s", path + n - (LOADER_PATH - 4));
}

static void describe(const loader_rows *r, const shard *s, int64_t i, const loader_row_out *out)
{
    int32_t label = s->label[i];
    *out->target = label < 0 ? 0 : r->target[label];
    *out->weight = label < 0 ? 0 : (r->options.class_weight ? r->options.class_weight[*out->target] : 1) / (float)r->options.views;
    memcpy(out->emotion, s->emotion + i * SHARD_EMOTION, SHARD_EMOTION * sizeof *out->emotion);
    copy_path(out->path, s->paths[i]);
}

static bool read_part(loader_rows *r, shard *s, int64_t i, int64_t begin, int64_t n, float *out, err *e)
{
    int64_t frames = s->offsets[i + 1] - s->offsets[i], bands = r->d->n_mels;
    if (n == frames || frames > r->whole_most)
        return shard_frames(s, i, begin, n, out, e);
    if (!shard_frames(s, i, 0, frames, r->whole, e))
        return false;
    memcpy(out, r->whole + begin * bands, (size_t)(n * bands) * sizeof *out);
    return true;
}

bool loader_rows_make(loader_rows *r, uint64_t epoch, uint64_t position, int view, const loader_row_out *out, err *e)
{
    const loader_options *o = &r->options;
    loader_place place = loader_order_at(&r->order, epoch, position);
    loader_open_shard *os = get_shard(r, place.shard, e);
    if (!os)
        return false;
    shard *s = os->s;
    int64_t i = place.label < 0 ? place.rank : os->by_label[os->first[place.label] + place.rank], bands = r->d->n_mels;
    int64_t frames = s->offsets[i + 1] - s->offsets[i], n = frames < o->window ? frames : o->window, begin = 0;
    if (frames > n)
        begin = o->crop == LOADER_RANDOM && o->views == 1 ? rng_below(r->crop, epoch, (uint32_t)position, (uint32_t)(frames - n) + 1)
                                                          : loader_begin(o->crop, view, o->views, frames, o->window);
    float *x = out->mel + (o->window - n) * bands;
    memset(out->mel, 0, (size_t)((o->window - n) * bands) * sizeof *out->mel);
    if (!read_part(r, s, i, begin, n, x, e))
        return false;
    standardise(x, n, r->d->n_mels, o->mean, o->deviation);
    mask_row(r, epoch, position, out->mel);
    describe(r, s, i, out);
    *out->length = (int32_t)n;
    return true;
}
