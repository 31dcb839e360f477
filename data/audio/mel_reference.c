// SPDX-License-Identifier: GPL-3.0-or-later
// mel_reference.c: the mel spectrogram by its formulas (mel.h), in double precision and without any
// trick.
#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "data/audio/mel.h"

// x[i] of the signal filled up at its ends; reflection turns at the first and last sample as often
// as it takes (numpy's "reflect").
static double sample(const mel_settings *s, const float *x, int64_t n, int64_t i)
{
    if (i >= 0 && i < n)
        return x[i];
    if (s->pad == MEL_CONSTANT)
        return 0;
    if (n == 1)
        return x[0];
    int64_t period = 2 * (n - 1), m = (i % period + period) % period;
    return x[m < n ? m : period - m];
}

// The largest sample of a frame, to the power of the bands.
static double level(const mel_settings *s, const float *x, int64_t n, int64_t frame)
{
    double most = 0;
    for (int t = 0; t < s->n_fft; t++)
        most =
            fmax(most,
                 fabs(sample(s, x, n, frame * s->hop_length + t - (s->center ? s->n_fft / 2 : 0))));
    return pow(most, s->power);
}

static double spectrum(const double *x, int n, int k, int power)
{
    double re = 0, im = 0;
    for (int t = 0; t < n; t++) {
        double a = 2 * M_PI * (double)((int64_t)k * t % n) / n;
        re += x[t] * cos(a);
        im -= x[t] * sin(a);
    }
    double p = re * re + im * im;
    return power == 2 ? p : sqrt(p);
}

static double logarithm(const mel_settings *s, double m)
{
    switch ((mel_log)s->log) {
    case MEL_LOG_DB:
        return (s->power == 1 ? 20 : 10) * log10(fmax(m, s->log_floor));
    case MEL_LOG_LN:
        return log(m + s->log_floor);
    case MEL_LOG_LN_CLAMP:
        return log(fmax(m, s->log_floor));
    case MEL_LOG_NONE:
        break;
    }
    return m;
}

// Mean 0 and deviation 1 of the bands [lo, hi) over all frames.
static void normalise(const mel_settings *s, int lo, int hi, int64_t frames, float *out)
{
    double n = (double)frames * (hi - lo), mean = 0, square = 0;
    for (int64_t f = 0; f < frames; f++)
        for (int b = lo; b < hi; b++)
            mean += (double)out[f * s->n_mels + b] / n;
    for (int64_t f = 0; f < frames; f++)
        for (int b = lo; b < hi; b++)
            square += pow((double)out[f * s->n_mels + b] - mean, 2) / n;
    for (int64_t f = 0; f < frames; f++)
        for (int b = lo; b < hi; b++) {
            float *x = &out[f * s->n_mels + b];
            *x = (float)(((double)*x - mean) / fmax(sqrt(square), 0.01));
        }
}

void mel_reference(const mel_settings *s, const float *samples, int64_t n, int64_t frames,
                   float *out)
{
    arena a = {.name = "mel reference"};
    int bins = s->n_fft / 2 + 1;
    float *bank = NEW(&a, float, (size_t)(s->n_mels * bins)), most = -INFINITY, loudest = -INFINITY;
    double *x = NEW(&a, double, (size_t)s->n_fft), *p = NEW(&a, double, (size_t)bins);
    mel_bank(s, bank);
    for (int64_t f = 0; f < frames; f++) {
        for (int t = 0; t < s->n_fft; t++)
            x[t] = mel_window_at(s, t) *
                   sample(s, samples, n, f * s->hop_length + t - (s->center ? s->n_fft / 2 : 0));
        for (int k = 0; k < bins; k++)
            p[k] = spectrum(x, s->n_fft, k, s->power);
        for (int b = 0; b < s->n_mels; b++) {
            double m = s->level && b == s->n_mels - 1 ? level(s, samples, n, f) : 0;
            for (int k = 0; k < bins; k++)
                m += bank[(size_t)b * (size_t)bins + (size_t)k] * p[k];
            out[f * s->n_mels + b] = (float)logarithm(s, m);
        }
    }
    for (int64_t i = 0; i < frames * s->n_mels; i++)
        most = fmaxf(most, out[i]);
    for (int64_t f = 0; s->level && f < frames; f++)
        loudest = fmaxf(loudest, out[(f + 1) * s->n_mels - 1]);
    for (int64_t f = 0; s->level && f < frames; f++)
        out[(f + 1) * s->n_mels - 1] = loudest;
    for (int64_t i = 0; s->top_db > 0 && i < frames * s->n_mels; i++)
        out[i] = fmaxf(out[i], most - (float)s->top_db);
    if (s->normalise == MEL_NORMALISE_ITEM)
        normalise(s, 0, s->n_mels - s->level, frames, out);
    for (int b = 0; s->normalise == MEL_NORMALISE_BANDS && b < s->n_mels - s->level; b++)
        normalise(s, b, b + 1, frames, out);
    arena_free(&a);
}
