// SPDX-License-Identifier: GPL-3.0-or-later
// file_write.c: write beside, sync, read back, rename, sync the folder.
//
// What is read back comes from the system's memory, not from the medium: it shows what a library or
// a call lost on the way (a short write, an error that nobody looked at), and costs a checksum; the
// medium is asked by fsync.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/file_internal.h"
#include "base/str.h"

enum { BUFFER = 1 << 16 };

// ---- Sentences

bool file_unwritten(const char *path, err *e)
{
    int number = errno;
    (void)err_errno(e, "'%s' cannot be written", path);
    const char *remedy = number == ENOSPC || number == EDQUOT
                             ? "make room there, or name another place"
                         : number == EFBIG ? "raise the limit of file sizes (ulimit -f)"
                         : number == EACCES || number == EPERM || number == EROFS
                             ? "check the folder's rights, or name another place"
                         : number == ENOENT || number == ENOTDIR ? "make its folder first"
                                                                 : NULL;
    errno = number;
    return e && remedy ? err_set(e, e->code, "%s; %s", e->text, remedy) : false;
}

// ---- Into place

// To the medium itself: on macOS fsync stops at the drive's cache.
static int sync_to_disk(int fd)
{
#ifdef F_FULLFSYNC
    if (fcntl(fd, F_FULLFSYNC) == 0)
        return 0;
#endif
    int status;
    while ((status = fsync(fd)) != 0 && errno == EINTR)
        ;
    return status;
}

static bool sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return false;
    // Some file systems cannot sync a folder and say EINVAL; there is nothing better to do there.
    bool ok = sync_to_disk(fd) == 0 || (flags && (errno == EINVAL || errno == ENOTSUP));
    int number = errno;
    ok = (close(fd) == 0 || flags) && ok;
    errno = ok ? 0 : number ? number : errno;
    return ok;
}

// What is synced and closed gets its name.
static bool put_in_place(const char *temp, const char *path, err *e)
{
    arena scratch = {0};
    const char *target = file_follow(&scratch, path);
    bool ok = target && rename(temp, target) == 0;
    if (!ok) {
        err_errno(e, "'%s' cannot be put in place", path);
        unlink(temp);
    } else if (!sync_path(path_dir(&scratch, target), O_DIRECTORY)) {
        ok = err_errno(e, "the folder of '%s' cannot be synced", path);
    }
    file_forget(temp);
    arena_free(&scratch);
    return ok;
}

bool file_commit(const char *temp, const char *path, err *e)
{
    if (sync_path(temp, 0))
        return put_in_place(temp, path, e);
    file_unwritten(path, e);
    file_discard(temp);
    return false;
}

// ---- From front to back

struct file_out {
    int fd, why;       // why: errno of the first failure
    char *path, *temp; // temp is NULL: written into as it is
    uint64_t size;
    uint32_t crc;
    size_t used;
    char buffer[BUFFER];
};

static void out_free(file_out *f)
{
    if (f->temp)
        file_forget(f->temp);
    free(f->path);
    free(f->temp);
    free(f);
}

file_out *file_create(const char *path, err *e)
{
    arena scratch = {0};
    file_out *f = base_checked(calloc(1, sizeof *f), sizeof *f);
    bool special = file_special(path);
    const char *temp = special ? NULL : file_temp(&scratch, path);
    f->path = base_checked(strdup(path), strlen(path));
    f->temp = temp ? base_checked(strdup(temp), strlen(temp)) : NULL;
    arena_free(&scratch);
    int there = file_descriptor(path); // opened anew it would begin at the front
    f->fd = there >= 0 ? dup(there)
            : special  ? open(path, O_WRONLY | O_CLOEXEC)
                       : file_begin(f->temp);
    if (f->fd >= 0)
        return f;
    file_unwritten(path, e);
    out_free(f);
    return NULL;
}

static void flush(file_out *f)
{
    for (size_t done = 0; !f->why && done < f->used;) {
        ssize_t k = write(f->fd, f->buffer + done, f->used - done);
        if (k < 0 && errno != EINTR)
            f->why = errno ? errno : EIO;
        done += k > 0 ? (size_t)k : 0;
    }
    f->crc = crc32c_more(f->crc, f->buffer, f->used);
    f->size += f->used;
    f->used = 0;
}

void file_put(file_out *f, const void *bytes, size_t n)
{
    for (const char *p = bytes; n > 0 && !f->why;) {
        size_t k = sizeof f->buffer - f->used < n ? sizeof f->buffer - f->used : n;
        memcpy(f->buffer + f->used, p, k);
        f->used += k, p += k, n -= k;
        if (f->used == sizeof f->buffer)
            flush(f);
    }
}

// Whether what lies there is what was put.
static bool reads_back(file_out *f)
{
    uint64_t at = 0;
    uint32_t crc = 0;
    for (ssize_t k = 1; k > 0;) {
        k = pread(f->fd, f->buffer, sizeof f->buffer, (off_t)at);
        if (k < 0 && errno == EINTR)
            k = 1;
        else if (k > 0)
            crc = crc32c_more(crc, f->buffer, (size_t)k), at += (uint64_t)k;
        else if (k < 0)
            return false;
    }
    errno = EIO;
    return at == f->size && crc == f->crc;
}

bool file_finish(file_out *f, err *e)
{
    flush(f);
    if (!f->why && f->temp && (sync_to_disk(f->fd) != 0 || !reads_back(f)))
        f->why = errno;
    if (close(f->fd) != 0 && !f->why)
        f->why = errno;
    bool ok = !f->why;
    errno = f->why;
    if (!ok)
        file_unwritten(f->path, e);
    if (f->temp && ok)
        ok = put_in_place(f->temp, f->path, e);
    else if (f->temp)
        unlink(f->temp);
    out_free(f);
    return ok;
}

void file_abandon(file_out *f)
{
    if (!f)
        return;
    close(f->fd);
    if (f->temp)
        unlink(f->temp);
    out_free(f);
}

bool file_write(const char *path, const void *bytes, size_t n, err *e)
{
    file_out *f = file_create(path, e);
    if (f)
        file_put(f, bytes, n);
    return f && file_finish(f, e);
}
