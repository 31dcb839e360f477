// SPDX-License-Identifier: GPL-3.0-or-later
// best.h: of several pieces the one that is played most as was asked. A piece is judged by its own
// notes (data/music/affect.h): the nearer its valence and arousal are to those of the style, the
// better; of equals the first, one without notes last. So it is worth as much as that estimate is.
//
//     song_affect heard;
//     piece_make_best(&p, 1, 8, &heard, e)       // p.song, p.sampling.seed: the nearest of 8
#ifndef KMIDI_INFER_BEST_H
#define KMIDI_INFER_BEST_H

#include "data/music/affect.h"
#include "infer/piece.h"

// MOST: more are hardly nearer. STRIDE: the candidates of seed K have the seeds K, K + STRIDE,
// K + 2 STRIDE ..., so that pieces of as many seeds in a row share none.
enum { BEST_MOST = 64, BEST_STRIDE = 1000000 };

// Each of p[n] becomes the nearest of `of` pieces, 1 to BEST_MOST, with the seed by which
// piece_make makes it alone; heard [n] is the estimate of each. The others stay in its arena.
bool piece_make_best(piece *p, int n, int of, song_affect *heard, err *e) MUST_CHECK;

#endif
