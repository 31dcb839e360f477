// SPDX-License-Identifier: GPL-3.0-or-later
// same.h: that two runs have come to the same bits.
#ifndef KMIDI_TESTS_TRAIN_SAME_H
#define KMIDI_TESTS_TRAIN_SAME_H

#include "base/arena.h"

// The run in `other` is whole, has saved step `steps`, and is the one in `one` to the bit: what
// they saved last and what they wrote down, but for what a clock says.
void same_runs(const char *one, const char *other, int64_t steps);
// What the machine's products and steps were measured at stands from here on, however its load
// changes: what begins behind this multiplies, and is planned, as what ended before it.
void same_measured(void);
int64_t same_step(const char *dir, arena *a);  // of the last checkpoint; -1 without one
char *same_metrics(const char *dir, arena *a); // metrics.jsonl without the clock; NULL without one

#endif
