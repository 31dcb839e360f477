// SPDX-License-Identifier: GPL-3.0-or-later
// dataset_shared.c: items that two datasets share (dataset.h). The checksum of an item's rows and
// how many they are tell: two different ones among a million and ten thousand are alike once in
// some hundred sets.
#include <stdlib.h>

#include "base/file.h"
#include "data/loader/dataset.h"

enum { SHARED_MOST = 1000000 }; // items; a larger set is not compared

typedef struct marks {
    uint64_t *list;
    size_t n;
} marks;

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// 0: not known, as of an item without rows.
static uint64_t mark_of(const shard_column *c, int64_t i)
{
    int64_t n = c->offsets ? c->offsets[i + 1] - c->offsets[i] : 1;
    return c->checks && n > 0 ? (uint64_t)n << 32 ^ (uint64_t)c->checks[i] : 0;
}

static uint64_t mark_at(const dataset *d, const shard *s, int64_t i)
{
    return mark_of(&s->info.columns[shard_find_column(&s->info, d->example->column)], i);
}

static marks marks_of(const dataset *d)
{
    marks m = {base_checked(malloc(((size_t)d->items + 1) * sizeof *m.list),
                            (size_t)d->items * sizeof *m.list),
               0};
    for (size_t k = 0; k < d->n_shards; k++) {
        shard *s = shard_open(d->paths[k], NULL);
        for (int64_t i = 0; s && i < s->items && m.n < (size_t)d->items; i++)
            if ((m.list[m.n] = mark_at(d, s, i)) != 0)
                m.n++;
        shard_close(s);
    }
    qsort(m.list, m.n, sizeof *m.list, by_number);
    return m;
}

int64_t dataset_shared(const dataset *a, const dataset *b, arena *m, const char **first)
{
    int64_t n = 0;
    *first = NULL;
    if (a->items > SHARED_MOST || b->items > SHARED_MOST)
        return 0;
    marks known = marks_of(a);
    for (size_t k = 0; k < b->n_shards; k++) {
        shard *s = shard_open(b->paths[k], NULL);
        for (int64_t i = 0; s && i < s->items; i++) {
            uint64_t x = mark_at(b, s, i);
            if (!x || !bsearch(&x, known.list, known.n, sizeof x, by_number))
                continue;
            *first = n++ ? *first : arena_strdup(m, s->paths[i]);
        }
        shard_close(s);
    }
    free(known.list);
    return n;
}
