// SPDX-License-Identifier: GPL-3.0-or-later
// products.h: which library multiplies what on this machine: measured where models run, kept for
// the next time.
//
// Steps of a model are run with each library in turns, and each kind of product
// (autograd/gemm/gemm_ways.h) goes to the one that took less time for it, where that is worth it.
// What is found stands in $XDG_CACHE_HOME/kmidi (or ~/.cache/kmidi) as products-HASH.json, one file
// for a processor and the two libraries, whatever the threads: results do not depend on those. A
// kind that was decided stays so, until `kmidi plan --measure`. KMIDI_GEMM, and a limit that only
// one library fits in (gemm.h), leave nothing to choose.
#ifndef KMIDI_TRAIN_PRODUCTS_H
#define KMIDI_TRAIN_PRODUCTS_H

#include "autograd/gemm/gemm_ways.h"
#include "base/arena.h"

struct run; // autograd/run.h

// Chooses v->kit, owned by `a`, for the plans that are made from here on: kit_choose, gemm_open,
// and what is known of this machine. Whatever is computed from weights that are there (predict,
// eval, generate) goes by that; a run that goes on by what its checkpoint says instead.
bool products_open(env *v, arena *a, err *e) MUST_CHECK;
// As a run said (gemm_said), unless KMIDI_GEMM forces something else.
bool products_open_said(env *v, const char *said, arena *a, err *e) MUST_CHECK;
// Whether there is nothing to learn: something is known, or only one library may multiply here.
bool products_settled(const env *v, const gemm_ways *w, arena *a);
// Decides the kinds of products that a step of `r` has and that are not decided; all of them with
// `anew`: r multiplies by *w from then on. Needs nothing of r but that run_step works: its inputs
// and outputs mean nothing.
void products_learn(const env *v, struct run *r, bool anew, gemm_ways *w, arena *a);

#endif
