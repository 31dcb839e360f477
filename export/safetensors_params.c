// SPDX-License-Identifier: GPL-3.0-or-later
// safetensors_params.c: between a file and a model's parameters: one to one, or not at all.
//
// A key that only one side has, or a shape that differs, means another network, another naming or a
// half-written file; loading what fits and warning about the rest is how models end up silently
// untrained.
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "export/safetensors.h"

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

static void dims_text(const safetensors_entry *t, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < t->rank && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    if (n < size)
        snprintf(out + n, size - n, "]");
}

static bool same_dims(const safetensors_entry *t, const shape *s)
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
static bool file_has_probe(const safetensors *s, const params *p)
{
    for (int i = 0; i < p->n; i++)
        if (!is_owned(&p->list[i]) && safetensors_find(s, p->list[i].name) >= 0)
            return true;
    return false;
}

static bool check_bijection(const safetensors *s, const params *p, bool probe, const char *path,
                            err *e)
{
    name_list missing = {0}, unexpected = {0}, wrong = {0};
    const safetensors_index *x = safetensors_listing(s);
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        int at = safetensors_find(s, q->name);
        if (at < 0 && (is_owned(q) || probe))
            list_add(&missing, q->name, "");
        if (at < 0 || same_dims(&x->list[at], &q->shape))
            continue;
        char have[160], want[64], detail[256];
        dims_text(&x->list[at], have, sizeof have);
        snprintf(detail, sizeof detail, " (is %s, must be %s)", have, shape_text(q->shape, want));
        list_add(&wrong, q->name, detail);
    }
    for (int i = 0; i < x->n; i++)
        if (params_find(p, x->list[i].name) < 0)
            list_add(&unexpected, x->list[i].name, "");
    bool ok = !missing.n && !unexpected.n && !wrong.n;
    strbuf text = {0};
    list_say(&missing, "missing:", &text);
    list_say(&unexpected, "unexpected:", &text);
    list_say(&wrong, "wrong shape:", &text);
    if (!ok)
        (void)err_set(e, ERR_MISMATCH, "'%s' is not of this model: %s", path, text.s);
    strbuf_free(&text);
    return ok;
}

bool safetensors_check_params(const char *path, const params *p, err *e)
{
    arena a = {.name = "safetensors"};
    safetensors *s = safetensors_open(path, &a, e);
    bool ok = s && check_bijection(s, p, file_has_probe(s, p), path, e);
    safetensors_close(s);
    arena_free(&a);
    return ok;
}

bool safetensors_load_params(const char *path, params *p, int *converted, err *e)
{
    arena a = {.name = "safetensors"};
    safetensors *s = safetensors_open(path, &a, e);
    bool probe = s && file_has_probe(s, p), ok = s && check_bijection(s, p, probe, path, e);
    float *staged = ok ? base_pages(sizeof(float) * (size_t)(p->weights_len + 1)) : NULL;
    if (ok && !staged)
        ok = err_set(e, ERR_MEMORY, "no memory to load '%s'", path);
    int n = 0;
    for (int i = 0; ok && i < p->n; i++) {
        int at = safetensors_find(s, p->list[i].name);
        ok = at < 0 || safetensors_read(s, at, staged + p->list[i].offset, e);
        const char *type = at < 0 ? "F32" : safetensors_listing(s)->list[at].dtype;
        n += strcmp(type, "F32") && strcmp(type, "I64");
    }
    for (int i = 0; ok && i < p->n; i++)
        if (is_owned(&p->list[i]) || probe)
            memcpy(params_at(p, i), staged + p->list[i].offset,
                   sizeof(float) * (size_t)p->list[i].count);
    if (staged)
        base_pages_free(staged, sizeof(float) * (size_t)(p->weights_len + 1));
    safetensors_close(s);
    arena_free(&a);
    if (ok && converted)
        *converted = n;
    return ok;
}

bool safetensors_save_params(const char *path, const params *p, bool probe, const model_meta *meta,
                             err *e)
{
    arena a = {.name = "safetensors"};
    safetensors_source *list = NEW(&a, safetensors_source, (size_t)p->n + 1);
    int n = 0;
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        if (!is_owned(q) && !probe)
            continue;
        list[n] =
            (safetensors_source){.name = q->name,
                                 .rank = q->shape.rank,
                                 .data = params_at(p, i),
                                 // as torch has it
                                 .counts = q->buffer && str_ends(q->name, "num_batches_tracked")};
        for (int d = 0; d < q->shape.rank; d++)
            list[n].dim[d] = q->shape.d[d];
        n++;
    }
    bool ok = safetensors_write(path, list, n, meta, e);
    arena_free(&a);
    return ok;
}
