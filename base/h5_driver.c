// SPDX-License-Identifier: GPL-3.0-or-later
// h5_driver.c: the file under HDF5, as a driver of our own (the library's "virtual file layer").
//
// The library's driver reports a write that failed to whichever call happened to flush, often a
// close, and the library then neither retries nor forgets: what it could not write stays half done
// inside it, files cannot be closed any more, and the next call may report success. This one keeps
// the first failure for h5_written and h5_commit, drops what comes after, and tells the library
// that all is well, so that it can tidy up and close. Of reading, a disk's error is kept likewise:
// it is not the same as damage.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/h5_internal.h"
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

typedef struct driven {
    H5FD_t library; // its part, first
    h5_io *io;
    haddr_t end; // of what is allocated
} driven;

// What a list of file access properties holds for us.
typedef struct setting {
    h5_io *io;
} setting;

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t most)
{
    (void)name, (void)flags, (void)most;
    const setting *s = H5Pget_driver_info(access);
    driven *d = s ? calloc(1, sizeof *d) : NULL;
    if (d)
        d->io = s->io;
    return (H5FD_t *)d;
}

static herr_t driver_close(H5FD_t *file)
{
    free(file);
    return 0;
}

static herr_t driver_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_POSIX_COMPAT_HANDLE |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t driver_get_end(const H5FD_t *file, H5FD_mem_t kind)
{
    (void)kind;
    return ((const driven *)file)->end;
}

static herr_t driver_set_end(H5FD_t *file, H5FD_mem_t kind, haddr_t end)
{
    (void)kind;
    ((driven *)file)->end = end;
    return 0;
}

static haddr_t driver_size(const H5FD_t *file, H5FD_mem_t kind)
{
    (void)kind;
    h5_io *io = ((const driven *)file)->io;
    struct stat st;
    if (fstat(io->fd, &st) == 0)
        return (haddr_t)st.st_size;
    io->failed = io->failed ? io->failed : errno;
    return HADDR_UNDEF;
}

static herr_t driver_handle(H5FD_t *file, hid_t access, void **handle)
{
    (void)access;
    *handle = &((driven *)file)->io->fd;
    return 0;
}

// Behind the end there are zeros.
static herr_t driver_read(H5FD_t *file, H5FD_mem_t kind, hid_t transfer, haddr_t at, size_t n,
                          void *out)
{
    (void)kind, (void)transfer;
    h5_io *io = ((driven *)file)->io;
    for (char *p = out; n > 0;) {
        ssize_t k = pread(io->fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && !io->failed)
            io->failed = errno;
        if (k < 0)
            return -1;
        if (k == 0)
            memset(p, 0, n), k = (ssize_t)n;
        p += k, n -= (size_t)k, at += (haddr_t)k;
    }
    return 0;
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t kind, hid_t transfer, haddr_t at, size_t n,
                           const void *bytes)
{
    (void)kind, (void)transfer;
    h5_io *io = ((driven *)file)->io;
    for (const char *p = bytes; n > 0 && !io->failed;) {
        ssize_t k = pwrite(io->fd, p, n, (off_t)at);
        if (k < 0 && errno != EINTR)
            io->failed = errno ? errno : EIO;
        if (k > 0)
            p += k, n -= (size_t)k, at += (haddr_t)k;
    }
    return 0;
}

// The file ends where what is allocated ends.
static herr_t driver_truncate(H5FD_t *file, hid_t transfer, hbool_t closing)
{
    (void)transfer, (void)closing;
    const driven *d = (const driven *)file;
    if (d->io->write && !d->io->failed && ftruncate(d->io->fd, (off_t)d->end) != 0)
        d->io->failed = errno;
    return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600, // 512 and more are free for all
#endif
    .name = "kmidi",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(setting),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_end,
    .set_eoa = driver_set_end,
    .get_eof = driver_size,
    .get_handle = driver_handle,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

bool h5_driver_set(hid_t access, h5_io *io)
{
    static hid_t id; // the library's, like all that stands behind its lock
    if (id <= 0)
        id = H5FDregister(&driver);
    return id > 0 && H5Pset_driver(access, id, &(setting){io}) >= 0;
}
