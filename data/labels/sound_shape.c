// SPDX-License-Identifier: GPL-3.0-or-later
// sound_shape.c: an envelope, a spectrum, and what they say (sound_shape.h).
#include "data/labels/sound_shape.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "data/audio/fft.h"

enum { POINTS = 1024, HOP = 512 };
#define SILENT 1e-6 // of full scale

// ---- Envelope

typedef struct envelope {
    const float *x;
    int64_t n, window, hop, count; // count: of its values
} envelope;

static envelope envelope_of(const float *x, int64_t n, int rate)
{
    int64_t window = rate / 100 > 1 ? rate / 100 : 1, hop = rate / 400 > 1 ? rate / 400 : 1;
    window = window < n ? window : n;
    return (envelope){x, n, window, hop, n ? (n - window) / hop + 1 : 0};
}

static double level(const envelope *v, int64_t i)
{
    double sum = 0;
    for (int64_t t = 0; t < v->window; t++)
        sum += (double)v->x[i * v->hop + t] * (double)v->x[i * v->hop + t];
    return sqrt(sum / (double)v->window);
}

static bool measure_envelope(const envelope *v, int rate, sound_shape *s)
{
    double peak = 0, step = (double)v->hop / rate;
    int64_t low = -1, high = -1, held = 0;
    for (int64_t i = 0; i < v->count; i++)
        peak = fmax(peak, level(v, i));
    for (int64_t i = 0; peak > SILENT && i < v->count; i++) {
        double now = level(v, i);
        low = low < 0 && now >= 0.1 * peak ? i : low;
        high = high < 0 && now >= 0.9 * peak ? i : high;
        held += now >= 0.1 * peak;
    }
    s->attack = (double)(high - low) * step;
    s->sustain = (double)held * step;
    return peak > SILENT;
}

// ---- Spectrum

static double hann(int t)
{
    return 0.5 - 0.5 * cos(2 * 3.14159265358979323846 * t / POINTS);
}

// The last window may reach behind the end, where there are zeros.
static void measure_spectrum(const fft *f, arena *a, const float *x, int64_t n, int rate,
                             sound_shape *s)
{
    double *in = arena_alloc(a, POINTS * sizeof *in, 64), sum = 0, power = 0,
           *out = arena_alloc(a, (POINTS + 2) * sizeof *out, 64);
    for (int64_t first = 0; first < n; first += HOP) {
        for (int t = 0; t < POINTS; t++)
            in[t] = first + t < n ? hann(t) * (double)x[first + t] : 0;
        fft_run(f, in, out);
        for (int k = 0; k <= POINTS / 2; k++) {
            double p = out[2 * k] * out[2 * k] + out[2 * k + 1] * out[2 * k + 1];
            sum += p * k * rate / POINTS;
            power += p;
        }
    }
    s->brightness = power > 0 ? sum / power : 0;
}

bool sound_shape_of(const float *x, int64_t n, int rate, sound_shape *out, err *e)
{
    arena a = {.name = "sound shape"};
    envelope v = envelope_of(x, n, rate);
    *out = (sound_shape){0};
    if (!measure_envelope(&v, rate, out))
        return true;
    fft *f = fft_open(FFT_REAL, POINTS, e);
    if (f)
        measure_spectrum(f, &a, x, n, rate, out);
    fft_close(f);
    arena_free(&a);
    return f != NULL;
}

bool sound_shape_heard(const sound_shape *s)
{
    return s->brightness > 0;
}

bool sound_shape_ok(const sound_shape *s)
{
    return s->attack >= 0 && s->sustain >= 0 && s->brightness >= 0 && isfinite(s->attack) &&
           isfinite(s->sustain) && isfinite(s->brightness);
}

// ---- Classes

// How many of first, 2 first, 4 first ... are reached, at most n - 1.
static int octaves(double x, double first, int n)
{
    int class = 0;
    for (double bound = first; class < n - 1 && x >= bound; bound *= 2)
        class ++;
    return class;
}

int sound_attack_class(double seconds)
{
    return octaves(seconds, 0.005, ATTACKS);
}

int sound_sustain_class(double seconds)
{
    return octaves(seconds, 0.0625, SUSTAINS);
}

int sound_brightness_class(double hz)
{
    return octaves(hz, 350, BRIGHTNESSES);
}
