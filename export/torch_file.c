// SPDX-License-Identifier: GPL-3.0-or-later
// torch_file.c: reading, with every claim of the pickle checked before it is used (torch_file.h).
#include "export/torch_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "export/archive.h"
#include "export/torch_pickle.h"

enum { META_MAX = 4 << 20, ORDER_MAX = 64, HEAD = 4 };

typedef struct torch_file {
    const char *path;
    arena *arena;
    archive *zip;
    const char *folder; // that everything is in
    const torch_tensor **tensors;
    weights_index index;
    // the storage that was read last: views of one follow each other
    uint8_t *held;
    uint64_t held_bytes;
    const char *held_key;
} torch_file;

// How a file begins: a zip file's first record; a pickle of torch's magic number.
static const uint8_t zip_head[HEAD] = {'P', 'K', 3, 4}, old_head[HEAD] = {0x80, 2, 0x8a, 10};

static bool begins(const uint8_t *head, size_t n, const uint8_t with[HEAD])
{
    return n >= HEAD && !memcmp(head, with, HEAD);
}

bool torch_file_is(const char *path, const uint8_t *head, size_t n)
{
    static const char *const endings[] = {".pt", ".pth", NULL};
    return str_ends_any(path, endings) || begins(head, n, zip_head) || begins(head, n, old_head);
}

// ---- The pickle: a dictionary of tensors

static bool has_tensors(const pickle_value *v)
{
    return v->kind == PICKLE_DICT && v->n >= 2 && v->list[1]->kind == PICKLE_TENSOR;
}

static bool not_alone(const char *path, const char *name, const pickle_value *v, err *e)
{
    if (has_tensors(v))
        return err_set(e, ERR_FORMAT,
                       "'%s' has its tensors in '%.80s', beside other things; write them alone by "
                       "torch.save(torch.load(FILE)['%.80s'], FILE)",
                       path, name, name);
    return err_set(e, ERR_FORMAT,
                   "'%s' holds %s called '%.80s', and only tensors by name are read; write it "
                   "by " TORCH_SAVE,
                   path, pickle_says(v->kind), name);
}

static weights_entry entry_of(const char *name, const torch_tensor *t)
{
    return (weights_entry){.name = name,
                           .dtype = t->type->name,
                           .is_float = t->type->convert && (!t->type->counts || !t->rank),
                           .rank = t->rank,
                           .dim = t->dim,
                           .count = t->count};
}

bool torch_file_parse(const char *path, const uint8_t *pickle, size_t n, arena *a, weights_index *x,
                      const torch_tensor ***tensors, err *e)
{
    const pickle_value *root = pickle_read(path, pickle, n, a, e);
    if (!root)
        return false;
    if (root->kind != PICKLE_DICT)
        return err_set(e, ERR_FORMAT, "'%s' is %s, not a state_dict; write it by " TORCH_SAVE, path,
                       pickle_says(root->kind));
    size_t most = (size_t)root->n / 2 + 1;
    int other = -1; // the place of what is no tensor
    *x = (weights_index){.list = NEW(a, weights_entry, most), .meta = {.arena = a}};
    *tensors = NEW(a, const torch_tensor *, most);
    for (int i = 0; i + 1 < root->n; i += 2) {
        const pickle_value *key = root->list[i], *v = root->list[i + 1];
        if (key->kind != PICKLE_TEXT)
            return err_set(e, ERR_FORMAT, "'%s' names a tensor by %s; write it by " TORCH_SAVE,
                           path, pickle_says(key->kind));
        if (v->kind != PICKLE_TENSOR) {
            other = other < 0 || has_tensors(v) ? i : other;
            continue;
        }
        (*tensors)[x->n] = &v->tensor;
        x->list[x->n++] = entry_of(key->text, &v->tensor);
    }
    return other < 0 || not_alone(path, root->list[other]->text, root->list[other + 1], e);
}

// ---- Reading

static bool hold(torch_file *f, const char *name, const torch_tensor *t, err *e)
{
    if (f->held_key && !strcmp(f->held_key, t->key))
        return true;
    const char *record = arena_printf(f->arena, "%s/data/%s", f->folder, t->key);
    int64_t at;
    uint64_t n;
    if (!archive_find(f->zip, record, &at, &n, e))
        return false;
    if (at < 0)
        return err_set(e, ERR_DAMAGED, "'%s' has no record %s for tensor '%s'; get the file again",
                       f->path, record, name);
    base_pages_free(f->held, f->held_bytes + 1);
    f->held_key = NULL, f->held_bytes = n;
    f->held = base_pages((size_t)n + 1);
    if (!f->held)
        return err_set(e, ERR_MEMORY, "no memory for record %s of '%s'", record, f->path);
    if (!archive_read(f->zip, at, f->held, e))
        return false;
    f->held_key = t->key;
    return true;
}

