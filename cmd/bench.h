// SPDX-License-Identifier: GPL-3.0-or-later
// bench.h: what `kmidi bench` measures beside training steps (bench.c), a file each. Each reads the
// options of bench.c and reports a median of BENCH_SLICES slices.
#ifndef KMIDI_CMD_BENCH_H
#define KMIDI_CMD_BENCH_H

#include "cmd/cmd.h"

enum { BENCH_SLICES = 5 };

double bench_median(double *rates, int n); // sorts them
double bench_cpu_seconds(void);            // of this process, all its threads
// Of n calls that took so many seconds each, milliseconds: the mean, and what so many of a hundred
// stayed within (the nearest rank). Sorts them.
typedef struct bench_times {
    double mean, p50, p90, p99, max;
} bench_times;
bench_times bench_times_of(double *seconds, int n);
void bench_times_json(json *j, const bench_times *t);

// MODEL --generate: tokens a second behind --context tokens, by the loop of `kmidi generate`.
bool bench_generate(cmd *c, err *e) MUST_CHECK;
// MODEL --inference: an answer, call by call.
bool bench_inference(cmd *c, err *e) MUST_CHECK;
// attention: forward and backward of causal attention at --batch, --length, by itself.
bool bench_attention(cmd *c, err *e) MUST_CHECK;
// sum: --length numbers of each rank, added up.
bool bench_sum(cmd *c, err *e) MUST_CHECK;

#endif
