// SPDX-License-Identifier: GPL-3.0-or-later
// broadcast.h: NumPy broadcasting as few loops as it needs.
//
// Axes of length 1 are dropped and neighbours that step alike are joined: equal shapes become one
// flat loop, a row of biases two, [B, 1, E] + [B, T, E] three. In the innermost loop an input steps
// by 1 or stands still.
#ifndef KMIDI_AUTOGRAD_OPS_BROADCAST_H
#define KMIDI_AUTOGRAD_OPS_BROADCAST_H

#include "autograd/graph.h"

typedef struct loops {
    int rank; // >= 1
    // length and the inputs' steps, outermost first
    int64_t d[RANK_MAX], sa[RANK_MAX], sb[RANK_MAX];
} loops;

// Elements that input s steps by along axis k (counted in the output's rank); 0 where it is
// repeated.
static inline int64_t broadcast_step(shape s, int rank, int k)
{
    int own = k - (rank - s.rank);
    if (own < 0 || s.d[own] == 1)
        return 0;
    int64_t step = 1;
    for (int i = own + 1; i < s.rank; i++)
        step *= s.d[i];
    return step;
}

static inline loops loops_of(shape a, shape b, shape out)
{
    int64_t d[RANK_MAX], sa[RANK_MAX], sb[RANK_MAX];
    int n = 0; // innermost first
    for (int k = out.rank - 1; k >= 0; k--) {
        if (out.d[k] == 1)
            continue;
        int64_t ta = broadcast_step(a, out.rank, k), tb = broadcast_step(b, out.rank, k);
        if (n > 0 && ta == sa[n - 1] * d[n - 1] && tb == sb[n - 1] * d[n - 1]) {
            d[n - 1] *= out.d[k];
        } else {
            d[n] = out.d[k], sa[n] = ta, sb[n] = tb;
            n++;
        }
    }
    loops l = {.rank = n > 0 ? n : 1, .d = {1}};
    for (int k = 0; k < n; k++)
        l.d[k] = d[n - 1 - k], l.sa[k] = sa[n - 1 - k], l.sb[k] = sb[n - 1 - k];
    return l;
}

// Where row `r` (an index over all loops but the innermost) begins in the inputs.
static inline void loops_row(const loops *l, int64_t r, int64_t *a, int64_t *b)
{
    *a = *b = 0;
    for (int k = l->rank - 2; k >= 0; k--) {
        int64_t i = r % l->d[k];
        r /= l->d[k];
        *a += i * l->sa[k], *b += i * l->sb[k];
    }
}

// Element i of the output comes from this element of an input, found axis by axis: the plain way,
// for reference kernels.
static inline int64_t broadcast_index(shape s, shape out, int64_t i)
{
    int64_t at = 0;
    for (int k = out.rank - 1; k >= 0; k--) {
        at += i % out.d[k] * broadcast_step(s, out.rank, k);
        i /= out.d[k];
    }
    return at;
}

#endif
