// SPDX-License-Identifier: GPL-3.0-or-later
// progress.h: how far a long job is (progress.c).
#ifndef KMIDI_CMD_PROGRESS_H
#define KMIDI_CMD_PROGRESS_H

#include "cmd/cmd.h"

// A line that tells how far a long job is: on a terminal rewritten in place, elsewhere a line now
// and then. Any thread may call progress_at.
typedef struct progress progress;
progress *progress_open(cmd *c, const char *what, uint64_t total); // "prepare"; total 0: not known
// a resumed job: what was done before does not count for the time left
void progress_start_at(progress *p, uint64_t done);
// `fmt` is the rest of the line ("loss 1.234 lr 3.0e-4"); cheap when nothing is due.
void progress_at(progress *p, uint64_t done, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void progress_close(progress *p); // accepts NULL
// Several lines instead of one, in the place of those before; false where stderr is no terminal,
// and nothing is drawn.
bool cmd_block(cmd *c, const char *text);

#endif
