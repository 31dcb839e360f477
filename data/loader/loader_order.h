// SPDX-License-Identifier: GPL-3.0-or-later
// loader_order.h: which example stands at a position of an epoch, without a table of examples.
//
//     in order      position p is example p of the row of shards
//     shuffled      p falls into a pool of shards (the order of the shards changes with the epoch
//                   where there are several pools), and a keyed permutation of the pool's examples
//                   says which
//     balanced      positions take the pool's labels in turn, each turn in another order; the k-th
//                   draw of a label is the k-th of a permutation of its items, and of another
//                   permutation each time they are used up
//
// A pool is at most LOADER_SHARDS shards of frames, or shards of songs of together at most
// LOADER_POOL bytes (one shard may have more).
#ifndef KMIDI_DATA_LOADER_LOADER_ORDER_H
#define KMIDI_DATA_LOADER_LOADER_ORDER_H

#include "base/rng.h"
#include "data/loader/loader.h"

// `label` -1: the `rank`-th example of shard `shard`. Else: its `rank`-th item with that label.
typedef struct loader_place {
    size_t shard;
    int32_t label;
    int64_t rank;
} loader_place;

typedef struct loader_order {
    const dataset *d;
    bool shuffle, balanced;
    uint64_t seed, units;  // of an epoch
    const int64_t *counts; // [n_shards] examples of each
    const int64_t *bytes;  // [n_shards] that each takes in memory; NULL: shards are counted instead
    int64_t most;          // bytes of a pool
    bool one;              // all shards are one pool
    size_t pools;          // of this epoch
    size_t *shards;        // [n_shards] in this epoch's order
    size_t *pool_shard;    // [pools + 1] the pool's first of `shards`
    uint64_t *pool_first;  // [pools + 1] positions
    size_t stride;         // of a column of `below`
    // [columns][stride] of the current pool: examples (with label c) before its shard k
    int64_t *below;
    int32_t *present; // [n_present] labels that the current pool holds
    int n_present;
    uint64_t epoch; // that the tables are of; UINT64_MAX: of none
    size_t pool;    // SIZE_MAX: none
    rng items;      // of the pool
} loader_order;

// `counts` and `bytes` stay the caller's.
void loader_order_open(loader_order *o, const dataset *d, const loader_options *options,
                       const int64_t *counts, const int64_t *bytes, arena *a);
// position < units
loader_place loader_order_at(loader_order *o, uint64_t epoch, uint64_t position);
// shards of the pool of the last place
const size_t *loader_order_pool(const loader_order *o, size_t *n);

#endif
