// SPDX-License-Identifier: GPL-3.0-or-later
// worker.c: the caller's side of worker.h (the other: worker_child.c).
//
// Each worker has a queue of items that were sent to it and not answered, the first being the one it works on; a second lies ready in the
// socket, so that it never waits for us. When a worker is lost, the first of its queue is the one to blame, and the rest is sent elsewhere.
// Items are small enough to fit into a socket's buffer, so sending never waits; results are read as they come, so that no worker waits long
// for a slow caller.
#include "data/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/proc.h"
#include "data/worker_internal.h"

enum { QUEUE = 2, READ_AT_ONCE = 1 << 16, WAIT_MOST = 500 }; // items; bytes; milliseconds until the caller's env is asked again
#define NOTHING SIZE_MAX

typedef enum entry_state { ENTRY_WAITS, ENTRY_SENT, ENTRY_DONE } entry_state;

typedef struct entry {
    entry_state state;
    char *item;
    size_t n;
    bool ok, lost;
    strbuf result; // bytes, or the error's sentence
    err_code code;
} entry;

typedef struct slot {
    pid_t pid; // 0: none
    int fd;
    size_t queue[QUEUE]; // numbers of entries
    int queued;
    double since; // when it began with the first
    strbuf in;    // what came of its answer so far
} slot;

struct workers {
    worker_options o;
    slot *slots;           // [o.count]
    struct pollfd *polled; // [o.count]
    entry *ring;           // [window]
    size_t window;
    uint64_t first, next; // numbers of the oldest item under way and of the one to come
    strbuf taken;         // the result that the caller looks at
    char *buffer;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static entry *entry_at(const workers *w, uint64_t number)
{
    return &w->ring[number % w->window];
}

// ---- Processes

static bool start(workers *w, slot *s, err *e)
{
    int fd[2];
    if (!proc_pair(fd, e))
        return false;
    s->pid = fork();
    if (s->pid == 0)
        worker_child(&w->o, fd[1]);
    close(fd[1]);
    if (s->pid < 0) {
        s->pid = 0;
        close(fd[0]);
        return err_errno(e, "cannot start a worker process; lower jobs or raise the limit of processes (ulimit -u)");
    }
    s->fd = fd[0];
    return true;
}

// Returns its status; the process is gone and waited for.
static int stop(slot *s, bool kill_it)
{
    int status = 0;
    if (s->pid <= 0)
        return 0;
    close(s->fd);
    if (kill_it)
        kill(s->pid, SIGKILL);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
    s->in.len = 0;
    return status;
}

// ---- Items

static void send_item(slot *s, const entry *x)
{
    worker_head head = {.magic = WORKER_MAGIC, .n = x->n};
    char bytes[sizeof head + WORKER_ITEM];
    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, x->item, x->n);
    size_t total = sizeof head + x->n, done = 0;
    while (done < total) {
        ssize_t k = proc_send(s->fd, bytes + done, total - done);
        if (k < 0 && errno != EINTR)
            return; // it is gone, which reading from it will tell
        done += k > 0 ? (size_t)k : 0;
    }
}

static slot *least_busy(workers *w)
{
    slot *best = NULL;
    for (int i = 0; i < w->o.count; i++)
        if (w->slots[i].queued < QUEUE && (!best || w->slots[i].queued < best->queued))
            best = &w->slots[i];
    return best;
}

// Everything that waits, as far as there are places, oldest first.
static bool hand_out(workers *w, err *e)
{
    for (uint64_t k = w->first; k < w->next; k++) {
        entry *x = entry_at(w, k);
        slot *s = x->state == ENTRY_WAITS ? least_busy(w) : NULL;
        if (x->state != ENTRY_WAITS)
            continue;
        if (!s)
            return true;
        if (!s->pid && !start(w, s, e))
            return false;
        if (s->queued == 0)
            s->since = now();
        s->queue[s->queued++] = (size_t)(k % w->window);
        x->state = ENTRY_SENT;
        send_item(s, x);
    }
    return true;
}

