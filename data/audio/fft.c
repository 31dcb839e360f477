// SPDX-License-Identifier: GPL-3.0-or-later
// fft.c: FFTW, the one file that knows it.
//
// Plans are made with FFTW_ESTIMATE. A measured plan is a sixth faster at 1024 points but takes
// 0.07 s to find, more than most commands live, and differs from run to run: the same file would
// give other last bits, and features are kept under a key that promises the same bits.
#include "data/audio/fft.h"

#include <fftw3.h>
#include <pthread.h>
#include <stdlib.h>

struct fft {
    fft_kind kind;
    fftw_plan plan;
};

// FFTW's planner keeps tables of its own and may be entered by one thread at a time; running a plan
// needs no lock.
static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

static fftw_plan make_plan(fft_kind kind, int n, double *x, fftw_complex *X)
{
    unsigned flags = FFTW_ESTIMATE | FFTW_DESTROY_INPUT;
    pthread_mutex_lock(&planner);
    fftw_plan p = kind == FFT_REAL ? fftw_plan_dft_r2c_1d(n, x, X, flags)
                                   : fftw_plan_dft_1d(n, (fftw_complex *)x, X, FFTW_FORWARD, flags);
    pthread_mutex_unlock(&planner);
    return p;
}

fft *fft_open(fft_kind kind, int n, err *e)
{
    fft *p = malloc(sizeof *p);
    double *x = fftw_alloc_real((size_t)n * 2);
    fftw_complex *X
    = fftw_alloc_complex((size_t)n);
    if (p && x && X)
        *p = (fft)
        {
            kind, make_plan(kind, n, x, X)
        };
    bool ok = p && x && X
    &&p->plan;
    fftw_free(x);
    fftw_free(X);
    if (ok)
        return p;
    free(p);
    err_set(e, ERR_MEMORY, "no memory for a Fourier transform of %d points; choose a smaller n_fft",
            n);
    return NULL;
}

void fft_close(fft *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&planner);
    fftw_destroy_plan(p->plan);
    pthread_mutex_unlock(&planner);
    free(p);
}

void fft_run(const fft *p, double *x, double *X)
{
    if (p->kind == FFT_REAL)
        fftw_execute_dft_r2c(p->plan, x, (fftw_complex *)X);
    else
        fftw_execute_dft(p->plan, (fftw_complex *)x, (fftw_complex *)X);
}

const char *fft_library(void)
{
    return fftw_version;
}
