// SPDX-License-Identifier: GPL-3.0-or-later
// loader_songs.c: pools of songs, streams and windows (loader_songs.h).
#include "data/loader/loader_songs.h"

#include <inttypes.h>
#include <string.h>

#include "base/digest.h"
#include "base/order.h"

// Beside the column, of each item: emotion, offsets, the four tables, path. And while a shard is
// read, the shard's own tables.
enum { ITEM_BYTES = SHARD_EMOTION * 4 + 5 * 8 + 160, OPEN_BYTES = 3 << 20, OPEN_ITEM_BYTES = 1000 };

static size_t row_bytes(const shard_column *c)
{
    return (size_t)c->width * (c->u16 ? sizeof(uint16_t) : sizeof(float));
}

// ---- Streams

// Items in the order in which streams take them: of equal emotion together, else as they come.
static void order_members(loader_songs_shard *x, bool join, arena *a)
{
    int32_t *member = NEW(a, int32_t, (size_t)x->items + 1);
    x->member = member;
    if (!join) {
        for (int64_t i = 0; i < x->items; i++)
            member[i] = (int32_t)i;
        return;
    }
    arena scratch = {.name = "order"};
    order_item *order = NEW(&scratch, order_item, 2 * (size_t)x->items + 1);
    for (int64_t i = 0; i < x->items; i++)
        order[i] = (order_item){
            crc32c(x->emotion + i * SHARD_EMOTION, SHARD_EMOTION * sizeof(float)), (uint32_t)i};
    order_items(order, order + x->items, (size_t)x->items);
    for (int64_t i = 0; i < x->items; i++)
        member[i] = (int32_t)order[i].index;
    arena_free(&scratch);
}

static bool same_emotion(const loader_songs_shard *x, int64_t m, int64_t n)
{
    const float *a = x->emotion + x->member[m] * SHARD_EMOTION,
                *b = x->emotion + x->member[n] * SHARD_EMOTION;
    return memcmp(a, b, SHARD_EMOTION * sizeof *a) == 0;
}

// Windows of a stream of `rows` rows.
static int64_t windows(const loader_songs *l, int64_t rows)
{
    int64_t shown = rows - l->example->def->ahead, window = l->example->window,
            n = shown > 0 ? (shown + window - 1) / window : 0;
    return l->eval_windows && !l->random && n > l->eval_windows ? l->eval_windows : n;
}

// Returns how many units the shard has.
static int64_t make_streams(const loader_songs *l, loader_songs_shard *x, arena *a)
{
    size_t n = (size_t)x->items + 1;
    int64_t *start = NEW(a, int64_t, n), *stream = NEW(a, int64_t, n), *unit = NEW(a, int64_t, n);
    order_members(x, l->random, a);
    x->start = start, x->stream = stream, x->unit = unit;
    for (int64_t m = 0; m < x->items; m++) {
        int32_t i = x->member[m];
        start[m + 1] = start[m] + x->offsets[i + 1] - x->offsets[i];
        if (m + 1 < x->items && l->random && same_emotion(x, m, m + 1))
            continue;
        int64_t s = x->streams++;
        stream[s + 1] = m + 1;
        unit[s + 1] = unit[s] + windows(l, start[m + 1] - start[stream[s]]);
    }
    return unit[x->streams];
}

// ---- Reading

static const void *keep(arena *a, const void *p, size_t bytes)
{
    return p ? memcpy(arena_alloc(a, bytes + 1, 1), p, bytes) : NULL;
}

static bool check_rows(const loader_songs *l, const shard *s, const shard_column *c,
                       const char *rows, err *e)
{
    bool (*sound)(const void *row) = l->example->def->sound;
    for (int64_t k = 0; sound && k < c->rows; k++)
        if (!sound(rows + (size_t)k * row_bytes(c)))
            return err_set(e, ERR_DAMAGED,
                           "'%s': row %" PRId64
                           " of '%s' makes no sense; remove the file and run kmidi prepare again",
                           s->path, k, c->name);
    return true;
}

static bool take_column(const loader_songs *l, shard *s, loader_songs_shard *x, arena *a, err *e)
{
    int column = shard_find_column(&s->info, l->d->column.name);
    const shard_column *c = &s->info.columns[column];
    char *rows = arena_alloc(a, (size_t)x->rows + 1, row_bytes(c));
    if (!shard_rows(s, column, 0, x->rows, rows, e) || !check_rows(l, s, c, rows, e))
        return false;
    const char **path = NEW(a, const char *, (size_t)x->items + 1);
    for (int64_t i = 0; i < x->items; i++)
        path[i] = arena_strdup(a, s->paths[i]);
    x->column = rows;
    x->path = path;
    return true;
}

