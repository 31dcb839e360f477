// SPDX-License-Identifier: GPL-3.0-or-later
// h5.c: HDF5, part one: what both sides need. Writing is in h5_write.c and h5_series.c, reading in
// h5_read.c, h5_names.c and h5_text.c.
//
// Format: that of HDF5 1.10 (superblock 3), because there every piece of metadata carries a
// checksum that the library verifies itself; with our own over the data of each dataset, no bit of
// a file goes unwatched. Attributes that are text have a fixed length, since variable-length text
// lies in the global heap, which has no checksum. Times are not stored: the same content gives the
// same bytes. Files are not locked: cluster file systems often cannot.
#include "base/h5.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/h5_internal.h"
#include "base/proc.h"
#include "base/str.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checksums are of little-endian bytes: this machine would have to swap them"
#endif

enum { ROOM = 2 << 20 };

// The library is one for the process, and so is its lock.
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

// Out of memory within itself, version 1.10 crashes or leaves without a word (a null pointer in
// H5A__close, an exit(-1) in H5I_register). So what it may want for a call is asked for before:
// then it is we who say so.
static void ask_for_room(void)
{
    base_checked(proc_exhausted(ROOM) ? NULL : &library, ROOM);
}

void h5_enter(void)
{
    ask_for_room();
    pthread_mutex_lock(&library);
    // at exit it would trip over a file that could not be closed (a full disk); we close our files
    // ourselves
    H5dont_atexit();
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Eclear2(H5E_DEFAULT);
    H5PLset_loading_state(0); // a file may name a filter; it may not make us load code for it
}

void h5_leave(void)
{
    pthread_mutex_unlock(&library);
}

// The most specific message comes first. Those about system calls are long and hold the system's
// own words in quotes.
typedef struct reason {
    char text[300];
    bool memory; // has run out
} reason;

static herr_t take_reason(unsigned n, const H5E_error2_t *message, void *out)
{
    static const char mark[] = "error message = '";
    reason *why = out;
    const char *s = message->desc ? message->desc : "", *from = strstr(s, mark);
    why->memory |= message->maj_num == H5E_RESOURCE;
    if (n == 0 && from)
        snprintf(why->text, sizeof why->text, "%.*s", (int)strcspn(from + strlen(mark), "'"),
                 from + strlen(mark));
    else if (n == 0)
        snprintf(why->text, sizeof why->text, "%s", s);
    return 0;
}

bool h5_fail(h5 *f, err *e, err_code code, const char *fmt, ...)
{
    char what[900];
    reason why = {0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_reason, &why);
    H5Eclear2(H5E_DEFAULT);
    err said = {0};
    if (why.memory && !f->io.write && !f->io.failed)
        f->io.failed = ENOMEM; // whoever takes no sentence asks h5_lost
    if (f->io.failed && !f->io.write)
        // so nothing is known of the file itself
        err_set(&said, ERR_IO, "'%s' cannot be read: %s", f->path, strerror(f->io.failed));
    else
        err_set(&said, why.memory ? ERR_MEMORY : code, "'%s': %s%s%s", f->path, what,
                why.text[0] ? ": " : "", why.text);
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
    {"f32", 4, &H5T_IEEE_F32LE_g, &H5T_NATIVE_FLOAT_g},
    {"f64", 8, &H5T_IEEE_F64LE_g, &H5T_NATIVE_DOUBLE_g},
    {"u8", 1, &H5T_STD_U8LE_g, &H5T_NATIVE_UINT8_g},
    {"u16", 2, &H5T_STD_U16LE_g, &H5T_NATIVE_UINT16_g},
    {"i32", 4, &H5T_STD_I32LE_g, &H5T_NATIVE_INT32_g},
    {"i64", 8, &H5T_STD_I64LE_g, &H5T_NATIVE_INT64_g},
    {"u64", 8, &H5T_STD_U64LE_g, &H5T_NATIVE_UINT64_g},
    {"text", sizeof(char *), NULL, NULL},
};

hid_t h5_text_type(size_t size)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, size);
    H5Tset_cset(t, H5T_CSET_UTF8);
    return t;
}

hid_t h5_type_make(h5_type t, bool file)
{
    if (t == H5_TEXT)
        return h5_text_type(H5T_VARIABLE);
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
        n += snprintf(out + n, H5_SHAPE_TEXT - (size_t)n, "%s%llu", i ? ", " : "",
                      (unsigned long long)s.dim[i]);
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
        htri_t there = H5Lexists(f->id, part, H5P_DEFAULT);
        if (there < 0)
            // remembers when memory was the reason
            h5_fail(f, NULL, ERR_DAMAGED, "'%s' cannot be looked for", name);
        if (there <= 0)
            return false;
    }
    return n > 0;
}

hid_t h5_file_access(h5_io *io)
{
    hid_t p = H5Pcreate(H5P_FILE_ACCESS);
    bool ok = p >= 0 && H5Pset_libver_bounds(p, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
              H5Pset_fclose_degree(p, H5F_CLOSE_STRONG) >= 0 && h5_driver_set(p, io);
    if (ok || p < 0)
        return p;
    H5Pclose(p);
    return -1;
}

bool h5_lost(h5 *f, err *e)
{
    if (!f->io.failed)
        return false;
    errno = f->io.failed;
    (void)err_errno(e, "'%s' cannot be read", f->path);
    return true;
}

const char *h5_library(void)
{
    const char *info = H5_VERS_INFO, *colon = strrchr(info, ':');
    return colon ? colon + 2 : info;
}
