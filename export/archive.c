// SPDX-License-Identifier: GPL-3.0-or-later
// archive.c: libzip behind archive.h.
//
// It writes a file by a name of its own and renames it; here it writes into memory, so that what
// has the final name is ours to say (base/file.h).
#include "export/archive.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "base/file.h"

struct archive {
    const char *path;
    arena *arena;
    zip_t *zip;
    uint64_t size; // of the file
};

// ---- Reading

static bool failed(const archive *z, const char *what, zip_error_t *why, err *e)
{
    return err_set(e, ERR_DAMAGED, "'%s': %s cannot be read (%s); get the file again", z->path,
                   what, zip_error_strerror(why));
}

static bool not_opened(const char *path, int code, err *e)
{
    zip_error_t why;
    zip_error_init_with_code(&why, code);
    if (code == ZIP_ER_MEMORY)
        (void)err_set(e, ERR_MEMORY, "no memory to open '%s'", path);
    else if (code == ZIP_ER_NOZIP)
        (void)err_set(e, ERR_FORMAT, "'%s' is no zip file, or cut off; get the file again", path);
    else
        (void)err_set(e, ERR_DAMAGED, "'%s' is a damaged zip file (%s); get the file again", path,
                      zip_error_strerror(&why));
    zip_error_fini(&why);
    return false;
}

archive *archive_open(const char *path, arena *a, err *e)
{
    archive *z = NEW(a, archive, 1);
    *z = (archive){.path = arena_strdup(a, path), .arena = a};
    int fd = file_open(path, &z->size, e), code;
    if (fd < 0)
        return NULL;
    if (!z->size) {
        close(fd);
        return (void)err_set(e, ERR_EMPTY, "'%s' is empty (0 bytes)", path), NULL;
    }
    z->zip = zip_fdopen(fd, 0, &code);
    if (z->zip)
        return z; // which has the descriptor
    close(fd);
    return (void)not_opened(path, code, e), NULL;
}

void archive_close(archive *z)
{
    if (z && z->zip)
        zip_discard(z->zip);
    if (z)
        z->zip = NULL;
}

const char *archive_first(archive *z)
{
    return zip_get_num_entries(z->zip, 0) > 0 ? zip_get_name(z->zip, 0, ZIP_FL_ENC_RAW) : NULL;
}

bool archive_find(archive *z, const char *name, int64_t *at, uint64_t *bytes, err *e)
{
    zip_stat_t st;
    *at = zip_name_locate(z->zip, name, 0);
    if (*at < 0)
        return true;
    if (zip_stat_index(z->zip, (zip_uint64_t)*at, 0, &st))
        return failed(z, name, zip_get_error(z->zip), e);
    *bytes = st.size;
    if (st.comp_method != ZIP_CM_STORE || st.encryption_method != ZIP_EM_NONE)
        return err_set(e, ERR_FORMAT,
                       "'%s': its record %s is compressed or encrypted, which is not taken; write "
                       "the file with records stored as they are",
                       z->path, name);
    return st.size <= z->size ||
           err_set(e, ERR_DAMAGED,
                   "'%s': its record %s claims %" PRIu64 " bytes, more than the file has; get the "
                   "file again",
                   z->path, name, st.size);
}

// Behind the last byte is asked for one more: only then is the checksum looked at.
static bool read_all(const archive *z, zip_file_t *r, uint8_t *out, uint64_t n, err *e)
{
    uint8_t behind;
    uint64_t got = 0;
    zip_int64_t k;
    while ((k = zip_fread(r, got < n ? out + got : &behind, got < n ? n - got : 1)) > 0)
        got += (uint64_t)k;
    if (k < 0)
        return failed(z, "a record", zip_file_get_error(r), e);
    return got == n || err_set(e, ERR_DAMAGED,
                               "'%s': a record has %" PRIu64 " bytes where it claims %" PRIu64
                               "; get the file again",
                               z->path, got, n);
}

bool archive_read(archive *z, int64_t at, uint8_t *out, err *e)
{
    zip_stat_t st;
    zip_file_t *r = zip_fopen_index(z->zip, (zip_uint64_t)at, 0);
    if (!r || zip_stat_index(z->zip, (zip_uint64_t)at, 0, &st)) {
        if (r)
            zip_fclose(r);
        return failed(z, "a record", zip_get_error(z->zip), e);
    }
    bool ok = read_all(z, r, out, st.size, e);
    zip_fclose(r);
    return ok || err_trail(e, "record %s", st.name);
}

