// SPDX-License-Identifier: GPL-3.0-or-later
// file.h: files that are whole or not there.
//
// A file that matters is written beside its final name, synced, renamed, and its folder synced: a killed process, a
// full disk or a power cut leaves the old file or the new one, never half of one.
#ifndef KMIDI_BASE_FILE_H
#define KMIDI_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

// The name to write under before file_commit: "PATH.tmp-PID". Stale ones of dead processes are removed by file_sweep.
char *file_temp(arena *a, const char *path);
bool file_commit(const char *temp, const char *path, err *e) MUST_CHECK;           // sync, rename, sync folder; on failure removes temp
bool file_write(const char *path, const void *bytes, size_t n, err *e) MUST_CHECK; // all of the above in one call
void file_sweep(const char *dir);

// For reading; -1 with a sentence where `path` is no regular file. It never waits: a pipe, a terminal or a socket where a file belongs is
// refused at once. What opens files by name (HDF5) asks here first.
int file_open(const char *path, uint64_t *size, err *e) MUST_CHECK;
// The whole file, terminated by a NUL behind its n bytes. A file over `limit` bytes is refused. Pipes are read too (a shell's <(command)),
// but not waited for longer than FILE_PATIENCE seconds.
enum { FILE_PATIENCE = 5 };
char *file_read(arena *a, const char *path, size_t limit, size_t *n, err *e) MUST_CHECK;
bool file_make_dirs(const char *path, err *e) MUST_CHECK; // like mkdir -p
bool file_exists(const char *path);
// Paths that match a shell pattern, sorted; no match is ERR_MISSING.
char **file_glob(arena *a, const char *pattern, size_t *n, err *e) MUST_CHECK;
// Paths of what lies in `dir` itself and whose name matches, sorted. `dir` is taken as it is, whatever characters it has. None: *n is 0.
char **file_list(arena *a, const char *dir, const char *pattern, size_t *n);

#endif
