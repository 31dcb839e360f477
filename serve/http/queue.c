// SPDX-License-Identifier: GPL-3.0-or-later
// queue.c: a list behind a lock, and threads that wait at it (queue.h).
//
// What a worker does is stopped by a flag that its process shares with us: `inside.env` there asks
// it. Where the work has not ended GRACE later its process is ended.
#include "serve/http/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "base/hw.h"
#include "base/worker.h"
#include "serve/http/parcel.h"

enum { SMALL = 4 << 20 }; // bytes of a body that may go with others

#define MEMORY (UINT64_C(3) << 30) // address space of a request, beside the models
// Seconds between asking for an end and making it: libcurl asks once a second whether to go on.
#define GRACE 1.5
#define AGAIN 1.0       // seconds between two attempts to make a worker
#define LOOK  200000000 // nanoseconds between two looks at an idle worker

typedef struct hand { // a thread and its worker
    queue *q;
    pthread_t thread;
    workers *w;               // NULL: there is none
    double tried;             // when one was made last, or not
    bool told;                // that it cannot be made
    job *now[ROUTE_TOGETHER]; // [n_now] what it works on
    int n_now;
    env outside;       // asks whether to go on waiting for an answer
    house inside;      // what the worker sees
    env world;         // of that
    atomic_bool *halt; // shared with the worker: end what you do
    double halted;     // when that was said
} hand;

struct queue {
    queue_setup s;
    pthread_mutex_t lock;
    pthread_cond_t more;
    job *first, **last;
    int waiting; // from first on
    atomic_bool stopping;
    atomic_int claimed;
    hand *hands;        // [s.workers]
    int n;              // that have begun
    atomic_bool *halts; // [s.workers] shared with all that is forked
};

// ---- In the worker

static bool is_halted(void *user)
{
    const hand *h = user;
    return atomic_load(h->halt);
}

// An item of no bytes: be ready.
static bool work(void *user, const void *bytes, size_t n, strbuf *out, err *e)
{
    const house *s = &((const hand *)user)->inside;
    if (n == 0)
        return bench_warm(s->bench, s->models, s->env, e);
    parcel_answer(bytes, n, s, out);
    return true;
}

// ---- A worker comes and goes

