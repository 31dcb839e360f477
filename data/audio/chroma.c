// SPDX-License-Identifier: GPL-3.0-or-later
// chroma.c: the filters of pitch classes (chroma.h), bin by bin.
//
// Reference: librosa 0.11 (filters.chroma, after Ellis, "Chroma feature analysis and synthesis",
// 2007). tests/golden/chroma.py made numbers of it.
#include "data/audio/chroma.h"

#include <math.h>

// Bin 0 has no pitch; it stands an octave and a half below the first.
static double place(int sample_rate, int n_fft, int k)
{
    double first = CHROMA_CLASSES * log2((double)sample_rate / n_fft / 27.5);
    return k ? first + CHROMA_CLASSES * log2(k) : first - 1.5 * CHROMA_CLASSES;
}

static double turned(double d)
{
    const int half = CHROMA_CLASSES / 2;
    return d - CHROMA_CLASSES * floor((d + half) / CHROMA_CLASSES);
}

void chroma_bank(int sample_rate, int n_fft, float *bank)
{
    int bins = n_fft / 2 + 1;
    for (int k = 0; k < bins; k++) {
        double p = place(sample_rate, n_fft, k), w = place(sample_rate, n_fft, k + 1) - p;
        double bell[CHROMA_CLASSES], squares = 0;
        for (int c = 0; c < CHROMA_CLASSES; c++) {
            double d = turned(p - c) / (w > 1 ? w : 1);
            bell[c] = exp(-2 * d * d);
            squares += bell[c] * bell[c];
        }
        // classes are counted from A so far, and told from C
        for (int c = 0; c < CHROMA_CLASSES; c++)
            bank[(c + 9) % CHROMA_CLASSES * bins + k] = (float)(bell[c] / sqrt(squares));
    }
}
