// SPDX-License-Identifier: GPL-3.0-or-later
// small_sweep.h: a small configuration with its data, for tests of `kmidi sweep`, and how its
// processes and runs stand.
#ifndef KMIDI_TESTS_CMD_SMALL_SWEEP_H
#define KMIDI_TESTS_CMD_SMALL_SWEEP_H

#include <stdbool.h>
#include <sys/types.h>

// The configuration, and the folder of a sweep that is not there yet.
typedef struct place {
    char yaml[1100], dir[1100];
} place;

place small_sweep_place(void);
// "0001,done 0002,waiting ": as `kmidi runs` says it.
void small_sweep_states(const char *dir, const char *want);
// The exit status, 128 and the signal that ended it; -1: it goes on (without `wait`).
int small_sweep_ended(pid_t pid, bool wait);

#endif
