// SPDX-License-Identifier: GPL-3.0-or-later
// file.c: reading files whole, and folders (file.h). Writing is in file_write.c.
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static const char *kind_name(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

// Without waiting for a pipe's other end, and without making a terminal ours. A socket cannot be
// opened at all.
static int open_any(const char *path, struct stat *st, err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENXIO && stat(path, st) == 0 && S_ISSOCK(st->st_mode)) {
        (void)err_set(e, ERR_IO, "'%s' is a socket, a file is needed here", path);
    } else if (fd < 0 || fstat(fd, st) != 0) {
        (void)err_errno(e, "'%s' cannot be opened", path);
    } else if (S_ISDIR(st->st_mode) || S_ISBLK(st->st_mode)) {
        (void)err_set(e, ERR_IO, "'%s' is %s, a file is needed here", path, kind_name(st->st_mode));
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

int file_open(const char *path, uint64_t *size, err *e)
{
    struct stat st;
    int fd = open_any(path, &st, e);
    if (fd >= 0 && !S_ISREG(st.st_mode)) {
        (void)err_set(e, ERR_IO, "'%s' is %s, a file is needed here", path, kind_name(st.st_mode));
        close(fd);
        return -1;
    }
    *size = fd >= 0 ? (uint64_t)st.st_size : 0;
    return fd;
}

int64_t file_read_at(int fd, void *out, size_t n, int64_t at)
{
    size_t done = 0;
    while (done < n) {
        ssize_t k = pread(fd, (char *)out + done, n - done, (off_t)at + (off_t)done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        if (k == 0)
            break;
        done += (size_t)k;
    }
    return (int64_t)done;
}

// Like read(); of a pipe, what comes in time.
static ssize_t read_some(int fd, char *p, size_t n)
{
    for (;;) {
        ssize_t k = read(fd, p, n);
        if (k >= 0 || (errno != EINTR && errno != EAGAIN))
            return k;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (errno == EAGAIN && poll(&wait, 1, FILE_PATIENCE * 1000) == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

// Reads until the end or past the limit; what fstat said is only a hint, as the file may be a pipe
// or growing.
static char *read_all(arena *a, int fd, size_t hint, size_t limit, size_t *n)
{
    size_t cap = hint + 1;
    char *s = arena_alloc(a, cap + 1, 1);
    *n = 0;
    for (;;) {
        ssize_t k = read_some(fd, s + *n, cap - *n);
        if (k < 0)
            return NULL;
        *n += (size_t)k;
        if (k == 0 || *n > limit)
            break;
        if (*n == cap) {
            char *more = arena_alloc(a, 2 * cap + 1, 1);
            memcpy(more, s, *n);
            s = more, cap *= 2;
        }
    }
    s[*n] = 0;
    return s;
}

// A pipe that nobody has opened for writing looks as if it had ended; somebody may be about to.
static bool comes_late(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 1000) == 0;
}

char *file_read(arena *a, const char *path, size_t limit, size_t *n, err *e)
{
    struct stat st;
    int fd = open_any(path, &st, e);
    char *s = NULL;
    char shown[32];
    *n = 0;
    if (fd < 0)
        return NULL;
    bool late = S_ISFIFO(st.st_mode) && comes_late(fd);
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > limit)
        *n = limit + 1;
    else if (!(s = read_all(a, fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 4096, limit, n)))
        (void)err_errno(e, "'%s' cannot be read", path);
    if (late && s && *n == 0) {
        (void)err_set(e, ERR_IO, "'%s' is a pipe that nobody writes into", path);
        s = NULL;
    }
    if (*n > limit) {
        (void)err_set(e, ERR_VALUE, "'%s' is larger than %s, the most that is read here", path,
                      str_human_bytes(limit, shown));
        s = NULL;
    }
    close(fd);
    return s;
}

bool file_make_dirs(const char *path, err *e)
{
    arena scratch = {0};
    char *s = arena_strdup(&scratch, path);
    bool ok = true;
    for (char *p = s; ok && *p; p++) {
        if (p[1] != '/' && p[1] != 0)
            continue;
        char end = p[1];
        p[1] = 0;
        struct stat st;
        if (mkdir(s, 0777) != 0 && (errno != EEXIST || stat(s, &st) != 0 || !S_ISDIR(st.st_mode)))
            ok = (errno = errno == EEXIST ? ENOTDIR : errno,
                  err_errno(e, "folder '%s' cannot be made", s));
        p[1] = end;
    }
    arena_free(&scratch);
    return ok;
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The part of a pattern that names what is there, as long as it can be, each character of it for
// itself; then the pattern.
static const char *literal_first(arena *a, const char *pattern)
{
    char *out = NEW(a, char, 2 * strlen(pattern) + 1), *p = out;
    size_t named = strlen(pattern);
    char *head = arena_strdup(a, pattern);
    while (named > 0 && !file_exists(head)) {
        while (named > 0 && head[--named] != '/')
            ;
        head[named] = 0;
    }
    for (size_t i = 0; i < named; i++) {
        if (strchr("*?[]\\", pattern[i]))
            *p++ = '\\';
        *p++ = pattern[i];
    }
    strcpy(p, pattern + named);
    return out;
}

char **file_glob(arena *a, const char *pattern, size_t *n, err *e)
{
    glob_t g = {0};
    int status = glob(literal_first(a, pattern), GLOB_NOSORT, NULL, &g);
    char **paths = NULL;
    *n = 0;
    if (status == GLOB_NOSPACE) {
        err_set(e, ERR_MEMORY, "'%s' matches more files than memory holds", pattern);
    } else if (status != 0 || g.gl_pathc == 0) {
        err_set(e, ERR_MISSING,
                "'%s' matches no file; check the path, and quote the pattern in the shell",
                pattern);
    } else {
        *n = g.gl_pathc;
        paths = NEW(a, char *, *n);
        for (size_t i = 0; i < *n; i++)
            paths[i] = arena_strdup(a, g.gl_pathv[i]);
        qsort(paths, *n, sizeof *paths, by_name); // by bytes, whatever the locale
    }
    globfree(&g);
    return paths;
}

char **file_list(arena *a, const char *dir, const char *pattern, size_t *n)
{
    DIR *d = opendir(dir);
    size_t cap = 0;
    char **paths = NULL;
    *n = 0;
    for (const struct dirent *f; d && (f = readdir(d));) {
        if (fnmatch(pattern, f->d_name, FNM_PERIOD) != 0)
            continue;
        if (*n == cap) {
            char **grown = NEW(a, char *, cap ? 2 * cap : 16);
            if (cap)
                memcpy(grown, paths, cap * sizeof *paths);
            paths = grown, cap = cap ? 2 * cap : 16;
        }
        paths[(*n)++] = path_join(a, dir, f->d_name);
    }
    if (d)
        closedir(d);
    if (*n)
        qsort(paths, *n, sizeof *paths, by_name);
    return paths;
}
