// SPDX-License-Identifier: GPL-3.0-or-later
// h5_text.c: HDF5, part four: variable-length texts, read by hand.
//
// A dataset of texts holds 16 bytes an element: length (4), address of a "global heap collection"
// (8), number of an object in it (4). The library follows these without care: of the bytes of a
// small file's references and heaps, one in four made version 1.10 crash or loop when a bit of it
// was flipped. And the checksum over the texts is known only after they are read. So the references
// and heaps are read here, every step against its bounds (HDF5 file format specification 3.0, III.E
// "Global Heap"):
//
//     collection: "GCOL", version 1, 3 x 0, size (8), objects...
//     size counts these 16 bytes too
//     object:     number (2), references (2), 0 (4), size (8), bytes, padded to 8; number 0 is the
//                 free space at the end
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/h5.h"
#include "base/h5_internal.h"

enum { HEAD = 16, AT_ONCE = 1024 };

typedef struct text_reader {
    const h5_set *set;
    int fd;
    char *heap; // the collection that was read last
    uint64_t heap_at, heap_size;
    char *text; // the text being read, `room` bytes
    uint64_t room, total;
    h5_text_fn *fn;
    void *user;
    err *e;
} text_reader;

static uint64_t little(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static bool damaged(const text_reader *r, const char *what)
{
    return err_set(r->e, ERR_DAMAGED, "'%s': dataset '%s' is damaged: %s", r->set->f->path,
                   r->set->name, what);
}

static bool read_at(const text_reader *r, void *out, uint64_t n, uint64_t at)
{
    uint64_t size = r->set->f->size;
    if (at > size || n > size - at)
        return damaged(r, "a text lies outside the file");
    for (char *p = out; n > 0;) {
        ssize_t k = pread(r->fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k == 0)
            return damaged(r, "the file ends before a text does");
        if (k < 0)
            return err_errno(r->e, "'%s' cannot be read", r->set->f->path);
        p += k, n -= (uint64_t)k, at += (uint64_t)k;
    }
    return true;
}

static bool heap_load(text_reader *r, uint64_t at)
{
    unsigned char head[HEAD];
    if (r->heap && r->heap_at == at)
        return true;
    free(r->heap);
    r->heap = NULL;
    if (!read_at(r, head, HEAD, at))
        return false;
    uint64_t size = little(head + 8, 8);
    if (memcmp(head, "GCOL\1", 5) != 0 || size < HEAD || size > r->set->f->size)
        return damaged(r, "a text lies in no heap");
    r->heap = base_checked(malloc(size), size);
    r->heap_at = at, r->heap_size = size;
    return read_at(r, r->heap, size, at);
}

// Object `number` of the loaded collection, of at least `length` bytes; NULL when there is none.
static const char *heap_find(const text_reader *r, uint64_t number, uint64_t length)
{
    for (uint64_t at = HEAD; r->heap_size - at >= HEAD;) {
        const unsigned char *object = (const unsigned char *)r->heap + at;
        uint64_t is = little(object, 2), size = little(object + 8, 8),
                 left = r->heap_size - at - HEAD;
        if (is == 0 || size > left)
            return NULL;
        if (is == number)
            return length <= size ? (const char *)object + HEAD : NULL;
        uint64_t padded = (size + 7) / 8 * 8;
        at += HEAD + (padded < left ? padded : left);
    }
    return NULL;
}

static bool read_text(text_reader *r, const unsigned char *reference)
{
    uint64_t length = little(reference, 4);
    const char *bytes = "";
    if (length > 0) {
        if (!heap_load(r, little(reference + 4, 8)))
            return false;
        bytes = heap_find(r, little(reference + 12, 4), length);
        if (!bytes)
            return damaged(r, "a text is not in its heap");
    }
    // All texts lie in the file: a file that makes one of them stand for many is stopped here.
    r->total += length;
    if (r->total > r->set->f->size)
        return damaged(r, "it claims more text than the file holds");
    if (length >= r->room) {
        r->room = 2 * length + 256;
        r->text = base_checked(realloc(r->text, r->room), r->room);
    }
    memcpy(r->text, bytes, length);
    r->text[length] = 0;
    r->fn(r->user, r->text);
    return true;
}

static bool read_references(text_reader *r, const unsigned char *block, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (!read_text(r, block + i * H5_REFERENCE))
            return false;
    return true;
}

// `n` references that lie one after the other.
static bool read_run(text_reader *r, uint64_t at, uint64_t n)
{
    unsigned char block[AT_ONCE * H5_REFERENCE];
    while (n > 0) {
        uint64_t k = n < AT_ONCE ? n : AT_ONCE;
        if (!read_at(r, block, k * H5_REFERENCE, at))
            return false;
        if (!read_references(r, block, k))
            return false;
        at += k * H5_REFERENCE, n -= k;
    }
    return true;
}

// The first `n` references of a packed chunk of `rows` from row `first` on.
static bool read_packed(text_reader *r, uint64_t first, uint64_t rows, uint64_t bytes, uint64_t n)
{
    uint64_t room = rows * H5_REFERENCE;
    unsigned char *block = base_checked(malloc(room), room);
    bool ok = h5_unpack(r->set->id, first, rows, bytes, block)
                  ? read_references(r, block, n)
                  : damaged(r, "a part of it cannot be unpacked");
    free(block);
    return ok;
}

// References in chunks of `rows`, each somewhere in the file.
static bool read_chunks(text_reader *r, uint64_t rows, bool packed)
{
    uint64_t n = r->set->shape.dim[0];
    for (hsize_t first = 0; first < n; first += rows) {
        unsigned mask;
        haddr_t at;
        hsize_t bytes;
        uint64_t here = n - first < rows ? n - first : rows;
        if (H5Dget_chunk_info_by_coord(r->set->id, &first, &mask, &at, &bytes) < 0 ||
            at == HADDR_UNDEF || (!packed && bytes < rows * H5_REFERENCE))
            return damaged(r, "a part of it is not in the file");
        if (!(packed ? read_packed(r, first, rows, bytes, here) : read_run(r, at, here)))
            return false;
    }
    return true;
}

static bool read_set(text_reader *r)
{
    hid_t layout = H5Dget_create_plist(r->set->id);
    H5D_layout_t kind = H5Pget_layout(layout);
    bool plain = kind == H5D_CONTIGUOUS || (kind == H5D_CHUNKED && r->set->shape.rank == 1),
         packed = H5Pget_nfilters(layout) != 0;
    hsize_t rows = 0;
    if (plain && kind == H5D_CHUNKED)
        plain = H5Pget_chunk(layout, 1, &rows) == 1 && rows > 0;
    H5Pclose(layout);
    if (!plain)
        return err_set(r->e, ERR_FORMAT,
                       "'%s': dataset '%s' keeps its texts in a way that is not read here; "
                       "h5repack -l CONTI rewrites it",
                       r->set->f->path, r->set->name);
    if (rows)
        return read_chunks(r, rows, packed);
    haddr_t at = H5Dget_offset(r->set->id);
    return at == HADDR_UNDEF ? damaged(r, "its data is not in the file")
                             : read_run(r, at, h5_count(r->set->shape));
}

bool h5_texts_each(const h5_set *set, h5_text_fn *fn, void *user, err *e)
{
    text_reader r = {.set = set, .fn = fn, .user = user, .e = e};
    int *fd = NULL;
    if (h5_count(set->shape) == 0)
        return true;
    if (H5Fget_vfd_handle(set->f->id, H5P_DEFAULT, (void **)&fd) < 0 || !fd)
        return h5_fail(set->f, e, ERR_IO, "dataset '%s' cannot be read", set->name);
    r.fd = *fd;
    bool ok = read_set(&r);
    free(r.heap);
    free(r.text);
    return ok;
}

void h5_text_sum(void *sum, const char *text)
{
    digest_add_str(sum, text);
}

typedef struct kept_texts {
    arena *a;
    char **texts;
    uint64_t n;
    digest *sum;
} kept_texts;

static void keep_text(void *user, const char *text)
{
    kept_texts *k = user;
    k->texts[k->n++] = arena_strdup(k->a, text);
    digest_add_str(k->sum, text);
}

static bool read_texts(h5 *f, const char *name, kept_texts *k, err *e)
{
    const h5_set *set = h5_set_get(f, name, e);
    if (!set)
        return false;
    if (set->shape.type != H5_TEXT) {
        h5_shape wanted = set->shape;
        wanted.type = H5_TEXT;
        return h5_wrong_shape(f, name, set->shape, wanted, e);
    }
    char actual[65];
    k->sum = digest_open();
    k->texts = NEW(k->a, char *, h5_count(set->shape));
    bool ok = h5_texts_each(set, keep_text, k, e);
    digest_close(k->sum, actual);
    return ok && h5_checksum_ok(f, name, actual, e);
}

bool h5_read_texts(h5 *f, const char *name, arena *a, char ***out, uint64_t *n, err *e)
{
    kept_texts k = {.a = a};
    h5_enter();
    bool ok = read_texts(f, name, &k, e);
    h5_leave();
    *out = ok ? k.texts : NULL;
    *n = ok ? k.n : 0;
    return ok;
}
