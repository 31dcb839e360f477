// SPDX-License-Identifier: GPL-3.0-or-later
// shard_columns.c: the columns of a shard (shard.h): which there are, whether their offsets can be,
// and their rows.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "data/shards/shard_internal.h"

shard_column shard_column_of(const feature_def *d)
{
    CHECK(d->source != FEATURE_CLIP);
    return (shard_column){.name = d->name,
                          .u16 = d->rows.type == FEATURE_U16,
                          .width = d->rows.width,
                          .single = d->rows.single};
}

shard_column shard_column_mel(int bands)
{
    return (shard_column){.name = "mel", .width = bands};
}

bool shard_column_is_mel(const shard_column *c)
{
    return !strcmp(c->name, "mel");
}

bool shard_has_songs(const shard_info *i)
{
    for (int k = 0; k < i->n_columns; k++)
        if (!shard_column_is_mel(&i->columns[k]))
            return true;
    return false;
}

int shard_find_column(const shard_info *i, const char *name)
{
    for (int k = 0; k < i->n_columns; k++)
        if (!strcmp(i->columns[k].name, name))
            return k;
    return -1;
}

size_t shard_row_bytes(const shard_column *c)
{
    return (size_t)c->width * (c->u16 ? sizeof(uint16_t) : sizeof(float));
}

static bool column_damaged(const shard *s, const shard_column *c, const char *what, err *e)
{
    return shard_damaged(s, e, arena_printf(&s->file->memory, "column '%s' %s", c->name, what));
}

// ---- Which, and how large

static bool other_shape(const shard *s, const shard_column *c, const h5_shape *x,
                        const h5_shape *want, err *e)
{
    char own[64], meant[64] = "";
    snprintf(own, sizeof own, x->rank == 2 ? "[%" PRIu64 ", %" PRIu64 "]" : "[%" PRIu64 "]",
             x->dim[0], x->dim[1]);
    if (want->rank == 2)
        snprintf(meant, sizeof meant, ", %" PRIu64, want->dim[1]);
    return column_damaged(s, c,
                          arena_printf(&s->file->memory,
                                       "has the shape %s%s, and its feature %s [rows%s]", own,
                                       x->type == want->type ? "" : " of another type",
                                       c->u16 ? "u16" : "f32", meant),
                          e);
}

static bool measure(shard *s, shard_column *c, err *e)
{
    h5_shape x,
        want = {c->u16 ? H5_U16 : H5_F32, shard_column_flat(c) ? 1 : 2, {0, (uint64_t)c->width}};
    if (!h5_stat(s->file->h5, c->name, &x, e))
        return false;
    if (x.type != want.type || x.rank != want.rank || (x.rank == 2 && x.dim[1] != want.dim[1]) ||
        x.dim[0] > INT64_MAX / 65536)
        return other_shape(s, c, &x, &want, e);
    c->rows = (int64_t)x.dim[0];
    if (c->single) {
        c->longest = s->items > 0;
        return c->rows == s->items || column_damaged(s, c, "has not one row an item", e);
    }
    if (!h5_get_int(s->file->h5, c->name, "longest", &c->longest, NULL))
        c->longest = s->file->longest;
    return (c->longest >= 0 && c->longest <= c->rows) ||
           column_damaged(s, c, "has an attribute 'longest' that is no number of rows", e);
}

static bool add(shard *s, shard_column c, err *e)
{
    s->info.columns[s->info.n_columns] = c;
    return measure(s, &s->info.columns[s->info.n_columns++], e);
}

// Its width is what the file says.
static bool add_mel(shard *s, err *e)
{
    h5_shape mel;
    if (!h5_stat(s->file->h5, "mel", &mel, e))
        return false;
    if (mel.rank != 2 || mel.dim[1] < 1 || mel.dim[1] > SHARD_MAX_MELS)
        return shard_damaged(s, e, "dataset 'mel' is not f32 [frames, bands]");
    if (!add(s, shard_column_mel((int)mel.dim[1]), e))
        return false;
    const shard_column *c = &s->info.columns[0];
    s->info.n_mels = c->width, s->frames = c->rows, s->longest = c->longest;
    return true;
}

static bool add_song(shard *s, const char *name, err *e)
{
    const feature_def *d = feature_find(name, NULL);
    if (!d || d->source == FEATURE_CLIP || s->info.n_columns == SHARD_COLUMNS)
        return err_set(
            e, ERR_MISMATCH,
            "'%s' has a column '%s', which this program does not know; run kmidi prepare again",
            s->path, name);
    return add(s, shard_column_of(d), e);
}

bool shard_columns_find(shard *s, err *e)
{
    json *all = json_parse(s->info.settings, strlen(s->info.settings), NULL);
    bool mel = h5_has(s->file->h5, "mel"), ok = true;
    if (mel && json_type(json_get(all, "mel")) != JSON_OBJECT)
        ok = shard_damaged(s, e, "attribute 'settings' does not say how 'mel' was made");
    else if (json_type(all) != JSON_OBJECT || !json_len(all))
        ok = shard_damaged(s, e, "attribute 'settings' names no feature");
    ok = ok && (!mel || add_mel(s, e));
    for (void *it = ok ? json_first(all) : NULL; ok && it; it = json_next(all, it))
        ok = (mel && !strcmp(json_key(it), "mel")) || add_song(s, json_key(it), e);
    json_free(all);
    return ok;
}

