// SPDX-License-Identifier: GPL-3.0-or-later
// safetensors.c: reading, with every claim of the header checked against the file before it is
// used.
#include "export/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "export/element.h"

// The format allows 100 MB; 16 MiB hold 100,000 tensors, and a parsed header takes many times its
// size in memory.
enum { HEADER_MAX = 16 << 20, PREFIX = 8 };

struct safetensors {
    const char *path;
    int fd;
    uint64_t data_at; // where the data starts in the file
    weights_index index;
};

// ---- The header ----

// 8, and neither 8.0 nor 8e0.
static bool whole(const json *j, uint64_t *out)
{
    int64_t v = json_int(j, -1);
    *out = (uint64_t)v;
    return json_is_whole(j) && v >= 0;
}

static bool entry_shape(const json *dims, arena *a, weights_entry *t)
{
    size_t rank = json_len(dims);
    int64_t *list = NEW(a, int64_t, rank + 1);
    t->rank = (int)rank, t->dim = list, t->count = 1;
    for (size_t i = 0; i < rank; i++) {
        uint64_t d;
        if (!whole(json_at(dims, i), &d) || (d && (uint64_t)t->count > (INT64_MAX >> 7) / d))
            return false;
        list[i] = (int64_t)d;
        t->count *= (int64_t)d;
    }
    return json_type(dims) == JSON_ARRAY;
}

static bool parse_entry(const char *path, const char *name, const json *j, arena *a,
                        weights_entry *t, err *e)
{
    const element *type = element_find(json_str(json_get(j, "dtype"), NULL));
    const json *offsets = json_get(j, "data_offsets");
    if (!type)
        return err_set(
            e, ERR_FORMAT,
            "'%s': tensor '%s' has no element type that this program knows; write it anew as F32",
            path, name);
    if (!entry_shape(json_get(j, "shape"), a, t))
        return err_set(
            e, ERR_DAMAGED,
            "'%s': tensor '%s' has no valid shape (a list of whole numbers); get the file again",
            path, name);
    if (json_type(offsets) != JSON_ARRAY || json_len(offsets) != 2 ||
        !whole(json_at(offsets, 0), &t->begin) || !whole(json_at(offsets, 1), &t->end))
        return err_set(
            e, ERR_DAMAGED,
            "'%s': the data_offsets of tensor '%s' are not two whole numbers; get the file again",
            path, name);
    if (t->begin > t->end)
        return err_set(e, ERR_DAMAGED,
                       "'%s': tensor '%s' ends before it begins; get the file again", path, name);
    uint64_t bits = (uint64_t)t->count * type->bits;
    if (bits % 8 || t->end - t->begin != bits / 8)
        return err_set(e, ERR_DAMAGED,
                       "'%s': tensor '%s' takes %" PRIu64 " bytes, its shape needs %" PRIu64
                       " bits; get the file again",
                       path, name, t->end - t->begin, bits);
    t->name = arena_strdup(a, name);
    t->dtype = type->name;
    t->is_float = type->convert && (!type->counts || !t->rank);
    return true;
}

static bool parse_metadata(const char *path, const json *j, model_meta *meta, err *e)
{
    if (json_type(j) == JSON_NULL)
        return true;
    if (json_type(j) != JSON_OBJECT)
        return err_set(e, ERR_FORMAT, "'%s': __metadata__ is no object; get the file again", path);
    for (void *it = json_first(j); it; it = json_next(j, it)) {
        const char *value = json_str(json_value(it), NULL);
        if (!value)
            return err_set(e, ERR_FORMAT, "'%s': metadata '%s' is no text; get the file again",
                           path, json_key(it));
        meta_set(meta, json_key(it), value);
    }
    return true;
}

