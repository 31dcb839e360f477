// SPDX-License-Identifier: GPL-3.0-or-later
// h5_write.c: HDF5: files, groups, attributes and whole datasets are written. Those that grow are
// in h5_series.c.
//
// A file that was written is opened again and every checksum compared before it gets its name: for
// 100 MB that takes some 0.1 s.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/h5_internal.h"

// A list of properties by which an object is made: without times, so that the same content gives
// the same bytes.
hid_t h5_creation(hid_t of)
{
    hid_t p = H5Pcreate(of);
    if (p < 0 || H5Pset_obj_track_times(p, 0) >= 0)
        return p;
    H5Pclose(p);
    return -1;
}

// What was written is closed; false when something of it was not.
static bool closed(h5 *f, herr_t status, const char *what, err *e)
{
    return status >= 0 || h5_fail(f, e, ERR_IO, "'%s' cannot be written", what);
}

// The library never hears of a disk that fails, and goes on (h5_driver.c): every call that writes
// ends with this.
bool h5_written(h5 *f, bool ok, err *e)
{
    if (f->io.failed && !f->first.code) {
        errno = f->io.failed;
        file_unwritten(f->path, &f->first);
    }
    if (f->io.failed && e)
        *e = f->first;
    return ok && !f->io.failed;
}

static void file_free(h5 *f)
{
    free(f->path);
    free(f->temp);
    free(f);
}

// What the library cannot close it keeps, and may look at again: then this stays too, without a
// descriptor.
static bool file_close(h5 *f)
{
    bool gone = f->id < 0 || H5Fclose(f->id) >= 0;
    if (close(f->io.fd) != 0 && !f->io.failed)
        f->io.failed = errno;
    f->io.fd = -1;
    return gone;
}

static bool library_create(h5 *f, err *e)
{
    hid_t access = h5_file_access(&f->io), create = h5_creation(H5P_FILE_CREATE);
    if (access >= 0 && create >= 0)
        f->id = H5Fcreate(f->temp, H5F_ACC_TRUNC, create, access);
    bool ok = f->id >= 0 || h5_fail(f, e, ERR_IO, "the file cannot be made");
    H5Pclose(create);
    H5Pclose(access);
    return ok;
}

h5 *h5_create(const char *path, err *e)
{
    arena scratch = {0};
    if (!file_ready(path, true, e))
        return NULL;
    h5 *f = base_checked(calloc(1, sizeof *f), sizeof *f);
    f->id = -1;
    f->path = base_checked(strdup(path), strlen(path));
    f->temp = base_checked(strdup(file_temp(&scratch, path)), strlen(path));
    arena_free(&scratch);
    f->io = (h5_io){.fd = file_begin(f->temp), .write = true};
    bool ok = f->io.fd >= 0 || file_unwritten(path, e);
    h5_enter();
    ok = ok && h5_written(f, library_create(f, e), e);
    h5_leave();
    if (ok)
        return f;
    h5_abandon(f);
    return NULL;
}

// What a library lost on the way is found here, before the file gets its name.
static bool reads_back(const char *temp, const char *path, err *e)
{
    err why = {0};
    size_t n;
    h5 *f = h5_open(temp, &why);
    bool ok = f && h5_verify(f, &n, &why);
    h5_close(f);
    return ok ||
           err_set(e, ERR_IO, "'%s' cannot be written: it does not read back (%s)", path, why.text);
}

// After a failure the library may well go on, and report success for what it writes into the holes:
// one failure is final.
bool h5_commit(h5 *f, err *e)
{
    h5_enter();
    if (H5Fflush(f->id, H5F_SCOPE_LOCAL) < 0)
        h5_fail(f, e, ERR_IO, "the file cannot be written");
    bool gone = file_close(f);
    if (!gone)
        h5_fail(f, e, ERR_IO, "the file cannot be written");
    bool ok = h5_written(f, !f->first.code, e);
    h5_leave();
    if (f->first.code && e)
        *e = f->first;
    ok = ok && reads_back(f->temp, f->path, e);
    if (ok)
        ok = file_commit(f->temp, f->path, e);
    else
        file_discard(f->temp);
    if (gone)
        file_free(f);
    return ok;
}

void h5_abandon(h5 *f)
{
    if (!f)
        return;
    f->io.failed = f->io.failed ? f->io.failed : ECANCELED; // nothing more is written
    h5_enter();
    bool gone = file_close(f);
    h5_leave();
    file_discard(f->temp);
    if (gone)
        file_free(f);
}

