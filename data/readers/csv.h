// SPDX-License-Identifier: GPL-3.0-or-later
// csv.h: a CSV file row by row (RFC 4180), through libcsv, in memory that does not grow.
//
//     csv *c = csv_open("labels.csv", e);
//     // PULL_END with e->code set: the file cannot be read on
//     for (pull s; (s = csv_next(c, e)) != PULL_END;)
//         if (s == PULL_ONE) ... csv_field(c, 0) ... csv_fields(c) of them ...
//         else ... e->text says what is wrong with the row; the next one may be well ...
//     csv_close(c);
//
// Between fields stands what the first line has most of, comma, semicolon (as spreadsheets write
// where the comma is decimal), tab or bar. Fields may be quoted and then hold commas, quotes
// (doubled) and line ends. Lines end with LF or CR LF, a byte order mark is skipped, and so are
// blank lines. A row that is not well formed, as one with a quote that is never closed, costs
// itself and nothing else: reading goes on with the line behind the one where it began.
#ifndef KMIDI_DATA_READERS_CSV_H
#define KMIDI_DATA_READERS_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pull.h"

enum { CSV_BYTES = 1 << 16, CSV_FIELDS = 256 }; // the most of a row

typedef struct csv csv;

csv *csv_open(const char *path, err *e) MUST_CHECK; // errors: those of lines_open
pull csv_next(csv *c, err *e);
// Of the row that csv_next returned last; texts live until its next call. A field holds no U+0000;
// any other bytes may occur.
size_t csv_fields(const csv *c);
const char *csv_field(const csv *c, size_t i);
int64_t csv_line(const csv *c); // where the row begins, from 1
void csv_close(csv *c);         // accepts NULL

#endif
