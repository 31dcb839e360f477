// SPDX-License-Identifier: GPL-3.0-or-later
// augment_clip.c: tones come out at the frequency and length they should, tilt changes octaves by
// its decibels, noise has its SNR.
#include "data/audio/augment_clip.h"

#include <math.h>
#include <string.h>

#include "data/audio/stretch.h"
#include "tests/test.h"

enum { RATE = 16000, N = 2 * RATE };

static const clip_draw plain = {.stretch = 1, .snr = INFINITY};

static float *tone(arena *a, double hz)
{
    float *x = NEW(a, float, N);
    for (int i = 0; i < N; i++)
        x[i] = (float)(0.3 * sin(2 * M_PI * hz * i / RATE));
    return x;
}

// Power of x in a band [lo, hi) Hz by Goertzel's sum every 10 Hz, over the middle second.
static double power(const float *x, int64_t n, double lo, double hi)
{
    double sum = 0;
    const float *middle = x + (n - RATE) / 2;
    for (double f = lo; f < hi; f += 10) {
        double re = 0, im = 0;
        for (int i = 0; i < RATE; i++) {
            double w = 0.5 - 0.5 * cos(2 * M_PI * i / RATE);
            re += w * (double)middle[i] * cos(2 * M_PI * f * i / RATE);
            im += w * (double)middle[i] * sin(2 * M_PI * f * i / RATE);
        }
        sum += re * re + im * im;
    }
    return sum;
}

// The frequency of a tone: upward crossings of zero in the middle second, each to a part of a
// sample.
static double frequency(const float *x, int64_t n)
{
    double first = 0, last = 0;
    int count = 0;
    for (int64_t i = (n - RATE) / 2; i < (n + RATE) / 2; i++)
        if (x[i] < 0 && x[i + 1] >= 0) {
            last = (double)i + (double)x[i] / (double)(x[i] - x[i + 1]);
            first = count ? first : last;
            count++;
        }
    return (count - 1) * RATE / (last - first);
}

static float *made(arena *a, clip_draw d, const float *x, int64_t *m)
{
    err e = {0};
    *m = augment_clip_length(&d, N);
    float *out = NEW(a, float, (size_t)*m + 1);
    out[*m] = 77;
    EXPECT_OK(augment_clip(&d, RATE, x, N, out, &e), e);
    EXPECT(out[*m] == 77);
    return out;
}

static double cents(double hz, double want)
{
    return 1200 * log2(hz / want);
}

TEST(augment_clip_shifts_a_tone_to_its_frequency)
{
    static const double semitones[] = {-5, -3, -0.5, 0.5, 3, 7};
    arena a = {0};
    for (size_t k = 0; k < 6; k++) {
        clip_draw d = plain;
        int64_t m;
        d.semitones = semitones[k];
        float *y = made(&a, d, tone(&a, 440), &m);
        EXPECT_INT(m, N);
        EXPECT_NEAR(cents(frequency(y, m), 440 * pow(2, semitones[k] / 12)), 0, 1);
    }
    arena_free(&a);
}

// As long as asked to the sample, at its pitch, as loud; what happened half way through happens
// half way through.
TEST(augment_clip_stretches_and_keeps_the_pitch)
{
    static const double times[] = {0.8, 0.9, 1.1, 1.25};
    arena a = {0};
    float *click = NEW(&a, float, N), *x = tone(&a, 440);
    for (int i = 0; i < 200; i++)
        click[N / 2 + i] = (float)(0.5 * exp(-i / 40.0) * sin(i * 0.9));
    for (size_t k = 0; k < 4; k++) {
        clip_draw d = plain;
        int64_t m, at = 0;
        d.stretch = times[k];
        float *y = made(&a, d, x, &m);
        EXPECT_INT(m, lround(N * times[k]));
        EXPECT_NEAR(cents(frequency(y, m), 440), 0, 1);
        EXPECT_NEAR(10 * log10(power(y, m, 400, 480) / power(x, N, 400, 480)), 0, 0.2);
        y = made(&a, d, click, &m);
        for (int64_t i = 0; i < m; i++)
            at = fabsf(y[i]) > fabsf(y[at]) ? i : at;
        EXPECT_NEAR((double)at / (double)m, 0.5, 0.005);
    }
    arena_free(&a);
}

