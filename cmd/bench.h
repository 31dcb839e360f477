// SPDX-License-Identifier: GPL-3.0-or-later
// bench.h: what `kmidi bench` measures beside training steps (bench.c), a file each. Each reads the
// options of bench.c and reports a median of BENCH_SLICES slices.
#ifndef KMIDI_CMD_BENCH_H
#define KMIDI_CMD_BENCH_H

#include "cmd/cmd.h"

enum { BENCH_SLICES = 5 };

double bench_median(double *rates, int n); // sorts them

// MODEL --generate: tokens a second behind --context tokens, by the loop of `kmidi generate`.
bool bench_generate(cmd *c, err *e) MUST_CHECK;
// attention: forward and backward of causal attention at --batch, --length, by itself.
bool bench_attention(cmd *c, err *e) MUST_CHECK;
// sum: --length numbers of each rank, added up.
bool bench_sum(cmd *c, err *e) MUST_CHECK;

#endif
