// SPDX-License-Identifier: GPL-3.0-or-later
// worker.h: work on hostile input in processes of its own.
//
// A library that aborts, loops for ever or takes all memory over a damaged file does so in a
// worker, and costs that one item: it comes back as an error, and the worker is replaced. Results
// come in the order of the items, whichever worker was faster.
//
//     workers *w = workers_open(&(worker_options){.count = 2, .fn = tokens_of_file}, e);
//     while (ok && (more || workers_under_way(w)))
//         if (more && workers_room(w))
//             ok = workers_put(w, path, strlen(path) + 1, e), more = ...;
//         else if ((ok = workers_take(w, &r, e)))
//             // err_name(r.e.code): "damaged", "crash", "timeout", "memory"
//             r.ok ? use(r.bytes, r.n) : reject(r.e.code, r.e.text);
//     workers_close(w);
//
// Workers are forked from the caller when the pool is opened and when one is replaced. They hold
// none of its files, ignore SIGINT, SIGTERM and SIGHUP (the caller decides), print nothing, and end
// when the caller does: on Linux at once (with the thread that put the item), elsewhere when they
// are done with their item, or at its time limit. `fn` may use memory, files, and libraries that no
// other thread of the caller is using while a worker is forked. Results that pile up behind a slow
// item are left in the workers beyond 32 MiB.
#ifndef KMIDI_BASE_WORKER_H
#define KMIDI_BASE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/err.h"
#include "base/str.h"

// bytes of an item at most; items under way for each worker
enum { WORKER_ITEM = 16384, WORKER_WINDOW = 64 };
#define WORKER_SECONDS 10.0
#define WORKER_MEMORY  (UINT64_C(1) << 30)

// Adds the result for item[0..n) to `out`, or fails with a sentence. Runs in a worker: what it
// changes, nobody else sees.
typedef bool worker_fn(void *user, const void *item, size_t n, strbuf *out, err *e);

typedef struct worker_options {
    int count;      // processes; 0: 1
    double seconds; // for one item; 0: WORKER_SECONDS
    // address space beyond the caller's own, at the time of forking; 0: WORKER_MEMORY
    uint64_t memory;
    worker_fn *fn;
    void *user;     // as it is when a worker is forked
    const env *env; // asked whether to stop while waiting; may be NULL
} worker_options;

typedef struct worker_result {
    bool ok;
    const char *bytes; // what fn added, until the next workers_take
    size_t n;
    // with the worker: e is ERR_CRASH, ERR_TIMEOUT or ERR_MEMORY, and its sentence does not name
    // the item
    bool lost;
    err e; // where not ok; else fn's own error
} worker_result;

typedef struct workers workers;

workers *workers_open(const worker_options *o, err *e) MUST_CHECK;
void workers_close(workers *w);             // stops what is under way; accepts NULL
size_t workers_room(const workers *w);      // how many items may be put before one must be taken
size_t workers_under_way(const workers *w); // put and not yet taken
// Whether every process lives, as far as is known now. One that does not is made anew with the next
// item that it is given.
bool workers_whole(workers *w);
// Hands an item out; it is copied. Call only where there is room. Fails when no process can be
// made.
bool workers_put(workers *w, const void *item, size_t n, err *e) MUST_CHECK;
// The result of the oldest item, waiting for it. Call only where something is under way.
// ERR_STOPPED when env says so.
bool workers_take(workers *w, worker_result *r, err *e) MUST_CHECK;

// One item in a worker of its own. `name` begins the sentence when the worker is lost.
bool worker_run(const worker_options *o, const char *name, const void *item, size_t n, strbuf *out,
                err *e) MUST_CHECK;

#endif