// The other side has closed, or cut the connection.
static bool gone(const job *j)
{
    char c;
    if (j->fd < 0)
        return false;
    ssize_t n = recv(j->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

// Nobody will read any answer.
static bool needless(const hand *h)
{
    bool all = h->n_now > 0;
    for (int i = 0; all && i < h->n_now; i++)
        all = gone(h->now[i]);
    return all || atomic_load(&h->q->stopping);
}

// The worker is told first, and has time to obey.
static bool stop(void *user)
{
    hand *h = user;
    if (atomic_load(h->halt))
        return hw_seconds() - h->halted > GRACE;
    if (needless(h))
        h->halted = hw_seconds(), atomic_store(h->halt, true);
    return false;
}

static void lose_worker(hand *h)
{
    workers_close(h->w);
    h->w = NULL;
    counts_add(h->q->s.house->counts, COUNTS_READY, -1);
    counts_add(h->q->s.house->counts, COUNTS_LOST, 1);
}

static bool open_worker(hand *h, err *e)
{
    worker_options o = {.count = 1,
                        .seconds = h->q->s.seconds,
                        .memory = MEMORY,
                        .fn = work,
                        .user = h,
                        .env = &h->outside};
    workers_close(h->w);
    return (h->w = workers_open(&o, e)) != NULL;
}

// One that is too slow to be ready within the time of a request begins cold.
static bool warm_worker(hand *h, err *e)
{
    worker_result r;
    if (!workers_put(h->w, "", 0, e) || !workers_take(h->w, &r, e))
        return false;
    if (r.lost && r.e.code == ERR_TIMEOUT)
        return open_worker(h, e);
    return r.ok || err_set(e, r.e.code, "%s", r.e.text);
}

// A worker that has begun. It is made by the thread that uses it: on Linux it dies with that.
static bool ready(hand *h, err *e)
{
    if (h->w)
        return true;
    h->tried = hw_seconds();
    atomic_store(h->halt, false);
    if (open_worker(h, e) && warm_worker(h, e)) {
        counts_add(h->q->s.house->counts, COUNTS_READY, 1);
        h->told = false;
        return true;
    }
    workers_close(h->w);
    h->w = NULL;
    return false;
}

// There is a worker, and it lives: told of where it cannot be made, not at its first request.
static void keep_worker(hand *h)
{
    err e = {0};
    if (h->w && !workers_whole(h->w))
        lose_worker(h);
    else if (h->w || (h->told && hw_seconds() - h->tried < AGAIN))
        return;
    if (atomic_load(&h->q->stopping) || ready(h, &e))
        return;
    if (!h->told && e.code != ERR_STOPPED)
        log_say(h->q->s.house->env->log, LOG_WARN, "a worker could not begin: %s", e.text);
    h->told = true;
}

// ---- A request

static bool lost_text(const worker_result *r, const queue_setup *s, err *e)
{
    if (r->e.code == ERR_TIMEOUT)
        return err_set(e, ERR_TIMEOUT, "it took longer than %g seconds and was stopped",
                       s->seconds);
    if (r->e.code == ERR_MEMORY)
        return err_set(e, ERR_MEMORY, "it takes more memory than a request may");
    return err_set(e, ERR_INTERNAL, "the process that worked on it ended; the others go on");
}

static bool ask_worker(hand *h, err *e)
{
    parcel p;
    worker_result r = {0};
    bool packed = parcel_pack(&p, h->now, h->n_now, e),
         taken = packed && ready(h, e) && workers_put(h->w, p.bytes, p.n, e) &&
                 workers_take(h->w, &r, e),
         ok = taken && r.ok &&
              (parcel_take(h->now, h->n_now, r.bytes, r.n) ||
               err_set(e, ERR_INTERNAL, "the worker's answer is none"));
    parcel_end(&p);
    if (packed && h->w && (!taken || r.lost))
        lose_worker(h);
    return ok || (taken && !r.ok && lost_text(&r, &h->q->s, e));
}

// Why it is not answered.
static void excuse(const hand *h, job *j, const err *e)
{
    answer_error(&j->answer, j->id, e);
    if (atomic_load(&h->q->stopping))
        answer_refuse(&j->answer, 503, j->id, "the service is stopping");
    else if (gone(j))
        j->answer.status = 499;
}

static void end_job(hand *h, job *j, bool ok, const err *e)
{
    queue *q = h->q;
    if (!ok || j->answer.status == 499)
        excuse(h, j, e);
    else if (gone(j))
        j->answer.status = 499;
    counts_add(q->s.house->counts, COUNTS_WORKING, -1);
    atomic_fetch_sub(&q->claimed, 1);
    q->s.done(j);
}

// What several did not get together, each asks for alone.
static void do_jobs(hand *h, job *const *jobs, int n)
{
    err e = {0};
    memcpy(h->now, jobs, (size_t)n * sizeof(job *));
    h->n_now = n;
    atomic_store(h->halt, false);
    bool ok = !needless(h) && ask_worker(h, &e);
    h->n_now = 0;
    for (int i = 0; i < n; i++) {
        bool got = ok && jobs[i]->answer.status;
        if (!got && n > 1)
            do_jobs(h, &jobs[i], 1);
        else
            end_job(h, jobs[i], got, &e);
    }
}

static bool go_together(const job *a, const job *b)
{
    return a->route == b->route && route_at(a->route)->together && a->n <= SMALL && b->n <= SMALL &&
           !strcmp(a->query, b->query);
}

// The first of those that wait, and those behind it that go with it, as far as they are this
// worker's share.
static int pop(queue *q, job **out)
{
    int most = (q->waiting + q->s.workers - 1) / q->s.workers, n = 0;
    most = most < ROUTE_TOGETHER ? most : ROUTE_TOGETHER;
    while (q->first && (n == 0 || (n < most && go_together(out[0], q->first)))) {
        job *j = out[n++] = q->first;
        if (!(q->first = j->next))
            q->last = &q->first;
    }
    q->waiting -= n;
    return n;
}

// Waits a while for some. False: there are none (*n is 0), and none will come.
static bool take(queue *q, job **out, int *n)
{
    struct timespec until;
    pthread_mutex_lock(&q->lock);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK;
    until.tv_sec += until.tv_nsec / 1000000000, until.tv_nsec %= 1000000000;
    if (!q->first && !atomic_load(&q->stopping))
        pthread_cond_timedwait(&q->more, &q->lock, &until);
    *n = pop(q, out);
    bool more = *n || !atomic_load(&q->stopping);
    pthread_mutex_unlock(&q->lock);
    counts_add(q->s.house->counts, COUNTS_WAITING, -*n);
    counts_add(q->s.house->counts, COUNTS_WORKING, *n);
    return more;
}

static void *serve(void *user)
{
    hand *h = user;
    job *jobs[ROUTE_TOGETHER];
    int n;
    for (keep_worker(h); take(h->q, jobs, &n); keep_worker(h))
        if (n)
            do_jobs(h, jobs, n);
    workers_close(h->w);
    return NULL;
}

// ---- The queue

static void open_hand(queue *q, hand *h)
{
    *h = (hand){.q = q,
                .outside = {.stop = stop, .user = h},
                .inside = *q->s.house,
                .world = *q->s.house->env,
                .halt = &q->halts[h - q->hands]};
    h->world.stop = is_halted, h->world.user = h;
    h->inside.env = &h->world;
}

static bool open_hands(queue *q, err *e)
{
    for (; q->n < q->s.workers; q->n++) {
        hand *h = &q->hands[q->n];
        open_hand(q, h);
        errno = pthread_create(&h->thread, NULL, serve, h);
        if (errno)
            return err_errno(e, "thread %d of %d for workers did not start", q->n + 1,
                             q->s.workers);
    }
    return true;
}

queue *queue_open(const queue_setup *s, err *e)
{
    queue *q = base_checked(calloc(1, sizeof *q), sizeof *q);
    size_t n = (size_t)s->workers;
    q->s = *s, q->last = &q->first;
    q->hands = base_checked(calloc(n, sizeof *q->hands), n * sizeof *q->hands);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->more, NULL);
    q->halts =
        mmap(NULL, n * sizeof *q->halts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (q->halts == MAP_FAILED)
        err_errno(e, "no memory to share with workers");
    else if (open_hands(q, e))
        return q;
    queue_close(q);
    return NULL;
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
    pthread_mutex_lock(&q->lock);
    bool late = atomic_load(&q->stopping);
    if (!late) {
        counts_add(q->s.house->counts, COUNTS_WAITING, 1);
        *q->last = j, q->last = &j->next, q->waiting++;
        pthread_cond_signal(&q->more);
    }
    pthread_mutex_unlock(&q->lock);
    if (late) {
        answer_refuse(&j->answer, 503, j->id, "the service is stopping");
        atomic_fetch_sub(&q->claimed, 1);
        q->s.done(j);
    }
}

void queue_close(queue *q)
{
    if (!q)
        return;
    pthread_mutex_lock(&q->lock);
    atomic_store(&q->stopping, true);
    pthread_cond_broadcast(&q->more);
    pthread_mutex_unlock(&q->lock);
    for (int i = 0; i < q->n; i++)
        pthread_join(q->hands[i].thread, NULL);
    pthread_cond_destroy(&q->more);
    pthread_mutex_destroy(&q->lock);
    if (q->halts != MAP_FAILED)
        munmap(q->halts, (size_t)q->s.workers * sizeof *q->halts);
    free(q->hands);
    free(q);
}
