// SPDX-License-Identifier: GPL-3.0-or-later
// several.h: the program under test in several processes, for tests of what they do together.
#ifndef KMIDI_TESTS_TRAIN_SEVERAL_H
#define KMIDI_TESTS_TRAIN_SEVERAL_H

#include <stdbool.h>
#include <sys/types.h>

enum { SEVERAL_MOST = 4 };

// Skips the test where there is no mpirun, or the program is made without MPI=1.
bool several_can_run(void);
// "mpirun ... -n N", ranks that may run on any core.
const char *several_starter(int n);

// `n` ranks of `kmidi train ARGUMENTS --run-dir DIR`, in the background; what they say goes to
// DIR.out. Returns when each of them has begun.
typedef struct several {
    pid_t starter, rank[SEVERAL_MOST];
    int n;
    const char *dir;
} several;
several several_start(int n, const char *dir, const char *arguments);
// Until metrics.jsonl has so many lines, or the run has ended.
void several_await(const several *s, int lines);
// Its exit status, as mpirun has it; -1 where it has not ended after so many seconds (it is then).
int several_end(several *s, double seconds);
const char *several_said(const several *s); // static

#endif
