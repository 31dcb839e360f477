// SPDX-License-Identifier: GPL-3.0-or-later
// threads.h: a pool for fork-join work. The caller is thread 0; workers spin for a moment, then sleep.
//
// Work is split by the callee from (index, count), never by who comes first, so results do not depend on timing.
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
// Runs fn(arg, i, count) for i in 0..count-1 and returns when all are done. count <= threads_count; 1 is a plain call.
void threads_run(threads *t, int count, thread_fn *fn, void *arg);

// The half-open part [*lo, *hi) of n that belongs to `index` of `count`, in multiples of `grain`.
static inline void threads_part(int64_t n, int64_t grain, int index, int count, int64_t *lo, int64_t *hi)
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
