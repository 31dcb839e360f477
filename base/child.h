// SPDX-License-Identifier: GPL-3.0-or-later
// child.h: this program started once more, as a process of its own.
//
//     const char *const argv[] = {"kmidi", "plan", "x.yaml", "--json", NULL};
//     child_output o = {0};
//     child_run(argv, NULL, &o, e)  ...  o.status, o.out.s, o.said.s
//
// It is the very program that runs, even where its file was replaced meanwhile. A child is asked to
// stop (SIGTERM) when this process ends, however it ends, where a system can do that (Linux).
#ifndef KMIDI_BASE_CHILD_H
#define KMIDI_BASE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/env.h"
#include "base/err.h"
#include "base/str.h"

// In `folder` (NULL: here), with `out` and `said` as its standard output and error (-1: nowhere),
// and nothing to read. -1 with a sentence where no process can be made.
pid_t child_start(const char *const argv[], const char *folder, int out, int said,
                  err *e) MUST_CHECK;
// Its exit status, or 128 + the signal that ended it; -1: it runs.
int child_ended(pid_t pid);

typedef struct child_output {
    int status;
    strbuf out, said; // what it wrote to either; strbuf_free them
} child_output;
// Waits for it; ERR_STOPPED when `env` says so meanwhile (it is asked to stop, and waited for).
bool child_run(const char *const argv[], const char *folder, const env *env, child_output *o,
               err *e) MUST_CHECK;
// The last thing it said, "kmidi train: " and the like left out; NULL where it said nothing.
const char *child_last_words(const char *said, arena *a);

#endif
