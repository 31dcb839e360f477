// SPDX-License-Identifier: GPL-3.0-or-later
// head_jobs.h: the heads of a batch's sequences, shared out among threads, and the room in which
// each of these works.
#ifndef KMIDI_AUTOGRAD_OPS_HEAD_JOBS_H
#define KMIDI_AUTOGRAD_OPS_HEAD_JOBS_H

#include "autograd/ops/kernel.h"

// Bytes for all threads of a call, `each` floats for one.
static inline size_t head_workspace(const call *c, size_t each)
{
    return each * sizeof(float) * (size_t)c->threads;
}

// What is done with one head of one sequence, in the workspace of the thread that does it.
typedef void head_fn(const call *c, float *work, int64_t item);
typedef struct head_job {
    const call *c;
    head_fn *fn;
    size_t each; // floats of a thread
} head_job;

static inline void head_job_part(void *arg, int index, int64_t lo, int64_t hi)
{
    const head_job *j = arg;
    for (int64_t i = lo; i < hi; i++)
        j->fn(j->c, (float *)j->c->work + (size_t)index * j->each, i);
}

// fn for each of `items` heads of sequences; `bytes` are all threads' workspace.
static inline void head_jobs(const call *c, head_fn *fn, int64_t items, size_t bytes)
{
    size_t each = bytes / sizeof(float) / (size_t)c->threads;
    threads_share(c->pool, c->threads, items, 1, head_job_part, &(head_job){c, fn, each});
}

#endif
