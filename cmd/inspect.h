// SPDX-License-Identifier: GPL-3.0-or-later
// inspect.h: what inspect and verify share: the files that arguments mean, and facts as lines.
#ifndef KMIDI_CMD_INSPECT_H
#define KMIDI_CMD_INSPECT_H

#include "cmd/cmd.h"

// One argument may mean many files: a folder (all files in it and below that end so; ended by NULL), a pattern that the shell left alone,
// or a file. A file is itself, whether it is there or not; a folder or pattern without such a file is ERR_MISSING.
bool inspect_files(arena *a, const char *argument, const char *const *endings, char ***paths, size_t *n, err *e) MUST_CHECK;
bool inspect_is_set(const char *argument); // a pattern or a folder, but not that of an adapter, which is one thing

// One fact and what is below it, indented. `left`: lines that may still be printed.
void inspect_fact(cmd *c, const char *key, const json *v, int *left);
// Of a set of shards.
bool inspect_set(cmd *c, err *e) MUST_CHECK;

#endif
