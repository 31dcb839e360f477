// SPDX-License-Identifier: GPL-3.0-or-later
// mel_bench.h: how fast mel spectrograms are made here, in the setting that data_speed.py gives its
// peers.
#ifndef KMIDI_DATA_FEATURES_MEL_BENCH_H
#define KMIDI_DATA_FEATURES_MEL_BENCH_H

#include "base/err.h"
#include "base/threads.h"

// Seconds of audio a second, the best of `tries`: noise at 44.1 kHz in memory, librosa's preset
// (n_fft 2048, hop 512, 128 bands, dB with top_db), all threads of `pool`. Opening the feature and
// its tables is part of each try. 0 on error.
double mel_bench(threads *pool, double seconds, int tries, err *e);

#endif
