// SPDX-License-Identifier: GPL-3.0-or-later
// safetensors_write.c: writing, in the reference writer's order and padding, so that equal weights
// give equal files.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "export/safetensors.h"

enum { ALIGN = 8 };

static int by_name(const void *a, const void *b)
{
    const weights_source *x = *(const weights_source *const *)a,
                         *y = *(const weights_source *const *)b;
    return x->counts != y->counts ? y->counts - x->counts : strcmp(x->name, y->name);
}

static json *entry_json(const weights_source *t, uint64_t at)
{
    json *j = json_object(), *dims = json_array(), *offsets = json_array();
    json_set_str(j, "dtype", t->counts ? "I64" : "F32");
    for (int i = 0; i < t->rank; i++)
        json_push_int(dims, t->dim[i]);
    json_set(j, "shape", dims);
    json_push_int(offsets, (int64_t)at);
    json_push_int(offsets, (int64_t)(at + weights_source_bytes(t)));
    json_set(j, "data_offsets", offsets);
    return j;
}

static void make_header(const weights_source *const *sorted, int n, const model_meta *meta,
                        strbuf *out)
{
    json *root = json_object(), *m = json_object();
    json_set_str(m, "format", "pt");
    for (int i = 0; meta && i < meta->n; i++)
        if (strcmp(meta->keys[i], "format"))
            json_set_str(m, meta->keys[i], meta->values[i]);
    json_set(root, "__metadata__", m);
    uint64_t at = 0;
    for (int i = 0; i < n; at += weights_source_bytes(sorted[i++]))
        json_set(root, sorted[i]->name, entry_json(sorted[i], at));
    json_dump(root, 0, out);
    json_free(root);
    while (out->len % ALIGN)
        strbuf_add(out, " ", 1);
}

static void put_all(file_out *f, const strbuf *header, const weights_source *const *sorted, int n)
{
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)((uint64_t)header->len >> 8 * i);
    file_put(f, prefix, sizeof prefix);
    file_put(f, header->s, header->len);
    for (int i = 0; i < n; i++) {
        uint8_t count[8];
        if (sorted[i]->counts)
            weights_count_bytes(*sorted[i]->data, count);
        file_put(f, sorted[i]->counts ? (const void *)count : sorted[i]->data,
                 (size_t)weights_source_bytes(sorted[i]));
    }
}

bool safetensors_write(const char *path, const weights_source *list, int n, const model_meta *meta,
                       err *e)
{
    arena a = {.name = "safetensors"};
    const weights_source **sorted = NEW(&a, const weights_source *, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        sorted[i] = &list[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_name);
    strbuf header = {0};
    make_header(sorted, n, meta, &header);
    file_out *f = file_create(path, e);
    if (f)
        put_all(f, &header, sorted, n);
    bool ok = f && file_finish(f, e);
    strbuf_free(&header);
    arena_free(&a);
    return ok;
}
