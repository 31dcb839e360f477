// SPDX-License-Identifier: GPL-3.0-or-later
// best.c: candidates, as many at once as the model makes at once, and which of them is kept
// (best.h).
#include "infer/best.h"

#include <math.h>

static double distance(const piece *p, const song_affect *heard)
{
    return heard->found
               ? hypot(heard->valence - p->style.valence, heard->arousal - p->style.arousal)
               : INFINITY;
}

// Candidate i of n x `of`, those of a piece one behind the other.
static piece candidate(const piece *p, int i, int of)
{
    piece c = p[i / of];
    c.sampling.seed += (uint64_t)(i % of) * BEST_STRIDE;
    c.style.seed = c.sampling.seed;
    return c;
}

static bool make_candidates(const piece *p, int n, int of, piece *all, err *e)
{
    int lanes = piece_lanes(p->by), many = n * of;
    for (int i = 0; i < many; i++)
        all[i] = candidate(p, i, of);
    for (int i = 0; i < many; i += lanes)
        if (!piece_make(all + i, many - i < lanes ? many - i : lanes, e))
            return false;
    return true;
}

bool piece_make_best(piece *p, int n, int of, song_affect *heard, err *e)
{
    arena *a = p->arena;
    piece *all = NEW(a, piece, (size_t)n * (size_t)of);
    if (!make_candidates(p, n, of, all, e))
        return false;
    for (int i = 0; i < n * of; i++) {
        int k = i / of;
        song_affect now = affect_estimate(a, all[i].song);
        if (i % of == 0 || distance(&all[i], &now) < distance(&p[k], &heard[k]))
            p[k] = all[i], heard[k] = now;
    }
    return true;
}
