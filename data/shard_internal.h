// SPDX-License-Identifier: GPL-3.0-or-later
// shard_internal.h: what the writer and the reader of shards agree on.
#ifndef KMIDI_DATA_SHARD_INTERNAL_H
#define KMIDI_DATA_SHARD_INTERNAL_H

#include "data/shard.h"

#define SHARD_FORMAT "kmidi-shard"

// Attributes of the root that are fields of shard_info.
typedef struct shard_text {
    const char *name; // NULL ends the list
    size_t at;
} shard_text;
extern const shard_text shard_texts[];

#endif
