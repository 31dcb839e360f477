// SPDX-License-Identifier: GPL-3.0-or-later
// conv_quads_shares.h: blocks of squares (conv_quads.h) for threads. Of one picture there may be
// fewer blocks than threads; then each is split by panels of columns. Such a share makes what its
// squares need of the picture for itself, a small part of what it multiplies; numbers do not depend
// on it.
#ifndef KMIDI_AUTOGRAD_OPS_CONV_QUADS_SHARES_H
#define KMIDI_AUTOGRAD_OPS_CONV_QUADS_SHARES_H

#include "autograd/ops/panel.h"

typedef struct quad_shares {
    int64_t each, panels, columns, all; // shares of a block; of all blocks
} quad_shares;

// Of blocks of so many squares, among threads: as few as leave none more than an eighth too much to
// do.
static inline quad_shares quad_shares_of(int64_t squares, int64_t block, int64_t columns, int among)
{
    int64_t each = 1, blocks = (squares + block - 1) / block,
            panels = (columns + PANEL_WIDTH - 1) / PANEL_WIDTH;
    while (each < among && each < panels &&
           8 * ((blocks * each + among - 1) / among * among) > 9 * blocks * each)
        each++;
    return (quad_shares){each, panels, columns, blocks * each};
}

typedef struct quad_share {
    int64_t block, from, to; // columns
} quad_share;

static inline quad_share quad_share_at(const quad_shares *s, int64_t index)
{
    int64_t k = index % s->each, from = k * s->panels / s->each * PANEL_WIDTH,
            to = (k + 1) * s->panels / s->each * PANEL_WIDTH;
    return (quad_share){index / s->each, from, to < s->columns ? to : s->columns};
}

#endif
