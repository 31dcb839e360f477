// SPDX-License-Identifier: GPL-3.0-or-later
// h5_read.c: HDF5, part two: reading datasets. Attributes and names are in h5_names.c.
//
// A file from outside may claim anything. Before a byte of a dataset is read, its claims are held
// against each other (h5_check.c): a type of ours, a rank of ours, data inside this very file, and
// no more elements than the stored bytes can hold. Texts, which HDF5 1.10 reads with too much
// trust, are read by hand in h5_text.c. What remains is the library's own care:
// tests/base/test_h5_hostile.c mutates files to see. The formats of before 2008, which h5py and
// h5repack still write by default, have no checksums over their metadata.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/h5.h"
#include "base/h5_internal.h"

enum { SUPERBLOCK = 15 }; // the bytes of it that are looked at

// The signature, then the version of the superblock and the sizes of addresses and lengths, which
// are 8 everywhere; before HDF5 1.8 four other versions lay between.
static bool superblock_ok(h5 *f, const unsigned char *head, int64_t n, err *e)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    if (n < 0)
        return err_errno(e, "'%s' cannot be read; check the disk and try again", f->path);
    if (n < 8 || memcmp(head, signature, 8) != 0)
        return err_set(e, ERR_FORMAT, "'%s' is not an HDF5 file", f->path);
    if (n < SUPERBLOCK || head[8] > 3)
        return err_set(e, ERR_DAMAGED,
                       "'%s' is damaged: its first bytes are not those of an HDF5 file", f->path);
    const unsigned char *sizes = head + (head[8] < 2 ? 13 : 9);
    f->version = head[8];
    if (sizes[0] != 8 || sizes[1] != 8)
        return err_set(e, ERR_DAMAGED, "'%s' is damaged: its addresses are not 8 bytes long",
                       f->path);
    return true;
}

// Tells apart what HDF5 would call by one message. True when it is worth to let the library try.
static bool look_at(h5 *f, err *e)
{
    unsigned char head[SUPERBLOCK];
    int fd = f->io.fd = file_open(f->path, &f->size, e);
    if (fd < 0)
        return false;
    bool ok = f->size
                  ? superblock_ok(f, head, file_read_at(fd, head, sizeof head, 0), e)
                  : err_set(e, ERR_EMPTY, "'%s' is empty; an HDF5 file is needed here", f->path);
    return ok;
}

// Where the file ends as its superblock has it, behind three other addresses; 0: it says nothing.
static uint64_t stated_size(const h5 *f)
{
    static const int places[] = {40, 44, 28, 28}; // by version
    unsigned char end[8];
    uint64_t size = 0;
    if (file_read_at(f->io.fd, end, sizeof end, places[f->version]) != (int64_t)sizeof end)
        return 0;
    for (int i = 0; i < 8; i++)
        size |= (uint64_t)end[i] << 8 * i;
    return size;
}

static bool open_file(h5 *f, err *e)
{
    hid_t access = h5_file_access(&f->io);
    err why = {0};
    f->id = access >= 0 ? H5Fopen(f->path, H5F_ACC_RDONLY, access) : -1;
    if (f->id < 0)
        h5_fail(f, &why, ERR_DAMAGED, "the HDF5 file cannot be opened");
    H5Pclose(access);
    if (f->id >= 0)
        return true;
    if (why.code != ERR_DAMAGED)
        return err_set(e, why.code, "%s", why.text);
    uint64_t stated = stated_size(f);
    return stated > f->size && strstr(why.text, "truncated file")
               ? err_set(e, ERR_DAMAGED,
                         "'%s' is cut short: %llu of its %llu bytes are missing; copy it again or "
                         "make it anew",
                         f->path, (unsigned long long)(stated - f->size),
                         (unsigned long long)stated)
               : err_set(e, ERR_DAMAGED, "%s; it is damaged", why.text);
}

h5 *h5_open(const char *path, err *e)
{
    h5 *f = base_checked(calloc(1, sizeof *f), sizeof *f);
    f->path = base_checked(strdup(path), strlen(path));
    f->id = f->io.fd = -1;
    bool ok = look_at(f, e);
    if (ok) {
        h5_enter();
        ok = open_file(f, e) && h5_tree_ok(f, e);
        h5_leave();
    }
    if (ok)
        return f;
    h5_close(f);
    return NULL;
}

void h5_set_close(h5_set *set)
{
    if (set->id >= 0)
        H5Dclose(set->id);
    free(set->name);
    *set = (h5_set){0};
}