static int by_place(const void *a, const void *b)
{
    const weights_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

// Entries, sorted by place, must cover the data exactly.
static bool check_cover(const char *path, const weights_index *x, uint64_t data_bytes, err *e)
{
    uint64_t at = 0;
    for (int i = 0; i < x->n; at = x->list[i++].end)
        if (x->list[i].begin != at)
            return err_set(
                e, ERR_DAMAGED, "'%s': tensor '%s' %s; get the file again", path, x->list[i].name,
                x->list[i].begin < at ? "overlaps another" : "follows a hole in the data");
    if (at > data_bytes)
        return err_set(e, ERR_DAMAGED,
                       "'%s' is cut short: %" PRIu64 " of the %" PRIu64
                       " bytes of its tensors are missing; get the file again",
                       path, at - data_bytes, at);
    if (at < data_bytes)
        return err_set(e, ERR_DAMAGED,
                       "'%s' has %" PRIu64 " bytes behind its last tensor; get the file again",
                       path, data_bytes - at);
    return true;
}

static bool parse_object(const char *path, const json *root, uint64_t data_bytes, arena *a,
                         weights_index *out, err *e)
{
    *out = (weights_index){.list = NEW(a, weights_entry, json_len(root) + 1), .meta = {.arena = a}};
    for (void *it = json_first(root); it; it = json_next(root, it)) {
        const char *name = json_key(it);
        bool ok = !strcmp(name, "__metadata__")
                      ? parse_metadata(path, json_value(it), &out->meta, e)
                      : parse_entry(path, name, json_value(it), a, &out->list[out->n++], e);
        if (!ok)
            return false;
    }
    qsort(out->list, (size_t)out->n, sizeof *out->list, by_place);
    return check_cover(path, out, data_bytes, e);
}

bool safetensors_parse(const char *path, const char *header, size_t n, uint64_t data_bytes,
                       arena *a, weights_index *out, err *e)
{
    size_t blank = 0;
    while (blank < n && strchr(" \t\n\r", header[blank]) && header[blank])
        blank++;
    if (blank == n || header[blank] != '{')
        return err_set(e, ERR_FORMAT, "'%s' is no safetensors file: its header is no JSON object",
                       path);
    json *root = json_parse(header, n, e);
    if (!root) {
        if (e)
            e->code = ERR_FORMAT;
        return err_trail(e, "'%s' is no safetensors file, or its header is damaged", path);
    }
    bool ok = parse_object(path, root, data_bytes, a, out, e);
    json_free(root);
    return ok;
}

// ---- The file ----

static bool read_at(const safetensors *s, void *out, size_t n, uint64_t at, err *e)
{
    for (size_t got = 0; got < n;) {
        ssize_t k = pread(s->fd, (char *)out + got, n - got, (off_t)(at + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_errno(e, "cannot read '%s'", s->path);
        if (k == 0)
            return err_set(e, ERR_DAMAGED, "'%s' became shorter while it was read", s->path);
        got += (size_t)k;
    }
    return true;
}

static bool read_header(safetensors *s, uint64_t size, arena *a, err *e)
{
    uint8_t prefix[PREFIX];
    uint64_t n = 0;
    if (size < PREFIX + 2)
        return err_set(e, size ? ERR_FORMAT : ERR_EMPTY,
                       "'%s' is %" PRIu64
                       " bytes long, too short for a safetensors file; get the file again",
                       s->path, size);
    if (!read_at(s, prefix, PREFIX, 0, e))
        return false;
    for (int i = 0; i < PREFIX; i++)
        n |= (uint64_t)prefix[i] << 8 * i;
    if (n > HEADER_MAX)
        return err_set(e, ERR_FORMAT,
                       "'%s' is no safetensors file: it begins with a header length of %" PRIu64
                       " bytes, at most %d are taken",
                       s->path, n, HEADER_MAX);
    if (n > size - PREFIX)
        return err_set(e, ERR_DAMAGED,
                       "'%s' is cut short: %" PRIu64 " of the %" PRIu64
                       " bytes of its header are missing; get the file again",
                       s->path, n - (size - PREFIX), n);
    char *header = malloc((size_t)n + 1);
    bool ok = header ? read_at(s, header, (size_t)n, PREFIX, e)
                     : err_set(e, ERR_MEMORY, "no memory for the header of '%s'", s->path);
    s->data_at = PREFIX + n;
    ok = ok && safetensors_parse(s->path, header, (size_t)n, size - s->data_at, a, &s->index, e);
    free(header);
    return ok;
}

safetensors *safetensors_open(const char *path, arena *a, err *e)
{
    safetensors *s = NEW(a, safetensors, 1);
    uint64_t size;
    *s = (safetensors){.path = arena_strdup(a, path), .fd = file_open(path, &size, e)};
    bool ok = s->fd >= 0 && read_header(s, size, a, e);
    if (ok)
        return s;
    safetensors_close(s);
    return NULL;
}

void safetensors_close(safetensors *s)
{
    if (s && s->fd >= 0)
        close(s->fd);
    if (s)
        s->fd = -1;
}

const weights_index *safetensors_listing(const safetensors *s)
{
    return &s->index;
}

int safetensors_find(const safetensors *s, const char *name)
{
    for (int i = 0; i < s->index.n; i++)
        if (!strcmp(s->index.list[i].name, name))
            return i;
    return -1;
}

enum { CHUNK = 64 << 10 };

bool safetensors_read(safetensors *s, int i, float *out, err *e)
{
    const weights_entry *t = &s->index.list[i];
    const element *type = element_find(t->dtype);
    size_t size = type->bits / 8;
    uint8_t chunk[CHUNK];
    if (!weights_allowed(s->path, t, e))
        return false;
    for (int64_t done = 0; done < t->count;) {
        int64_t n =
            t->count - done < (int64_t)(CHUNK / size) ? t->count - done : (int64_t)(CHUNK / size);
        if (!read_at(s, chunk, (size_t)n * size, s->data_at + t->begin + (uint64_t)done * size, e))
            return false;
        for (int64_t k = 0; k < n; k++, done++)
            out[done] = type->convert(chunk + (size_t)k * size);
    }
    return weights_finite(s->path, t->name, out, t->count, e);
}

bool safetensors_verify(safetensors *s, err *e)
{
    const weights_index *x = &s->index;
    uint64_t end = x->n ? x->list[x->n - 1].end : 0;
    uint8_t chunk[CHUNK];
    for (uint64_t at = 0; at < end; at += CHUNK)
        if (!read_at(s, chunk, (size_t)(end - at < CHUNK ? end - at : CHUNK), s->data_at + at, e))
            return false;
    return true;
}
