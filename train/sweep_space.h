// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_space.h: which runs a sweep is made of, in a few words.
//
//     optim.lr=1e-3,3e-4            these values
//     train.seed=1..5               1, 2, 3, 4, 5
//     train.label_smoothing=0..0.2:0.05    from, to, step
//     optim.betas=[0.9, 0.99],[0.9, 0.999]  commas in brackets and quotes part nothing
//     optim.lr=1e-5..1e-2:log       to draw from, evenly in its logarithm (random only)
//
// A space is the product of its axes, the last one running fastest; a sweep the sum of its spaces:
// one, or one for each of the `sets` of a file, whose keys belong together.
#ifndef KMIDI_TRAIN_SWEEP_SPACE_H
#define KMIDI_TRAIN_SWEEP_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

typedef struct sweep_axis {
    const char *key;     // its name in the table, whatever alias was given
    const char **values; // [n]; NULL: lo, lo + step, ...
    size_t n;            // 0: drawn from [lo, hi]
    double lo, hi, step;
    bool whole, log;
} sweep_axis;

enum { SWEEP_AXES = 64 };

typedef struct sweep_space {
    sweep_axis axes[SWEEP_AXES];
    int n;
} sweep_space;

typedef struct sweep_spaces {
    sweep_space *list;
    int n;
    // of one value, for all runs: "train.epochs=5"; no part of the spaces
    const char *fixed[SWEEP_AXES];
    int n_fixed;
    uint64_t random; // runs to draw; 0: all
    uint64_t seed;
} sweep_spaces;

// From arguments "key=values" and from a file (may be NULL):
//
//     grid: ["train.seed=1..5"]
//     sets:
//       - optim.name=sgd optim.lr=0.1,0.03
//       - optim.name=adamw optim.lr=1e-3,3e-4
//
// `random` 0: the whole grid. What no table of training keys has, is refused.
bool sweep_spaces_open(sweep_spaces *s, const char *const *args, int n_args, const char *file,
                       uint64_t random, uint64_t seed, arena *a, err *e) MUST_CHECK;
// How many runs; UINT64_MAX where that is beyond counting.
uint64_t sweep_spaces_count(const sweep_spaces *s);
// "optim.lr 1000 x train.seed 1000"
const char *sweep_spaces_describe(const sweep_spaces *s, arena *a);
// The overrides of run i, into out[SWEEP_AXES]; how many.
int sweep_spaces_at(const sweep_spaces *s, uint64_t i, const char **out, arena *a);

#endif
