// SPDX-License-Identifier: GPL-3.0-or-later
// recompute.h: time for memory. Parts of the forward pass whose tensors are dropped, and made again
// when the backward pass wants them (Chen et al. 2016, "Training Deep Nets with Sublinear Memory
// Cost").
//
//     segments s = recompute_segments(g, kit, &arena);
//     bool *chosen = ...; // which of s.list: the more, the less memory and the more time
//     plan_make(recompute_graph(g, &s, chosen, &arena), ...);
//
// The second copies are nodes of the same kernels on the same inputs, and dropout draws by
// counters, so gradients stay the same to the bit.
#ifndef KMIDI_AUTOGRAD_PASSES_RECOMPUTE_H
#define KMIDI_AUTOGRAD_PASSES_RECOMPUTE_H

#include "autograd/graph.h"
#include "autograd/kit.h"

// Forward nodes [first, last). The graph is cut where little is alive: for a transformer between
// its sublayers, where nothing is but the residual stream and what all layers share.
typedef struct segment {
    int first, last;
    uint64_t bytes; // that the backward pass would keep of it
    double cost_ns; // of making them again, on one thread
} segment;

typedef struct segments {
    // in the order of the graph; those that free nothing are left out, and the last, which is
    // wanted again at once
    segment *list;
    int n;
} segments;

segments recompute_segments(const graph *g, const kit *k, arena *a);
// Indices of s->list, those first that free most for their time; of equals, the ones that are made
// again last.
int *recompute_order(const segments *s, arena *a);
// `g` with the tensors of the chosen segments made again where its backward nodes read them. It
// shares tensors with `g`, which must outlive it.
graph *recompute_graph(const graph *g, const segments *s, const bool *chosen, arena *a);

#endif