TEST(augment_clip_does_both_at_once)
{
    arena a = {0};
    clip_draw d = plain;
    int64_t m;
    d.stretch = 1.2, d.semitones = -4;
    float *y = made(&a, d, tone(&a, 440), &m);
    EXPECT_INT(m, lround(N * 1.2));
    EXPECT_NEAR(cents(frequency(y, m), 440 * pow(2, -4 / 12.0)), 0, 1);
    arena_free(&a);
}

// Twice the velocity is four times the amplitude, 12.04 dB.
TEST(augment_clip_is_louder_and_struck_harder)
{
    arena a = {0};
    float *x = tone(&a, 440);
    for (int k = -1; k <= 1; k++) {
        clip_draw d = plain;
        int64_t m;
        d.gain = 40 * log10(2) * k;
        float *y = made(&a, d, x, &m);
        EXPECT_INT(m, N);
        for (int64_t i = 0; i < m; i += 97)
            EXPECT_NEAR(y[i], (double)x[i] * pow(4, k), 1e-6);
        EXPECT_NEAR(augment_clip_change(&d).velocity, pow(2, k), 1e-12);
        EXPECT(augment_clip_change(&d).semitones == 0);
    }
    arena_free(&a);
}

static float *white(arena *a)
{
    float *x = NEW(a, float, N);
    for (uint32_t i = 0; i < N; i++)
        x[i] = test_fill(3, i, 0.3f);
    return x;
}

// Octave by octave, against the sound before: 3 dB an octave are 3 dB an octave, and 1 kHz stays.
TEST(augment_clip_tilts_by_decibels_an_octave)
{
    static const double tilts[] = {3, -3, 1.5};
    arena a = {0};
    float *x = white(&a);
    for (size_t k = 0; k < 3; k++) {
        clip_draw d = plain;
        int64_t m;
        d.tilt = tilts[k];
        float *y = made(&a, d, x, &m);
        EXPECT_INT(m, N);
        for (int octave = -3; octave <= 2; octave++) {
            double hz = 1000 * pow(2, octave), lo = hz * 0.9, hi = hz * 1.1;
            EXPECT_NEAR(10 * log10(power(y, m, lo, hi) / power(x, N, lo, hi)), tilts[k] * octave,
                        octave < -2 ? 0.5 : 0.15);
        }
    }
    // A tone is where it was: the filter's delay is taken out.
    clip_draw d = plain;
    int64_t m;
    d.tilt = 3;
    float *t = tone(&a, 1000), *y = made(&a, d, t, &m);
    for (int i = N / 4; i < N / 2; i++)
        test_expect(fabsf(y[i] - t[i]) < 0.003f, __FILE__, __LINE__, "sample %d is %g, expected %g",
                    i, (double)y[i], (double)t[i]);
    arena_free(&a);
}

TEST(augment_clip_noise_has_its_snr)
{
    static const double snrs[] = {0, 10, 20, 40};
    arena a = {0};
    float *x = tone(&a, 440), *silence = NEW(&a, float, N);
    for (size_t k = 0; k < 4; k++) {
        clip_draw d = plain;
        int64_t m;
        d.snr = snrs[k], d.digest = k;
        float *y = made(&a, d, x, &m);
        double sum = 0, noise = 0, fourth = 0, signal = 0, next = 0;
        for (int i = 0; i < N; i++) {
            double v = (double)y[i] - (double)x[i];
            sum += v, noise += v * v, fourth += v * v * v * v,
                signal += (double)x[i] * (double)x[i];
            next += i ? v * ((double)y[i - 1] - (double)x[i - 1]) : 0;
        }
        EXPECT_NEAR(10 * log10(signal / noise), snrs[k], 0.1);
        EXPECT_NEAR(fourth / N / (noise / N * noise / N), 3, 0.15); // of a normal distribution
        EXPECT_NEAR(next / noise, 0, 0.03);                         // white
        EXPECT_NEAR(sum / sqrt(noise * N), 0, 0.03);
        y = made(&a, d, silence, &m);
        EXPECT(y[0] == 0 && memcmp(y, silence, N * sizeof *y) == 0);
    }
    arena_free(&a);
}

