// SPDX-License-Identifier: GPL-3.0-or-later
// threads.c: each worker has a ticket of its own. The caller writes a new number into the tickets
// of those it needs, so that a run on two threads leaves the others asleep; a worker spins on its
// ticket for some tens of microseconds, which covers the gap between two nodes of a graph, and then
// sleeps on its condition variable.
//
// Sleeping cannot miss a ticket: the worker says `asleep` before it looks at the ticket a last
// time, the caller writes the ticket before it looks at `asleep` (all sequentially consistent), so
// at least one of them sees the other.
#include "base/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hw.h"
#include "base/room.h"

static const double SPIN_SECONDS = 40e-6;
enum { PAUSES_A_LOOK = 32, LINE = 128 };

typedef struct worker {
    _Alignas(LINE) atomic_uint ticket; // number of the run it is asked to take part in
    atomic_bool asleep;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    threads *pool;
    int index;
} worker;

// What is left of a thread's share, in blocks: the first in the upper half, the one behind the last
// in the lower. A line each.
typedef struct share {
    _Alignas(LINE) atomic_uint_least64_t left;
} share;

struct threads {
    worker *workers; // [count - 1]; worker i has index i + 1
    share *shares;   // [count]
    int count, started;
    bool spin;
    // The run: written by the caller before the tickets, read by those that hold one.
    thread_fn *fn;
    void *arg;
    int parts;
    unsigned number;
    atomic_bool busy, stop;
    threads_span *spans; // [most], or NULL
    int64_t most;
    atomic_llong written; // may go beyond most
    _Alignas(LINE) atomic_int pending;
    atomic_bool caller_asleep;
    pthread_mutex_t lock;
    pthread_cond_t done;
};

static inline void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// True as soon as ready(what), false when it did not come true in the time it is worth to spin.
static bool spin_for(const threads *t, bool (*ready)(const void *), const void *what)
{
    if (!t->spin)
        return ready(what);
    for (double end = hw_seconds() + SPIN_SECONDS; hw_seconds() < end;)
        for (int i = 0; i < PAUSES_A_LOOK; i++) {
            if (ready(what))
                return true;
            pause_cpu();
        }
    return ready(what);
}

typedef struct ticket_wait {
    const worker *w;
    unsigned seen;
} ticket_wait;

static bool ticket_came(const void *p)
{
    const ticket_wait *wait = p;
    return atomic_load(&wait->w->ticket) != wait->seen;
}

static bool all_done(const void *p)
{
    return atomic_load(&((const threads *)p)->pending) == 0;
}

static void wait_for_ticket(worker *w, unsigned seen)
{
    ticket_wait wait = {w, seen};
    if (spin_for(w->pool, ticket_came, &wait))
        return;
    pthread_mutex_lock(&w->lock);
    atomic_store(&w->asleep, true);
    while (!ticket_came(&wait))
        pthread_cond_wait(&w->wake, &w->lock);
    atomic_store(&w->asleep, false);
    pthread_mutex_unlock(&w->lock);
}

static void give_ticket(worker *w, unsigned number)
{
    atomic_store(&w->ticket, number);
    if (!atomic_load(&w->asleep))
        return;
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static void wait_for_workers(threads *t)
{
    if (spin_for(t, all_done, t))
        return;
    pthread_mutex_lock(&t->lock);
    atomic_store(&t->caller_asleep, true);
    while (!all_done(t))
        pthread_cond_wait(&t->done, &t->lock);
    atomic_store(&t->caller_asleep, false);
    pthread_mutex_unlock(&t->lock);
}

static void finish_part(threads *t)
{
    if (atomic_fetch_sub(&t->pending, 1) != 1 || !atomic_load(&t->caller_asleep))
        return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_signal(&t->done);
    pthread_mutex_unlock(&t->lock);
}

static void do_part(threads *t, int index)
{
    double began = t->spans ? hw_seconds() : 0;
    t->fn(t->arg, index, t->parts);
    if (!t->spans)
        return;
    int64_t at = atomic_fetch_add(&t->written, 1);
    if (at < t->most)
        t->spans[at] = (threads_span){index, began, hw_seconds()};
}

static void *work(void *arg)
{
    worker *w = arg;
    threads *t = w->pool;
    hw_flush_denormals();
    for (unsigned seen = 0;;) {
        wait_for_ticket(w, seen);
        seen = atomic_load(&w->ticket);
        if (atomic_load(&t->stop))
            return NULL;
        do_part(t, w->index);
        finish_part(t);
    }
}

// Signals are the main thread's business: workers start with all of them blocked.
static bool start_workers(threads *t)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < t->count - 1; i++) {
        worker *w = &t->workers[i];
        w->pool = t, w->index = i + 1;
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->wake, NULL);
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            break;
        t->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return t->started == t->count - 1;
}

static void *aligned_zeroed(size_t bytes)
{
    void *p = NULL;
    if (posix_memalign(&p, LINE, bytes))
        p = NULL;
    return memset(base_checked(p, bytes), 0, bytes);
}

