// SPDX-License-Identifier: GPL-3.0-or-later
// worker.c: the caller's side of worker.h (the other: worker_child.c).
//
// Each worker has a queue of items that were sent to it and not answered, the first being the one
// it works on; a second lies ready in the socket, so that it never waits for us. When a worker is
// lost, the first of its queue is the one to blame, and the rest is sent elsewhere. Items are small
// enough to fit into a socket's buffer, so sending never waits; results are read as they come, so
// that no worker waits long for a slow caller. Where results pile up behind a slow item, those that
// the caller does not wait for are left in their workers.
#include "base/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/worker_internal.h"

// milliseconds until the caller's env is asked again
enum { WAIT_MOST = 500 };
// bytes of results that wait for the caller; of memory that an entry keeps
enum { HELD_MOST = 32 << 20, KEPT = 1 << 16 };
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

struct workers {
    worker_options o;
    worker_slot *slots;    // [o.count]
    struct pollfd *polled; // [o.count]
    entry *ring;           // [window]
    size_t window;
    uint64_t first, next; // numbers of the oldest item under way and of the one to come
    strbuf taken;         // the result that the caller looks at
    uint64_t held;        // bytes of results that were not taken yet
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

// ---- Items

static void send_item(worker_slot *s, const entry *x)
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

static worker_slot *least_busy(workers *w)
{
    worker_slot *best = NULL;
    for (int i = 0; i < w->o.count; i++)
        if (w->slots[i].queued < WORKER_QUEUE && (!best || w->slots[i].queued < best->queued))
            best = &w->slots[i];
    return best;
}

// Everything that waits, as far as there are places, oldest first.
static bool hand_out(workers *w, err *e)
{
    for (uint64_t k = w->first; k < w->next; k++) {
        entry *x = entry_at(w, k);
        worker_slot *s = x->state == ENTRY_WAITS ? least_busy(w) : NULL;
        if (x->state != ENTRY_WAITS)
            continue;
        if (!s)
            return true;
        if (!s->pid && !worker_start(&w->o, s, e))
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
static void advance(worker_slot *s)
{
    memmove(s->queue, s->queue + 1, sizeof *s->queue * (WORKER_QUEUE - 1));
    s->queued--;
    s->since = now();
}

// The sentence replaces what came of the result.
static void blame(workers *w, entry *x, err_code code, int status)
{
    strbuf *text = &x->result;
    text->len = 0;
    if (code == ERR_TIMEOUT)
        strbuf_printf(text, "it took longer than %g seconds and was stopped; leave it out",
                      w->o.seconds);
    else if (code == ERR_MEMORY)
        strbuf_printf(text, "it takes more memory than a file may; leave it out");
    else if (WIFSIGNALED(status))
        strbuf_printf(
            text, "the process that worked on it crashed (%s); it is likely damaged, leave it out",
            strsignal(WTERMSIG(status)));
    else
        strbuf_printf(
            text,
            "the process that worked on it ended (status %d); it is likely damaged, leave it out",
            WEXITSTATUS(status));
    x->state = ENTRY_DONE;
    x->ok = false, x->lost = true, x->code = code;
    w->held += text->len;
}

// A worker that is no more, or must be no more. Its other items go back.
static void lose(workers *w, worker_slot *s, bool late)
{
    int status = worker_stop(s, true);
    err_code code = ERR_CRASH;
    if (late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)) // its own clock was faster
        code = ERR_TIMEOUT;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXHAUSTED)
        code = ERR_MEMORY;
    if (s->queued > 0) {
        blame(w, &w->ring[s->queue[0]], code, status);
        advance(s);
    }
    for (int i = 0; i < s->queued; i++)
        w->ring[s->queue[i]].state = ENTRY_WAITS;
    s->queued = 0;
}

// ---- Answers

// Bytes of the answer as they are there: its head, then the result, each behind what came before.
// As read().
static ssize_t receive(worker_slot *s, entry *x)
{
    if (s->got < sizeof s->head)
        return recv(s->fd, (char *)&s->head + s->got, sizeof s->head - s->got, MSG_DONTWAIT);
    return recv(s->fd, x->result.s + x->result.len, (size_t)s->head.n - x->result.len,
                MSG_DONTWAIT);
}

static bool begin_result(const workers *w, const worker_slot *s, entry *x)
{
    if (s->head.magic != WORKER_MAGIC || s->head.n > w->o.memory)
        return false;
    x->result.len = 0;
    if (s->head.n >= x->result.cap) { // nothing of the old one is worth copying
        strbuf_free(&x->result);
        x->result.cap = (size_t)s->head.n + 1;
        x->result.s = base_checked(malloc(x->result.cap), x->result.cap);
    }
    return true;
}

static void end_result(workers *w, worker_slot *s, entry *x)
{
    x->result.s[x->result.len] = 0;
    x->state = ENTRY_DONE;
    x->ok = s->head.code == ERR_NONE, x->lost = false, x->code = (err_code)s->head.code;
    w->held += x->result.len;
    s->got = 0;
    advance(s);
}

// Takes what has come. A worker that says what is no answer is lost.
static void listen_to(workers *w, worker_slot *s)
{
    for (;;) {
        entry *x = s->queued ? &w->ring[s->queue[0]] : NULL;
        ssize_t n = x ? receive(s, x) : recv(s->fd, &s->head, 1, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        s->since = now(); // it has come to its answer
        bool head = x && s->got < sizeof s->head;
        s->got += n > 0 ? (size_t)n : 0;
        if (x && !head && n > 0)
            x->result.len += (size_t)n;
        if (n <= 0 || !x || (head && s->got == sizeof s->head && !begin_result(w, s, x))) {
            lose(w, s, false);
            return;
        }
        if (s->got >= sizeof s->head && x->result.len == s->head.n)
            end_result(w, s, x);
    }
}

// Whether its answer must wait until the caller has taken more of those that are there.
static bool paused(const workers *w, const worker_slot *s)
{
    for (int i = 0; i < s->queued; i++)
        if (s->queue[i] == w->first % w->window)
            return false;
    return w->held > HELD_MOST && s->queued;
}

// Milliseconds until the first worker is late.
static int patience(const workers *w)
{
    double least = WAIT_MOST / 1e3, t = now();
    for (int i = 0; i < w->o.count; i++)
        if (w->slots[i].queued && !paused(w, &w->slots[i])) {
            double left = w->slots[i].since + w->o.seconds - t;
            least = left < least ? left : least;
        }
    return least > 0 ? (int)(least * 1e3) + 1 : 0;
}

// Waits up to `wait` milliseconds for answers, and deals with what came. The time of a worker that
// is paused does not count; its own clock ends it if it loops.
static bool pump(workers *w, int wait, err *e)
{
    for (int i = 0; i < w->o.count; i++) {
        worker_slot *s = &w->slots[i];
        bool wanted = s->pid && !paused(w, s);
        w->polled[i] = (struct pollfd){.fd = wanted ? s->fd : -1, .events = POLLIN};
        s->since = wanted ? s->since : now();
    }
    int n = poll(w->polled, (nfds_t)w->o.count, wait);
    double t = now();
    for (int i = 0; i < w->o.count; i++) {
        worker_slot *s = &w->slots[i];
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
    for (size_t i = 0; i < n; i++)
        if (!worker_start(&w->o, &w->slots[i], e)) {
            workers_close(w);
            return NULL;
        }
    return w;
}

void workers_close(workers *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->o.count; i++)
        worker_stop(&w->slots[i], w->slots[i].queued > 0);
    for (size_t i = 0; i < w->window; i++) {
        free(w->ring[i].item);
        strbuf_free(&w->ring[i].result);
    }
    strbuf_free(&w->taken);
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

bool workers_whole(workers *w)
{
    err e = {0};
    bool all = pump(w, 0, &e);
    for (int i = 0; i < w->o.count; i++)
        all = all && w->slots[i].pid;
    return all;
}

bool workers_put(workers *w, const void *item, size_t n, err *e)
{
    CHECK(workers_room(w) > 0);
    if (n > WORKER_ITEM)
        return err_set(e, ERR_VALUE,
                       "an item of %zu bytes is too long for a worker; %d is the most", n,
                       WORKER_ITEM);
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
            return err_set(e, ERR_STOPPED, "stopped with %zu items under way",
                           workers_under_way(w));
        if (!pump(w, patience(w), e))
            return false;
    }
    strbuf old = w->taken;
    w->taken = x->result;
    old.len = 0;
    if (old.cap > KEPT)
        strbuf_free(&old);
    x->result = old;
    w->held -= w->taken.len;
    w->first++;
    *r = (worker_result){.ok = x->ok, .lost = x->lost};
    if (x->ok)
        r->bytes = w->taken.s, r->n = w->taken.len;
    else
        err_set(&r->e, x->code, "%.*s", (int)w->taken.len, w->taken.s);
    return true;
}

bool worker_run(const worker_options *o, const char *name, const void *item, size_t n, strbuf *out,
                err *e)
{
    worker_options one = *o;
    worker_result r;
    one.count = 1;
    workers *w = workers_open(&one, e);
    bool ok = w && workers_put(w, item, n, e) && workers_take(w, &r, e);
    if (ok && r.ok)
        strbuf_add(out, r.bytes, r.n);
    else if (ok)
        ok = err_set(e, r.e.code, "%s%s%s%s", r.lost ? "'" : "", r.lost ? name : "",
                     r.lost ? "': " : "", r.e.text);
    workers_close(w);
    return ok;
}
