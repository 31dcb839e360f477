// SPDX-License-Identifier: GPL-3.0-or-later
// file.h: files that are whole or not there.
//
// A file that matters is written beside its final name, synced, read back, renamed, and its folder
// synced: a killed process, a full disk, a failed write or a power cut leaves the old file or the
// new one, never half of one.
#ifndef KMIDI_BASE_FILE_H
#define KMIDI_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

// A file written from front to back. The first failure is kept and said by file_finish, which reads
// back what was written and compares it before the file gets its name; `f` is gone after
// file_finish and file_abandon, whatever came of it. What is no regular file (a device, a pipe,
// /dev/stdout) is written into as it is: there is nothing to keep whole.
typedef struct file_out file_out;
file_out *file_create(const char *path, err *e) MUST_CHECK;
void file_put(file_out *f, const void *bytes, size_t n);
bool file_finish(file_out *f, err *e) MUST_CHECK;
void file_abandon(file_out *f); // accepts NULL
// all of them in one call
bool file_write(const char *path, const void *bytes, size_t n, err *e) MUST_CHECK;

// For libraries that write a file themselves: the name to write under before file_commit,
// "PATH.tmp-HOST-PID", or a shorter one where that would be too long. A link is followed, so that
// its target is replaced and the link stays.
char *file_temp(arena *a, const char *path);
int file_begin(
    // opened to be written and read, new: what has the name loses it, since that may be another
    // name of a file
    const char *temp);
// sync, rename, sync folder; on failure removes temp
bool file_commit(const char *temp, const char *path, err *e) MUST_CHECK;
void file_discard(const char *temp); // removes it
// of this process; may be called in a signal handler
void file_discard_all(void);
// removes the temporary files of dead processes
void file_sweep(const char *dir);
// Can a file of this name be written here? Asked before hours of work: false in a sentence for a
// folder, a parent that is missing or may not be written into, a name that is too long. `seek`:
// what writes it needs a regular file. Sweeps what a killed process left of it.
bool file_ready(const char *path, bool seek, err *e) MUST_CHECK;
// a device, a pipe, or a name of what is open already (/dev/stdout): it can only be written into
bool file_special(const char *path);
// "'PATH' cannot be written: REASON", with a remedy where the reason has one. errno is the reason.
bool file_unwritten(const char *path, err *e);

// For reading; -1 with a sentence where `path` is no regular file. It never waits: a pipe, a
// terminal or a socket where a file belongs is refused at once. What opens files by name (HDF5)
// asks here first.
int file_open(const char *path, uint64_t *size, err *e) MUST_CHECK;
// Up to n bytes from byte `at` on, past what interrupts; fewer only at the end of the file. -1:
// errno says why they cannot be read.
int64_t file_read_at(int fd, void *out, size_t n, int64_t at);
// The whole file, terminated by a NUL behind its n bytes. A file over `limit` bytes is refused.
// Pipes are read too (a shell's <(command)), but not waited for longer than FILE_PATIENCE seconds.
enum { FILE_PATIENCE = 5 };
char *file_read(arena *a, const char *path, size_t limit, size_t *n, err *e) MUST_CHECK;
bool file_make_dirs(const char *path, err *e) MUST_CHECK; // like mkdir -p
bool file_exists(const char *path);
bool file_is_folder(const char *path);
// Paths that match a shell pattern, sorted; no match is ERR_MISSING. What is there under that very
// name, and the folders that a pattern begins with, are meant as they are called, whatever
// characters they have: "sh [1]/train-*.h5" looks into the folder "sh [1]".
char **file_glob(arena *a, const char *pattern, size_t *n, err *e) MUST_CHECK;
// Paths of what lies in `dir` itself and whose name matches, sorted. `dir` is taken as it is,
// whatever characters it has. None: *n is 0.
char **file_list(arena *a, const char *dir, const char *pattern, size_t *n);

#endif
