// SPDX-License-Identifier: GPL-3.0-or-later
// loader_order.h: which item stands at a position of an epoch, without a table of items.
//
//     in order      position p is item p of the row of shards
//     shuffled      p falls into a pool of at most LOADER_SHARDS shards (the order of the shards changes with the epoch where there are
//     several
//                   pools), and a keyed permutation of the pool's items says which
//     balanced      positions take the pool's labels in turn, each turn in another order; the k-th draw of a label is the k-th of a
//     permutation
//                   of its items, and of another permutation each time they are used up
#ifndef KMIDI_DATA_LOADER_ORDER_H
#define KMIDI_DATA_LOADER_ORDER_H

#include "base/rng.h"
#include "data/loader.h"

// `label` -1: the `rank`-th item of shard `shard`. Else: the `rank`-th item with that label there.
typedef struct loader_place {
    size_t shard;
    int32_t label;
    int64_t rank;
} loader_place;

typedef struct loader_order {
    const dataset *d;
    bool shuffle, balanced;
    uint64_t seed, items; // of an epoch
    size_t pools;
    size_t *shards;       // [n_shards] in this epoch's order
    uint64_t *pool_first; // [pools + 1] positions
    int64_t *below;       // [columns][LOADER_SHARDS + 1] of the current pool: items (with label c) before its shard k
    int32_t *present;     // [n_present] labels that the current pool holds
    int n_present;
    uint64_t epoch; // that the tables are of; UINT64_MAX: of none
    size_t pool;    // SIZE_MAX: none
} loader_order;

void loader_order_open(loader_order *o, const dataset *d, const loader_options *options, arena *a);
loader_place loader_order_at(loader_order *o, uint64_t epoch, uint64_t position); // position < items

#endif
