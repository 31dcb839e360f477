// SPDX-License-Identifier: GPL-3.0-or-later
// lock.c: a lock on a folder by flock, by fcntl for those who only ask, and in words.
#include "train/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/slurm.h"
#include "base/str.h"

enum { WORDS = 1024 }; // bytes of the file at most

// Record locks of an open file, which another descriptor of this process may look at; where a
// system has none of these (macOS), a look takes the lock itself for an instant, which is waited
// for.
#ifdef F_OFD_SETLK
enum { LOOKS_TAKE = false };
#else
enum { LOOKS_TAKE = true, F_OFD_SETLK = F_SETLK, F_OFD_GETLK = F_GETLK };
#endif

// ---- In words

static void copy(char *out, size_t size, const json *j, const char *key)
{
    snprintf(out, size, "%s", json_str(json_get(j, key), ""));
}

// False for what no run wrote; a file without words is of an older version, or its owner is about
// to write them.
static bool read_words(int fd, lock_owner *o)
{
    char text[WORDS + 1];
    struct stat st;
    *o = (lock_owner){0};
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > WORDS)
        return false;
    ssize_t n = pread(fd, text, WORDS, 0);
    if (n <= 0)
        return n == 0;
    json *j = json_parse(text, (size_t)n, NULL);
    bool ok = json_int(json_get(j, "pid"), -1) >= 0;
    if (ok) {
        copy(o->host, sizeof o->host, j, "host");
        copy(o->job, sizeof o->job, j, "job");
        copy(o->taken, sizeof o->taken, j, "taken");
        o->pid = json_int(json_get(j, "pid"), 0);
        o->restarts = json_int(json_get(j, "restarts"), 0);
    }
    json_free(j);
    return ok;
}

static void host_name(char out[68])
{
    if (gethostname(out, 65))
        out[0] = 0;
    out[64] = 0;
}

// Words that cannot be written (a full disk) leave a lock without words.
static void write_words(int fd, int64_t restarts)
{
    lock_owner o = {.pid = getpid(), .restarts = restarts};
    time_t now = time(NULL);
    struct tm t;
    strbuf text = {0};
    json *j = json_object();
    host_name(o.host), slurm_job(o.job);
    gmtime_r(&now, &t);
    strftime(o.taken, sizeof o.taken, "%Y-%m-%dT%H:%M:%SZ", &t);
    json_set_str(j, "host", o.host);
    json_set_int(j, "pid", o.pid);
    if (*o.job)
        json_set_str(j, "job", o.job);
    json_set_int(j, "restarts", o.restarts);
    json_set_str(j, "taken", o.taken);
    json_dump(j, 0, &text);
    strbuf_add(&text, "\n", 1);
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text.s, text.len, 0) != (ssize_t)text.len &&
        ftruncate(fd, 0))
        errno = 0; // half of it is read as none of ours; then there is nothing more to do
    strbuf_free(&text);
    json_free(j);
}

const char *lock_describe(const lock_owner *o, char out[256])
{
    char job[84] = "";
    out[0] = 0;
    if (*o->job)
        snprintf(job, sizeof job, " of job %s", o->job);
    if (o->pid)
        snprintf(out, 256, "process %lld%s%s%s", (long long)o->pid, job, *o->host ? " on " : "",
                 o->host);
    return out;
}

// ---- The lock

static const char *lock_path(const char *dir, char out[4200])
{
    snprintf(out, 4200, "%s/.lock", dir);
    return out;
}

// A job of a scheduler is to come again later: a job that was queued again while its old process
// lives on, on a node that was lost, finds the folder so.
static bool in_use(int fd, const char *dir, err *e)
{
    lock_owner o;
    char who[256] = "", job[SLURM_NAME];
    if (read_words(fd, &o))
        lock_describe(&o, who);
    slurm_job(job);
    return err_set(e, *job ? ERR_STOPPED : ERR_IO,
                   "'%s' is in use by another kmidi%s%s%s; wait for it, or name another folder",
                   dir, *who ? " (" : "", who, *who ? ")" : "");
}

bool lock_lost(const char *dir, err *e)
{
    char job[SLURM_NAME];
    slurm_job(job);
    return err_set(e, *job ? ERR_STOPPED : ERR_IO,
                   "another kmidi has trained in '%s' meanwhile; give the command again to go on "
                   "from there",
                   dir);
}

static bool hold(int fd, const char *dir, const log_sink *log, err *e)
{
    int status, looks = LOOKS_TAKE ? 20 : 0;
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while ((status = flock(fd, LOCK_EX | LOCK_NB)) != 0 &&
           (errno == EINTR || (errno == EWOULDBLOCK && looks-- > 0 && usleep(5000) == 0)))
        ;
    if (status != 0 && errno == EWOULDBLOCK)
        return in_use(fd, dir, e);
    if (status != 0) // a file system without locks is used without them
        log_say(log, LOG_WARN,
                "'%s' cannot be locked (%s): see to it that no other kmidi writes there at the "
                "same time",
                dir, strerror(errno));
    // Where flock is made of record locks (NFS) there is no second one, and it is not needed.
    if (!LOOKS_TAKE && fcntl(fd, F_OFD_SETLK, &all))
        errno = 0;
    return true;
}

int lock_take(const char *dir, const log_sink *log, err *e)
{
    char path[4200];
    lock_owner before;
    int fd = open(lock_path(dir, path), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0) {
        (void)err_errno(e, "cannot write into '%s'", dir);
        return -1;
    }
    if (!hold(fd, dir, log, e)) {
        close(fd);
        return -1;
    }
    bool known = read_words(fd, &before);
    write_words(fd, known && before.pid ? before.restarts + 1 : 0);
    return fd;
}

void lock_release(int fd)
{
    if (fd >= 0)
        close(fd);
}

// Without record locks all there is to go by is whether that process lives.
static bool lives(const lock_owner *o)
{
    char host[68];
    host_name(host);
    return o->pid > 0 && !strcmp(host, o->host) && (kill((pid_t)o->pid, 0) == 0 || errno == EPERM);
}

static lock_state ask(int fd, const lock_owner *o)
{
    struct flock asked = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    bool answered = LOOKS_TAKE ? flock(fd, LOCK_SH | LOCK_NB) == 0 || errno == EWOULDBLOCK
                               : fcntl(fd, F_OFD_GETLK, &asked) == 0;
    if (!answered)
        return lives(o) ? LOCK_HELD : LOCK_FREE;
    bool held = LOOKS_TAKE ? errno == EWOULDBLOCK : asked.l_type != F_UNLCK;
    return held ? LOCK_HELD : LOCK_FREE;
}

lock_state lock_look(const char *dir, lock_owner *o)
{
    char path[4200];
    lock_owner own;
    int fd = open(lock_path(dir, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    o = o ? o : &own;
    *o = (lock_owner){0};
    if (fd < 0)
        return LOCK_NONE;
    errno = 0;
    lock_state state = read_words(fd, o) ? ask(fd, o) : LOCK_NONE;
    close(fd);
    return state;
}
