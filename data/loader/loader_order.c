// SPDX-License-Identifier: GPL-3.0-or-later
// loader_order.c: the order of an epoch as a function (loader_order.h). Tables are per shard, made
// anew when epoch or pool change.
#include "data/loader/loader_order.h"

static bool fits(const loader_order *o, size_t shards, int64_t bytes)
{
    return o->bytes ? bytes <= o->most : shards <= LOADER_SHARDS;
}

static bool is_one(const loader_order *o)
{
    int64_t all = 0;
    for (size_t k = 0; o->bytes && k < o->d->n_shards; k++)
        all += o->bytes[k];
    return fits(o, o->d->n_shards, all);
}

void loader_order_open(loader_order *o, const dataset *d, const loader_options *options,
                       const int64_t *counts, const int64_t *bytes, arena *a)
{
    *o = (loader_order){.d = d,
                        .shuffle = options->shuffle,
                        .balanced = options->balanced,
                        .seed = options->seed,
                        .counts = counts,
                        .bytes = bytes};
    o->most = options->pool > 0 ? options->pool : LOADER_POOL;
    o->one = is_one(o);
    o->stride = (bytes || d->n_shards < LOADER_SHARDS ? d->n_shards : LOADER_SHARDS) + 1;
    o->shards = NEW(a, size_t, d->n_shards);
    o->pool_shard = NEW(a, size_t, d->n_shards + 1);
    o->pool_first = NEW(a, uint64_t, d->n_shards + 1);
    o->below = NEW(a, int64_t, (o->balanced ? d->n_labels : 1) * o->stride);
    o->present = NEW(a, int32_t, d->n_labels + 1);
    o->epoch = UINT64_MAX;
    o->pool = SIZE_MAX;
    for (size_t k = 0; k < d->n_shards; k++)
        o->units += (uint64_t)counts[k];
}

static void begin_epoch(loader_order *o, uint64_t epoch)
{
    size_t n = o->d->n_shards;
    int64_t bytes = 0;
    rng r = rng_stream(o->seed, "shards", 0);
    o->pools = 0;
    for (size_t k = 0; k < n; k++) {
        size_t place = o->shuffle && !o->one ? (size_t)rng_permute(r, epoch, k, n) : k;
        int64_t more = o->bytes ? o->bytes[place] : 0;
        if (k == 0 || !fits(o, k - o->pool_shard[o->pools - 1] + 1, bytes + more)) {
            o->pool_shard[o->pools] = k;
            o->pool_first[o->pools + 1] = o->pool_first[o->pools];
            o->pools++;
            bytes = 0;
        }
        bytes += more;
        o->shards[k] = place;
        o->pool_first[o->pools] += (uint64_t)o->counts[place];
    }
    o->pool_shard[o->pools] = n;
    o->epoch = epoch;
    o->pool = SIZE_MAX;
}

const size_t *loader_order_pool(const loader_order *o, size_t *n)
{
    *n = o->pool_shard[o->pool + 1] - o->pool_shard[o->pool];
    return o->shards + o->pool_shard[o->pool];
}

static void begin_pool(loader_order *o, size_t pool)
{
    const dataset *d = o->d;
    size_t n, columns = o->balanced ? d->n_labels : 1;
    o->pool = pool;
    o->items = rng_stream(o->seed, "items", (uint32_t)pool);
    o->n_present = 0;
    const size_t *shards = loader_order_pool(o, &n);
    for (size_t c = 0; c < columns; c++) {
        int64_t *below = o->below + c * o->stride;
        below[0] = 0;
        for (size_t k = 0; k < n; k++)
            below[k + 1] =
                below[k] + (o->balanced ? d->label_counts[shards[k] * (d->n_labels + 1) + c]
                                        : o->counts[shards[k]]);
        if (below[n] > 0)
            o->present[o->n_present++] = (int32_t)c;
    }
}

// The place of the rank-th example of column c of the current pool.
static loader_place locate(const loader_order *o, int32_t c, int64_t rank)
{
    size_t n, lo = 0;
    const int64_t *below = o->below + (size_t)c * o->stride;
    const size_t *shards = loader_order_pool(o, &n);
    while (n - lo > 1) { // below[lo] <= rank < below[n]
        size_t mid = (lo + n) / 2;
        if (below[mid] <= rank)
            lo = mid;
        else
            n = mid;
    }
    return (loader_place){shards[lo], o->balanced ? c : -1, rank - below[lo]};
}

static loader_place draw_balanced(const loader_order *o, uint64_t q)
{
    uint64_t labels = (uint64_t)o->n_present, turn = q / labels;
    rng turns = rng_stream(o->seed, "turns", (uint32_t)o->pool);
    uint64_t slot =
        o->shuffle ? rng_permute(turns, o->epoch << 32 | (turn & 0xffffffff), q % labels, labels)
                   : q % labels;
    int32_t c = o->present[slot];
    size_t shards = o->pool_shard[o->pool + 1] - o->pool_shard[o->pool];
    uint64_t n = (uint64_t)o->below[(size_t)c * o->stride + shards], pass = turn / n, at = turn % n;
    rng r = rng_stream(o->seed, "balanced", (uint32_t)(o->pool * 4096 + (size_t)c));
    return locate(
        o, c,
        (int64_t)(o->shuffle ? rng_permute(r, o->epoch << 32 | (pass & 0xffffffff), at, n) : at));
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
    return locate(o, 0, (int64_t)(o->shuffle ? rng_permute(o->items, epoch, q, n) : q));
}
