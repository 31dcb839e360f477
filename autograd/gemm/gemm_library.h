// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_library.h: what gemm.c needs of a BLAS. Each library enters through one file that fills one
// of these.
#ifndef KMIDI_AUTOGRAD_GEMM_GEMM_LIBRARY_H
#define KMIDI_AUTOGRAD_GEMM_GEMM_LIBRARY_H

#include "autograd/gemm/gemm.h"
#include "autograd/gemm/gemm_bf16.h"

typedef struct gemm_library {
    const char *name;
    int tile_m, tile_n;   // of C in the library's micro-kernel: slabs are cut at multiples
    bool (*load)(err *e); // before all else, any number of times
    // bytes of address space that products on `count` threads take beside their matrices, at most
    uint64_t (*need)(int count);
    // takes what it would take in its first products; false: it cannot be made to
    bool (*reserve)(int count);
    void (*serial)(const gemm *p); // m, n, k >= 1; the calling thread only
    void (*describe)(char *out, size_t size);
} gemm_library;

// the last on macOS alone
extern const gemm_library gemm_library_openblas, gemm_library_onednn, gemm_library_own,
    gemm_library_accelerate;

// gemm_onednn.c's other product: of bf16 alone (a_low and b_low are not read).
void gemm_onednn_bf16(const gemm_bf16 *p);
bool gemm_onednn_has_bf16(void);   // in hardware
bool gemm_onednn_bf16_pays(void);  // in hardware, and that multiplies more than f32's does
bool gemm_onednn_takes_bf16(void); // at all

#endif