// The first item of the queue is done; its result is in x already.
static void advance(slot *s)
{
    memmove(s->queue, s->queue + 1, sizeof *s->queue * (QUEUE - 1));
    s->queued--;
    s->since = now();
}

static void settle(entry *x, bool ok, err_code code, const char *bytes, size_t n)
{
    x->state = ENTRY_DONE;
    x->ok = ok, x->lost = false, x->code = code;
    x->result.len = 0;
    strbuf_add(&x->result, bytes, n);
}

static void blame(entry *x, err_code code, int status, double limit)
{
    strbuf text = {0};
    if (code == ERR_TIMEOUT)
        strbuf_printf(&text, "it took longer than %g seconds and was stopped; leave it out", limit);
    else if (code == ERR_MEMORY)
        strbuf_printf(&text, "it takes more memory than a file may; leave it out");
    else if (WIFSIGNALED(status))
        strbuf_printf(&text, "the process that worked on it crashed (%s); it is likely damaged, leave it out", strsignal(WTERMSIG(status)));
    else
        strbuf_printf(&text, "the process that worked on it ended (status %d); it is likely damaged, leave it out", WEXITSTATUS(status));
    settle(x, false, code, text.s, text.len);
    x->lost = true;
    strbuf_free(&text);
}

// A worker that is no more, or must be no more. Its other items go back.
static void lose(workers *w, slot *s, bool late)
{
    int status = stop(s, true);
    err_code code = ERR_CRASH;
    if (late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)) // its own clock was faster
        code = ERR_TIMEOUT;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXHAUSTED)
        code = ERR_MEMORY;
    if (s->queued > 0) {
        blame(&w->ring[s->queue[0]], code, status, w->o.seconds);
        advance(s);
    }
    for (int i = 0; i < s->queued; i++)
        w->ring[s->queue[i]].state = ENTRY_WAITS;
    s->queued = 0;
}

// ---- Answers

// Takes whole answers out of s->in. False: what came is no answer.
static bool take_answers(workers *w, slot *s)
{
    size_t at = 0;
    worker_head head;
    while (s->in.len - at >= sizeof head) {
        memcpy(&head, s->in.s + at, sizeof head);
        if (head.magic != WORKER_MAGIC || s->queued == 0 || head.n > w->o.memory)
            return false;
        if (s->in.len - at - sizeof head < head.n)
            break;
        settle(&w->ring[s->queue[0]], head.code == ERR_NONE, (err_code)head.code, s->in.s + at + sizeof head, (size_t)head.n);
        advance(s);
        at += sizeof head + (size_t)head.n;
    }
    if (at) {
        memmove(s->in.s, s->in.s + at, s->in.len - at);
        s->in.len -= at;
    }
    return true;
}

static void listen_to(workers *w, slot *s)
{
    ssize_t n = read(s->fd, w->buffer, READ_AT_ONCE);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    s->since = now(); // it has come to its answer
    if (n > 0)
        strbuf_add(&s->in, w->buffer, (size_t)n);
    if (n <= 0 || !take_answers(w, s))
        lose(w, s, false);
}

// Milliseconds until the first worker is late.
static int patience(const workers *w)
{
    double least = WAIT_MOST / 1e3, t = now();
    for (int i = 0; i < w->o.count; i++)
        if (w->slots[i].queued) {
            double left = w->slots[i].since + w->o.seconds - t;
            least = left < least ? left : least;
        }
    return least > 0 ? (int)(least * 1e3) + 1 : 0;
}

// Waits up to `wait` milliseconds for answers, and deals with what came.
static bool pump(workers *w, int wait, err *e)
{
    for (int i = 0; i < w->o.count; i++)
        w->polled[i] = (struct pollfd){.fd = w->slots[i].pid ? w->slots[i].fd : -1, .events = POLLIN};
    int n = poll(w->polled, (nfds_t)w->o.count, wait);
    double t = now();
    for (int i = 0; i < w->o.count; i++) {
        slot *s = &w->slots[i];
        if (n > 0 && s->pid && w->polled[i].revents)
            listen_to(w, s);
        else if (n >= 0 && s->queued && t - s->since > w->o.seconds)
            lose(w, s, true);
    }
    return hand_out(w, e);
}

