// SPDX-License-Identifier: GPL-3.0-or-later
// shard_set.h: what is in a set of shards, counted: how much music, which labels, how many tokens
// of each kind, which chords.
//
//     shard_set *t = shard_set_open(&a);
//     for (size_t i = 0; i < n; i++)
//         if (!shard_set_add(t, paths[i], e)) ...
//     // {"shards": 3, "items": 83, "hours": 7.1, "splits": {"train": {...}}, ...}
//     json *facts = shard_set_facts(t);
//
// The shards need not be of one kind. Memory: what one shard's tables need, and a counter for each
// name that occurs (of labels at most SHARD_MAX_LABELS a shard). Rows are read in blocks.
//
// Facts: shards, items, hours, synthetic, datasets, splits (shards, items, hours, labels,
// without_label), label_sources, rejected (by reason), columns (rows, longest), classes (items of
// each, by group), and where there are tokens: kinds (on, off, shift, velocity) and histogram
// [388]; melody: pitches [128]; harmony: chords by name, the most frequent first.
#ifndef KMIDI_DATA_SHARDS_SHARD_SET_H
#define KMIDI_DATA_SHARDS_SHARD_SET_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

typedef struct shard_set shard_set;

shard_set *shard_set_open(arena *a);
bool shard_set_add(shard_set *t, const char *path, err *e) MUST_CHECK;
json *shard_set_facts(shard_set *t); // the caller's to free; closes t
void shard_set_close(shard_set *t);  // without facts; accepts NULL

#endif
