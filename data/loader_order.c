// SPDX-License-Identifier: GPL-3.0-or-later
// loader_order.c: the order of an epoch as a function (loader_order.h). Tables are per shard, made anew when epoch or pool change.
#include "data/loader_order.h"

// Items that count at all: all of them, or the labelled ones.
static int64_t counted(const loader_order *o, size_t shard)
{
    const dataset *d = o->d;
    int64_t all = d->first[shard + 1] - d->first[shard];
    return o->balanced ? all - d->label_counts[shard * (d->n_labels + 1) + d->n_labels] : all;
}

void loader_order_open(loader_order *o, const dataset *d, const loader_options *options, arena *a)
{
    *o = (loader_order){.d = d, .shuffle = options->shuffle, .balanced = options->balanced, .seed = options->seed};
    o->pools = (d->n_shards + LOADER_SHARDS - 1) / LOADER_SHARDS;
    o->shards = NEW(a, size_t, d->n_shards);
    o->pool_first = NEW(a, uint64_t, o->pools + 1);
    o->below = NEW(a, int64_t, (o->balanced ? d->n_labels : 1) * (LOADER_SHARDS + 1));
    o->present = NEW(a, int32_t, d->n_labels + 1);
    o->epoch = UINT64_MAX;
    o->pool = SIZE_MAX;
    for (size_t k = 0; k < d->n_shards; k++)
        o->items += (uint64_t)counted(o, k);
}

static void begin_epoch(loader_order *o, uint64_t epoch)
{
    size_t n = o->d->n_shards;
    rng r = rng_stream(o->seed, "shards", 0);
    for (size_t k = 0; k < n; k++)
        o->shards[k] = o->shuffle && o->pools > 1 ? (size_t)rng_permute(r, epoch, k, n) : k;
    for (size_t k = 0; k < n; k++) {
        size_t pool = k / LOADER_SHARDS;
        if (k % LOADER_SHARDS == 0)
            o->pool_first[pool + 1] = o->pool_first[pool];
        o->pool_first[pool + 1] += (uint64_t)counted(o, o->shards[k]);
    }
    o->epoch = epoch;
    o->pool = SIZE_MAX;
}

static size_t pool_shards(const loader_order *o, size_t pool)
{
    size_t left = o->d->n_shards - pool * LOADER_SHARDS;
    return left < LOADER_SHARDS ? left : LOADER_SHARDS;
}

static void begin_pool(loader_order *o, size_t pool)
{
    const dataset *d = o->d;
    size_t n = pool_shards(o, pool), columns = o->balanced ? d->n_labels : 1;
    o->n_present = 0;
    for (size_t c = 0; c < columns; c++) {
        int64_t *below = o->below + c * (LOADER_SHARDS + 1);
        below[0] = 0;
        for (size_t k = 0; k < n; k++) {
            size_t shard = o->shards[pool * LOADER_SHARDS + k];
            below[k + 1] = below[k] + (o->balanced ? d->label_counts[shard * (d->n_labels + 1) + c] : counted(o, shard));
        }
        if (below[n] > 0)
            o->present[o->n_present++] = (int32_t)c;
    }
    o->pool = pool;
}

// The place of the rank-th item of column c of the current pool.
static loader_place locate(const loader_order *o, int32_t c, int64_t rank)
{
    const int64_t *below = o->below + c * (LOADER_SHARDS + 1);
    size_t k = 0;
    while (below[k + 1] <= rank)
        k++;
    return (loader_place){o->shards[o->pool * LOADER_SHARDS + k], o->balanced ? c : -1, rank - below[k]};
}

static loader_place draw_balanced(const loader_order *o, uint64_t q)
{
    uint64_t labels = (uint64_t)o->n_present, turn = q / labels;
    rng turns = rng_stream(o->seed, "turns", (uint32_t)o->pool);
    uint64_t slot = o->shuffle ? rng_permute(turns, o->epoch << 32 | (turn & 0xffffffff), q % labels, labels) : q % labels;
    int32_t c = o->present[slot];
    uint64_t n = (uint64_t)o->below[(size_t)c * (LOADER_SHARDS + 1) + pool_shards(o, o->pool)], pass = turn / n, at = turn % n;
    rng r = rng_stream(o->seed, "balanced", (uint32_t)(o->pool * 4096 + (size_t)c));
    return locate(o, c, (int64_t)(o->shuffle ? rng_permute(r, o->epoch << 32 | (pass & 0xffffffff), at, n) : at));
}

loader_place loader_order_at(loader_order *o, uint64_t epoch, uint64_t position)
{
    if (o->epoch != epoch)
        begin_epoch(o, epoch);
    size_t pool = o->pool < o->pools && position >= o->pool_first[o->pool] ? o->pool : 0;
    while (o->pool_first[pool + 1] <= position)
        pool++;
    if (pool != o->pool)
        begin_pool(o, pool);
    uint64_t q = position - o->pool_first[pool], n = o->pool_first[pool + 1] - o->pool_first[pool];
    if (o->balanced)
        return draw_balanced(o, q);
    return locate(o, 0, (int64_t)(o->shuffle ? rng_permute(rng_stream(o->seed, "items", (uint32_t)pool), epoch, q, n) : q));
}
