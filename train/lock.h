// SPDX-License-Identifier: GPL-3.0-or-later
// lock.h: one process at a time in a folder, and which one it is.
//
//     int fd = lock_take("runs/a", log, e);      // -1: somebody else has it, who is named
//     ...
//     lock_release(fd);                          // or the process ends, however it ends
//
// The file .lock is locked, not its presence: a process that is killed gives it up with its life,
// so what is not held is never in the way. What is written in it says who holds it, or held it
// last:
//
//     {"host": "a", "pid": 4711, "job": "12_3", "restarts": 2, "taken": "2026-01-31T23:59:59Z"}
//
// Two locks stand on the file: flock, which keeps others out, and a record lock beside it, which
// can be asked after without being taken (lock_look): who looks is in nobody's way.
#ifndef KMIDI_TRAIN_LOCK_H
#define KMIDI_TRAIN_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

typedef struct lock_owner {
    char host[68], job[68], taken[32]; // "" where it does not say
    int64_t pid, restarts;             // pid 0: it does not say; how often it was taken before
} lock_owner;

typedef enum lock_state {
    LOCK_NONE, // no such file, or one that is none of ours
    LOCK_FREE, // nobody holds it: whoever held it has ended
    LOCK_HELD,
} lock_state;

// `dir` is there. On a file system without locks it is used without them, which `log` is told.
int lock_take(const char *dir, const log_sink *log, err *e) MUST_CHECK;
void lock_release(int fd); // accepts -1
// For one who finds, with the lock, that another had it since it looked; false. As of a lock that
// is held, a job of a scheduler is to come again.
bool lock_lost(const char *dir, err *e);
// `o` may be NULL. Never waits, never takes.
lock_state lock_look(const char *dir, lock_owner *o);
// "process 4711 on a", "process 4711 of job 12_3 on a"; "" where it does not say.
const char *lock_describe(const lock_owner *o, char out[256]);

#endif
