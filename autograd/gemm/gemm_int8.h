// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_int8.h: which instructions multiply weights of i8 with a few rows of whole numbers
// (autograd/ops/few_panels.h): pairs of 16 bits (PMADDWD, which all of x86 has), four bytes at
// once (AVX512-VNNI), or tiles of 16 rows of 64 bytes (AMX). Sums are whole numbers, so all make
// the same bits. KMIDI_INT8=pairs|vnni|amx forces one; where kernels are of a lesser width
// (KMIDI_ISA), it is pairs.
#ifndef KMIDI_AUTOGRAD_GEMM_GEMM_INT8_H
#define KMIDI_AUTOGRAD_GEMM_GEMM_INT8_H

#include "autograd/gemm/gemm.h"

// Of `w` how products of i8 go: reads KMIDI_INT8; called by gemm_choose.
bool gemm_int8_choose(gemm_ways *w, err *e) MUST_CHECK;
bool gemm_int8_here(gemm_int8_way way);        // this CPU has it
const char *gemm_int8_name(gemm_int8_way way); // "vnni", as KMIDI_INT8 has it

#endif