TEST(augment_clip_draws_are_a_function_of_seed_item_and_copy)
{
    augment_clip_settings s = {.copies = 2,
                               .stretch = {0.9, 1.1},
                               .pitch = {-3, 3},
                               .tilt = 3,
                               .noisy = true,
                               .noise = {20, 40},
                               .seed = 1};
    double low[4] = {9, 9, 9, 99}, high[4] = {-9, -9, -9, -9}, mean[4] = {0};
    for (uint64_t i = 0; i < 4000; i++) {
        clip_draw d = augment_clip_draw(&s, i * 0x9e3779b97f4a7c15u, 1),
                  again = augment_clip_draw(&s, i * 0x9e3779b97f4a7c15u, 1);
        double x[4] = {d.stretch, d.semitones, d.tilt, d.snr},
               y[4] = {again.stretch, again.semitones, again.tilt, again.snr};
        EXPECT(memcmp(x, y, sizeof x) == 0);
        for (int k = 0; k < 4; k++)
            low[k] = fmin(low[k], x[k]), high[k] = fmax(high[k], x[k]), mean[k] += x[k] / 4000;
    }
    const double want_low[4] = {0.9, -3, -3, 20}, want_high[4] = {1.1, 3, 3, 40};
    for (int k = 0; k < 4; k++) {
        double width = want_high[k] - want_low[k];
        EXPECT(low[k] >= want_low[k] && high[k] <= want_high[k]);
        EXPECT_NEAR(low[k], want_low[k], width / 200);
        EXPECT_NEAR(high[k], want_high[k], width / 200);
        EXPECT_NEAR(mean[k], (want_low[k] + want_high[k]) / 2, width / 50);
    }
    clip_draw one = augment_clip_draw(&s, 5, 1), two = augment_clip_draw(&s, 5, 2);
    s.seed = 2;
    clip_draw other = augment_clip_draw(&s, 5, 1);
    EXPECT(one.stretch != two.stretch && one.stretch != other.stretch &&
           one.semitones != two.semitones);
}

TEST(augment_clip_is_the_same_each_time_and_may_do_nothing)
{
    arena a = {0};
    err e = {0};
    int64_t m;
    float *x = white(&a), *y = made(&a, plain, x, &m), one = 0.5f, two[2];
    EXPECT(m == N && memcmp(x, y, N * sizeof *x) == 0);
    clip_draw d = {.stretch = 0.95, .semitones = 1, .tilt = 2, .snr = 30, .digest = 9};
    float *z = made(&a, d, x, &m), *again = made(&a, d, x, &m);
    EXPECT(memcmp(z, again, (size_t)m * sizeof *z) == 0);
    d.stretch = 2;
    EXPECT_INT(augment_clip_length(&d, 1), 2);
    EXPECT_OK(augment_clip(&d, RATE, &one, 1, two, &e), e);
    EXPECT(isfinite(two[0]) && isfinite(two[1]));
    EXPECT_ERR(augment_clip(&d, 4000, x, 100, NEW(&a, float, 200), &e), e, ERR_VALUE, "4000 Hz");
    arena_free(&a);
}

// A fifth up is two thirds as long and sounds a fifth higher; what is drawn is said in semitones.
TEST(augment_clip_transposes_by_resampling)
{
    arena a = {0};
    int64_t m;
    augment_clip_settings s = {.copies = 1, .transpose = {7, 7}, .stretch = {1, 1}, .seed = 3};
    clip_draw d = augment_clip_draw(&s, 11, 1);
    EXPECT_NEAR(augment_clip_change(&d).semitones, 7, 0.001);
    const float *y = made(&a, d, tone(&a, 440), &m);
    EXPECT_NEAR((double)m, N / exp2(7 / 12.0), 1);
    EXPECT_BELOW(fabs(cents(frequency(y, m), 440 * exp2(7 / 12.0))), 1);
    clip_draw none = plain;
    EXPECT_NEAR(augment_clip_change(&none).semitones, 0, 0);
    // the other draws stay as they were
    clip_draw was =
        augment_clip_draw(&(augment_clip_settings){.stretch = {0.5, 2}, .seed = 3}, 11, 1);
    s.stretch[0] = 0.5, s.stretch[1] = 2;
    EXPECT_NEAR(augment_clip_draw(&s, 11, 1).stretch, was.stretch, 0);
    arena_free(&a);
}
