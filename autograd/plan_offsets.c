// SPDX-License-Identifier: GPL-3.0-or-later
// plan_offsets.c: where in one arena blocks lie that live for a time: greedily by size (plan.h).
#include <stdlib.h>

#include "autograd/plan_internal.h"

typedef struct block {
    uint64_t bytes, offset;
    int root, first, last;
} block;

static int larger_first(const void *x, const void *y)
{
    const block *a = x, *b = y;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->root - b->root;
}

static int lower_first(const void *x, const void *y)
{
    const block *a = *(const block *const *)x, *b = *(const block *const *)y;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

// The lowest offset at which `b` fits between the placed blocks that live at the same time.
static uint64_t lowest_gap(const block *b, block *const *placed, int n, const block **meet)
{
    int m = 0;
    for (int i = 0; i < n; i++)
        if (placed[i]->first <= b->last && b->first <= placed[i]->last)
            meet[m++] = placed[i];
    qsort(meet, (size_t)m, sizeof *meet, lower_first);
    uint64_t at = 0;
    for (int i = 0; i < m; i++) {
        if (meet[i]->offset >= at + b->bytes)
            break;
        if (meet[i]->offset + meet[i]->bytes > at)
            at = meet[i]->offset + meet[i]->bytes;
    }
    return at;
}

// Differences first, then their sums.
uint64_t *plan_live(const plan *p, arena *a)
{
    uint64_t *live = NEW(a, uint64_t, (size_t)p->n_steps + 2);
    for (int i = 0; i < graph_tensors(p->graph); i++) {
        const place *w = &p->places[i];
        if (w->kind != PLACE_ARENA || w->root != i)
            continue;
        live[w->first] += plan_tensor_bytes(graph_tensor(p->graph, i));
        live[w->last + 1] -= plan_tensor_bytes(graph_tensor(p->graph, i));
    }
    for (int s = 1; s <= p->n_steps; s++)
        live[s] += live[s - 1];
    return live;
}

static void find_live_peak(plan *p, arena *a)
{
    const uint64_t *live = plan_live(p, a);
    for (int s = 0; s <= p->n_steps; s++)
        if (live[s] > p->live_bytes)
            p->live_bytes = live[s];
}

void plan_find_offsets(plan *p, arena *a)
{
    int n_tensors = graph_tensors(p->graph);
    block *blocks = NEW(a, block, (size_t)n_tensors + 1);
    block **placed = NEW(a, block *, (size_t)n_tensors + 1);
    const block **meet = NEW(a, const block *, (size_t)n_tensors + 1);
    int n = 0;
    for (int i = 0; i < n_tensors; i++) {
        const place *w = &p->places[i];
        if (w->kind == PLACE_ARENA && w->root == i)
            blocks[n++] =
                (block){plan_tensor_bytes(graph_tensor(p->graph, i)), 0, i, w->first, w->last};
    }
    qsort(blocks, (size_t)n, sizeof *blocks, larger_first);
    for (int i = 0; i < n; i++) {
        blocks[i].offset = lowest_gap(&blocks[i], placed, i, meet);
        placed[i] = &blocks[i];
        p->places[blocks[i].root].offset = blocks[i].offset;
        if (blocks[i].offset + blocks[i].bytes > p->arena_bytes)
            p->arena_bytes = blocks[i].offset + blocks[i].bytes;
    }
    find_live_peak(p, a);
    for (int i = 0; i < n_tensors; i++)
        if (p->places[i].kind == PLACE_ARENA)
            p->places[i].offset = p->places[p->places[i].root].offset;
}