// ---- Where items begin

static bool offsets_fit(const shard_column *c, int64_t items, int64_t least)
{
    const int64_t *o = c->offsets;
    bool ok = o[0] == 0 && o[items] == c->rows;
    int64_t longest = 0;
    for (int64_t i = 0; ok && i < items; i++) {
        ok = o[i + 1] >= o[i] && o[i + 1] <= c->rows && o[i + 1] - o[i] >= least;
        longest = o[i + 1] - o[i] > longest ? o[i + 1] - o[i] : longest;
    }
    return ok && longest == c->longest;
}

static bool read_tables(shard *s, shard_column *c, int64_t least, err *e)
{
    arena *a = &s->file->memory;
    const char *checks = arena_printf(a, "%s_checks", c->name);
    if (!c->single && !(c->offsets = shard_table(s, arena_printf(a, "%s_offsets", c->name), H5_I64,
                                                 sizeof(int64_t), s->items + 1, 0, e)))
        return false;
    bool checked = !c->single || h5_has(s->file->h5, checks);
    if (checked && !(c->checks = shard_table(s, checks, H5_I64, sizeof(int64_t), s->items, 0, e)))
        return false;
    return c->single || offsets_fit(c, s->items, least) ||
           column_damaged(s, c, "has offsets that do not fit its rows", e);
}

static const feature_shape *shape_of(const shard_column *c)
{
    return &feature_find(c->name, NULL)->rows; // found once already
}

bool shard_columns_tables(shard *s, err *e)
{
    for (int k = 0; k < s->info.n_columns; k++) {
        shard_column *c = &s->info.columns[k];
        if (!read_tables(s, c, shard_column_is_mel(c) ? 1 : shape_of(c)->least, e))
            return false;
    }
    return true;
}

// ---- Rows

static int64_t begin_of(const shard_column *c, int64_t i)
{
    return c->single ? i : c->offsets[i];
}

// The first item that begins at row `first` or later.
static int64_t item_from(const shard *s, const shard_column *c, int64_t first)
{
    int64_t lo = 0, hi = s->items;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (begin_of(c, mid) < first)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

// -1, or the first of the items wholly among the rows whose checksum is another.
static int64_t find_changed(const shard *s, const shard_column *c, int64_t first, int64_t n,
                            const char *rows)
{
    size_t row = shard_row_bytes(c);
    for (int64_t i = item_from(s, c, first); i < s->items && begin_of(c, i + 1) <= first + n; i++) {
        int64_t begin = begin_of(c, i), count = begin_of(c, i + 1) - begin;
        if (crc32c(rows + (size_t)(begin - first) * row, (size_t)count * row) !=
            (uint32_t)c->checks[i])
            return i;
    }
    return -1;
}

// Frames of mel may be any numbers.
bool shard_rows(shard *s, int column, int64_t first, int64_t n, void *out, err *e)
{
    CHECK(column >= 0 && column < s->info.n_columns);
    const shard_column *c = &s->info.columns[column];
    CHECK(s->file->h5 && first >= 0 && n >= 0 && first <= c->rows && n <= c->rows - first);
    if (!h5_read_rows(s->file->h5, c->name, c->u16 ? H5_U16 : H5_F32, (uint64_t)first, (uint64_t)n,
                      out, e))
        return false;
    int64_t changed = c->checks ? find_changed(s, c, first, n, out) : -1;
    if (changed >= 0)
        return err_set(
            e, ERR_DAMAGED,
            "'%s': the %s of item %" PRId64
            " ('%s') do not match their checksum; remove the file and run kmidi prepare again",
            s->path, c->name, changed, s->paths[changed]);
    return shard_column_is_mel(c) || feature_fits(shape_of(c), out, n) ||
           column_damaged(s, c, "has numbers that its feature never makes", e);
}

int64_t shard_item_count(const shard *s, int column, int64_t i)
{
    CHECK(column >= 0 && column < s->info.n_columns && i >= 0 && i < s->items);
    const shard_column *c = &s->info.columns[column];
    return begin_of(c, i + 1) - begin_of(c, i);
}

bool shard_item_rows(shard *s, int column, int64_t i, void *out, err *e)
{
    int64_t n = shard_item_count(s, column, i);
    return shard_rows(s, column, begin_of(&s->info.columns[column], i), n, out, e);
}

bool shard_frames(shard *s, int64_t i, int64_t first, int64_t n, float *out, err *e)
{
    CHECK(s->info.n_mels && i >= 0 && i < s->items && first >= 0 && n >= 0 &&
          first + n <= s->offsets[i + 1] - s->offsets[i]);
    return shard_rows(s, 0, s->offsets[i] + first, n, out, e);
}
