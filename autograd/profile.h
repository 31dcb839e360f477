// SPDX-License-Identifier: GPL-3.0-or-later
// profile.h: where the time of a training step goes: a row for each step of the plan, one for each
// thing around it, and one for the rest, so that rows add up to the step.
//
//     // the mean of ten steps, one batch each
//     profile *f = profile_open(plan, pool, 10, 1, &arena);
//     profile_begin(f); // a step; those of the warm-up and those behind the last are not timed
//     double at = profile_clock(f);
//     ... take a batch ...
//     profile_part_end(f, PROFILE_WAIT, at);
//     profile_run(f, run, &pass); // run_go, timed node by node when this step is
//     profile_end(f);
//     profile_table(f, &text);                           // profile_print.c
//
// All of them accept NULL, which is how a run without a profile calls them: a comparison each, no
// clock is read.
//
// FLOP are those of matrix products as op.h has them, 2 M N K each; a node without products shows
// none. Bytes are those of a node's inputs and outputs, each once: what it would move had it a
// perfect cache.
#ifndef KMIDI_AUTOGRAD_PROFILE_H
#define KMIDI_AUTOGRAD_PROFILE_H

#include "autograd/run.h"

enum { PROFILE_WARM_UP = 3, PROFILE_STEPS = 10 };

typedef enum profile_phase {
    PHASE_DATA,
    PHASE_FORWARD,
    PHASE_BACKWARD,
    PHASE_OPTIMISER,
    PHASE_REST,
    PHASE_COUNT
} profile_phase;
const char *profile_phase_name(profile_phase p);

// What stands around the plan.
typedef enum profile_part {
    PROFILE_WAIT,
    PROFILE_FEED,
    PROFILE_NORM,
    PROFILE_OPTIM,
    PROFILE_EMA,
    PROFILE_PARTS
} profile_part;

typedef struct profile_row {
    const char *op; // "linear", "(copy gradient)", "waiting for data"
    // the weight that it reads, or whose gradient it makes; "" where there is none
    const char *what;
    const tensor *out; // NULL for what stands around the plan
    profile_phase phase;
    int threads;
    double flops, bytes; // of one call
    double seconds;      // of all timed steps
    // of all threads: what they spent in their parts of it; 0 where none was asked to take part
    double busy;
    int64_t calls;
} profile_row;

// Where a row was in the last timed step, or a thread's part of it, in seconds from the step's
// begin.
typedef struct profile_event {
    int row, thread;
    double begin, end;
} profile_event;

typedef struct profile profile;

// `steps` to take the mean of, `batches` in each at most. Owned by `a`; the plan's parameters are
// allocated.
profile *profile_open(const plan *p, threads *pool, int steps, int64_t batches, arena *a);
void profile_begin(profile *f);
void profile_end(profile *f);
double profile_clock(const profile *f); // 0 when this step is not timed
void profile_part_end(profile *f, profile_part part, double began);
void profile_run(profile *f, run *r, const run_pass *p); // a batch: run_go

bool profile_complete(const profile *f); // all steps are timed
int profile_steps(const profile *f);     // timed so far
// of a step: the mean, and the ends
double profile_seconds(const profile *f, double *least, double *most);
// in the order of the plan, then the parts, then the rest
const profile_row *profile_rows(const profile *f, int *n);
// the part of its threads' time that was not spent waiting
double profile_busy(const profile_row *r);
// of rows, one behind the other
const profile_event *profile_events(const profile *f, int *n);
// what threads of the pool did in it
int64_t profile_parts(const profile *f);
// such a part; false where it lies in no row
bool profile_work(const profile *f, int64_t i, profile_event *w);

// profile_print.c
void profile_ops(const profile *f, strbuf *out);   // a line an op, the longest first
void profile_table(const profile *f, strbuf *out); // the same, then a line a node
// JSON, an object a line: {"kind": "step"|"op"|"node", ...}
void profile_lines(const profile *f, strbuf *out);
void profile_trace(const profile *f,
                   // the last step, each thread, in the Trace Event Format, for ui.perfetto.dev and
                   // chrome://tracing
                   strbuf *out);

#endif
