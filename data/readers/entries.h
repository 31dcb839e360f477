// SPDX-License-Identifier: GPL-3.0-or-later
// entries.h: a JSON file that is one large object, entry by entry, in memory that does not grow:
// NSynth's has 289,205 of them.
//
//     entries *s = entries_open("examples.json", e);
//     // PULL_END with e->code set: it cannot go on
//     for (pull x; (x = entries_next(s, &key, &value, e)) != PULL_END;)
//         if (x == PULL_ONE) ... key, value ... else ... e->text says what is wrong with this
//             entry ...
//     entries_close(s);
//
// The file is checked as strictly as by json_parse, except that a key may occur twice. An entry may
// have ENTRY_BYTES.
#ifndef KMIDI_DATA_READERS_ENTRIES_H
#define KMIDI_DATA_READERS_ENTRIES_H

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/pull.h"

enum { ENTRY_BYTES = 1 << 20 };

typedef struct entries entries;

// ERR_MISSING, ERR_IO, ERR_FORMAT (no object)
entries *entries_open(const char *path, err *e) MUST_CHECK;
// Key and value live until the next call.
pull entries_next(entries *s, const char **key, const json **value, err *e);
int64_t entries_line(const entries *s); // where the entry begins, from 1
void entries_close(entries *s);         // accepts NULL

#endif
