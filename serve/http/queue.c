// SPDX-License-Identifier: GPL-3.0-or-later
// queue.c: a list behind a lock, and threads that wait at it (queue.h).
//
// A request reaches its worker as a fixed head and its bytes; what is longer than an item of
// base/worker.h goes through a file that has no name any more, or, where the system cannot open
// such a one by its number, through one in the folder for temporary files.
#include "serve/http/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/worker.h"

enum { WARM = -1, QUERY = 1500, PATH = 300, INLINE = 8192 };
#define MEMORY (UINT64_C(3) << 30) // address space of a request, beside the models

typedef struct item {
    int route;
    char id[ANSWER_ID], type[64], wants[64], query[QUERY], path[PATH];
    uint64_t n;
} item;

typedef struct hand { // a thread and its worker
    queue *q;
    pthread_t thread;
    workers *w;
    job *now;
    env env;
} hand;

struct queue {
    queue_setup s;
    pthread_mutex_t lock;
    pthread_cond_t more;
    job *first, **last;
    bool closing;
    atomic_bool stopping;
    atomic_int claimed;
    hand *hands; // [s.workers]
    int n;       // that have begun
};

// ---- In the worker

static bool read_bytes(const item *x, const void *behind, arena *a, asked *q, err *e)
{
    size_t n;
    q->n = (size_t)x->n;
    q->path = *x->path ? x->path : NULL;
    q->bytes = behind;
    if (*x->path)
        q->bytes = file_read(a, x->path, (size_t)x->n, &n, e);
    return q->bytes != NULL;
}

static bool work(void *user, const void *bytes, size_t n, strbuf *out, err *e)
{
    const house *h = user;
    item x;
    CHECK(n >= sizeof x);
    memcpy(&x, bytes, sizeof x);
    if (x.route == WARM)
        return bench_warm(h->bench, h->models, h->env, e);
    arena a = {.name = "request"};
    answer got = {0};
    err fault = {0};
    json *query = json_parse(x.query, strlen(x.query), &fault);
    asked q = {
        .arena = &a, .house = h, .id = x.id, .type = x.type, .wants = x.wants, .query = query};
    if (query && read_bytes(&x, (const char *)bytes + sizeof x, &a, &q, &fault))
        route_answer(route_at(x.route), &q, &got);
    else
        answer_error(&got, x.id, &fault);
    answer_pack(&got, out);
    answer_free(&got), json_free(query), arena_free(&a);
    return true;
}

// ---- Bytes for it

typedef struct parcel {
    int fd;      // -1: there is none
    bool unlink; // the file has a name
    char path[PATH];
} parcel;

static bool parcel_begin(parcel *p, err *e)
{
#ifdef __linux__
    p->fd = memfd_create("kmidi", MFD_CLOEXEC);
    if (p->fd >= 0) {
        snprintf(p->path, sizeof p->path, "/proc/%d/fd/%d", (int)getpid(), p->fd);
        return true;
    }
#endif
    const char *folder = getenv("TMPDIR");
    snprintf(p->path, sizeof p->path, "%.200s/kmidi-XXXXXX", folder && *folder ? folder : "/tmp");
    p->fd = mkstemp(p->path);
    p->unlink = p->fd >= 0;
    return p->fd >= 0 || err_errno(e, "no file can be made in '%s'; set TMPDIR", p->path);
}

static void parcel_end(parcel *p)
{
    if (p->fd >= 0)
        close(p->fd);
    if (p->unlink)
        unlink(p->path);
}

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, bytes, n);
        if (k < 0 && errno != EINTR)
            return false;
        bytes += k > 0 ? k : 0, n -= k > 0 ? (size_t)k : 0;
    }
    return true;
}

static bool parcel_make(parcel *p, const job *j, err *e)
{
    bool file = j->n > INLINE || route_at(j->route)->takes == TAKES_SOUND;
    if (!file)
        return true;
    return parcel_begin(p, e) && (write_all(p->fd, j->bytes, j->n) ||
                                  err_errno(e, "the request cannot be kept in '%s'", p->path));
}

static size_t fill(char out[sizeof(item) + INLINE], const job *j, const parcel *p)
{
    item x = {.route = j->route, .n = j->n};
    bool file = p->fd >= 0;
    memcpy(x.id, j->id, sizeof x.id);
    memcpy(x.type, j->type, sizeof x.type);
    memcpy(x.wants, j->wants, sizeof x.wants);
    snprintf(x.query, sizeof x.query, "%s", j->query);
    snprintf(x.path, sizeof x.path, "%s", file ? p->path : "");
    memcpy(out, &x, sizeof x);
    if (!file && j->n)
        memcpy(out + sizeof x, j->bytes, j->n);
    return sizeof x + (file ? 0 : j->n);
}

// ---- A thread

