// SPDX-License-Identifier: GPL-3.0-or-later
// calibrate.h: a short measurement of a model's step on this machine, kept for the next time.
//
// One small batch is run a few times, op by op, with everything that can be recomputed recomputed: the least memory that any plan of the
// run takes. What it says is kept in $XDG_CACHE_HOME/kmidi (or ~/.cache/kmidi) as machine-HASH.json, one file for a CPU, its threads, the
// library of matrix products and this program's revision, with an entry for each model, length and set of trained weights. A file that
// cannot be read is made anew, one that cannot be written is no error: the cache saves a second, and holds nothing else.
#ifndef KMIDI_TRAIN_CALIBRATE_H
#define KMIDI_TRAIN_CALIBRATE_H

#include "autograd/cost.h"
#include "train/search.h"

typedef struct calibration {
    cost_model ops;
    double update; // seconds of clipping, optimiser and averaging of one step
    bool measured; // now, not read from the cache
} calibration;

bool calibrate(const train_options *o, search_setup setup, void *self, calibration *c, err *e) MUST_CHECK;
// The cache's file for this machine; NULL where there is no home for it.
const char *calibrate_file(int n_threads, arena *a);

#endif
