// SPDX-License-Identifier: GPL-3.0-or-later
// attributes.h: what an index says about an item beyond what we understand: kept as the text of a
// JSON object, beside the item in its shard.
//
// NSynth's notes keep all their fields; of a manifest or csv, every field that no reader takes for
// a path, label, group ... is kept as it is. The text is bounded: an object of more than
// ATTRIBUTES_BYTES is left out, and {"left_out_bytes": N} stands for it.
#ifndef KMIDI_DATA_READERS_ATTRIBUTES_H
#define KMIDI_DATA_READERS_ATTRIBUTES_H

#include "base/arena.h"
#include "base/json.h"

enum { ATTRIBUTES_BYTES = 16384 };

// The object's text, owned by `a`; NULL for an empty one. Takes `o`, which may be NULL.
const char *attributes_text(arena *a, json *o);
// The fields of an object but those that were taken: of each list "a|b|c" the first that is there
// and not null. `taken` ends with NULL.
const char *attributes_of(arena *a, const json *all, const char *const *taken);
// Is `name` such a field? `has` tells whether a name is there.
bool attributes_taken(const char *const *taken, const char *name,
                      bool (*has)(const void *row, const char *name), const void *row);
// Of a text from a shard: "" or an object within the bounds.
bool attributes_ok(const char *text);

#endif
