// SPDX-License-Identifier: GPL-3.0-or-later
// folder.c: making, locking and writing a run's folder.
#include "train/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "train/lock.h"

// What a run writes, with checkpoints/*.h5: all that `overwrite` may remove.
static const char *const own[] = {
    "config.yaml", "environment.json", "log.txt",     "metrics.jsonl", "events.out.tfevents.*",
    "report.html", "curve.svg",        "profile.txt", "profile.jsonl", "trace.json",
    "DONE",        "STOPPED",          "ENDED",       "FAILED",        "SAVE"};
// Bytes of an environment.json; of a line of metrics for which there is room before the first.
enum { RECORD_MOST = 1 << 20, LINE = 1 << 14 };
static const char *const marks[] = {"DONE", "STOPPED", "ENDED", "FAILED"};

char *folder_name(const char *name, arena *a)
{
    time_t now = time(NULL);
    struct tm t;
    char stamp[32];
    localtime_r(&now, &t);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &t);
    char *path = arena_printf(a, "runs/%s-%s", name, stamp);
    for (int i = 2; file_exists(path); i++)
        path = arena_printf(a, "runs/%s-%s-%d", name, stamp, i);
    return path;
}

const char *folder_file(const folder *f, const char *name, arena *a)
{
    return arena_printf(a, "%s/%s", f->path, name);
}

void folder_note(folder *f, const char *line)
{
    char text[2200], stamp[32];
    time_t now = time(NULL);
    struct tm t;
    localtime_r(&now, &t);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &t);
    int n = snprintf(text, sizeof text, "%s %s\n", stamp, line);
    if (n >= (int)sizeof text)
        n = sizeof text - 1;
    // A log that cannot be written stops nothing: what matters is reported where it is written.
    if (f->log >= 0 && write(f->log, text, (size_t)n) < 0)
        f->log = -1;
}

static void log_line(void *user, log_level level, const char *line)
{
    folder *f = user;
    folder_note(f, line);
    if (f->inner && level >= f->inner->least)
        f->inner->write(f->inner->user, level, line);
}

