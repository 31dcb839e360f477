// SPDX-License-Identifier: GPL-3.0-or-later
// adapters_made.h: a base, a run that adapts it, its adapter's folder and the merged model, made by
// the program.
#ifndef KMIDI_TESTS_CMD_ADAPTERS_MADE_H
#define KMIDI_TESTS_CMD_ADAPTERS_MADE_H

#include "tests/train/small.h"

#define RUN(want, ...) EXPECT_INT(test_shell(&out, __VA_ARGS__), want)

// DIR/base, DIR/run, DIR/adapter, DIR/merged.h5 and the weights of both as safetensors; -> DIR.
const char *adapters_made(const char *model, const lora_config *lora);

// Another run over DIR/base and its adapter's folder, DIR/run-NAME and DIR/NAME.
void adapters_made_beside(const char *model, const lora_config *lora, const char *name);

// fc1, fc2, fc3, lstm.weight_ih_l0 of r 8; fc2 of r 2 and both matrices of the LSTM, fc3 whole
extern const lora_config adapters_melody, adapters_both;

#endif
