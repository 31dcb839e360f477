// SPDX-License-Identifier: GPL-3.0-or-later
// case.h: inputs of a model and what our own run makes of them, for peers that judge exports.
#ifndef KMIDI_TESTS_EXPORT_CASE_H
#define KMIDI_TESTS_EXPORT_CASE_H

#include "models/model.h"

// Runs the model at one size and writes inputs and outputs as a safetensors file, F32 all of them;
// of a model with a probe its `probabilities`, too.
void case_write(const model_def *m, params *p, int64_t batch, int64_t time, const char *path);

#endif
