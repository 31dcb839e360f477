// SPDX-License-Identifier: GPL-3.0-or-later
// loader_frames.c: open shards of audio, and stretches of their items (loader_frames.h).
#include "data/loader/loader_frames.h"

#include <stdlib.h>
#include <string.h>

// longer items than so many windows are read in part, unverified: reading all of them would cost
// too much
enum { WHOLE_WINDOWS = 4 };
// of an open shard: its tables per item; HDF5's caches and the file
enum { ITEM_BYTES = 500, OPEN_BYTES = 3 << 20 };

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

static void count_windows(loader_open_shard *o, int views, int64_t window)
{
    const shard *s = o->s;
    o->windows = base_checked(malloc((size_t)(s->items + 1) * sizeof *o->windows), 0);
    o->windows[0] = 0;
    for (int64_t i = 0; i < s->items; i++)
        o->windows[i + 1] =
            o->windows[i] + loader_windows(views, s->offsets[i + 1] - s->offsets[i], window);
}

static void close_slot(loader_open_shard *o)
{
    shard_close(o->s);
    free(o->by_label);
    free(o->first);
    free(o->windows);
    *o = (loader_open_shard){0};
}

static bool same_beside(const shard_column *c, const shard *s)
{
    int k = c->name ? shard_find_column(&s->info, c->name) : -1;
    return !c->name || (k >= 0 && s->info.columns[k].width == c->width &&
                        s->info.columns[k].longest <= c->longest);
}

static bool same_groups(const dataset *d, const shard *s)
{
    bool same = !d->example->grouped || s->info.n_groups == d->n_groups;
    for (int k = 0; same && d->example->grouped && k < d->n_groups; k++)
        same = s->info.groups[k].n == d->groups[k].n;
    return same;
}

// The shard may have been replaced since the dataset was opened.
static bool unchanged(const loader_frames *f, const shard *s, size_t index, err *e)
{
    const dataset *d = f->d;
    bool beside = true;
    for (int i = 0; i < EXAMPLE_BESIDE; i++)
        beside = beside && same_beside(&d->beside[i], s);
    bool labels = d->example->labelled;
    bool same = beside && same_groups(d, s) && s->items == d->first[index + 1] - d->first[index] &&
                s->info.n_mels == d->n_mels && (!labels || s->info.n_labels == d->n_labels);
    same = same && (!labels || memcmp(s->label_count, d->label_counts + index * (d->n_labels + 1),
                                      (d->n_labels + 1) * sizeof *s->label_count) == 0);
    return same ||
           err_set(e, ERR_DAMAGED, "'%s' was changed while it was in use; start again", s->path);
}

static loader_open_shard *get_shard(loader_frames *f, size_t index, err *e)
{
    loader_open_shard *oldest = &f->open[0];
    for (int i = 0; i < LOADER_SHARDS; i++) {
        loader_open_shard *o = &f->open[i];
        if (o->s && o->index == index) {
            o->used = ++f->clock;
            return o;
        }
        if (o->used < oldest->used)
            oldest = o;
    }
    close_slot(oldest);
    shard *s = shard_open(f->d->paths[index], e);
    if (!s)
        return NULL;
    *oldest = (loader_open_shard){.s = s, .index = index, .used = ++f->clock};
    if (!unchanged(f, s, index, e)) {
        close_slot(oldest);
        return NULL;
    }
    if (f->options->balanced)
        list_by_label(oldest, f->d->n_labels);
    if (f->options->hear)
        count_windows(oldest, f->options->views, f->example->window);
    return oldest;
}

// ---- Opening

// Which index of the model's label names each of ours has; -1 where the model does not know it
// (dataset_expect has seen that it does not occur).
static bool map_labels(loader_frames *f, arena *a, err *e)
{
    const dataset *d = f->d;
    const loader_options *o = f->options;
    f->target = NEW(a, int32_t, d->n_labels + 1);
    for (size_t i = 0; i < d->n_labels; i++) {
        f->target[i] = o->labels ? -1 : (int32_t)i;
        for (size_t k = 0; o->labels && k < o->n_labels; k++)
            if (!strcmp(o->labels[k], d->labels[i]))
                f->target[i] = (int32_t)k;
        if (f->target[i] < 0 && d->label_count[i])
            return err_set(e, ERR_MISMATCH, "label '%s' of '%s' is not known to the model",
                           d->labels[i], d->paths[0]);
    }
    return true;
}

static size_t column_bytes(const shard_column *c)
{
    return c->name ? (size_t)c->longest * shard_row_bytes(c) + 1 : 0;
}

static size_t beside_bytes(const dataset *d)
{
    return column_bytes(&d->beside[0]) + column_bytes(&d->beside[1]);
}

static int64_t whole_most(const dataset *d, int64_t window)
{
    int64_t most = WHOLE_WINDOWS * window;
    return most < d->longest ? most : d->longest;
}

bool loader_frames_open(loader_frames *f, const dataset *d, const loader_options *options,
                        const example *x, arena *a, err *e)
{
    *f = (loader_frames){
        .d = d, .options = options, .example = x, .crop = rng_stream(options->seed, "crop", 0)};
    f->most = whole_most(d, x->window);
    f->whole =
        NEW(a, float, (size_t)(f->most > x->window ? f->most : x->window) * (size_t)d->n_mels);
    f->classes = NEW(a, int32_t, (size_t)options->n_groups + 1);
    for (int k = 0; k < EXAMPLE_BESIDE; k++)
        if (d->beside[k].name)
            f->beside[k] = arena_alloc(a, column_bytes(&d->beside[k]), 1);
    if (!map_labels(f, a, e))
        return false;
    for (size_t k = 0; k < d->n_shards && k < LOADER_SHARDS; k++)
        if (!get_shard(f, k, e))
            return false;
    return true;
}

