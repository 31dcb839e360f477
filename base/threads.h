// SPDX-License-Identifier: GPL-3.0-or-later
// threads.h: a pool for fork-join work. The caller is thread 0; workers spin for a moment, then
// sleep.
//
// threads_run splits by (index, count) alone, never by who comes first, so results do not depend on
// timing. threads_share splits by who comes first, for parts whose results do not depend on who
// computes them or on where they are cut.
#ifndef KMIDI_BASE_THREADS_H
#define KMIDI_BASE_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct threads threads;
typedef void thread_fn(void *arg, int index, int count);

threads *threads_open(int count, err *e) MUST_CHECK; // count >= 1; count - 1 workers are started
void threads_close(threads *t);                      // accepts NULL
int threads_count(const threads *t);                 // 1 for NULL
// Runs fn(arg, i, count) for i in 0..count-1 and returns when all are done. count <= threads_count;
// 1 is a plain call.
void threads_run(threads *t, int count, thread_fn *fn, void *arg);

// fn(arg, index, lo, hi) over parts of [0, n) that begin at multiples of `grain`, each element
// once; index < count is the thread's. Every thread begins with a share of its own, as threads_part
// cuts it, in order and in pieces; when that is done it takes pieces from the ends of the others'.
// So cores of unlike speed, or one that was taken away for a moment, cost less than the slowest
// would.
typedef void threads_part_fn(void *arg, int index, int64_t lo, int64_t hi);
void threads_share(threads *t, int count, int64_t n, int64_t grain, threads_part_fn *fn, void *arg);

// What a thread did of one run, on the clock of hw_seconds.
typedef struct threads_span {
    int index;
    double begin, end;
} threads_span;
// From now on each thread leaves a span for each run that it takes part in, in the order in which
// they end, while there is room for `most` of them; NULL: no more. Not while the pool runs. A run
// that one thread does alone leaves none.
void threads_watch(threads *t, threads_span *spans, int64_t most);
int64_t threads_watched(const threads *t); // how many there are since threads_watch, 0 for NULL

// The half-open part [*lo, *hi) of n that belongs to `index` of `count`, in multiples of `grain`.
static inline void threads_part(int64_t n, int64_t grain, int index, int count, int64_t *lo,
                                int64_t *hi)
{
    int64_t blocks = (n + grain - 1) / grain;
    *lo = blocks * index / count * grain;
    *hi = blocks * (index + 1) / count * grain;
    if (*lo > n)
        *lo = n;
    if (*hi > n)
        *hi = n;
}

#endif
