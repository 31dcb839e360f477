// SPDX-License-Identifier: GPL-3.0-or-later
// file.c: write beside, sync, rename, sync the folder.
//
// A temporary name carries host and process, so that file_sweep can tell a dead writer's leavings from the file that another
// process, perhaps on another machine that shares the folder, is writing at this moment.
#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

enum { HOST_MOST = 24, FOREIGN_AGE = 24 * 3600 };
static const char TEMP_MARK[] = ".tmp-";

// Letters and digits of the host's name.
static void host_name(char out[HOST_MOST + 1])
{
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    int n = 0;
    for (const char *p = name; *p && n < HOST_MOST; p++)
        if (isalnum((unsigned char)*p))
            out[n++] = *p;
    out[n] = 0;
}

char *file_temp(arena *a, const char *path)
{
    char host[HOST_MOST + 1];
    host_name(host);
    return arena_printf(a, "%s%s%s-%ld", path, TEMP_MARK, host, (long)getpid());
}

// To the medium itself: on macOS fsync stops at the drive's cache.
static int sync_to_disk(int fd)
{
#ifdef F_FULLFSYNC
    if (fcntl(fd, F_FULLFSYNC) == 0)
        return 0;
#endif
    return fsync(fd);
}

static bool sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return false;
    // Some file systems cannot sync a folder and say EINVAL; there is nothing better to do there.
    bool ok = sync_to_disk(fd) == 0 || (flags && (errno == EINVAL || errno == ENOTSUP));
    int number = errno;
    close(fd);
    errno = number;
    return ok;
}

bool file_commit(const char *temp, const char *path, err *e)
{
    arena scratch = {0};
    bool ok = true;
    if (!sync_path(temp, 0)) {
        ok = err_errno(e, "'%s' cannot be written to disk; nothing was saved under that name", path);
        unlink(temp);
    } else if (rename(temp, path) != 0) {
        ok = err_errno(e, "'%s' cannot be put in place", path);
        unlink(temp);
    } else if (!sync_path(path_dir(&scratch, path), O_DIRECTORY)) {
        ok = err_errno(e, "the folder of '%s' cannot be synced", path);
    }
    arena_free(&scratch);
    return ok;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno != EINTR)
            return false;
        if (k > 0)
            p += k, n -= (size_t)k;
    }
    return true;
}

bool file_write(const char *path, const void *bytes, size_t n, err *e)
{
    arena scratch = {0};
    const char *temp = file_temp(&scratch, path);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && write_all(fd, bytes, n);
    int number = errno;
    if (fd >= 0 && close(fd) != 0 && ok)
        ok = false, number = errno;
    errno = number;
    if (ok) {
        ok = file_commit(temp, path, e);
    } else {
        ok = err_errno(e, "'%s' cannot be written", path);
        unlink(temp);
    }
    arena_free(&scratch);
    return ok;
}

// A process that was killed keeps its number until its parent asks for it: a container's first process may take its time.
static bool is_dead(pid_t pid)
{
    if (kill(pid, 0) != 0)
        return errno == ESRCH;
#ifdef __linux__
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(line, 1, sizeof line - 1, f) : 0;
    if (f)
        fclose(f);
    const char *state = n ? strrchr(line, ')') : NULL; // "PID (name) S ..."
    return state && strlen(state) > 2 && (state[2] == 'Z' || state[2] == 'X');
#else
    return false;
#endif
}

// NAME.tmp-HOST-PID of a process that is gone. Another host's processes cannot be asked: theirs go after a day.
static bool is_stale(const char *path, const char *name)
{
    const char *mark = NULL;
    for (const char *p = strstr(name, TEMP_MARK); p; p = strstr(p + 1, TEMP_MARK))
        mark = p + strlen(TEMP_MARK);
    const char *dash = mark ? strchr(mark, '-') : NULL;
    if (!dash || !isdigit((unsigned char)dash[1]))
        return false;
    char *end, host[HOST_MOST + 1];
    long pid = strtol(dash + 1, &end, 10);
    if (*end || pid <= 0)
        return false;
    host_name(host);
    if (strlen(host) == (size_t)(dash - mark) && memcmp(host, mark, strlen(host)) == 0)
        return is_dead((pid_t)pid);
    struct stat st;
    return stat(path, &st) == 0 && time(NULL) - st.st_mtime > FOREIGN_AGE;
}

void file_sweep(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    arena scratch = {0};
    for (struct dirent *entry; (entry = readdir(d));) {
        const char *path = path_join(&scratch, dir, entry->d_name);
        if (is_stale(path, entry->d_name))
            unlink(path);
    }
    closedir(d);
    arena_free(&scratch);
}

static const char *kind_name(mode_t mode)
{
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

// Without waiting for a pipe's other end, and without making a terminal ours. A socket cannot be opened at all.
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

// Reads until the end or past the limit; what fstat said is only a hint, as the file may be a pipe or growing.
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
        (void)err_set(e, ERR_VALUE, "'%s' is larger than %s, the most that is read here", path, str_human_bytes(limit, shown));
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
            ok = (errno = errno == EEXIST ? ENOTDIR : errno, err_errno(e, "folder '%s' cannot be made", s));
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

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **file_glob(arena *a, const char *pattern, size_t *n, err *e)
{
    glob_t g = {0};
    int status = glob(pattern, GLOB_NOSORT, NULL, &g);
    char **paths = NULL;
    *n = 0;
    if (status == GLOB_NOSPACE) {
        err_set(e, ERR_MEMORY, "'%s' matches more files than memory holds", pattern);
    } else if (status != 0 || g.gl_pathc == 0) {
        err_set(e, ERR_MISSING, "'%s' matches no file; check the path, and quote the pattern in the shell", pattern);
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