bool archive_take(archive *z, const char *name, uint64_t limit, uint8_t **out, uint64_t *n, err *e)
{
    int64_t at;
    *out = NULL, *n = 0;
    if (!archive_find(z, name, &at, n, e))
        return false;
    if (at < 0)
        return true;
    if (*n > limit)
        return err_set(e, ERR_FORMAT,
                       "'%s': its record %s is of %" PRIu64 " bytes, at most %" PRIu64 " are taken",
                       z->path, name, *n, limit);
    *out = NEW(z->arena, uint8_t, (size_t)*n + 1);
    return archive_read(z, at, *out, e);
}

// ---- Writing

enum { LOCAL_HEADER = 30, EXTRA_HEADER = 4, EXTRA_ID = 0x4246, DAY_ONE = 0x21, CHUNK = 64 << 10 };

// What stands before the data of a record that begins at `at`: its header, its name, and as many
// bytes of no meaning (as PyTorch has them, under the id "FB") as are needed.
static uint64_t padding(uint64_t at, const char *name, unsigned align)
{
    uint64_t behind = at + LOCAL_HEADER + strlen(name) + EXTRA_HEADER;
    return (align - behind % align) % align;
}

static bool add_record(zip_t *zip, const archive_record *r, unsigned align, uint64_t *at)
{
    static const uint8_t zeros[256];
    zip_source_t *from = zip_source_buffer(zip, r->bytes, r->n, 0);
    zip_int64_t i = from ? zip_file_add(zip, r->name, from, ZIP_FL_ENC_UTF_8) : -1;
    if (i < 0) {
        zip_source_free(from);
        return false;
    }
    uint64_t pad = padding(*at, r->name, align);
    *at += LOCAL_HEADER + strlen(r->name) + EXTRA_HEADER + pad + r->n;
    return !zip_set_file_compression(zip, (zip_uint64_t)i, ZIP_CM_STORE, 0) &&
           !zip_file_set_dostime(zip, (zip_uint64_t)i, 0, DAY_ONE, 0) &&
           !zip_file_extra_field_set(zip, (zip_uint64_t)i, EXTRA_ID, 0, zeros, (zip_uint16_t)pad,
                                     ZIP_FL_LOCAL);
}

// The archive into `memory`, which stays the caller's.
static bool fill(zip_source_t *memory, const archive_record *list, int n, unsigned align)
{
    zip_source_keep(memory);
    zip_t *zip = zip_open_from_source(memory, ZIP_TRUNCATE, NULL);
    uint64_t at = 0;
    bool ok = zip != NULL;
    if (!zip)
        zip_source_free(memory);
    for (int i = 0; ok && i < n; i++)
        ok = add_record(zip, &list[i], align, &at);
    if (ok && !zip_close(zip))
        return true;
    if (zip)
        zip_discard(zip);
    return false;
}

static bool copy_out(zip_source_t *memory, const char *path, err *e)
{
    file_out *f = file_create(path, e);
    if (!f)
        return false;
    uint8_t bytes[CHUNK];
    zip_int64_t n = zip_source_open(memory);
    while (n >= 0 && (n = zip_source_read(memory, bytes, sizeof bytes)) > 0)
        file_put(f, bytes, (size_t)n);
    zip_source_close(memory);
    if (n == 0)
        return file_finish(f, e);
    file_abandon(f);
    return err_set(e, ERR_MEMORY, "no memory to write '%s'", path);
}

bool archive_write(const char *path, const archive_record *list, int n, unsigned align, err *e)
{
    zip_source_t *memory = zip_source_buffer_create(NULL, 0, 0, NULL);
    bool ok = memory && fill(memory, list, n, align);
    if (!ok)
        (void)err_set(e, ERR_MEMORY, "no memory to write '%s'", path);
    ok = ok && copy_out(memory, path, e);
    zip_source_free(memory);
    return ok;
}

const char *archive_library(void)
{
    return zip_libzip_version();
}
