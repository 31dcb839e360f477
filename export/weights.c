// SPDX-License-Identifier: GPL-3.0-or-later
// weights.c: between a file and a model's parameters (weights.h).
#include "export/weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "export/safetensors.h"
#include "export/torch_file.h"

weights *weights_open(const char *path, arena *a, err *e)
{
    uint64_t size;
    uint8_t head[8] = {0};
    int fd = file_open(path, &size, e);
    if (fd < 0)
        return NULL;
    int64_t got = file_read_at(fd, head, sizeof head, 0);
    close(fd);
    size_t n = got > 0 ? (size_t)got : 0; // what cannot be read is said by who reads it
    return torch_file_is(path, head, n) ? torch_file_open(path, head, n, a, e)
                                        : safetensors_weights(path, a, e);
}

void weights_close(weights *w)
{
    if (w)
        w->close(w->of);
}

int weights_find(const weights *w, const char *name)
{
    for (int i = 0; i < w->index->n; i++)
        if (!strcmp(w->index->list[i].name, name))
            return i;
    return -1;
}

bool weights_strip(weights *w, const char *prefix, arena *a, err *e)
{
    int stripped = 0;
    for (int i = 0; i < w->index->n; i++) {
        const char *name = w->index->list[i].name;
        if (*prefix && str_starts(name, prefix))
            w->index->list[i].name = arena_strdup(a, name + strlen(prefix)), stripped++;
    }
    return stripped ||
           err_set(e, ERR_USAGE, "no name in '%s' begins with '%s'%s%s", w->path, prefix,
                   w->index->n ? "; the first is " : "", w->index->n ? w->index->list[0].name : "");
}

bool weights_allowed(const char *path, const weights_entry *t, err *e)
{
    return t->is_float ||
           err_set(e, ERR_VALUE,
                   "'%s': tensor '%s' is of type %s; weights are F32, F16, BF16 or F64", path,
                   t->name, t->dtype);
}

bool weights_finite(const char *path, const char *name, const float *x, int64_t n, err *e)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return err_set(e, ERR_VALUE,
                           "'%s': element %" PRId64 " of tensor '%s' is no finite number", path, i,
                           name);
    return true;
}

// ---- One to one

enum { SHOWN = 6 }; // names a list shows before it counts the rest

typedef struct name_list {
    strbuf text;
    int n;
} name_list;

static void list_add(name_list *l, const char *name, const char *detail)
{
    if (l->n++ < SHOWN)
        strbuf_printf(&l->text, "%s%s%s", l->n > 1 ? ", " : "", name, detail);
}

static void list_say(name_list *l, const char *what, strbuf *out)
{
    if (l->n > SHOWN)
        strbuf_printf(&l->text, " and %d more", l->n - SHOWN);
    if (l->n)
        strbuf_printf(out, "%s%s %s", out->len ? "; " : "", what, l->text.s);
    strbuf_free(&l->text);
}

static void dims_text(const weights_entry *t, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < t->rank && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    if (n < size)
        snprintf(out + n, size - n, "]");
}

static bool same_dims(const weights_entry *t, const shape *s)
{
    bool same = t->rank == s->rank;
    for (int i = 0; same && i < t->rank; i++)
        same = t->dim[i] == s->d[i];
    return same;
}

// The model's own.
static bool is_owned(const param *q)
{
    return q->counted || q->buffer;
}

// Other parameters are loaded only when the file has one of them: then it must have them all.
static bool has_probe(const weights *w, const params *p)
{
    for (int i = 0; i < p->n; i++)
        if (!is_owned(&p->list[i]) && weights_find(w, p->list[i].name) >= 0)
            return true;
    return false;
}

// What stands before the names of the model in the file, where all of them are there behind it: of
// "module.fc1.weight" "module.". NULL where there is no such thing.
static const char *prefix_of(const weights *w, const params *p, arena *a)
{
    const char *first = w->index->n ? w->index->list[0].name : "";
    for (int i = 0; i < p->n; i++) {
        size_t n = strlen(first), tail = strlen(p->list[i].name);
        if (n <= tail + 1 || !str_ends(first, p->list[i].name) || first[n - tail - 1] != '.')
            continue;
        const char *prefix = arena_printf(a, "%.*s", (int)(n - tail), first);
        bool all = true;
        for (int k = 0; all && k < p->n; k++)
            all = !is_owned(&p->list[k]) ||
                  weights_find(w, arena_printf(a, "%s%s", prefix, p->list[k].name)) >= 0;
        if (all)
            return prefix;
    }
    return NULL;
}

