// SPDX-License-Identifier: GPL-3.0-or-later
// shard_internal.h: what the writer and the reader of shards agree on, and what shard.c and
// shard_columns.c share.
#ifndef KMIDI_DATA_SHARDS_SHARD_INTERNAL_H
#define KMIDI_DATA_SHARDS_SHARD_INTERNAL_H

#include "base/h5.h"
#include "data/shards/shard.h"

#define SHARD_FORMAT "kmidi-shard"

// Attributes of the root that are fields of shard_info.
typedef struct shard_text {
    const char *name; // NULL ends the list
    size_t at;
} shard_text;
extern const shard_text shard_texts[];

struct shard_file {
    h5 *h5;
    arena memory;
    int64_t longest; // attribute of the root: of the first column, where its dataset does not say
};

// In the file a column of single u16 numbers has one dimension, every other two.
static inline bool shard_column_flat(const shard_column *c)
{
    return c->u16 && c->width == 1;
}

bool shard_damaged(const shard *s, err *e, const char *what);
// A dataset of `n` rows of `m` elements (0: of one), in memory of the shard; NULL on failure.
const void *shard_table(shard *s, const char *name, h5_type type, size_t size, int64_t n, int64_t m,
                        err *e) MUST_CHECK;

// ---- shard_columns.c
// info.columns, mel first where it is there, then by the names in info.settings, with rows and
// longest. Needs `items`.
bool shard_columns_find(shard *s, err *e) MUST_CHECK;
// Offsets and checks of all of them.
bool shard_columns_tables(shard *s, err *e) MUST_CHECK;

// shard_groups.c: the attribute `groups`; classes and their counts
int64_t shard_class_total(const shard_info *i); // of all groups
bool shard_groups_write(h5 *f, const shard_info *i, int64_t items, const void *classes,
                        const int64_t *count, err *e) MUST_CHECK;
bool shard_groups_find(shard *s, err *e) MUST_CHECK;  // names and counts
bool shard_groups_items(shard *s, err *e) MUST_CHECK; // the classes of all items

#endif
