// SPDX-License-Identifier: GPL-3.0-or-later
// head_jobs.h: the heads of a batch's sequences, shared out among threads, and the room in which
// each of these works.
#ifndef KMIDI_AUTOGRAD_OPS_HEAD_JOBS_H
#define KMIDI_AUTOGRAD_OPS_HEAD_JOBS_H

#include "autograd/ops/jobs.h"
#include "autograd/ops/kernel.h"

// Bytes for all threads of a call, `each` floats for one.
static inline size_t head_workspace(const call *c, size_t each)
{
    return each * sizeof(float) * (size_t)c->threads;
}

// fn for each of `items` heads of sequences; `bytes` are all threads' workspace.
static inline void head_jobs(const call *c, job_fn *fn, int64_t items, size_t bytes)
{
    jobs_run(c, fn, items, c->work, bytes / sizeof(float) / (size_t)c->threads);
}

#endif
