// SPDX-License-Identifier: GPL-3.0-or-later
// filled.h: a model with weights, as exporters get it, for tests of exports.
#ifndef KMIDI_TESTS_EXPORT_FILLED_H
#define KMIDI_TESTS_EXPORT_FILLED_H

#include "export/onnx.h"

enum { FILLED_CLASSES = 5 };

// Parameters of a model, the probe's too where it has one, filled as the goldens are; NULL where it
// does not build, which fails the test. params_release them.
params *filled_params(const model_def *m, arena *a);
onnx_options filled_options(const model_def *m);

#endif