// A stack that cannot be mapped and one process too many look alike.
static bool refuse(const threads *t, err *e)
{
    return room_for_stack(e) &&
           err_set(e, ERR_MEMORY,
                   "the system starts only %d of %d threads; use fewer, or raise its limit "
                   "(ulimit -u)",
                   t->started, t->count - 1);
}

threads *threads_open(int count, err *e)
{
    if (count < 1 || count > 1024) {
        err_set(e, ERR_VALUE, "%d threads were asked for; use 1 to 1024", count);
        return NULL;
    }
    threads *t = aligned_zeroed(sizeof *t);
    t->count = count;
    // with more threads than cores, spinning takes the core from the one waited for
    t->spin = count <= hw_cores();
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->done, NULL);
    t->workers = aligned_zeroed((size_t)count * sizeof *t->workers);
    t->shares = aligned_zeroed((size_t)count * sizeof *t->shares);
    if (!start_workers(t)) {
        refuse(t, e);
        threads_close(t);
        return NULL;
    }
    return t;
}

void threads_close(threads *t)
{
    if (!t)
        return;
    atomic_store(&t->stop, true);
    for (int i = 0; i < t->started; i++)
        give_ticket(&t->workers[i], t->number + 1);
    for (int i = 0; i < t->started; i++)
        pthread_join(t->workers[i].thread, NULL);
    for (int i = 0; i < t->started; i++) {
        pthread_cond_destroy(&t->workers[i].wake);
        pthread_mutex_destroy(&t->workers[i].lock);
    }
    pthread_cond_destroy(&t->done);
    pthread_mutex_destroy(&t->lock);
    free(t->workers);
    free(t->shares);
    free(t);
}

int threads_count(const threads *t)
{
    return t ? t->count : 1;
}

void threads_watch(threads *t, threads_span *spans, int64_t most)
{
    if (!t)
        return;
    t->spans = spans, t->most = most;
    atomic_store(&t->written, 0);
}

int64_t threads_watched(const threads *t)
{
    int64_t n = t ? atomic_load(&t->written) : 0;
    return n == 0 || n < t->most ? n : t->most;
}

// A run inside a run, or from a second thread, does its parts one after the other: same split, same
// result.
static void run_in_turn(int count, thread_fn *fn, void *arg)
{
    for (int i = 0; i < count; i++)
        fn(arg, i, count);
}

// True: this call has the pool, until fork_join is done with it.
static bool enter(threads *t, int count)
{
    CHECK(count >= 1 && count <= threads_count(t));
    return count > 1 && !atomic_exchange(&t->busy, true);
}

static void fork_join(threads *t, int count, thread_fn *fn, void *arg)
{
    t->fn = fn, t->arg = arg, t->parts = count;
    t->number++;
    atomic_store(&t->pending, count - 1);
    for (int i = 0; i < count - 1; i++)
        give_ticket(&t->workers[i], t->number);
    do_part(t, 0);
    wait_for_workers(t);
    atomic_store(&t->busy, false);
}

void threads_run(threads *t, int count, thread_fn *fn, void *arg)
{
    if (enter(t, count))
        fork_join(t, count, fn, arg);
    else
        run_in_turn(count, fn, arg);
}

typedef struct share_job {
    share *shares;
    int64_t n, grain;
    threads_part_fn *fn;
    void *arg;
} share_job;

// what is left of a share is taken by this part of it: large pieces first, single blocks at the end
enum { PIECES = 4 };

static uint64_t blocks_left(uint64_t first, uint64_t end)
{
    return first << 32 | end;
}

// A piece of a share: its owner's from the front, another's from the end.
static bool take(share *s, bool own, int64_t *first, int64_t *end)
{
    uint64_t left = atomic_load(&s->left);
    for (;;) {
        uint64_t lo = left >> 32, hi = left & UINT32_MAX;
        if (lo >= hi)
            return false;
        uint64_t n = (hi - lo + PIECES - 1) / PIECES;
        if (atomic_compare_exchange_weak(&s->left, &left,
                                         own ? blocks_left(lo + n, hi) : blocks_left(lo, hi - n))) {
            *first = (int64_t)(own ? lo : hi - n), *end = *first + (int64_t)n;
            return true;
        }
    }
}

static void work_on_shares(void *arg, int index, int count)
{
    const share_job *j = arg;
    int64_t first, end;
    for (int k = 0; k < count; k++)
        while (take(&j->shares[(index + k) % count], k == 0, &first, &end))
            j->fn(j->arg, index, first * j->grain, end * j->grain < j->n ? end * j->grain : j->n);
}

void threads_share(threads *t, int count, int64_t n, int64_t grain, threads_part_fn *fn, void *arg)
{
    int64_t blocks = (n + grain - 1) / grain;
    CHECK(blocks <= INT32_MAX);
    if (n <= 0)
        return;
    if (!enter(t, count)) {
        fn(arg, 0, 0, n);
        return;
    }
    for (int i = 0; i < count; i++)
        atomic_store(&t->shares[i].left, blocks_left((uint64_t)(blocks * i / count),
                                                     (uint64_t)(blocks * (i + 1) / count)));
    fork_join(t, count, work_on_shares, &(share_job){t->shares, n, grain, fn, arg});
}