void loader_frames_close(loader_frames *f)
{
    for (int i = 0; i < LOADER_SHARDS; i++)
        close_slot(&f->open[i]);
}

bool loader_frames_counts(loader_frames *f, int64_t *counts, err *e)
{
    const dataset *d = f->d;
    for (size_t k = 0; k < d->n_shards; k++) {
        int64_t unlabelled = d->label_counts[k * (d->n_labels + 1) + d->n_labels];
        counts[k] = d->first[k + 1] - d->first[k] - (f->options->balanced ? unlabelled : 0);
        if (!f->options->hear)
            continue;
        const loader_open_shard *o = get_shard(f, k, e);
        if (!o)
            return false;
        counts[k] = o->windows[o->s->items];
    }
    return true;
}

uint64_t loader_frames_bytes(const dataset *d, int64_t window)
{
    uint64_t open = d->n_shards < LOADER_SHARDS ? d->n_shards : LOADER_SHARDS,
             per_shard = (uint64_t)d->items / d->n_shards;
    int64_t whole = whole_most(d, window) > window ? whole_most(d, window) : window;
    return open * (OPEN_BYTES + per_shard * ITEM_BYTES) +
           (uint64_t)whole * (uint64_t)d->n_mels * sizeof(float) + beside_bytes(d);
}

// ---- Rows

// Frames [begin, begin + n) of item i; NULL on failure.
static const float *read_part(loader_frames *f, shard *s, int64_t i, int64_t begin, int64_t n,
                              err *e)
{
    int64_t frames = s->offsets[i + 1] - s->offsets[i];
    if (frames > f->most)
        return shard_frames(s, i, begin, n, f->whole, e) ? f->whole : NULL;
    return shard_frames(s, i, 0, frames, f->whole, e) ? f->whole + begin * f->d->n_mels : NULL;
}

// All rows of the item's other columns.
static bool read_beside(loader_frames *f, shard *s, int64_t i, example_piece *p, err *e)
{
    bool ok = true;
    for (int k = 0; ok && k < EXAMPLE_BESIDE && f->beside[k]; k++) {
        int column = shard_find_column(&s->info, f->d->beside[k].name);
        p->beside[k] = f->beside[k];
        p->n_beside[k] = shard_item_count(s, column, i);
        ok = shard_item_rows(s, column, i, f->beside[k], e);
    }
    return ok;
}

// The item that has window `rank` of its shard.
static int64_t item_of(const loader_open_shard *o, int64_t rank)
{
    int64_t lo = 0, hi = o->s->items;
    while (hi - lo > 1) { // windows[lo] <= rank < windows[hi]
        int64_t mid = (lo + hi) / 2;
        if (o->windows[mid] <= rank)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

// Where the piece begins in its item, which it does not fill; with `hear` it is window `rank` of
// the shard.
static void choose_part(loader_frames *f, const loader_open_shard *os, int64_t i, int64_t rank,
                        example_piece *p)
{
    const loader_options *o = f->options;
    int64_t window = f->example->window, k = 0, count = 1;
    if (o->hear)
        k = rank - os->windows[i], count = os->windows[i + 1] - os->windows[i];
    p->windows = count;
    p->more = count - 1 - k;
    if (p->of > p->n)
        p->first = o->crop == LOADER_RANDOM ? rng_below(f->crop, p->epoch, (uint32_t)p->position,
                                                        (uint32_t)(p->of - p->n) + 1)
                                            : loader_begin(o->crop, k, count, p->of, window);
}

// The classes of item i that the model asks for; those that the set has not are none.
static void tell_classes(loader_frames *f, const shard *s, int64_t i, example_piece *p)
{
    const loader_options *o = f->options;
    for (int k = 0; k < o->n_groups; k++)
        f->classes[k] = o->groups[k] < 0 ? -1 : s->classes[i * s->info.n_groups + o->groups[k]];
    p->classes = f->classes;
    p->weight = 1 / (float)p->windows;
}

bool loader_frames_make(loader_frames *f, loader_place place, uint64_t epoch, uint64_t position,
                        const batch_field *fields, int64_t row, double *weight, const char **path,
                        err *e)
{
    const loader_options *o = f->options;
    loader_open_shard *os = get_shard(f, place.shard, e);
    if (!os)
        return false;
    const shard *s = os->s;
    int64_t i = o->hear           ? item_of(os, place.rank)
                : place.label < 0 ? place.rank
                                  : os->by_label[os->first[place.label] + place.rank];
    int64_t window = f->example->window, frames = s->offsets[i + 1] - s->offsets[i],
            n = frames < window ? frames : window;
    example_piece p = {
        .n = n,
        .of = frames,
        .emotion = example_emotion(f->example, s->emotion + i * SHARD_EMOTION, epoch, position),
        .epoch = epoch,
        .position = position};
    choose_part(f, os, i, place.rank, &p);
    p.rows = read_part(f, os->s, i, p.first, n, e);
    if (!p.rows || !read_beside(f, os->s, i, &p, e))
        return false;
    if (f->d->example->grouped)
        tell_classes(f, s, i, &p);
    else if (f->d->example->labelled && s->label[i] >= 0) {
        p.label = f->target[s->label[i]];
        p.weight = (o->class_weight ? o->class_weight[p.label] : 1) / (float)p.windows;
    }
    *weight += f->example->def->fill(f->example, &p, fields, row);
    *path = s->paths[i];
    return true;
}
