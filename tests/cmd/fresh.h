// SPDX-License-Identifier: GPL-3.0-or-later
// fresh.h: models as they are at the start of training, as files.
#ifndef KMIDI_TESTS_CMD_FRESH_H
#define KMIDI_TESTS_CMD_FRESH_H

// test_path(name), of the model with these sizes; NULL: its own.
void fresh_model(const char *name, const char *model, const char *sizes);

#endif
