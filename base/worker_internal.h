// SPDX-License-Identifier: GPL-3.0-or-later
// worker_internal.h: a worker's process, and what it and the caller say to each other: heads, each
// followed by n bytes.
#ifndef KMIDI_BASE_WORKER_INTERNAL_H
#define KMIDI_BASE_WORKER_INTERNAL_H

#include <sys/types.h>

#include "base/worker.h"

// status of a worker that ran out of memory
enum { WORKER_MAGIC = 0x4b4d4457, WORKER_EXHAUSTED = 42 };

typedef struct worker_head {
    uint32_t magic;
    // of an answer: ERR_NONE, then the bytes are the result, else the error's sentence
    int32_t code;
    uint64_t n;
} worker_head;

enum { WORKER_QUEUE = 2 }; // items that are sent to one

// A worker, as the caller sees it.
typedef struct worker_slot {
    pid_t pid; // 0: none
    int fd;
    size_t queue[WORKER_QUEUE]; // numbers of entries
    int queued;
    double since;     // when it began with the first
    worker_head head; // of its answer
    // bytes of the answer so far, its head included; the others are in the entry's result
    size_t got;
} worker_slot;

// ---- worker_process.c
bool worker_start(const worker_options *o, worker_slot *s, err *e) MUST_CHECK;
// Returns its status; the process is gone and waited for. 0 where there was none.
int worker_stop(worker_slot *s, bool kill_it);

// ---- worker_child.c
_Noreturn void worker_child(const worker_options *o, int fd);

#endif
