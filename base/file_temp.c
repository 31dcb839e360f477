// SPDX-License-Identifier: GPL-3.0-or-later
// file_temp.c: the names of files under way: where they lie, who removes them, and whether they may
// be made.
//
// A temporary name carries host and process, so that file_sweep can tell a dead writer's leavings
// from the file that another process, perhaps on another machine that shares the folder, is writing
// at this moment.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/file_internal.h"
#include "base/str.h"

enum { HOST_MOST = 24, FOREIGN_AGE = 24 * 3600, LINKS_MOST = 40, UNDER_WAY = 64 };
static const char TEMP_MARK[] = ".tmp-";

// ---- Names

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

// What `path` leads to: links are followed, also one whose target is not there yet. NULL and ELOOP
// when they go in a circle.
const char *file_follow(arena *a, const char *path)
{
    char to[PATH_MAX];
    for (int i = 0; i < LINKS_MOST; i++) {
        ssize_t n = readlink(path, to, sizeof to - 1);
        if (n < 0)
            return path;
        to[n] = 0;
        path = path_join(a, path_dir(a, path), to);
    }
    errno = ELOOP;
    return NULL;
}

int file_descriptor(const char *path)
{
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"},
                             *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    for (int fd = 0; fd < 3; fd++)
        if (!strcmp(path, names[fd]))
            return fd;
    for (int i = 0; i < 2; i++)
        if (str_starts(path, folders[i]) && isdigit((unsigned char)path[strlen(folders[i])]))
            return atoi(path + strlen(folders[i]));
    return -1;
}

bool file_special(const char *path)
{
    struct stat st;
    return file_descriptor(path) >= 0 ||
           (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

// The names under way, for file_discard_all: whoever leaves in the midst of things (memory has run
// out) knows none of them.
static struct {
    _Atomic(char *) name[UNDER_WAY];
    pthread_mutex_t lock;
    atomic_bool leaving; // from then on nothing is freed that file_discard_all may look at
} under_way = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void remember(const char *temp)
{
    char *copy = strdup(temp);
    pthread_mutex_lock(&under_way.lock);
    for (int i = 0; copy && i < UNDER_WAY; i++)
        if (!under_way.name[i]) {
            under_way.name[i] = copy;
            copy = NULL;
        }
    pthread_mutex_unlock(&under_way.lock);
    free(copy); // no place is left: file_sweep will find it
}

void file_forget(const char *temp)
{
    char *found = NULL;
    pthread_mutex_lock(&under_way.lock);
    for (int i = 0; !found && i < UNDER_WAY; i++) {
        found =
            under_way.name[i] && strcmp(under_way.name[i], temp) == 0 ? under_way.name[i] : NULL;
        if (found)
            under_way.name[i] = NULL;
    }
    pthread_mutex_unlock(&under_way.lock);
    if (!under_way.leaving)
        free(found);
}

void file_discard_all(void)
{
    under_way.leaving = true;
    for (int i = 0; i < UNDER_WAY; i++) {
        const char *temp = under_way.name[i];
        if (temp)
            unlink(temp);
    }
}

// A name that leaves no room for the mark is cut, and made its own again by its checksum.
char *file_temp(arena *a, const char *path)
{
    char host[HOST_MOST + 1], mark[HOST_MOST + 64];
    const char *target = file_follow(a, path), *base = path_base(target ? target : path);
    host_name(host);
    int n = snprintf(mark, sizeof mark, "%s%s-%ld", TEMP_MARK, host, (long)getpid());
    int room = NAME_MAX - n - 9;
    if (strlen(base) + (size_t)n > NAME_MAX) {
        room = (int)str_head(base, (size_t)room);
        base = arena_printf(a, "%.*s~%08x", room, base, crc32c(base, strlen(base)));
    }
    char *temp =
        path_join(a, path_dir(a, target ? target : path), arena_printf(a, "%s%s", base, mark));
    remember(temp);
    return temp;
}

int file_begin(const char *temp)
{
    unlink(temp);
    return open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

void file_discard(const char *temp)
{
    unlink(temp);
    file_forget(temp);
}

// ---- What the dead left

// A process that was killed keeps its number until its parent asks for it: a container's first
// process may take its time.
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

// NAME.tmp-HOST-PID of a process that is gone. Another host's processes cannot be asked: theirs go
// after a day.
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

// Of all names, or of those that begin as a temporary name of `base` does.
static void sweep(const char *dir, const char *base)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    arena scratch = {0};
    size_t n = base ? strlen(base) : 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        const char *path = path_join(&scratch, dir, entry->d_name);
        bool ours = !base || (strncmp(entry->d_name, base, n) == 0 &&
                              str_starts(entry->d_name + n, TEMP_MARK));
        if (ours && is_stale(path, entry->d_name))
            unlink(path);
    }
    closedir(d);
    arena_free(&scratch);
}

void file_sweep(const char *dir)
{
    sweep(dir, NULL);
}

// ---- Before the work

static bool target_ready(arena *a, const char *path, const char *target, err *e)
{
    struct stat st;
    const char *dir = path_dir(a, target);
    if (str_ends(target, "/") || (stat(target, &st) == 0 && S_ISDIR(st.st_mode)))
        return err_set(e, ERR_USAGE, "'%s' is a folder; name a file to write", path);
    if (strlen(path_base(target)) > NAME_MAX)
        errno = ENAMETOOLONG;
    else if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && access(dir, W_OK | X_OK) == 0)
        return sweep(dir, path_base(target)), true;
    else if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
        errno = ENOTDIR;
    return file_unwritten(path, e);
}

bool file_ready(const char *path, bool seek, err *e)
{
    arena a = {.name = "output"};
    bool special = file_special(path);
    const char *target = special ? path : file_follow(&a, path);
    bool ok = true;
    if (!*path)
        ok = err_set(e, ERR_USAGE, "the name of the file to write is empty; name one");
    else if (special && seek)
        ok = err_set(e, ERR_USAGE,
                     "'%s' is no regular file, which this kind of file needs; name one", path);
    else if (!target)
        ok = file_unwritten(path, e);
    else if (!special)
        ok = target_ready(&a, path, target, e);
    arena_free(&a);
    return ok;
}