// What stands under the name may not be ours: a pipe is not waited for.
static int open_append(const char *path, err *e)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    if (fd < 0)
        (void)err_errno(e, "cannot write '%s'", path);
    else
        (void)err_set(e, ERR_IO, "'%s' is not a file; remove it", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool open_files(folder *f, arena *a, err *e)
{
    f->metrics = open_append(folder_file(f, "metrics.jsonl", a), e);
    f->log = open_append(folder_file(f, "log.txt", a), e);
    if (f->metrics < 0 || f->log < 0)
        return false;
    f->metrics_bytes = lseek(f->metrics, 0, SEEK_END);
    return true;
}

static folder *folder_at(const char *path, const log_sink *inner, arena *a)
{
    folder *f = NEW(a, folder, 1);
    f->path = arena_strdup(a, path);
    f->metrics = f->log = f->lock = -1;
    f->inner = inner;
    f->sink = (log_sink){.least = LOG_INFO, .write = log_line, .user = f};
    strbuf_printf(&f->line, "%*s", LINE, "");
    return f;
}

static void remove_matching(const char *dir, const char *pattern, arena *a)
{
    size_t n;
    char **list = file_list(a, dir, pattern, &n);
    for (size_t i = 0; i < n; i++)
        unlink(list[i]);
}

static void remove_own(const folder *f, arena *a)
{
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        remove_matching(f->path, own[i], a);
    remove_matching(folder_file(f, "checkpoints", a), "*.h5", a);
    file_sweep(f->path);
    file_sweep(folder_file(f, "checkpoints", a));
}

// ---- What a folder holds

static bool is_own(const char *name)
{
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (fnmatch(own[i], name, 0) == 0)
            return true;
    return !strcmp(name, ".lock");
}

static bool has_checkpoints(const char *path, arena *a)
{
    size_t n;
    return file_list(a, arena_printf(a, "%s/checkpoints", path), "*.h5", &n) && n > 0;
}

// Names alone prove little (a config.yaml is in many a folder): kmidi's own record does, or its
// lock beside its folder of checkpoints.
static bool is_run(const char *path, arena *a)
{
    size_t n;
    bool locked = lock_look(path, NULL) != LOCK_NONE;
    if (locked && file_is_folder(arena_printf(a, "%s/checkpoints", path)))
        return true;
    char *text = file_read(a, arena_printf(a, "%s/environment.json", path), RECORD_MOST, &n, NULL);
    json *j = text ? json_parse(text, n, NULL) : NULL;
    bool own_record = json_str(json_get(j, "kmidi"), NULL) && json_get(j, "machine");
    json_free(j);
    return own_record;
}

// Why a run failed before it began, or what is in a lock, is no loss.
static bool is_word(const char *dir, const char *name)
{
    return (!strcmp(name, ".lock") || !strcmp(name, "FAILED")) && lock_look(dir, NULL) != LOCK_NONE;
}

// Nothing that could be lost: empty files of a run's names, and an empty folder of checkpoints.
static bool is_hollow(const char *path, bool *empty, arena *a)
{
    DIR *d = opendir(path);
    bool hollow = d != NULL;
    *empty = true;
    for (const struct dirent *f; hollow && (f = readdir(d));) {
        struct stat st;
        const char *name = f->d_name, *full = path_join(a, path, name);
        bool none;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        *empty = false;
        if (!strcmp(name, "checkpoints"))
            hollow =
                lstat(full, &st) == 0 && S_ISDIR(st.st_mode) && is_hollow(full, &none, a) && none;
        else
            hollow = is_own(name) && lstat(full, &st) == 0 && S_ISREG(st.st_mode) &&
                     (st.st_size == 0 || is_word(path, name));
    }
    if (d)
        closedir(d);
    return hollow;
}

folder_state folder_look(const char *path)
{
    arena a = {.name = "folder"};
    bool empty = true;
    folder_state is = FOLDER_FREE;
    if (file_is_folder(path) && (!is_hollow(path, &empty, &a) || !empty))
        is = !is_hollow(path, &empty, &a) && !is_run(path, &a) ? FOLDER_FOREIGN
             : has_checkpoints(path, &a)                       ? FOLDER_SAVED
                                                               : FOLDER_BEGUN;
    arena_free(&a);
    return is;
}

// One that cannot be read looks as if it were somebody's.
static bool refuse_foreign(const char *path, err *e)
{
    DIR *d = opendir(path);
    if (!d || closedir(d))
        return err_errno(e, "'%s' cannot be read", path);
    return err_set(e, ERR_USAGE,
                   "'%s' holds files that are no run's; name an empty or a new folder", path);
}

static bool allowed(const char *path, const char *quoted, folder_how how, err *e)
{
    switch (folder_look(path)) {
    case FOLDER_FREE:
        return true;
    case FOLDER_FOREIGN:
        return refuse_foreign(path, e);
    case FOLDER_BEGUN:
        return how != FOLDER_NEW || err_set(e, ERR_USAGE,
                                            "'%s' already holds a run, which ended before its "
                                            "first checkpoint; begin it anew by --resume auto "
                                            "or --overwrite, or name another folder",
                                            path);
    case FOLDER_SAVED:
        break;
    }
    if (how == FOLDER_RESTART)
        return lock_lost(path, e);
    return how == FOLDER_OVERWRITE ||
           err_set(e, ERR_USAGE,
                   "'%s' already holds a run; go on with it by --resume %s, replace it by "
                   "--overwrite, or name another folder (--resume auto "
                   "goes on where there is a run, and begins where there is none)",
                   path, quoted);
}

bool folder_allows(const char *path, folder_how how, err *e)
{
    arena a = {.name = "folder"};
    const char *quoted = str_quoted(&a, path);
    bool ok = allowed(path, quoted, how, e);
    arena_free(&a);
    return ok;
}

// Where a run is begun that somebody may have begun just before, the lock is asked first: it names
// who that is.
static bool lock_first(folder *f, folder_how how, err *e)
{
    folder_state is = how == FOLDER_RESTART ? folder_look(f->path) : FOLDER_FREE;
    return (is != FOLDER_BEGUN && is != FOLDER_SAVED) ||
           (f->lock = lock_take(f->path, f->inner, e)) >= 0;
}

// Asked again under the lock: somebody else may have been there since.
folder *folder_create(const char *path, folder_how how, const log_sink *inner, arena *a, err *e)
{
    folder *f = folder_at(path, inner, a);
    if (!lock_first(f, how, e) || !folder_allows(path, how, e) ||
        !file_make_dirs(folder_file(f, "checkpoints", a), e) ||
        (f->lock < 0 && (f->lock = lock_take(path, inner, e)) < 0) ||
        (how == FOLDER_RESTART && !folder_allows(path, how, e))) {
        folder_close(f);
        return NULL;
    }
    if (how != FOLDER_NEW)
        remove_own(f, a);
    if (open_files(f, a, e))
        return f;
    folder_close(f);
    return NULL;
}

folder *folder_reopen(const char *path, const log_sink *inner, arena *a, err *e)
{
    folder *f = folder_at(path, inner, a);
    if ((f->lock = lock_take(path, inner, e)) >= 0 && open_files(f, a, e)) {
        file_sweep(f->path);
        file_sweep(folder_file(f, "checkpoints", a));
        return f;
    }
    folder_close(f);
    return NULL;
}

bool folder_cut(folder *f, int64_t metrics_bytes, err *e)
{
    if (f->metrics_bytes < metrics_bytes)
        log_say(&f->sink, LOG_WARN,
                "%s/metrics.jsonl is shorter than its checkpoint knew it; lines are missing",
                f->path);
    else if (ftruncate(f->metrics, metrics_bytes))
        return err_errno(e, "cannot shorten '%s/metrics.jsonl'", f->path);
    f->metrics_bytes = lseek(f->metrics, 0, SEEK_END);
    return true;
}

char *folder_last_metric(const folder *f, arena *a)
{
    size_t room = LINE, n = (uint64_t)f->metrics_bytes < room ? (size_t)f->metrics_bytes : room;
    char *tail = arena_alloc(a, room + 1, 1), *end;
    int fd = open(folder_file(f, "metrics.jsonl", a), O_RDONLY | O_CLOEXEC);
    int64_t got = fd < 0 ? -1 : file_read_at(fd, tail, n, f->metrics_bytes - (int64_t)n);
    if (fd >= 0)
        close(fd);
    if (got != (int64_t)n || n < 2 || tail[n - 1] != '\n')
        return NULL;
    tail[n - 1] = 0;
    end = strrchr(tail, '\n');
    return end ? end + 1 : n < room ? tail : NULL;
}

void folder_close(folder *f)
{
    if (!f)
        return;
    if (f->metrics >= 0)
        close(f->metrics);
    if (f->log >= 0)
        close(f->log);
    lock_release(f->lock);
    strbuf_free(&f->line);
    f->metrics = f->log = f->lock = -1;
}

bool folder_write(const folder *f, const char *name, const char *text, size_t n, err *e)
{
    arena a = {.name = "folder"};
    bool ok = file_write(folder_file(f, name, &a), text, n, e);
    arena_free(&a);
    return ok;
}

bool folder_metric(folder *f, const char *line, size_t n, err *e)
{
    bool here = line == f->line.s;
    f->line.len = here ? n : 0;
    if (!here)
        strbuf_add(&f->line, line, n);
    strbuf_add(&f->line, "\n", 1);
    ssize_t done = write(f->metrics, f->line.s, n + 1);
    if (done == (ssize_t)n + 1) {
        f->metrics_bytes += done;
        return true;
    }
    if (done >= 0)
        errno = ENOSPC;
    (void)err_errno(e, "cannot write '%s/metrics.jsonl'", f->path);
    if (done > 0 && ftruncate(f->metrics, f->metrics_bytes)) // no half line
        return err_trail(e, "its last line is cut");
    return false;
}

bool folder_sync(folder *f, err *e)
{
    return fsync(f->metrics) == 0 || err_errno(e, "cannot write '%s/metrics.jsonl'", f->path);
}

bool folder_take_save(const folder *f)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/SAVE", f->path);
    return access(path, F_OK) == 0 && unlink(path) == 0;
}

void folder_mark(const folder *f, const char *state, const char *reason)
{
    arena a = {.name = "folder"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        unlink(folder_file(f, marks[i], &a));
    // Nobody depends on the mark: a disk that is full now has been reported already.
    if (state && !file_write(folder_file(f, state, &a), reason, strlen(reason), NULL))
        log_say(&f->sink, LOG_WARN, "cannot write '%s/%s'", f->path, state);
    arena_free(&a);
}

static bool mark_free(const char *path, const char *state, const char *reason, err *e)
{
    arena a = {.name = "folder"};
    folder *f = folder_at(path, NULL, &a);
    bool ok = file_make_dirs(path, e) && (f->lock = lock_take(path, NULL, e)) >= 0;
    if (ok)
        folder_mark(f, state, reason);
    folder_close(f);
    arena_free(&a);
    return ok;
}

bool folder_fail(const char *path, const char *reason, err *e)
{
    return mark_free(path, "FAILED", reason, e);
}

bool folder_end(const char *path, const char *reason, err *e)
{
    return mark_free(path, "ENDED", reason, e);
}
