// SPDX-License-Identifier: GPL-3.0-or-later
// loud.h: weights larger than at the start of training, so that what was heard matters.
#ifndef KMIDI_TESTS_INFER_LOUD_H
#define KMIDI_TESTS_INFER_LOUD_H

#include "models/model.h"

params *loud_params(const model_def *m, arena *a);

#endif
