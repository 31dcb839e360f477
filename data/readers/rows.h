// SPDX-License-Identifier: GPL-3.0-or-later
// rows.h: an index as rows of named fields, however it is written. The ending of its name tells:
//
//     .csv      the first row names the columns
//     .jsonl    one object a line
//     .json     a list of objects, or one object of columns, {"title": {"0": "A", "1": "B"}, ...}
//
//     rows *r = rows_open("maestro-v3.0.0.json", (const char *const[]){"midi_filename", NULL}, e);
//     for (pull s; (s = rows_next(r, e)) != PULL_END;)
//         if (s == PULL_BAD || !rows_text(r, &arena, paths, &path, e)) ... err_trail(e, "%s",
//             rows_where(r, &arena)) ...
//     rows_close(r);
//
// csv and jsonl are read a row at a time; .json is read whole and may have ROWS_JSON_BYTES.
#ifndef KMIDI_DATA_READERS_ROWS_H
#define KMIDI_DATA_READERS_ROWS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/pull.h"

// the most of a .json file, of a field's text
enum { ROWS_JSON_BYTES = 16 << 20, ROWS_TEXT = 4096 };

typedef struct rows rows;

// `columns`, ended by NULL: of each of them the csv or the object of columns must have at least one
// of the names "a|b|c"; else ERR_FORMAT.
rows *rows_open(const char *path, const char *const *columns, err *e) MUST_CHECK;
// PULL_END with e->code set: the file cannot be read on.
pull rows_next(rows *r, err *e);
int64_t rows_line(const rows *r);                // of the row; in a .json its number, from 1
const char *rows_where(const rows *r, arena *a); // "'labels.csv' line 7", "'index.json' entry 7"
void rows_close(rows *r);                        // accepts NULL

// ---- Fields of the row that rows_next returned last
// The first of `names`, "a|b|c", that is there and not empty or null; *out NULL: none. Whole
// numbers are texts too. Owned by a.
bool rows_text(const rows *r, arena *a, const char *names, const char **out, err *e) MUST_CHECK;
// The same, but it must be there.
bool rows_need(const rows *r, arena *a, const char *names, const char **out, err *e) MUST_CHECK;
// Left as it is where the field is not there.
bool rows_num(const rows *r, const char *names, double least, double most, double *out,
              err *e) MUST_CHECK;
// true or false, in csv and as texts also 1 and 0.
bool rows_bool(const rows *r, const char *name, bool *out, err *e) MUST_CHECK;
// All other fields (attributes.h), but those that are empty; a csv's as texts, where they are
// UTF-8.
const char *rows_attributes(const rows *r, arena *a, const char *const *taken);

#endif