static void list_expected(const weights *w, const params *p, name_list *missing, name_list *wrong)
{
    bool probe = has_probe(w, p);
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        int at = weights_find(w, q->name);
        if (at < 0 && (is_owned(q) || probe))
            list_add(missing, q->name, "");
        if (at < 0 || same_dims(&w->index->list[at], &q->shape))
            continue;
        char have[160], want[64], detail[256];
        dims_text(&w->index->list[at], have, sizeof have);
        snprintf(detail, sizeof detail, " (is %s, must be %s)", have, shape_text(q->shape, want));
        list_add(wrong, q->name, detail);
    }
}

static void list_unexpected(const weights *w, const params *p, name_list *unexpected)
{
    for (int i = 0; i < w->index->n; i++) {
        const char *name = w->index->list[i].name;
        if (params_find(p, name) < 0)
            list_add(unexpected, name, "");
        else if (weights_find(w, name) != i)
            list_add(unexpected, name, " (twice)");
    }
}

static bool refuse(const weights *w, const params *p, const char *lists, err *e)
{
    arena a = {.name = "prefix"};
    const char *prefix = prefix_of(w, p, &a);
    if (prefix)
        (void)err_set(
            e, ERR_MISMATCH,
            "'%s' has the names of this model behind '%s' (%s); --strip %s takes that off", w->path,
            prefix, w->index->list[0].name, prefix);
    else
        (void)err_set(e, ERR_MISMATCH, "'%s' is not of this model: %s", w->path, lists);
    arena_free(&a);
    return false;
}

bool weights_check(const weights *w, const params *p, err *e)
{
    name_list missing = {0}, unexpected = {0}, wrong = {0};
    list_expected(w, p, &missing, &wrong);
    list_unexpected(w, p, &unexpected);
    bool ok = !missing.n && !unexpected.n && !wrong.n;
    strbuf text = {0};
    list_say(&missing, "missing:", &text);
    list_say(&unexpected, "unexpected:", &text);
    list_say(&wrong, "wrong shape:", &text);
    if (!ok)
        (void)refuse(w, p, text.s, e);
    strbuf_free(&text);
    return ok;
}

static bool check_buffer(const weights *w, const param *q, const float *x, err *e)
{
    int64_t i = params_unsound(q, x);
    return i < 0 ||
           err_set(e, ERR_VALUE, "'%s': element %" PRId64 " of '%s' is %g, which no statistic is",
                   w->path, i, q->name, (double)x[i]);
}

// All into `to` first, so that a file that fails half way changes nothing.
static bool stage(weights *w, const params *p, float *to, int *converted, err *e)
{
    *converted = 0;
    for (int i = 0; i < p->n; i++) {
        int at = weights_find(w, p->list[i].name);
        if (at < 0)
            continue;
        float *x = to + p->list[i].offset;
        if (!w->read(w->of, at, x, e) || !check_buffer(w, &p->list[i], x, e))
            return false;
        const char *type = w->index->list[at].dtype;
        *converted += strcmp(type, "F32") && strcmp(type, "I64");
    }
    return true;
}

bool weights_load(weights *w, params *p, int *converted, err *e)
{
    bool probe = has_probe(w, p);
    size_t bytes = sizeof(float) * (size_t)(p->weights_len + 1);
    if (!weights_check(w, p, e))
        return false;
    float *staged = base_pages(bytes);
    if (!staged)
        return err_set(e, ERR_MEMORY, "no memory to load '%s'", w->path);
    int n;
    bool ok = stage(w, p, staged, &n, e);
    for (int i = 0; ok && i < p->n; i++)
        if (is_owned(&p->list[i]) || probe)
            memcpy(params_at(p, i), staged + p->list[i].offset,
                   sizeof(float) * (size_t)p->list[i].count);
    base_pages_free(staged, bytes);
    if (ok && converted)
        *converted = n;
    return ok;
}

// ---- Writing

uint64_t weights_source_bytes(const weights_source *t)
{
    uint64_t n = t->counts ? sizeof(int64_t) : sizeof(float);
    for (int i = 0; i < t->rank; i++)
        n *= (uint64_t)t->dim[i];
    return n;
}

void weights_count_bytes(float x, uint8_t bytes[8])
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)(int64_t)x >> 8 * i);
}

weights_source *weights_sources(const params *p, bool probe, arena *a, int *n)
{
    weights_source *list = NEW(a, weights_source, (size_t)p->n + 1);
    *n = 0;
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        if (!is_owned(q) && !probe)
            continue;
        weights_source *t = &list[(*n)++];
        *t = (weights_source){.name = q->name,
                              .rank = q->shape.rank,
                              .data = params_at(p, i),
                              // as torch has it
                              .counts = q->buffer && str_ends(q->name, "num_batches_tracked")};
        for (int d = 0; d < q->shape.rank; d++)
            t->dim[d] = q->shape.d[d];
    }
    return list;
}
