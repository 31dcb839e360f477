// SPDX-License-Identifier: GPL-3.0-or-later
// jobs.h: items of a node's work that each need room of their own while they are done: a head of
// attention, a block of a convolution. The room is a thread's, not an item's, so that a workspace
// grows with threads alone; what an item computes must not depend on what the one before it left.
#ifndef KMIDI_AUTOGRAD_OPS_JOBS_H
#define KMIDI_AUTOGRAD_OPS_JOBS_H

#include "autograd/op.h"

typedef void job_fn(const call *c, float *work, int64_t item);
typedef struct job {
    const call *c;
    job_fn *fn;
    float *work; // of the first thread
    size_t each; // floats of a thread
} job;

static inline void job_part(void *arg, int index, int64_t lo, int64_t hi)
{
    const job *j = arg;
    for (int64_t i = lo; i < hi; i++)
        j->fn(j->c, j->work + (size_t)index * j->each, i);
}

// fn for each of n items, with `each` floats for each thread from `work` on.
static inline void jobs_run(const call *c, job_fn *fn, int64_t n, float *work, size_t each)
{
    threads_share(c->pool, c->threads, n, 1, job_part, &(job){c, fn, work, each});
}

#endif
