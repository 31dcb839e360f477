// SPDX-License-Identifier: GPL-3.0-or-later
// fft.h: the discrete Fourier transform of real signals, by FFTW (which only fft.c knows).
//
//     X[k] = sum over t of x[t] exp(-2 pi i k t / n),  k = 0 .. n / 2
#ifndef KMIDI_DATA_FFT_H
#define KMIDI_DATA_FFT_H

#include "base/err.h"

typedef struct fft fft;

// A plan for n >= 2. Immutable: any number of threads may run one at a time. ERR_MEMORY.
fft *fft_open(int n, err *e) MUST_CHECK;
void fft_close(fft *p); // accepts NULL
// x [n] is overwritten; X [n / 2 + 1][re, im]. Both aligned to 64 bytes and not overlapping, so that the result does not depend on where
// they lie.
void fft_run(const fft *p, float *x, float *X);

#endif
