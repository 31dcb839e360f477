// SPDX-License-Identifier: GPL-3.0-or-later
// film.c: the thread that writes frames down (film.h). Kinds differ in how a frame becomes bytes;
// YUV4MPEG2 as mjpegtools' yuv4mpeg(5) has it, colours by ITU-R BT.601 as its readers assume.
#include "perform/film.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "data/music/cloud.h"
#include "perform/bell.h"
#include "perform/film_bytes.h"
#include "serve/ring.h"

enum { PIPE_PIECE = 4096, PATIENCE = 20 }; // what a pipe that has room takes whole; waits of a bell

struct film {
    film_setup setup;
    const film_kind *kind;
    const char *temp;          // NULL: it is written into as it is
    bool pipe, started, keeps; // keeps: it has the frame before
    int fd;
    ring frames; // of film_frame
    bell pushed, written;
    unsigned seen; // of `written`, by who draws
    pthread_t writer;
    atomic_bool stop, gone;
    err fault;      // the writer's
    int64_t number; // of the frame that comes next in the film
    int64_t count;
    strbuf bytes; // of the frame in hand
};

// ---- Writing

// A reader may be slow, and may never read again: after the end it is not waited for long.
static bool ready(film *f, int *waits)
{
    struct pollfd p = {.fd = f->fd, .events = POLLOUT};
    while (f->pipe && poll(&p, 1, BELL_PATIENCE_MS) == 0)
        if (atomic_load(&f->stop) && ++*waits > PATIENCE) {
            errno = EPIPE;
            return false;
        }
    return true;
}

static bool write_all(film *f, const char *at, size_t n)
{
    int waits = 0;
    while (n > 0) {
        size_t some = f->pipe && n > PIPE_PIECE ? PIPE_PIECE : n;
        ssize_t k = ready(f, &waits) ? write(f->fd, at, some) : -1;
        if (k < 0 && errno != EINTR)
            return false;
        at += k > 0 ? k : 0, n -= k > 0 ? (size_t)k : 0;
    }
    return true;
}

// Of a folder: beside its name, so that who looks into it sees whole files.
static bool write_file(film *f, int64_t number)
{
    arena a = {.name = "frame"};
    const char *name =
                   arena_printf(&a, "%s/frame-%06lld.ppm", f->setup.path, (long long)number + 1),
               *part = arena_printf(&a, "%s.part", name);
    f->fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool ok = f->fd >= 0 && write_all(f, f->bytes.s, f->bytes.len);
    if (f->fd >= 0)
        ok = close(f->fd) == 0 && ok;
    ok = ok && rename(part, name) == 0;
    if (!ok) {
        file_unwritten(name, &f->fault);
        unlink(part);
    }
    f->fd = -1;
    arena_free(&a);
    return ok;
}

static bool write_frame(film *f, int64_t number)
{
    if (f->kind->folder)
        return write_file(f, number);
    if (write_all(f, f->bytes.s, f->bytes.len))
        return true;
    if (f->pipe && (errno == EPIPE || errno == ECONNRESET))
        atomic_store(&f->gone, true);
    else
        file_unwritten(f->setup.path, &f->fault);
    return false;
}

// Places that nobody drew in time have what stood before them.
static bool take(film *f, const film_frame *x)
{
    bool ok = true;
    for (; ok && f->kind->steady && f->keeps && f->number < x->number; f->number++, f->count++)
        ok = write_frame(f, f->number);
    f->bytes.len = 0;
    f->kind->bytes(&f->setup, x, &f->bytes);
    f->keeps = true, f->number = x->number + 1;
    ok = ok && write_frame(f, x->number);
    f->count += ok;
    return ok;
}