void h5_close(h5 *f)
{
    if (!f)
        return;
    h5_enter();
    for (int i = 0; i < H5_KEPT; i++)
        if (f->kept[i].name)
            h5_set_close(&f->kept[i]);
    bool gone = f->id < 0 || H5Fclose(f->id) >= 0;
    h5_leave();
    if (f->io.fd >= 0)
        close(f->io.fd);
    f->io.fd = -1;
    if (!gone) // the library may look at it again
        return;
    free(f->path);
    free(f);
}

static bool read_shape(h5 *f, hid_t set, const char *name, h5_shape *s, err *e)
{
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    hsize_t dims[H5S_MAX_RANK];
    int rank = space >= 0 ? H5Sget_simple_extent_dims(space, dims, NULL) : -1;
    bool ok = true;
    *s = (h5_shape){.rank = rank};
    if (rank < 0 || type < 0)
        ok = h5_fail(f, e, ERR_DAMAGED, "the shape of dataset '%s' cannot be read", name);
    else if (rank > H5_RANK)
        ok = h5_fail(f, e, ERR_FORMAT, "dataset '%s' has %d dimensions, more than %d", name, rank,
                     H5_RANK);
    else if (!h5_type_find(type, &s->type))
        ok = h5_fail(f, e, ERR_FORMAT,
                     "dataset '%s' has a type that is not read here (f32, f64, u8, u16, i32, i64, "
                     "u64 and text are)",
                     name);
    for (int i = 0; ok && i < rank; i++)
        s->dim[i] = dims[i];
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return ok;
}

// No cache of chunks where they are not packed, as ours: the system's pages serve, and a row alone
// can be read. A packed one is unpacked whole for each row that is read of it.
static hid_t open_with_cache(h5 *f, const char *name, size_t bytes)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, bytes ? 521 : 0, bytes, H5D_CHUNK_CACHE_W0_DEFAULT);
    hid_t id = H5Dopen2(f->id, name, access);
    H5Pclose(access);
    return id;
}

bool h5_set_open(h5 *f, const char *name, h5_set *set, err *e)
{
    if (!h5_link_exists(f, name))
        return h5_fail(f, e, ERR_MISSING, "there is no dataset '%s'", name);
    *set = (h5_set){f, base_checked(strdup(name), strlen(name)), open_with_cache(f, name, 0), {0}};
    bool packed = false, ok = set->id >= 0 || h5_fail(f, e, ERR_DAMAGED,
                                                      "'%s' cannot be opened as a dataset", name);
    ok = ok && h5_layout_ok(f, set->id, name, &packed, e);
    if (ok && packed) {
        H5Dclose(set->id);
        set->id = open_with_cache(f, name, H5_CHUNK_MOST);
        ok = set->id >= 0 || h5_fail(f, e, ERR_DAMAGED, "'%s' cannot be opened as a dataset", name);
    }
    ok = ok && read_shape(f, set->id, name, &set->shape, e) &&
         h5_storage_ok(f, set->id, name, set->shape, packed, e);
    if (!ok)
        h5_set_close(set);
    return ok;
}

// The dataset `name`, from those held open or put among them.
const h5_set *h5_set_get(h5 *f, const char *name, err *e)
{
    for (int i = 0; i < H5_KEPT; i++)
        if (f->kept[i].name && strcmp(f->kept[i].name, name) == 0)
            return &f->kept[i];
    h5_set fresh;
    if (h5_lost(f, e) || !h5_set_open(f, name, &fresh, e))
        return NULL;
    h5_set *slot = &f->kept[f->turn++ % H5_KEPT];
    if (slot->name)
        h5_set_close(slot);
    *slot = fresh;
    return slot;
}

bool h5_stat(h5 *f, const char *name, h5_shape *s, err *e)
{
    h5_enter();
    const h5_set *set = h5_set_get(f, name, e);
    if (set)
        *s = set->shape;
    h5_leave();
    return set != NULL;
}

static bool unreadable(const h5_set *set, err *e)
{
    return h5_fail(set->f, e, ERR_DAMAGED, "dataset '%s' cannot be read", set->name);
}

