// SPDX-License-Identifier: GPL-3.0-or-later
// lines.h: a text file line by line, in memory that does not grow: for indexes that may hold
// millions of entries.
#ifndef KMIDI_DATA_READERS_LINES_H
#define KMIDI_DATA_READERS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/pull.h"

enum { LINE_MOST = 1 << 20 }; // bytes of a line; a longer one is skipped and named

typedef struct lines lines;

// The file of an index, for what reads it otherwise (entries.h): errors as below, but it may be
// empty.
FILE *lines_file(const char *path, uint64_t *size, err *e) MUST_CHECK;
// ERR_MISSING, ERR_IO, ERR_FORMAT (a folder, a pipe), ERR_EMPTY (0 bytes).
lines *lines_open(const char *path, err *e) MUST_CHECK;
// The next line without its end (LF or CR LF) and without a byte order mark at the file's start;
// NUL behind its n bytes, which may hold others. PULL_BAD: the line is too long. PULL_END with
// e->code set: the file cannot be read on.
pull lines_next(lines *l, char **text, size_t *n, err *e);
int64_t lines_number(const lines *l); // of the line that lines_next returned last, from 1
// Where the next line begins, and going back to such a place, behind line `number`. A file that
// cannot do so is no regular one.
int64_t lines_place(const lines *l);
bool lines_return(lines *l, int64_t place, int64_t number, err *e) MUST_CHECK;
void lines_close(lines *l); // accepts NULL

#endif