static void *work(void *arg)
{
    film *f = arg;
    bool ok = true;
    unsigned seen = 0;
    sigset_t all;
    sigfillset(&all); // signals are the main thread's, and a pipe without a reader is an error
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;) {
        bool last = atomic_load(&f->stop);
        for (const film_frame *x; (x = ring_read(&f->frames)); ring_done(&f->frames)) {
            ok = ok && take(f, x);
            bell_ring(&f->written);
        }
        if (last)
            return NULL;
        bell_wait(&f->pushed, &seen);
    }
}

// ---- Opening and closing

static bool open_file(film *f, arena *a, err *e)
{
    const char *path = f->setup.path;
    struct stat st;
    if (f->kind->folder)
        return file_make_dirs(path, e);
    bool out = !strcmp(path, "/dev/stdout");
    f->temp = out || file_special(path) ? NULL : file_temp(a, path);
    f->fd = out       ? dup(STDOUT_FILENO)
            : f->temp ? file_begin(f->temp)
                      : open(path, O_WRONLY | O_CLOEXEC);
    f->pipe = f->fd >= 0 && fstat(f->fd, &st) == 0 && !S_ISREG(st.st_mode);
    return f->fd >= 0 || file_unwritten(path, e);
}

static void make_slots(film *f, arena *a)
{
    film_frame *slots = NEW(a, film_frame, FILM_AHEAD);
    size_t pixels = 3 * (size_t)f->setup.width * (size_t)f->setup.height;
    for (int i = 0; i < FILM_AHEAD; i++) {
        slots[i].rgb = f->kind->points ? NULL : NEW(a, uint8_t, pixels);
        slots[i].points = NEW(a, float, CLOUD_POINTS *CLOUD_WIDTH);
    }
    ring_open(&f->frames, slots, sizeof *slots, FILM_AHEAD);
}

static void join(film *f)
{
    atomic_store(&f->stop, true);
    bell_ring(&f->pushed);
    if (f->started)
        pthread_join(f->writer, NULL);
    f->started = false;
    strbuf_free(&f->bytes);
    if (f->fd >= 0 && close(f->fd) != 0 && f->fault.code == ERR_NONE)
        file_unwritten(f->setup.path, &f->fault);
    f->fd = -1;
}

film *film_open(const film_setup *o, arena *a, err *e)
{
    film *f = NEW(a, film, 1);
    *f = (film){.setup = *o,
                .kind = film_kind_of(o->path),
                .fd = -1,
                .pushed = BELL_STILL,
                .written = BELL_STILL};
    make_slots(f, a);
    if (f->kind->head)
        f->kind->head(o, &f->bytes);
    bool ok = open_file(f, a, e) &&
              (write_all(f, f->bytes.s, f->bytes.len) || file_unwritten(o->path, e));
    f->started = ok && pthread_create(&f->writer, NULL, work, f) == 0;
    if (f->started)
        return f;
    if (ok)
        (void)err_set(e, ERR_MEMORY, "no thread can be started to write '%s'", o->path);
    film_abandon(f);
    return NULL;
}

bool film_close(film *f, int64_t *frames, err *e)
{
    join(f);
    *frames = f->count;
    bool whole = f->fault.code == ERR_NONE;
    if (!whole)
        *e = f->fault;
    if (f->temp && whole)
        return file_commit(f->temp, f->setup.path, e);
    if (f->temp)
        file_discard(f->temp);
    return whole;
}

void film_abandon(film *f)
{
    if (!f)
        return;
    join(f);
    if (f->temp)
        file_discard(f->temp);
}

// ---- Who draws

bool film_is_folder(const char *path)
{
    return film_kind_of(path)->folder;
}

bool film_wants_points(const film *f)
{
    return f->kind->points;
}

film_frame *film_next(film *f)
{
    film_frame *to;
    while (!(to = ring_write(&f->frames)) && f->setup.wait)
        bell_wait(&f->written, &f->seen);
    return to;
}

void film_push(film *f)
{
    ring_written(&f->frames);
    bell_ring(&f->pushed);
}

bool film_gone(film *f)
{
    return atomic_load(&f->gone);
}
