// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_ways.h: products of different kinds by different libraries, each by the one that is faster
// here.
//
// A kind is what a product has transposed and how large M, N and K are, each in one of four ranges.
// What is faster is measured where a model runs (train/products.h), kept for the machine, and said
// in a run's checkpoint, so that a run that goes on computes the same bits wherever the measurement
// has gone since.
#ifndef KMIDI_AUTOGRAD_GEMM_GEMM_WAYS_H
#define KMIDI_AUTOGRAD_GEMM_GEMM_WAYS_H

#include "autograd/gemm/gemm.h"
#include "base/arena.h"

gemm_ways gemm_ways_open(const gemm_ways *w); // the same without a table: all kinds by w->first
int gemm_kind(const gemm *p);
const char *gemm_kind_name(int kind, char out[16]); // "nt320": transposes, ranges of M, N, K
int gemm_kind_find(const char *name);               // -1: none of that name
const char *gemm_backend_name(gemm_backend b);

// Reserves what the other library needs beside w->first; false where it was forced, is not here, or
// does not fit: there is one.
bool gemm_open_both(const env *v, const gemm_ways *w);

enum { GEMM_SAID_MAX = 4096 }; // of what gemm_said says: 16 bytes a kind at most

// "openblas bf16=amx nt320=onednn": the first library, how products of bf16 go where there are any,
// and what differs from the first.
const char *gemm_said(const gemm_ways *w, bool narrow, arena *a);
// The same for people: "openblas, and onednn for 12 of 256 kinds".
const char *gemm_told(const gemm_ways *w, char out[80]);
// gemm_open as it was said, unless KMIDI_GEMM and KMIDI_BF16 force something else, or this CPU
// cannot (bf16 alone; the log says so); ERR_MEMORY as gemm_open, ERR_DAMAGED for what nobody said.
bool gemm_open_said(const env *v, const char *said, gemm_ways *w, err *e) MUST_CHECK;

// What `watch` adds up: the processor time of products in each kind, in nanoseconds, over all
// threads.
typedef struct gemm_times {
    _Atomic uint64_t ns[GEMM_KINDS];
} gemm_times;

#endif
