// SPDX-License-Identifier: GPL-3.0-or-later
// worker_internal.h: what the caller and a worker say to each other: heads, each followed by n
// bytes.
#ifndef KMIDI_BASE_WORKER_INTERNAL_H
#define KMIDI_BASE_WORKER_INTERNAL_H

#include "base/worker.h"

// status of a worker that ran out of memory
enum { WORKER_MAGIC = 0x4b4d4457, WORKER_EXHAUSTED = 42 };

typedef struct worker_head {
    uint32_t magic;
    // of an answer: ERR_NONE, then the bytes are the result, else the error's sentence
    int32_t code;
    uint64_t n;
} worker_head;

_Noreturn void worker_child(const worker_options *o, int fd);

#endif
