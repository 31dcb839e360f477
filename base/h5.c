// SPDX-License-Identifier: GPL-3.0-or-later
// h5.c: HDF5, part one: what both sides need, and writing. Reading is in h5_read.c, h5_names.c and h5_text.c.
//
// Format: that of HDF5 1.10 (superblock 3), because there every piece of metadata carries a checksum that the library
// verifies itself; with our own over the data of each dataset, no bit of a file goes unwatched. Attributes that are text have a fixed
// length, since variable-length text lies in the global heap, which has no checksum. Times are not stored: the same content gives
// the same bytes. Files are not locked: cluster file systems often cannot.
#include "base/h5.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/h5_internal.h"
#include "base/str.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checksums are of little-endian bytes: this machine would have to swap them"
#endif

// The library is one for the process, and so is its lock.
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

void h5_enter(void)
{
    pthread_mutex_lock(&library);
    H5dont_atexit(); // at exit it would trip over a file that could not be closed (a full disk); we close our files ourselves
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Eclear2(H5E_DEFAULT);
    H5PLset_loading_state(0); // a file may name a filter; it may not make us load code for it
}

void h5_leave(void)
{
    pthread_mutex_unlock(&library);
}

// The most specific message comes first. Those about system calls are long and hold the system's own words in quotes.
static herr_t take_reason(unsigned n, const H5E_error2_t *message, void *out)
{
    static const char mark[] = "error message = '";
    const char *s = message->desc ? message->desc : "", *from = strstr(s, mark);
    if (n == 0 && from)
        snprintf(out, 300, "%.*s", (int)strcspn(from + strlen(mark), "'"), from + strlen(mark));
    else if (n == 0)
        snprintf(out, 300, "%s", s);
    return 0;
}

bool h5_fail(h5 *f, err *e, err_code code, const char *fmt, ...)
{
    char what[900], reason[300] = "";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_reason, reason);
    H5Eclear2(H5E_DEFAULT);
    err said = {0};
    err_set(&said, code, "'%s': %s%s%s", f->path, what, reason[0] ? ": " : "", reason);
    if (f->temp && !f->first.code)
        f->first = said;
    if (e)
        *e = said;
    return false;
}

// In the order of h5_type.
static const struct {
    const char *name;
    size_t size;
    const hid_t *file, *memory;
} types[] = {
    {"f32", 4, &H5T_IEEE_F32LE_g, &H5T_NATIVE_FLOAT_g}, {"f64", 8, &H5T_IEEE_F64LE_g, &H5T_NATIVE_DOUBLE_g},
    {"u8", 1, &H5T_STD_U8LE_g, &H5T_NATIVE_UINT8_g},    {"u16", 2, &H5T_STD_U16LE_g, &H5T_NATIVE_UINT16_g},
    {"i32", 4, &H5T_STD_I32LE_g, &H5T_NATIVE_INT32_g},  {"i64", 8, &H5T_STD_I64LE_g, &H5T_NATIVE_INT64_g},
    {"u64", 8, &H5T_STD_U64LE_g, &H5T_NATIVE_UINT64_g}, {"text", sizeof(char *), NULL, NULL},
};

static hid_t text_type(size_t size)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, size);
    H5Tset_cset(t, H5T_CSET_UTF8);
    return t;
}

hid_t h5_type_make(h5_type t, bool file)
{
    if (t == H5_TEXT)
        return text_type(H5T_VARIABLE);
    return H5Tcopy(file ? *types[t].file : *types[t].memory);
}

size_t h5_type_size(h5_type t)
{
    return types[t].size;
}

bool h5_type_find(hid_t type, h5_type *t)
{
    bool text = H5Tis_variable_str(type) > 0;
    for (int i = 0; !text && i < H5_TEXT; i++)
        if (H5Tequal(type, *types[i].file) > 0) {
            *t = (h5_type)i;
            return true;
        }
    *t = H5_TEXT;
    return text;
}

uint64_t h5_count(h5_shape s)
{
    uint64_t n = 1;
    for (int i = 0; i < s.rank; i++)
        n *= s.dim[i];
    return n;
}

