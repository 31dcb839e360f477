// SPDX-License-Identifier: GPL-3.0-or-later
// step.h: one training step of a model on made-up numbers, large enough that the planner shares
// work out.
#ifndef KMIDI_TESTS_MODELS_STEP_H
#define KMIDI_TESTS_MODELS_STEP_H

#include "autograd/passes/precision.h"
#include "base/threads.h"
#include "models/model.h"

enum { STEP_BATCH = 130, STEP_TIME = 9, STEP_CLASSES = 4 };

// On `count` threads; returns the loss, the gradients are left in `p`, whose weights are drawn in
// the first step.
float step_model(const model_def *m, params *p, threads *pool, int count, precision how);

#endif
