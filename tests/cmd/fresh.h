// SPDX-License-Identifier: GPL-3.0-or-later
// fresh.h: models as they are at the start of training, as files.
#ifndef KMIDI_TESTS_CMD_FRESH_H
#define KMIDI_TESTS_CMD_FRESH_H

#include "base/meta.h"

// test_path(name), of the model with these sizes; NULL: its own.
void fresh_model(const char *name, const char *model, const char *sizes);
// The same, with what its checkpoint says of its input (data/hear/hear.h).
void fresh_said(const char *name, const char *model, const char *sizes, const model_meta *meta);

#endif