// Makes every group on the way to `name`, and `name` itself when `all`.
static bool make_groups(h5 *f, const char *name, bool all, err *e)
{
    char part[1024];
    size_t n = strlen(name);
    if (n == 0 || n >= sizeof part)
        return err_set(e, ERR_VALUE, "'%s': a name of %zu bytes cannot be written; use 1 to %zu",
                       f->path, n, sizeof part - 1);
    bool ok = true;
    hid_t create = h5_creation(H5P_GROUP_CREATE);
    for (size_t i = 1; ok && i <= n; i++) {
        if (name[i - 1] == '/' || (name[i] != '/' && (name[i] != 0 || !all)))
            continue;
        memcpy(part, name, i);
        part[i] = 0;
        if (H5Lexists(f->id, part, H5P_DEFAULT) > 0)
            continue;
        hid_t group = H5Gcreate2(f->id, part, H5P_DEFAULT, create, H5P_DEFAULT);
        ok = group >= 0 || h5_fail(f, e, ERR_IO, "group '%s' cannot be made", part);
        ok = ok && closed(f, H5Gclose(group), part, e);
    }
    H5Pclose(create);
    return ok;
}

static bool set_attribute(h5 *f, hid_t object, const char *key, hid_t file_type, hid_t memory_type,
                          const void *value, err *e)
{
    if (H5Aexists(object, key) > 0 && H5Adelete(object, key) < 0)
        return h5_fail(f, e, ERR_IO, "attribute '%s' cannot be replaced", key);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate2(object, key, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = a >= 0 && H5Awrite(a, memory_type, value) >= 0;
    if (!ok)
        h5_fail(f, e, ERR_IO, "attribute '%s' cannot be written", key);
    if (a >= 0)
        ok = closed(f, H5Aclose(a), key, e) && ok;
    H5Sclose(space);
    return ok;
}

bool h5_text_on(h5 *f, hid_t object, const char *key, const char *value, err *e)
{
    hid_t type = h5_text_type(strlen(value) + 1);
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

static bool set_on(h5 *f, const char *object, const char *key, hid_t file_type, hid_t memory_type,
                   const void *value, err *e)
{
    hid_t o = object_make(f, object, e);
    bool ok = o >= 0 && (file_type >= 0 ? set_attribute(f, o, key, file_type, memory_type, value, e)
                                        : h5_text_on(f, o, key, value, e));
    if (o >= 0)
        ok = closed(f, H5Oclose(o), object, e) && ok;
    return h5_written(f, ok, e);
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

void h5_add_elements(digest *d, h5_type type, const void *data, uint64_t n)
{
    const char *const *texts = data;
    if (type != H5_TEXT)
        digest_add(d, data, n * h5_type_size(type));
    else
        for (uint64_t i = 0; i < n; i++)
            digest_add_str(d, texts[i]);
}

// A new dataset; `most` and `layout` for one that grows, NULL and H5P_DEFAULT else.
hid_t h5_set_make(h5 *f, const char *name, h5_shape s, const hsize_t *most, hid_t layout, err *e)
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

// What holds nothing is in pieces of one element and may grow: of anything else without elements,
// h5repack makes pieces without any, which the library refuses. `most` is filled then.
static bool lay_out(h5_shape s, hid_t create, hsize_t *most)
{
    hsize_t piece[H5_RANK];
    for (int i = 0; i < s.rank; i++) {
        piece[i] = 1;
        most[i] = s.dim[i] ? s.dim[i] : H5S_UNLIMITED;
    }
    return h5_count(s) > 0 || H5Pset_chunk(create, s.rank, piece) >= 0;
}

static bool write_whole(h5 *f, const char *name, h5_shape s, const void *data, const char *checksum,
                        err *e)
{
    hsize_t most[H5_RANK];
    hid_t create = h5_creation(H5P_DATASET_CREATE), type = h5_type_make(s.type, false), set = -1;
    if (!lay_out(s, create, most))
        h5_fail(f, e, ERR_IO, "dataset '%s' cannot be made", name);
    else
        set = h5_set_make(f, name, s, h5_count(s) ? NULL : most, create, e);
    bool ok = set >= 0;
    if (ok && h5_count(s) > 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        ok = h5_fail(f, e, ERR_IO, "dataset '%s' cannot be written", name);
    ok = ok && h5_text_on(f, set, H5_CHECKSUM, checksum, e);
    if (set >= 0)
        ok = closed(f, H5Dclose(set), name, e) && ok; // a small one is written only now
    H5Tclose(type);
    H5Pclose(create);
    return h5_written(f, ok, e);
}

bool h5_write(h5 *f, const char *name, h5_shape s, const void *data, err *e)
{
    char checksum[65];
    CHECK(s.rank >= 0 && s.rank <= H5_RANK);
    digest *d = digest_open();
    h5_add_elements(d, s.type, data, h5_count(s));
    digest_close(d, checksum);
    h5_enter();
    bool ok = write_whole(f, name, s, data, checksum, e);
    h5_leave();
    return ok;
}
