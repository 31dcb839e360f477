// SPDX-License-Identifier: GPL-3.0-or-later
// inspect.h: what inspect and verify share: the files that arguments mean, and facts as lines.
#ifndef KMIDI_CMD_INSPECT_H
#define KMIDI_CMD_INSPECT_H

#include "cmd/cmd.h"

// One argument may mean many files: a folder (all files in it and below that end so; ended by
// NULL), a pattern that the shell left alone, or a file. A file is itself, whether it is there or
// not; a folder or pattern without such a file is ERR_MISSING.
bool inspect_files(arena *a, const char *argument, const char *const *endings, char ***paths,
                   size_t *n, err *e) MUST_CHECK;
// a pattern or a folder, but not that of an adapter, which is one thing
bool inspect_is_set(const char *argument);

// One fact and what is below it, indented. `left`: lines that may still be printed.
void inspect_fact(cmd *c, const char *key, const json *v, int *left);
// All of it, for people or as JSON; frees `o`.
void inspect_facts(cmd *c, json *o);
// The folder of a training run (inspect_run.c).
bool inspect_is_run(const char *argument);
bool inspect_run(cmd *c, err *e) MUST_CHECK;
// A folder of MIDI without shards (inspect_songs.c).
bool inspect_is_songs(cmd *c, const char *argument);
bool inspect_songs(cmd *c, err *e) MUST_CHECK;
// Of a set of shards.
bool inspect_set(cmd *c, err *e) MUST_CHECK;

#endif