// The storage of tensor i is in memory, and is as long as it says; views were held against that.
static bool hold_checked(torch_file *f, int i, err *e)
{
    const torch_tensor *t = f->tensors[i];
    const char *name = f->index.list[i].name;
    return !t->count ||
           (hold(f, name, t, e) &&
            (f->held_bytes / (t->type->bits / 8) >= (uint64_t)t->stored ||
             err_set(e, ERR_DAMAGED,
                     "'%s': the storage of tensor '%s' says %" PRId64 " elements of %s and has "
                     "%" PRIu64 " bytes; get the file again",
                     f->path, name, t->stored, t->type->name, f->held_bytes)));
}

// Where element i, counted in row-major order of the shape, lies by the strides.
static int64_t place(const torch_tensor *t, int64_t i)
{
    int64_t at = t->offset;
    for (int k = t->rank; k-- > 0; i /= t->dim[k])
        at += i % t->dim[k] * t->stride[k];
    return at;
}

static bool read_one(void *of, int i, float *out, err *e)
{
    torch_file *f = of;
    const torch_tensor *t = f->tensors[i];
    if (!weights_allowed(f->path, &f->index.list[i], e) || !hold_checked(f, i, e))
        return false;
    size_t size = t->type->bits / 8;
    for (int64_t k = 0; k < t->count; k++)
        out[k] = t->type->convert(f->held + (size_t)place(t, k) * size);
    return weights_finite(f->path, f->index.list[i].name, out, t->count, e);
}

static bool verify(void *of, err *e)
{
    torch_file *f = of;
    for (int i = 0; i < f->index.n; i++)
        if (!hold_checked(f, i, e))
            return false;
    return true;
}

static void close_file(void *of)
{
    torch_file *f = of;
    if (f->held)
        base_pages_free(f->held, f->held_bytes + 1);
    archive_close(f->zip);
}

// ---- Opening

// The record of that name in the folder; *out is NULL where there is none.
static bool take(torch_file *f, const char *name, uint64_t limit, uint8_t **out, uint64_t *n,
                 err *e)
{
    return archive_take(f->zip, arena_printf(f->arena, "%s/%s", f->folder, name), limit, out, n, e);
}

static bool read_meta(torch_file *f, err *e)
{
    uint64_t n;
    uint8_t *text;
    if (!take(f, "kmidi.json", META_MAX, &text, &n, e))
        return false;
    if (!text)
        return true;
    json *j = json_parse((const char *)text, (size_t)n, e);
    for (void *it = j ? json_first(j) : NULL; it; it = json_next(j, it))
        if (json_str(json_value(it), NULL))
            meta_set(&f->index.meta, json_key(it), json_str(json_value(it), NULL));
    json_free(j);
    return j || err_trail(e, "'%s', record kmidi.json", f->path);
}

static bool check_order(torch_file *f, err *e)
{
    uint64_t n;
    uint8_t *order;
    if (!take(f, "byteorder", ORDER_MAX, &order, &n, e))
        return false;
    return !order || !strcmp((const char *)order, "little") ||
           err_set(e, ERR_FORMAT,
                   "'%s' is of a machine that has the bytes of a number in another order; write it "
                   "on one that is little-endian",
                   f->path);
}

static bool read_index(torch_file *f, err *e)
{
    const char *first = archive_first(f->zip), *slash = first ? strchr(first, '/') : NULL;
    f->folder = slash ? arena_printf(f->arena, "%.*s", (int)(slash - first), first) : "";
    uint64_t n;
    uint8_t *pickle;
    if (!take(f, "data.pkl", PICKLE_MAX, &pickle, &n, e))
        return false;
    if (!pickle)
        return err_set(e, ERR_FORMAT,
                       "'%s' is a zip file, but not of torch.save(): it has no data.pkl; write it "
                       "by " TORCH_SAVE,
                       f->path);
    return check_order(f, e) &&
           torch_file_parse(f->path, pickle, (size_t)n, f->arena, &f->index, &f->tensors, e) &&
           read_meta(f, e);
}

static bool open_file(torch_file *f, const uint8_t *head, size_t n, err *e)
{
    if (begins(head, n, old_head))
        return err_set(e, ERR_FORMAT,
                       "'%s' is of PyTorch before 1.6; load it in a newer one and write it "
                       "by " TORCH_SAVE,
                       f->path);
    f->zip = archive_open(f->path, f->arena, e);
    return f->zip && read_index(f, e);
}

weights *torch_file_open(const char *path, const uint8_t *head, size_t n, arena *a, err *e)
{
    torch_file *f = NEW(a, torch_file, 1);
    weights *w = NEW(a, weights, 1);
    *f = (torch_file){.path = arena_strdup(a, path), .arena = a};
    *w = (weights){f->path, &f->index, f, read_one, verify, close_file};
    if (open_file(f, head, n, e))
        return w;
    close_file(f);
    return NULL;
}