// Elements of the box [start, start + count) into `out`, one after the other.
bool h5_read_box(const h5_set *set, hid_t type, const hsize_t *start, const hsize_t *count,
                 void *out, err *e)
{
    // Memory of the same shape: between shapes that differ the library goes element by element.
    int rank = set->shape.rank;
    hid_t space = H5Dget_space(set->id),
          memory = rank ? H5Screate_simple(rank, count, NULL) : H5Screate(H5S_SCALAR);
    bool ok = space >= 0 && memory >= 0;
    if (ok && rank)
        ok = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
    ok = ok && H5Dread(set->id, type, memory, space, H5P_DEFAULT, out) >= 0;
    if (!ok)
        unreadable(set, e);
    if (memory >= 0)
        H5Sclose(memory);
    if (space >= 0)
        H5Sclose(space);
    return ok;
}

// Compares with the checksum that the dataset carries.
bool h5_checksum_ok(h5 *f, const char *name, const char *actual, err *e)
{
    arena scratch = {0};
    char *stored = NULL;
    bool ok = h5_attr_text(f, name, H5_CHECKSUM, &scratch, &stored, NULL);
    if (!ok)
        h5_fail(
            f, e, ERR_DAMAGED,
            "dataset '%s' has no readable checksum; the file is damaged or not written by kmidi",
            name);
    else if (strcmp(stored, actual) != 0)
        ok = err_set(e, ERR_DAMAGED,
                     "'%s': dataset '%s' is damaged: its bytes do not match its checksum", f->path,
                     name);
    arena_free(&scratch);
    return ok;
}

static bool same_shape(h5_shape a, h5_shape b)
{
    return a.type == b.type && a.rank == b.rank &&
           memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim) == 0;
}

bool h5_wrong_shape(h5 *f, const char *name, h5_shape is, h5_shape wanted, err *e)
{
    char a[H5_SHAPE_TEXT], b[H5_SHAPE_TEXT];
    return err_set(e, ERR_SHAPE, "'%s': dataset '%s' is %s, expected %s", f->path, name,
                   h5_shape_text(is, a), h5_shape_text(wanted, b));
}

static bool read_whole(h5 *f, const char *name, h5_shape s, void *out, err *e)
{
    const h5_set *set = h5_set_get(f, name, e);
    if (!set)
        return false;
    if (!same_shape(set->shape, s))
        return h5_wrong_shape(f, name, set->shape, s, e);
    hid_t type = h5_type_make(set->shape.type, false);
    bool ok = h5_count(s) == 0 || H5Dread(set->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0;
    if (!ok)
        unreadable(set, e);
    H5Tclose(type);
    return ok;
}

bool h5_read(h5 *f, const char *name, h5_shape s, void *out, err *e)
{
    char actual[65];
    CHECK(s.type != H5_TEXT && s.rank >= 0 && s.rank <= H5_RANK);
    h5_enter();
    bool ok = read_whole(f, name, s, out, e);
    h5_leave();
    if (!ok)
        return false;
    // other threads may use the library meanwhile
    digest_of(out, h5_count(s) * h5_type_size(s.type), actual);
    h5_enter();
    ok = h5_checksum_ok(f, name, actual, e);
    h5_leave();
    return ok;
}

static bool read_rows(h5 *f, const char *name, h5_type type, uint64_t first, uint64_t n, void *out,
                      err *e)
{
    const h5_set *set = h5_set_get(f, name, e);
    if (!set)
        return false;
    h5_shape s = set->shape;
    if (s.type != type || s.rank == 0) {
        h5_shape wanted = {type, s.rank ? s.rank : 1, {0}};
        memcpy(wanted.dim, s.dim, sizeof s.dim);
        return h5_wrong_shape(f, name, s, wanted, e);
    }
    if (first > s.dim[0] || n > s.dim[0] - first)
        return err_set(e, ERR_VALUE,
                       "'%s': dataset '%s' has %llu rows; %llu from row %llu on were asked for",
                       f->path, name, (unsigned long long)s.dim[0], (unsigned long long)n,
                       (unsigned long long)first);
    hsize_t start[H5_RANK] = {first}, count[H5_RANK] = {n};
    for (int i = 1; i < s.rank; i++)
        count[i] = s.dim[i];
    s.dim[0] = n;
    if (h5_count(s) == 0)
        return true;
    hid_t memory = h5_type_make(set->shape.type, false);
    bool ok = h5_read_box(set, memory, start, count, out, e);
    H5Tclose(memory);
    return ok;
}

bool h5_read_rows(h5 *f, const char *name, h5_type type, uint64_t first, uint64_t n, void *out,
                  err *e)
{
    CHECK(type != H5_TEXT);
    h5_enter();
    bool ok = read_rows(f, name, type, first, n, out, e);
    h5_leave();
    return ok;
}
