// SPDX-License-Identifier: GPL-3.0-or-later
// calibrate.h: a short measurement of a model's step on this machine, kept for the next time.
//
// One small batch is run a few times, op by op, with everything that can be recomputed recomputed:
// the least memory that any plan of the run takes. What it says is kept (machine.h) as
// machine-HASH.json, one file for a CPU, its threads, the libraries of matrix products and this
// program's revision, with an entry for each model, length and set of trained weights. An entry is
// measured anew when it is old, was measured on a busy machine and this one is less so, or was
// found wrong by a run. The same steps say which library multiplies what (products.h).
#ifndef KMIDI_TRAIN_CALIBRATE_H
#define KMIDI_TRAIN_CALIBRATE_H

#include "autograd/cost.h"
#include "train/search.h"

typedef struct calibration {
    cost_model ops;
    double update;            // seconds of clipping, optimiser and averaging of one step
    bool measured;            // now, not read from the cache
    bool too_large;           // for this machine: nothing was, times are estimates
    const char *file, *entry; // where it is kept; entry NULL: nothing was asked for
} calibration;

// anew: whatever the cache says. Texts of *c are of `keep`.
bool calibrate(const train_options *o, search_setup setup, void *self, bool anew, calibration *c,
               arena *keep, err *e) MUST_CHECK;
void calibrate_forget(const calibration *c, arena *a); // it is wrong: the next one measures

#endif
