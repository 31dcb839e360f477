// SPDX-License-Identifier: GPL-3.0-or-later
// baseline.h: the best guess of one who looks at nothing: what a model must beat before it has
// learnt anything.
//
// It says the same to every input, whatever training saw most: for classes and tokens how frequent
// each is, log((n + 1) / (all + K)), so that its accuracy is that of the most common one and its
// loss the entropy of counting; for values their mean. It is measured on the training data when a
// run begins, kept in every checkpoint (key "baseline"), and `kmidi eval` shows its figures beside
// the model's, by the same metrics on the same data.
#ifndef KMIDI_TRAIN_BASELINE_H
#define KMIDI_TRAIN_BASELINE_H

#include "data/loader/dataset.h"
#include "data/loader/loader.h"
#include "models/model.h"

// Targets that are looked at, at most; of larger sets those of the first pool, in the order of
// `seed`.
enum { BASELINE_TARGETS = 1 << 22 };

// [*width] numbers, one for each output of the loss: owned by `a`. `classes`: of the probe, or 0.
// Where labels are the target they are counted in the set's tables; else examples are read.
float *baseline_measure(const dataset *d, const loader_options *o, const model_def *m, int classes,
                        arena *a, int *width, err *e) MUST_CHECK;

#endif
