// SPDX-License-Identifier: GPL-3.0-or-later
// torch_write.c: writing a state_dict as PyTorch does: an OrderedDict of tensors, each with a
// storage of its own (torch_file.h).
//
//     PROTO 2
//     collections OrderedDict () REDUCE MARK
//         "fc1.weight"  torch._utils _rebuild_tensor_v2 MARK
//                           ("storage", torch FloatStorage, "0", "cpu", 65536) BINPERSID
//                           0, (512, 128), (128, 1), False, OrderedDict()  TUPLE REDUCE
//         ...
//     SETITEMS STOP
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "export/archive.h"
#include "export/torch_file.h"

enum { STORAGE_ALIGN = 64 };

static void put_number(strbuf *b, uint64_t x, int width)
{
    for (int i = 0; i < width; i++)
        strbuf_add(b, &(char){(char)(x >> 8 * i)}, 1);
}

static void put_text(strbuf *b, const char *s)
{
    strbuf_add(b, "X", 1);
    put_number(b, strlen(s), 4);
    strbuf_add(b, s, strlen(s));
}

// BININT where it fits, else LONG1 of 8 bytes.
static void put_int(strbuf *b, int64_t x)
{
    bool narrow = x <= INT32_MAX;
    strbuf_add(b, narrow ? "J" : "\x8a\x08", narrow ? 1 : 2);
    put_number(b, (uint64_t)x, narrow ? 4 : 8);
}

#define PUT(b, literal) strbuf_add(b, literal, sizeof literal - 1)

static void put_tensor(strbuf *b, const weights_source *t, int i)
{
    char key[16];
    int64_t count = 1, stride[WEIGHTS_RANK + 1];
    for (int d = t->rank; d-- > 0; count *= t->dim[d])
        stride[d] = count;
    put_text(b, t->name);
    PUT(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(b, "storage");
    if (t->counts)
        PUT(b, "ctorch\nLongStorage\n");
    else
        PUT(b, "ctorch\nFloatStorage\n");
    snprintf(key, sizeof key, "%d", i);
    put_text(b, key);
    put_text(b, "cpu");
    put_int(b, count);
    PUT(b, "tQ");
    put_int(b, 0);
    PUT(b, "(");
    for (int d = 0; d < t->rank; d++)
        put_int(b, t->dim[d]);
    PUT(b, "t(");
    for (int d = 0; d < t->rank; d++)
        put_int(b, stride[d]);
    PUT(b, "t\x89"
           "ccollections\nOrderedDict\n)RtR");
}

static void make_pickle(strbuf *b, const weights_source *list, int n)
{
    PUT(b, "\x80\x02"
           "ccollections\nOrderedDict\n)R(");
    for (int i = 0; i < n; i++)
        put_tensor(b, &list[i], i);
    PUT(b, "u.");
}

static void make_meta(strbuf *b, const model_meta *meta)
{
    json *j = json_object();
    for (int i = 0; meta && i < meta->n; i++)
        json_set_str(j, meta->keys[i], meta->values[i]);
    json_dump(j, 0, b);
    json_free(j);
}

// A record NAME/... for each.
typedef struct records {
    arena *arena;
    const char *folder;
    archive_record *list;
    int n;
} records;

static void add(records *r, const char *name, const void *bytes, size_t n)
{
    r->list[r->n++] = (archive_record){arena_printf(r->arena, "%s/%s", r->folder, name), bytes, n};
}

bool torch_file_write(const char *path, const weights_source *list, int n, const model_meta *meta,
                      err *e)
{
    arena a = {.name = "torch"};
    strbuf pickle = {0}, text = {0};
    records r = {&a, path_stem(&a, path), NEW(&a, archive_record, (size_t)n + 4), 0};
    make_pickle(&pickle, list, n), make_meta(&text, meta);
    add(&r, "data.pkl", pickle.s, pickle.len);
    add(&r, "byteorder", "little", 6);
    for (int i = 0; i < n; i++) {
        uint8_t *count = NEW(&a, uint8_t, 8);
        if (list[i].counts)
            weights_count_bytes(*list[i].data, count);
        add(&r, arena_printf(&a, "data/%d", i), list[i].counts ? (const void *)count : list[i].data,
            (size_t)weights_source_bytes(&list[i]));
    }
    add(&r, "version", "3\n", 2);
    add(&r, "kmidi.json", text.s, text.len);
    bool ok = archive_write(path, r.list, r.n, STORAGE_ALIGN, e);
    strbuf_free(&pickle), strbuf_free(&text);
    arena_free(&a);
    return ok;
}
