// SPDX-License-Identifier: GPL-3.0-or-later
// fft.h: the discrete Fourier transform, by FFTW (which only fft.c knows).
//
//     X[k] = sum over t of x[t] exp(-2 pi i k t / n)
#ifndef KMIDI_DATA_AUDIO_FFT_H
#define KMIDI_DATA_AUDIO_FFT_H

#include "base/err.h"

typedef struct fft fft;
typedef enum fft_kind {
    FFT_REAL,    // x [n] -> X [n / 2 + 1][re, im]
    FFT_COMPLEX, // x [n][re, im] -> X [n][re, im]
} fft_kind;

// A plan. Immutable: any number of threads may run it at a time. ERR_MEMORY.
fft *fft_open(fft_kind kind, int n, err *e) MUST_CHECK;
void fft_close(fft *p); // accepts NULL
// x is overwritten. Both lie at multiples of 64 bytes and apart, so that the result does not depend
// on where.
void fft_run(const fft *p, double *x, double *X);

const char *fft_library(void); // the library's version, as it calls itself

#endif