// The other side has closed, or cut the connection.
static bool gone(const job *j)
{
    char c;
    if (j->fd < 0)
        return false;
    ssize_t n = recv(j->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static bool stop(void *user)
{
    hand *h = user;
    return atomic_load(&h->q->stopping) || (h->now && gone(h->now));
}

static void lose_worker(hand *h)
{
    workers_close(h->w);
    h->w = NULL;
    counts_add(h->q->s.house->counts, COUNTS_READY, -1);
    counts_add(h->q->s.house->counts, COUNTS_LOST, 1);
}

// A worker that has begun. It is made by the thread that uses it: on Linux it dies with that.
static bool ready(hand *h, err *e)
{
    const queue_setup *s = &h->q->s;
    worker_options o = {.count = 1,
                        .seconds = s->seconds,
                        .memory = MEMORY,
                        .fn = work,
                        .user = s->house,
                        .env = &h->env};
    item x = {.route = WARM};
    worker_result r;
    if (h->w)
        return true;
    h->w = workers_open(&o, e);
    bool ok = h->w && workers_put(h->w, &x, sizeof x, e) && workers_take(h->w, &r, e);
    if (ok && !r.ok && !r.lost) // one that was too slow begins cold
        ok = err_set(e, r.e.code, "%s", r.e.text);
    if (!ok)
        workers_close(h->w), h->w = NULL;
    else
        counts_add(s->house->counts, COUNTS_READY, 1);
    return ok;
}

static bool lost_text(const worker_result *r, const queue_setup *s, err *e)
{
    if (r->e.code == ERR_TIMEOUT)
        return err_set(e, ERR_TIMEOUT, "it took longer than %g seconds and was stopped",
                       s->seconds);
    if (r->e.code == ERR_MEMORY)
        return err_set(e, ERR_MEMORY, "it takes more memory than a request may");
    return err_set(e, ERR_INTERNAL, "the process that worked on it ended; the others go on");
}

static bool ask_worker(hand *h, job *j, err *e)
{
    char bytes[sizeof(item) + INLINE];
    parcel p = {.fd = -1};
    worker_result r;
    bool ok = ready(h, e) && parcel_make(&p, j, e) &&
              workers_put(h->w, bytes, fill(bytes, j, &p), e) && workers_take(h->w, &r, e);
    parcel_end(&p);
    if (!ok) {
        if (h->w)
            lose_worker(h);
        return false;
    }
    if (r.lost)
        counts_add(h->q->s.house->counts, COUNTS_LOST, 1);
    if (!r.ok)
        return lost_text(&r, &h->q->s, e);
    return answer_unpack(r.bytes, r.n, &j->answer) ||
           err_set(e, ERR_INTERNAL, "the worker's answer is none");
}

static void do_job(hand *h, job *j)
{
    queue *q = h->q;
    err e = {0};
    h->now = j;
    counts_add(q->s.house->counts, COUNTS_WORKING, 1);
    if (stop(h) || !ask_worker(h, j, &e)) {
        answer_error(&j->answer, j->id, &e);
        if (atomic_load(&q->stopping))
            answer_refuse(&j->answer, 503, j->id, "the service is stopping");
        else if (gone(j))
            j->answer.status = 499;
    }
    counts_add(q->s.house->counts, COUNTS_WORKING, -1);
    h->now = NULL;
    atomic_fetch_sub(&q->claimed, 1);
    q->s.done(j);
}

static job *take(queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->closing)
        pthread_cond_wait(&q->more, &q->lock);
    job *j = q->first;
    if (j && !(q->first = j->next))
        q->last = &q->first;
    pthread_mutex_unlock(&q->lock);
    if (j)
        counts_add(q->s.house->counts, COUNTS_WAITING, -1);
    return j;
}

static void *serve(void *user)
{
    hand *h = user;
    for (job *j; (j = take(h->q));)
        do_job(h, j);
    workers_close(h->w);
    return NULL;
}

// ---- The queue

// A worker that cannot begin is told of where the service is opened, not at its first request.
static void *begin(void *user)
{
    hand *h = user;
    err e = {0};
    if (!ready(h, &e))
        log_say(h->q->s.house->env->log, LOG_WARN, "a worker could not begin: %s", e.text);
    return serve(user);
}

queue *queue_open(const queue_setup *s, err *e)
{
    queue *q = base_checked(calloc(1, sizeof *q), sizeof *q);
    size_t bytes = (size_t)s->workers * sizeof *q->hands;
    q->s = *s, q->last = &q->first;
    q->hands = base_checked(calloc(1, bytes), bytes);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->more, NULL);
    for (; q->n < s->workers; q->n++) {
        hand *h = &q->hands[q->n];
        h->q = q, h->env = (env){.stop = stop, .user = h};
        int failed = pthread_create(&h->thread, NULL, begin, h);
        if (!failed)
            continue;
        errno = failed;
        err_errno(e, "thread %d of %d for workers did not start", q->n + 1, s->workers);
        queue_close(q, true);
        return NULL;
    }
    return q;
}

bool queue_claim(queue *q)
{
    int most = q->s.workers + q->s.room;
    if (atomic_fetch_add(&q->claimed, 1) < most)
        return true;
    atomic_fetch_sub(&q->claimed, 1);
    return false;
}

void queue_put(queue *q, job *j)
{
    j->next = NULL;
    counts_add(q->s.house->counts, COUNTS_WAITING, 1);
    pthread_mutex_lock(&q->lock);
    *q->last = j, q->last = &j->next;
    pthread_cond_signal(&q->more);
    pthread_mutex_unlock(&q->lock);
}

int queue_under_way(const queue *q)
{
    return atomic_load(&q->claimed);
}

void queue_close(queue *q, bool now)
{
    if (!q)
        return;
    atomic_store(&q->stopping, now);
    pthread_mutex_lock(&q->lock);
    q->closing = true;
    pthread_cond_broadcast(&q->more);
    pthread_mutex_unlock(&q->lock);
    for (int i = 0; i < q->n; i++)
        pthread_join(q->hands[i].thread, NULL);
    pthread_cond_destroy(&q->more);
    pthread_mutex_destroy(&q->lock);
    free(q->hands);
    free(q);
}
