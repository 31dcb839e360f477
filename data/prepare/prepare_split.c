// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_split.c: who belongs to which split (prepare.h, stage 2).
//
// Entries that share a group or their content belong together; what belongs together is found by
// union-find over the sorted digests. Where the dataset has its own splits they are kept, and of
// content that occurs in several of them only that in the split nearest to the
// verdict: test before validation before training. Else whole components are dealt: in the order of
// a keyed hash to test until it has its share, then to val, the rest to train.
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "data/prepare/prepare_internal.h"

typedef struct pair {
    uint64_t key, value;
} pair;

static int by_key(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key)
                            : (x->value > y->value) - (x->value < y->value);
}

// Entries sorted by one of their digests: {digest, entry}.
static pair *sorted(const prepare *p, size_t digest)
{
    pair *s = base_checked(malloc((p->n_entries + 1) * sizeof *s), p->n_entries * sizeof *s);
    for (uint64_t i = 0; i < p->n_entries; i++)
        s[i] = (pair){*(const uint64_t *)((const char *)&p->entries[i] + digest), i};
    qsort(s, p->n_entries, sizeof *s, by_key);
    return s;
}

static uint64_t find(uint32_t *parent, uint64_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void join_neighbours(const prepare *p, uint32_t *parent, size_t digest)
{
    pair *s = sorted(p, digest);
    for (uint64_t i = 1; i < p->n_entries; i++)
        if (s[i].key == s[i - 1].key) {
            uint64_t a = find(parent, s[i].value), b = find(parent, s[i - 1].value);
            parent[a > b ? a : b] = (uint32_t)(a > b ? b : a); // the earliest entry stands for all
        }
    free(s);
}

static uint32_t *components(const prepare *p)
{
    uint32_t *parent =
        base_checked(malloc(p->n_entries * sizeof *parent), p->n_entries * sizeof *parent);
    for (uint64_t i = 0; i < p->n_entries; i++)
        parent[i] = (uint32_t)i;
    join_neighbours(p, parent, offsetof(prepare_entry, group));
    join_neighbours(p, parent, offsetof(prepare_entry, content));
    for (uint64_t i = 0; i < p->n_entries; i++)
        parent[i] = (uint32_t)find(parent, i);
    return parent;
}

static uint8_t split_named(prepare *p, const char *name)
{
    int i = 0;
    while (i < p->n_splits && strcmp(p->split[i].name, name) != 0)
        i++;
    CHECK(i < PREPARE_SPLITS);
    if (i == p->n_splits)
        p->split[p->n_splits++].name = name;
    return (uint8_t)i;
}

// Components without a split of their own, as {keyed hash of the smallest group in it, component};
// sorted, so that the order is that of chance.
static pair *open_components(const prepare *p, const uint32_t *of, const uint8_t *given,
                             uint64_t *n)
{
    pair *all = base_checked(malloc((p->n_entries + 1) * sizeof *all), p->n_entries * sizeof *all);
    uint64_t *least =
        base_checked(malloc(p->n_entries * sizeof *least), p->n_entries * sizeof *least);
    for (uint64_t i = 0; i < p->n_entries; i++)
        if (of[i] == i || p->entries[i].group < least[of[i]])
            least[of[i]] = p->entries[i].group;
    *n = 0;
    for (uint64_t i = 0; i < p->n_entries; i++)
        if (of[i] == i && given[i] == SPLIT_OPEN)
            all[(*n)++] = (pair){prepare_hash(p->split_seed, &least[i], sizeof *least), i};
    free(least);
    qsort(all, *n, sizeof *all, by_key);
    return all;
}

static void deal(prepare *p, const uint32_t *of, uint8_t *given)
{
    static const char *const names[] = {"test", "val"};
    uint64_t n, at = 0;
    pair *open = open_components(p, of, given, &n);
    uint64_t *size = base_checked(calloc(p->n_entries, sizeof *size), p->n_entries * sizeof *size),
             total = 0;
    for (uint64_t i = 0; i < p->n_entries; i++) {
        size[of[i]]++;
        total += given[of[i]] == SPLIT_OPEN;
    }
    for (int k = 0; k < 2; k++) {
        double want = (k ? p->share_val : p->share_test) * (double)total, have = 0;
        // a component goes where it brings the share nearer; the last one is kept for training
        for (; want > 0 && at + 1 < n &&
               (have == 0 || have + (double)size[open[at].value] / 2 < want);
             at++) {
            given[open[at].value] = split_named(p, names[k]);
            have += (double)size[open[at].value];
        }
    }
    for (; at < n; at++)
        given[open[at].value] = split_named(p, "train");
    free(size);
    free(open);
}

static bool draw_open(prepare *p)
{
    bool any = false;
    for (uint64_t i = 0; i < p->n_entries; i++)
        any |= p->entries[i].split == SPLIT_OPEN;
    if (!any)
        return true;
    uint32_t *of = components(p);
    uint8_t *given = base_checked(malloc(p->n_entries), p->n_entries);
    memset(given, SPLIT_OPEN, p->n_entries);
    for (uint64_t i = 0; i < p->n_entries; i++)
        if (given[of[i]] == SPLIT_OPEN)
            given[of[i]] = p->entries[i].split;
    deal(p, of, given);
    for (uint64_t i = 0; i < p->n_entries; i++)
        if (p->entries[i].split == SPLIT_OPEN)
            p->entries[i].split = given[of[i]];
    free(of);
    free(given);
    return true;
}

// The same part of the same file with two labels: neither is to be trusted.
static void drop_contradicted(prepare *p)
{
    pair *s = sorted(p, offsetof(prepare_entry, item));
    for (uint64_t i = 0, past; i < p->n_entries; i = past) {
        uint32_t label = 0;
        bool two = false;
        for (past = i; past < p->n_entries && s[past].key == s[i].key; past++) {
            uint32_t other = p->entries[s[past].value].label;
            two |= label && other && other != label;
            label = other ? other : label;
        }
        for (uint64_t k = i; two && k < past; k++) {
            p->entries[s[k].value].split = SPLIT_DROPPED;
            p->entries[s[k].value].two_labels = true;
            p->contradicted++;
        }
    }
    free(s);
}

// The same content in two splits: it stays in that of the higher rank, or in the one that comes
// first.
static void drop_twins(prepare *p)
{
    pair *s = sorted(p, offsetof(prepare_entry, content));
    for (uint64_t i = 0, past; i < p->n_entries; i = past) {
        uint8_t best = SPLIT_DROPPED;
        for (past = i; past < p->n_entries && s[past].key == s[i].key; past++) {
            uint8_t split = p->entries[s[past].value].split;
            if (split == SPLIT_DROPPED)
                continue;
            if (best == SPLIT_DROPPED ||
                reader_split_rank(p->split[split].name) > reader_split_rank(p->split[best].name))
                best = split;
        }
        for (uint64_t k = i; k < past; k++)
            if (p->entries[s[k].value].split != best &&
                p->entries[s[k].value].split != SPLIT_DROPPED) {
                p->entries[s[k].value].split = SPLIT_DROPPED;
                p->report->duplicates++;
            }
    }
    free(s);
}

// Shards count through the splits in the order of their names.
static void count_shards(prepare *p)
{
    bool done[PREPARE_SPLITS] = {false};
    for (uint64_t i = 0; i < p->n_entries; i++)
        if (p->entries[i].split != SPLIT_DROPPED)
            p->split[p->entries[i].split].items++;
    for (int n = 0; n < p->n_splits; n++) {
        int next = -1;
        for (int i = 0; i < p->n_splits; i++)
            if (!done[i] && (next < 0 || strcmp(p->split[i].name, p->split[next].name) < 0))
                next = i;
        prepare_split *s = &p->split[next];
        done[next] = true;
        s->first_shard = p->n_shards;
        s->shards = (s->items + (uint64_t)p->shard_items - 1) / (uint64_t)p->shard_items;
        p->n_shards += s->shards;
    }
    p->report->shards = p->n_shards;
}

bool prepare_draw(prepare *p, err *e)
{
    if (p->n_entries > UINT32_MAX)
        return err_set(e, ERR_VALUE,
                       "an index of %" PRIu64 " entries is too long; prepare it in parts",
                       p->n_entries);
    if (!draw_open(p))
        return false;
    drop_contradicted(p);
    drop_twins(p);
    count_shards(p);
    p->shards = NEW(&p->memory, prepare_shard, p->n_shards + 1);
    return true;
}
