// SPDX-License-Identifier: GPL-3.0-or-later
// err.h: errors as values with a sentence and a trail.
//
// A function that can fail takes `err *e` last and returns false (or NULL). The lowest level sets
// the code and a sentence that names file, place and remedy; each level above may put its context
// in front. Nothing is allocated, nothing is printed: cmd/ prints the text and turns the code into
// an exit status.
//
//     if (n < 44)
//         return err_set(e, ERR_FORMAT, "'%s' is %zu bytes long, too short for audio; remove it
//             from the manifest", path, n);
//     if (!clip_read(path, &c, e))
//         return err_trail(e, "manifest line %d", line);
//
//     "manifest line 7: 'a.wav' is 12 bytes long, too short for audio; remove it from the manifest"
#ifndef KMIDI_BASE_ERR_H
#define KMIDI_BASE_ERR_H

#include <stdbool.h>

// code, exit status, reason code in rejected.jsonl and --json
#define ERR_LIST(X)                                                                                \
    X(ERR_NONE, 0, "none")                                                                         \
    X(ERR_USAGE, 2, "usage")                                                                       \
    X(ERR_CONFIG, 2, "config")                                                                     \
    X(ERR_IO, 1, "io")                                                                             \
    X(ERR_MISSING, 1, "missing")                                                                   \
    X(ERR_EMPTY, 1, "empty")                                                                       \
    X(ERR_FORMAT, 1, "format")                                                                     \
    X(ERR_DAMAGED, 1, "damaged")                                                                   \
    X(ERR_VALUE, 1, "value")                                                                       \
    X(ERR_SHAPE, 1, "shape")                                                                       \
    X(ERR_MISMATCH, 1, "mismatch")                                                                 \
    X(ERR_BUDGET, 1, "budget")                                                                     \
    X(ERR_MEMORY, 1, "memory")                                                                     \
    X(ERR_CRASH, 1, "crash")                                                                       \
    X(ERR_TIMEOUT, 1, "timeout")                                                                   \
    X(ERR_NUMERIC, 1, "numeric")                                                                   \
    X(ERR_STOPPED, 75, "stopped")                                                                  \
    X(ERR_INTERNAL, 1, "internal")

typedef enum err_code {
#define X(code, status, name) code,
    ERR_LIST(X)
#undef X
        ERR_CODES // how many
} err_code;

typedef struct err {
    err_code code;
    char text[2000];
} err;

#define MUST_CHECK __attribute__((warn_unused_result))

// Both return false, so that `return err_set(...)` reads as one line. `e` may be NULL: then nothing
// is recorded.
bool err_set(err *e, err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool err_trail(err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// The same with ": strerror(errno)" behind the sentence; code ERR_IO (ERR_MISSING for ENOENT).
bool err_errno(err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int err_status(err_code code);       // exit status
const char *err_name(err_code code); // short name for JSON

// CHECK is for our own mistakes: always on, cheap, and names the place before it aborts.
#define CHECK(cond) ((cond) ? (void)0 : err_broken(#cond, __FILE__, __LINE__))
_Noreturn void err_broken(const char *cond, const char *file, int line);

#endif
