// SPDX-License-Identifier: GPL-3.0-or-later
// proc.h: what differs between systems about child processes: sockets to talk to them, and limits
// to keep them in.
#ifndef KMIDI_BASE_PROC_H
#define KMIDI_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

// Two connected sockets, closed by exec, that take 64 KiB without waiting. Sending into one whose
// other end is gone is an error, never SIGPIPE.
bool proc_pair(int fd[2], err *e) MUST_CHECK;
ssize_t proc_send(int fd, const void *bytes, size_t n);

// Runs a command found by PATH, input and outputs at /dev/null, and waits: its exit status. 127: it
// is not there; 128: a signal ended it.
int proc_run_quietly(char *const argv[]);

// ---- In a child, before it does anything else
// Closes every descriptor but `keep` and 0 to 2, which lead to /dev/null: a child that holds
// a file keeps its lock. On Linux it is killed with the thread that forked it.
void proc_alone(int keep);
// No core files, and no more than `bytes` of address space beyond what the process has now; 0: no
// limit.
void proc_limit(uint64_t bytes);
// Whether that limit means anything: on Linux it does, on macOS and under the address sanitizer
// not.
bool proc_limits(void);
// Keeps up to 8 MiB of freed memory for the next item instead of giving it back to the system after
// each.
void proc_keep_memory(void);
// Whether the limit is why something failed: there is no room for `bytes` more. May be called in a
// signal handler.
bool proc_exhausted(size_t bytes);

#endif
