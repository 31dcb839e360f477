// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_ways.h: products of different kinds by different libraries, each by the one that is faster
// here.
//
// A kind is what a product has transposed and how large M, N and K are, each in one of four ranges.
// What is faster is measured where a model runs (train/products.h), kept for the machine, and said
// in a run's checkpoint, so that a run that goes on computes the same bits wherever the measurement
// has gone since. A kind that is in no table is multiplied by gemm_current().
#ifndef KMIDI_AUTOGRAD_GEMM_GEMM_WAYS_H
#define KMIDI_AUTOGRAD_GEMM_GEMM_WAYS_H

#include "autograd/gemm/gemm.h"
#include "base/arena.h"

enum { GEMM_RANGES = 4, GEMM_KINDS = 4 * GEMM_RANGES * GEMM_RANGES * GEMM_RANGES, GEMM_OPEN = -1 };

typedef struct gemm_ways {
    signed char of[GEMM_KINDS]; // a gemm_backend, or GEMM_OPEN
} gemm_ways;

gemm_ways gemm_ways_none(void);
gemm_ways gemm_ways_all(gemm_backend b);
int gemm_kind(const gemm *p);
const char *gemm_kind_name(int kind, char out[16]); // "nt320": transposes, ranges of M, N, K
int gemm_kind_find(const char *name);               // -1: none of that name
const char *gemm_backend_name(gemm_backend b);

// From now on, until gemm_choose or gemm_open is called again. Whatever the ways name was reserved:
// gemm_open_both, or KMIDI_GEMM=.
void gemm_use(const gemm_ways *w);
const gemm_ways *gemm_used(void);
// Reserves what the other library needs beside gemm_current(); false where it was forced, is not
// here, or does not fit: there is one.
bool gemm_open_both(const env *v);

// "openblas nt320=onednn": the current library and what differs from it.
const char *gemm_said(arena *a);
// gemm_open as it was said, unless KMIDI_GEMM forces something else; ERR_MEMORY as gemm_open,
// ERR_DAMAGED for what nobody said.
bool gemm_open_said(const env *v, const char *said, err *e) MUST_CHECK;

// Adds up the processor time of products in each kind, in nanoseconds, over all threads; NULL: no
// more. Not while products run.
typedef struct gemm_times {
    _Atomic uint64_t ns[GEMM_KINDS];
} gemm_times;
void gemm_watch(gemm_times *t);

#endif