// The shard may have been replaced since the dataset was opened.
static bool unchanged(const loader_songs *l, const shard *s, size_t index, err *e)
{
    const dataset *d = l->d;
    int column = shard_find_column(&s->info, d->column.name);
    bool same = s->items == d->first[index + 1] - d->first[index] && column >= 0 &&
                s->info.columns[column].rows == d->rows[index] &&
                s->info.columns[column].width == d->column.width &&
                s->info.columns[column].u16 == d->column.u16;
    return same ||
           err_set(e, ERR_DAMAGED, "'%s' was changed while it was in use; start again", s->path);
}

// Tables of shard `index` and, where `rows`, its column. *units: how many examples it has.
static bool take_shard(const loader_songs *l, size_t index, bool rows, loader_songs_shard *x,
                       arena *a, int64_t *units, err *e)
{
    shard *s = shard_open(l->d->paths[index], e);
    bool ok = s && unchanged(l, s, index, e);
    if (ok) {
        const shard_column *c = &s->info.columns[shard_find_column(&s->info, l->d->column.name)];
        *x = (loader_songs_shard){.items = s->items, .rows = c->rows};
        x->offsets = keep(a, c->offsets, (size_t)(s->items + 1) * sizeof(int64_t));
        x->emotion = keep(a, s->emotion, (size_t)s->items * SHARD_EMOTION * sizeof(float));
        *units = l->example->def->windows ? make_streams(l, x, a) : c->rows;
        ok = !rows || take_column(l, s, x, a, e);
    }
    shard_close(s);
    return ok;
}

static bool load_pool(loader_songs *l, const loader_order *order, err *e)
{
    size_t n;
    int64_t units;
    const size_t *shards = loader_order_pool(order, &n);
    arena_free(&l->pool);
    memset(l->loaded, 0, l->d->n_shards * sizeof *l->loaded);
    for (size_t k = 0; k < n; k++)
        if (!take_shard(l, shards[k], true, &l->loaded[shards[k]], &l->pool, &units, e)) {
            memset(l->loaded, 0, l->d->n_shards * sizeof *l->loaded);
            return false;
        }
    return true;
}

// ---- Opening

static int64_t bytes_of(const dataset *d, size_t k)
{
    return d->rows[k] * (int64_t)row_bytes(&d->column) +
           (d->first[k + 1] - d->first[k]) * ITEM_BYTES;
}

bool loader_songs_open(loader_songs *l, const dataset *d, const loader_options *options,
                       const example *x, arena *a, int64_t *counts, int64_t *bytes, err *e)
{
    *l = (loader_songs){.d = d,
                        .example = x,
                        .random = options->crop == LOADER_RANDOM,
                        .eval_windows = options->eval_windows,
                        .seed = options->seed,
                        .crop = rng_stream(options->seed, "crop", 0),
                        .pool = {.name = "songs"}};
    l->loaded = NEW(a, loader_songs_shard, d->n_shards);
    if (x->def->augment && augment_midi_asked(&x->midi))
        l->scratch = arena_alloc(a, example_scratch(x), 1);
    bool ok = true;
    for (size_t k = 0; ok && k < d->n_shards; k++) {
        arena_mark m = arena_save(&l->pool);
        loader_songs_shard tables;
        counts[k] = d->rows[k];
        bytes[k] = bytes_of(d, k);
        ok = !x->def->windows || take_shard(l, k, false, &tables, &l->pool, &counts[k], e);
        arena_rewind(&l->pool, m);
    }
    arena_free(&l->pool);
    return ok;
}

void loader_songs_close(loader_songs *l)
{
    arena_free(&l->pool);
}

uint64_t loader_songs_bytes(const dataset *d, const loader_options *o)
{
    int64_t all = 0, largest = 0, items = 0;
    for (size_t k = 0; k < d->n_shards; k++) {
        int64_t n = bytes_of(d, k), of = d->first[k + 1] - d->first[k];
        all += n;
        largest = n > largest ? n : largest;
        items = of > items ? of : items;
    }
    int64_t pool = o->pool > 0 ? o->pool : LOADER_POOL, most = pool > largest ? pool : largest;
    return (uint64_t)(all < most ? all : most) + OPEN_BYTES + (uint64_t)items * OPEN_ITEM_BYTES;
}