// ---- The pool

workers *workers_open(const worker_options *o, err *e)
{
    workers *w = base_checked(calloc(1, sizeof *w), sizeof *w);
    w->o = *o;
    w->o.count = o->count > 0 ? o->count : 1;
    w->o.seconds = o->seconds > 0 ? o->seconds : WORKER_SECONDS;
    w->o.memory = o->memory ? o->memory : WORKER_MEMORY;
    w->window = (size_t)w->o.count * WORKER_WINDOW;
    size_t n = (size_t)w->o.count;
    w->slots = base_checked(calloc(n, sizeof *w->slots), n * sizeof *w->slots);
    w->polled = base_checked(calloc(n, sizeof *w->polled), n * sizeof *w->polled);
    w->ring = base_checked(calloc(w->window, sizeof *w->ring), w->window * sizeof *w->ring);
    w->buffer = base_checked(malloc(READ_AT_ONCE), READ_AT_ONCE);
    for (size_t i = 0; i < n; i++)
        if (!start(w, &w->slots[i], e)) {
            workers_close(w);
            return NULL;
        }
    return w;
}

void workers_close(workers *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->o.count; i++) {
        stop(&w->slots[i], w->slots[i].queued > 0);
        strbuf_free(&w->slots[i].in);
    }
    for (size_t i = 0; i < w->window; i++) {
        free(w->ring[i].item);
        strbuf_free(&w->ring[i].result);
    }
    strbuf_free(&w->taken);
    free(w->buffer);
    free(w->ring);
    free(w->polled);
    free(w->slots);
    free(w);
}

size_t workers_under_way(const workers *w)
{
    return (size_t)(w->next - w->first);
}

size_t workers_room(const workers *w)
{
    return w->window - workers_under_way(w);
}

bool workers_put(workers *w, const void *item, size_t n, err *e)
{
    CHECK(workers_room(w) > 0);
    if (n > WORKER_ITEM)
        return err_set(e, ERR_VALUE, "an item of %zu bytes is too long for a worker; %d is the most", n, WORKER_ITEM);
    entry *x = entry_at(w, w->next++);
    free(x->item);
    x->item = base_checked(malloc(n + 1), n + 1);
    memcpy(x->item, item, n);
    x->n = n;
    x->state = ENTRY_WAITS;
    return pump(w, 0, e);
}

bool workers_take(workers *w, worker_result *r, err *e)
{
    CHECK(workers_under_way(w) > 0);
    entry *x = entry_at(w, w->first);
    while (x->state != ENTRY_DONE) {
        if (w->o.env && env_stop(w->o.env))
            return err_set(e, ERR_STOPPED, "stopped with %zu items under way", workers_under_way(w));
        if (!pump(w, patience(w), e))
            return false;
    }
    strbuf old = w->taken;
    w->taken = x->result;
    old.len = 0;
    if (old.cap > READ_AT_ONCE)
        strbuf_free(&old);
    x->result = old;
    w->first++;
    *r = (worker_result){.ok = x->ok, .lost = x->lost};
    if (x->ok)
        r->bytes = w->taken.s, r->n = w->taken.len;
    else
        err_set(&r->e, x->code, "%.*s", (int)w->taken.len, w->taken.s);
    return true;
}

bool worker_run(const worker_options *o, const char *name, const void *item, size_t n, strbuf *out, err *e)
{
    worker_options one = *o;
    worker_result r;
    one.count = 1;
    workers *w = workers_open(&one, e);
    bool ok = w && workers_put(w, item, n, e) && workers_take(w, &r, e);
    if (ok && r.ok)
        strbuf_add(out, r.bytes, r.n);
    else if (ok)
        ok = err_set(e, r.e.code, "%s%s%s%s", r.lost ? "'" : "", r.lost ? name : "", r.lost ? "': " : "", r.e.text);
    workers_close(w);
    return ok;
}
