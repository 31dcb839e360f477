// SPDX-License-Identifier: GPL-3.0-or-later
// mel_lines.h: mel spectrograms of settings as a line, and signals, for the tests of mel.
#ifndef KMIDI_TESTS_DATA_FEATURES_MEL_LINES_H
#define KMIDI_TESTS_DATA_FEATURES_MEL_LINES_H

#include "base/variant.h"
#include "data/features/feature.h"

// "name=value" pairs separated by blanks -> an open feature of variant v; NULL with a failed test.
feature *mel_open_line(const char *line, variant v);
float *mel_compute(const feature *f, const float *x, int64_t n, threads *pool, int64_t *frames);
float *mel_compute_line(const char *line, const float *x, int64_t n, int64_t *frames);
float *mel_noise(uint32_t seed, int64_t n, float scale);
float *mel_sine(double hz, int rate, int64_t n);

#endif
