// SPDX-License-Identifier: GPL-3.0-or-later
// augment_clip.c: what happens to a copy (augment_clip.h).
//
// The tilt is a linear-phase filter of taps odd in number, delay taken out:
//
//     |H(f)| = 10^(tilt log2(max(f, TILT_LEAST) / TILT_PIVOT) / 20)
//     h[m]   = hann[m] sum over k of |H(k rate / POINTS)| cos(2 pi k m / POINTS) / POINTS
//     frequency sampling, -half <= m <= half
//
// with half = rate / 32: two periods of 64 Hz, so that a slope of 3 dB holds to 0.5 dB at 125 Hz
// and to 0.1 dB from 250 Hz upwards.
#include "data/audio/augment_clip.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "data/audio/resample.h"
#include "data/audio/stretch.h"

enum { BLOCK = 4096 };

clip_draw augment_clip_draw(const augment_clip_settings *s, uint64_t digest, int copy)
{
    rng r = rng_stream(s->seed, "augment_clip", (uint32_t)copy);
    double u[6];
    for (uint32_t i = 0; i < 6; i++)
        u[i] = (double)rng_uniform(r, digest, i);
    double up = s->transpose[0] + u[4] * (s->transpose[1] - s->transpose[0]);
    return (clip_draw){.from = up != 0 ? (int)lround(TRANSPOSE_RATE * exp2(up / 12)) : 0,
                       .stretch = s->stretch[0] + u[0] * (s->stretch[1] - s->stretch[0]),
                       .semitones = s->pitch[0] + u[1] * (s->pitch[1] - s->pitch[0]),
                       .tilt = s->tilt * (2 * u[2] - 1),
                       .snr =
                           s->noisy ? s->noise[0] + u[3] * (s->noise[1] - s->noise[0]) : INFINITY,
                       .gain = s->gain[0] + u[5] * (s->gain[1] - s->gain[0]),
                       .noise = rng_stream(s->seed, "augment_noise", (uint32_t)copy),
                       .digest = digest};
}

static int64_t transposed_length(const clip_draw *d, int64_t n)
{
    return d->from ? resample_length(n, d->from, TRANSPOSE_RATE) : n;
}

int64_t augment_clip_length(const clip_draw *d, int64_t n)
{
    return stretch_length(transposed_length(d, n), d->stretch);
}

clip_change augment_clip_change(const clip_draw *d)
{
    return (clip_change){d->from ? 12 * log2((double)d->from / TRANSPOSE_RATE) : 0,
                         pow(10, d->gain / 40)};
}

// ---- Transposition

static bool keep(void *user, const float *x, size_t n, err *e)
{
    float **to = user;
    (void)e;
    memcpy(*to, x, n * sizeof *x);
    *to += n;
    return true;
}

static bool transpose(const clip_draw *d, const float *x, int64_t n, float *out, err *e)
{
    resampler *r = resampler_open(d->from, TRANSPOSE_RATE, e);
    bool ok =
        r && resampler_push(r, x, (size_t)n, keep, &out, e) && resampler_finish(r, keep, &out, e);
    resampler_close(r);
    return ok;
}

// ---- Tilt

static double gain(double tilt, double hz)
{
    return pow(10, tilt * log2(fmax(hz, TILT_LEAST) / TILT_PIVOT) / 20);
}

// h[0 .. half]: the filter is symmetric.
static float *design(arena *a, double tilt, int rate, int half)
{
    int points = 8 * half;
    double *wave = NEW(a, double, (size_t)points), *level = NEW(a, double, (size_t)points);
    float *h = NEW(a, float, (size_t)half + 1);
    for (int k = 0; k < points; k++) {
        wave[k] = cos(2 * M_PI * k / points);
        level[k] = gain(tilt, (double)(k <= points / 2 ? k : points - k) * rate / points);
    }
    for (int m = 0; m <= half; m++) {
        double sum = 0;
        for (int k = 0; k < points; k++)
            sum += level[k] * wave[(int)((int64_t)k * m % points)];
        h[m] = (float)(sum / points * (0.5 + 0.5 * cos(M_PI * m / (half + 1))));
    }
    return h;
}

// to[i] += by * from[i]
static void add_scaled(float *to, const float *from, int64_t n, float by)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += by * from[i];
}

// In place; what lies outside the clip is silence. `padded` has half zeros on both sides.
static void filter(float *x, int64_t n, const float *padded, const float *h, int half)
{
    for (int64_t at = 0; at < n; at += BLOCK) {
        int64_t count = n - at < BLOCK ? n - at : BLOCK;
        memset(x + at, 0, (size_t)count * sizeof *x);
        for (int m = -half; m <= half; m++)
            add_scaled(x + at, padded + at + half + m, count, h[m < 0 ? -m : m]);
    }
}

static void tilt(float *x, int64_t n, int rate, double by)
{
    arena a = {.name = "tilt"};
    int half = rate / TILT_LEAST > 8 ? rate / TILT_LEAST : 8;
    float *padded = NEW(&a, float, (size_t)(n + 2 * half));
    memcpy(padded + half, x, (size_t)n * sizeof *x);
    filter(x, n, padded, design(&a, by, rate, half), half);
    arena_free(&a);
}

// ---- Noise

static void add_noise(const clip_draw *d, float *x, int64_t n)
{
    double power = 0;
    for (int64_t i = 0; i < n; i++)
        power += (double)x[i] * (double)x[i];
    double deviation = sqrt(power / (double)n * pow(10, -d->snr / 10));
    for (int64_t i = 0; i < n; i++)
        x[i] += (float)(deviation * rng_normal(d->noise, d->digest, (uint32_t)i));
}

static bool vary(const clip_draw *d, int rate, const float *x, int64_t n, float *out, err *e)
{
    int64_t m = stretch_length(n, d->stretch);
    if (!stretch_run(x, n, rate, d->stretch, d->semitones, out, e))
        return false;
    if (d->tilt != 0)
        tilt(out, m, rate, d->tilt);
    if (d->snr < INFINITY)
        add_noise(d, out, m);
    float louder = (float)pow(10, d->gain / 20);
    for (int64_t i = 0; d->gain != 0 && i < m; i++)
        out[i] *= louder;
    return true;
}

bool augment_clip(const clip_draw *d, int rate, const float *x, int64_t n, float *out, err *e)
{
    arena a = {.name = "transposed"};
    int64_t m = transposed_length(d, n);
    float *higher = d->from ? NEW(&a, float, (size_t)m) : NULL;
    bool ok =
        (!higher || transpose(d, x, n, higher, e)) && vary(d, rate, higher ? higher : x, m, out, e);
    arena_free(&a);
    return ok;
}