// ---- Rows

// The last of x[0 .. n], increasing, that is not above v.
static int64_t below(const int64_t *x, int64_t n, int64_t v)
{
    int64_t lo = 0;
    while (n - lo > 1) {
        int64_t mid = (lo + n) / 2;
        if (x[mid] <= v)
            lo = mid;
        else
            n = mid;
    }
    return lo;
}

static const void *row_at(const loader_songs *l, const loader_songs_shard *x, int64_t row)
{
    return (const char *)x->column + (size_t)row * row_bytes(&l->d->column);
}

static double fill_piece(const loader_songs *l, example_piece *p, const batch_field *fields,
                         int64_t row)
{
    if (l->scratch && p->n > 0) {
        midi_draw d = augment_midi_draw(&l->example->midi, l->seed, p->epoch, p->position);
        l->example->def->augment(l->example, &d, p, l->scratch);
    }
    return p->n > 0 ? l->example->def->fill(l->example, p, fields, row) : 0;
}

static double fill_row(const loader_songs *l, const loader_songs_shard *x, int64_t unit,
                       example_piece p, const batch_field *fields, int64_t row, int64_t *item)
{
    int64_t i = x->offsets ? below(x->offsets, x->items, unit) : unit;
    *item = i;
    p.rows = row_at(l, x, unit);
    p.first = x->offsets ? unit - x->offsets[i] : 0;
    p.of = x->offsets ? x->offsets[i + 1] - x->offsets[i] : 1;
    p.n = 1;
    p.emotion = example_emotion(l->example, x->emotion + i * SHARD_EMOTION, p.epoch, p.position);
    return fill_piece(l, &p, fields, row);
}

// Where window k of `n` begins in a stream that shows `shown` rows. Random ones are drawn from
// equal parts of what is possible, so that an epoch sees all of a stream about equally often.
static int64_t begin_of(const loader_songs *l, int64_t k, int64_t n, int64_t shown,
                        const example_piece *p)
{
    int64_t window = l->example->window, spare = shown - window;
    if (!l->random)
        return k * window;
    if (spare <= 0)
        return 0;
    int64_t from = (spare + 1) * k / n, to = (spare + 1) * (k + 1) / n;
    return to > from
               ? from + rng_below(l->crop, p->epoch, (uint32_t)p->position, (uint32_t)(to - from))
               : from;
}

static double fill_window(const loader_songs *l, const loader_songs_shard *x, int64_t unit,
                          example_piece p, const batch_field *fields, int64_t row, int64_t *item)
{
    int64_t s = below(x->unit, x->streams, unit), m = x->stream[s], end = x->stream[s + 1];
    int64_t shown = x->start[end] - x->start[m] - l->example->def->ahead,
            window = l->example->window;
    int64_t begin = begin_of(l, unit - x->unit[s], x->unit[s + 1] - x->unit[s], shown, &p),
            left = shown - begin;
    double weight = 0;
    begin += x->start[m];
    m += below(x->start + m, end - m, begin);
    *item = x->member[m];
    for (left = left < window ? left : window; left > 0; m++) {
        int64_t i = x->member[m], n = x->start[m + 1] - begin;
        p.first = begin - x->start[m];
        p.of = x->start[m + 1] - x->start[m];
        p.n = n < left ? n : left;
        p.rows = row_at(l, x, x->offsets[i] + p.first);
        p.emotion =
            example_emotion(l->example, x->emotion + i * SHARD_EMOTION, p.epoch, p.position);
        left -= p.n, begin += p.n;
        weight += fill_piece(l, &p, fields, row);
        p.at += p.n;
    }
    return weight;
}

bool loader_songs_make(loader_songs *l, const loader_order *order, loader_place place,
                       uint64_t epoch, uint64_t position, const batch_field *fields, int64_t row,
                       double *weight, const char **path, err *e)
{
    const loader_songs_shard *x = &l->loaded[place.shard];
    example_piece p = {.epoch = epoch, .position = position};
    int64_t item;
    if (!x->column && !load_pool(l, order, e))
        return false;
    if (l->example->def->windows) {
        example_clear(l->example, fields, row);
        *weight += fill_window(l, x, place.rank, p, fields, row, &item);
    } else {
        *weight += fill_row(l, x, place.rank, p, fields, row, &item);
    }
    *path = x->path[item];
    return true;
}