const char *h5_shape_text(h5_shape s, char *out)
{
    int n = snprintf(out, H5_SHAPE_TEXT, "%s [", types[s.type].name);
    for (int i = 0; i < s.rank; i++)
        n += snprintf(out + n, H5_SHAPE_TEXT - (size_t)n, "%s%llu", i ? ", " : "", (unsigned long long)s.dim[i]);
    snprintf(out + n, H5_SHAPE_TEXT - (size_t)n, "]");
    return out;
}

// HDF5 asks that every group on the way is known to exist.
bool h5_link_exists(h5 *f, const char *name)
{
    char part[1024];
    size_t n = strlen(name);
    if (n >= sizeof part)
        return false;
    for (size_t i = 1; i <= n; i++) {
        if ((name[i] != '/' && name[i] != 0) || name[i - 1] == '/')
            continue;
        memcpy(part, name, i);
        part[i] = 0;
        if (H5Lexists(f->id, part, H5P_DEFAULT) <= 0)
            return false;
    }
    return n > 0;
}

hid_t h5_file_access(void)
{
    hid_t p = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(p, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_fclose_degree(p, H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(p, 0, 1);
#endif
    return p;
}

h5 *h5_create(const char *path, err *e)
{
    arena scratch = {0};
    h5 *f = base_checked(calloc(1, sizeof *f), sizeof *f);
    f->path = base_checked(strdup(path), strlen(path));
    f->temp = base_checked(strdup(file_temp(&scratch, path)), strlen(path));
    arena_free(&scratch);
    h5_enter();
    hid_t access = h5_file_access(), create = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_obj_track_times(create, 0);
    f->id = H5Fcreate(f->temp, H5F_ACC_TRUNC, create, access);
    bool ok = f->id >= 0 || h5_fail(f, e, ERR_IO, "the file cannot be made");
    H5Pclose(create);
    H5Pclose(access);
    h5_leave();
    if (ok)
        return f;
    h5_abandon(f);
    return NULL;
}

static void file_free(h5 *f)
{
    free(f->path);
    free(f->temp);
    free(f);
}

// After a full disk the library may well go on, and report success for what it writes into the holes: one failure is final.
bool h5_commit(h5 *f, err *e)
{
    h5_enter();
    if (H5Fflush(f->id, H5F_SCOPE_LOCAL) < 0)
        h5_fail(f, e, ERR_IO, "the file cannot be written");
    if (H5Fclose(f->id) < 0)
        h5_fail(f, e, ERR_IO, "the file cannot be written");
    h5_leave();
    bool ok = !f->first.code;
    if (!ok && e)
        *e = f->first;
    if (ok)
        ok = file_commit(f->temp, f->path, e);
    else
        unlink(f->temp);
    file_free(f);
    return ok;
}

void h5_abandon(h5 *f)
{
    if (!f)
        return;
    h5_enter();
    if (f->id >= 0)
        H5Fclose(f->id);
    h5_leave();
    unlink(f->temp);
    file_free(f);
}

// Makes every group on the way to `name`, and `name` itself when `all`.
static bool make_groups(h5 *f, const char *name, bool all, err *e)
{
    char part[1024];
    size_t n = strlen(name);
    if (n == 0 || n >= sizeof part)
        return err_set(e, ERR_VALUE, "'%s': a name of %zu bytes cannot be written; use 1 to %zu", f->path, n, sizeof part - 1);
    bool ok = true;
    hid_t create = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(create, 0);
    for (size_t i = 1; ok && i <= n; i++) {
        if (name[i - 1] == '/' || (name[i] != '/' && (name[i] != 0 || !all)))
            continue;
        memcpy(part, name, i);
        part[i] = 0;
        if (H5Lexists(f->id, part, H5P_DEFAULT) > 0)
            continue;
        hid_t group = H5Gcreate2(f->id, part, H5P_DEFAULT, create, H5P_DEFAULT);
        ok = group >= 0 || h5_fail(f, e, ERR_IO, "group '%s' cannot be made", part);
        if (group >= 0)
            H5Gclose(group);
    }
    H5Pclose(create);
    return ok;
}

static bool set_attribute(h5 *f, hid_t object, const char *key, hid_t file_type, hid_t memory_type, const void *value, err *e)
{
    if (H5Aexists(object, key) > 0)
        H5Adelete(object, key);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(object, key, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = a >= 0 && H5Awrite(a, memory_type, value) >= 0;
    if (!ok)
        h5_fail(f, e, ERR_IO, "attribute '%s' cannot be written", key);
    if (a >= 0)
        H5Aclose(a);
    H5Sclose(space);
    return ok;
}

static bool set_text(h5 *f, hid_t object, const char *key, const char *value, err *e)
{
    hid_t type = text_type(strlen(value) + 1);
    bool ok = set_attribute(f, object, key, type, type, value, e);
    H5Tclose(type);
    return ok;
}

static hid_t object_make(h5 *f, const char *name, err *e)
{
    bool root = strcmp(name, "/") == 0;
    if (!root && !make_groups(f, name, true, e))
        return -1;
    hid_t object = H5Oopen(f->id, name, H5P_DEFAULT);
    if (object < 0)
        h5_fail(f, e, ERR_IO, "'%s' cannot be opened", name);
    return object;
}

static bool set_on(h5 *f, const char *object, const char *key, hid_t file_type, hid_t memory_type, const void *value, err *e)
{
    hid_t o = object_make(f, object, e);
    bool ok = o >= 0 && (file_type >= 0 ? set_attribute(f, o, key, file_type, memory_type, value, e) : set_text(f, o, key, value, e));
    if (o >= 0)
        H5Oclose(o);
    return ok;
}

bool h5_set_text(h5 *f, const char *object, const char *key, const char *value, err *e)
{
    h5_enter();
    bool ok = set_on(f, object, key, -1, -1, value, e);
    h5_leave();
    return ok;
}

bool h5_set_int(h5 *f, const char *object, const char *key, int64_t value, err *e)
{
    h5_enter();
    bool ok = set_on(f, object, key, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, e);
    h5_leave();
    return ok;
}

bool h5_set_num(h5 *f, const char *object, const char *key, double value, err *e)
{
    h5_enter();
    bool ok = set_on(f, object, key, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, e);
    h5_leave();
    return ok;
}

static void add_elements(digest *d, h5_type type, const void *data, uint64_t n)
{
    const char *const *texts = data;
    if (type != H5_TEXT)
        digest_add(d, data, n * types[type].size);
    else
        for (uint64_t i = 0; i < n; i++)
            digest_add_str(d, texts[i]);
}

// A new dataset; `most` and `layout` for one that grows, NULL and H5P_DEFAULT else.
static hid_t set_make(h5 *f, const char *name, h5_shape s, const hsize_t *most, hid_t layout, err *e)
{
    if (!make_groups(f, name, false, e))
        return -1;
    hsize_t dims[H5_RANK];
    for (int i = 0; i < s.rank; i++)
        dims[i] = s.dim[i];
    hid_t space = s.rank ? H5Screate_simple(s.rank, dims, most) : H5Screate(H5S_SCALAR);
    hid_t type = h5_type_make(s.type, true);
    hid_t set = H5Dcreate2(f->id, name, type, space, H5P_DEFAULT, layout, H5P_DEFAULT);
    if (set < 0)
        h5_fail(f, e, ERR_IO, "dataset '%s' cannot be made", name);
    H5Tclose(type);
    H5Sclose(space);
    return set;
}

static bool write_whole(h5 *f, const char *name, h5_shape s, const void *data, const char *checksum, err *e)
{
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), type = h5_type_make(s.type, false);
    H5Pset_obj_track_times(create, 0);
    hid_t set = set_make(f, name, s, NULL, create, e);
    bool ok = set >= 0;
    if (ok && h5_count(s) > 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        ok = h5_fail(f, e, ERR_IO, "dataset '%s' cannot be written", name);
    ok = ok && set_text(f, set, H5_CHECKSUM, checksum, e);
    if (set >= 0)
        H5Dclose(set);
    H5Tclose(type);
    H5Pclose(create);
    return ok;
}

bool h5_write(h5 *f, const char *name, h5_shape s, const void *data, err *e)
{
    char checksum[65];
    CHECK(s.rank >= 0 && s.rank <= H5_RANK);
    digest *d = digest_open();
    add_elements(d, s.type, data, h5_count(s));
    digest_close(d, checksum);
    h5_enter();
    bool ok = write_whole(f, name, s, data, checksum, e);
    h5_leave();
    return ok;
}

struct h5_series {
    h5 *f;
    char *name;
    hid_t set;
    h5_shape shape; // dim[0] rows so far
    digest *sum;
    bool failed;
};

// Chunks of `chunk_rows`, or of about a roombyte when that is 0; of texts, 64 KiB.
static hid_t series_make(const h5_series *s, uint64_t chunk_rows, err *e)
{
    h5_shape row = s->shape;
    hsize_t chunk[H5_RANK], most[H5_RANK] = {H5S_UNLIMITED};
    row.dim[0] = 1;
    uint64_t row_bytes = h5_count(row) * types[row.type].size, room = (uint64_t)1 << (row.type == H5_TEXT ? 15 : 20);
    if (!chunk_rows)
        chunk_rows = row_bytes && row_bytes < room ? room / row_bytes : 1;
    for (int i = 0; i < row.rank; i++) {
        most[i] = i ? row.dim[i] : H5S_UNLIMITED;
        chunk[i] = i ? row.dim[i] : chunk_rows;
    }
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(layout, 0);
    H5Pset_chunk(layout, row.rank, chunk);
    hid_t set = set_make(s->f, s->name, s->shape, most, layout, e);
    H5Pclose(layout);
    return set;
}

h5_series *h5_series_open(h5 *f, const char *name, h5_shape row, uint64_t chunk_rows, err *e)
{
    CHECK(row.rank >= 0 && row.rank < H5_RANK && (row.type != H5_TEXT || row.rank == 0));
    h5_series *s = base_checked(calloc(1, sizeof *s), sizeof *s);
    s->f = f;
    s->name = base_checked(strdup(name), strlen(name));
    s->shape.type = row.type;
    s->shape.rank = row.rank + 1;
    memcpy(s->shape.dim + 1, row.dim, (size_t)row.rank * sizeof *row.dim);
    s->sum = digest_open();
    h5_enter();
    s->set = series_make(s, chunk_rows, e);
    h5_leave();
    if (s->set >= 0)
        return s;
    s->failed = true;
    if (h5_series_close(s, NULL))
        CHECK(false);
    return NULL;
}

static bool series_write(h5_series *s, const void *rows, uint64_t n, err *e)
{
    hsize_t start[H5_RANK] = {s->shape.dim[0]}, count[H5_RANK], total[H5_RANK];
    for (int i = 0; i < s->shape.rank; i++) {
        count[i] = i ? s->shape.dim[i] : n;
        total[i] = i ? s->shape.dim[i] : s->shape.dim[0] + n;
    }
    if (H5Dset_extent(s->set, total) < 0)
        return h5_fail(s->f, e, ERR_IO, "dataset '%s' cannot be written", s->name);
    hid_t space = H5Dget_space(s->set), memory = H5Screate_simple(s->shape.rank, count, NULL), type = h5_type_make(s->shape.type, false);
    bool ok = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
              H5Dwrite(s->set, type, memory, space, H5P_DEFAULT, rows) >= 0;
    if (!ok)
        h5_fail(s->f, e, ERR_IO, "dataset '%s' cannot be written", s->name);
    H5Tclose(type);
    H5Sclose(memory);
    H5Sclose(space);
    return ok;
}

bool h5_series_add(h5_series *s, const void *rows, uint64_t n, err *e)
{
    if (n == 0)
        return true;
    h5_shape block = s->shape;
    block.dim[0] = n;
    add_elements(s->sum, block.type, rows, h5_count(block));
    h5_enter();
    bool ok = h5_count(block) == 0 || series_write(s, rows, n, e);
    h5_leave();
    s->shape.dim[0] += n;
    s->failed |= !ok;
    return ok;
}

bool h5_series_close(h5_series *s, err *e)
{
    char checksum[65];
    digest_close(s->sum, checksum);
    h5_enter();
    bool ok = !s->failed && set_text(s->f, s->set, H5_CHECKSUM, checksum, e);
    if (s->set >= 0 && H5Dclose(s->set) < 0)
        ok = h5_fail(s->f, e, ERR_IO, "dataset '%s' cannot be written", s->name);
    h5_leave();
    if (!ok && e)
        *e = s->f->first;
    free(s->name);
    free(s);
    return ok;
}

const char *h5_library(void)
{
    const char *info = H5_VERS_INFO, *colon = strrchr(info, ':');
    return colon ? colon + 2 : info;
}
