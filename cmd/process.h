// SPDX-License-Identifier: GPL-3.0-or-later
// process.h: what belongs to the whole process, for main.c and the tests: signals and the end of
// memory (process.c), the terminal (progress.c).
#ifndef KMIDI_CMD_PROCESS_H
#define KMIDI_CMD_PROCESS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"

// first of all: descriptors 0 to 2, signals that would kill where an error can be told
void process_begin(void);
void process_start(const command *k); // signals, out of memory
bool process_stop(void *user);        // env.stop: SIGINT, SIGTERM or their like came
// of the signal that came, as shells expect it; with 75 where the command is resumable
_Noreturn void process_die(void);

struct console *console_open(arena *a, const char *name);
void console_close(struct console *k); // flushes; puts the cursor on a fresh line
log_sink *console_log(struct console *k);
// Flushes stdout. False with ERR_IO when results were lost (a full disk); a reader that went away
// (| head) is no error.
bool console_flush(struct console *k, err *e) MUST_CHECK;
void console_set(struct console *k, bool as_json, bool quiet);
// stdout is the file that the command writes: results stay out of it
void console_cede(struct console *k);

#endif
