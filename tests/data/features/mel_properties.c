// SPDX-License-Identifier: GPL-3.0-or-later
// mel_properties.c: what holds of any right mel spectrogram.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/larger.h"
#include "data/audio/mel.h"
#include "tests/data/features/mel_lines.h"
#include "tests/test.h"

// Magnitudes of a scaled signal are scaled, powers by the square.
TEST(mel_scales_with_the_signal)
{
    static const char *const by[] = {"n_fft=512 hop_length=160 n_mels=40 log=none power=1",
                                     "n_fft=512 hop_length=160 n_mels=40 log=none power=2"};
    for (int power = 1; power <= 2; power++) {
        int64_t frames, n = 4000;
        float *x = mel_noise(8, n, 0.1f), *a = mel_compute_line(by[power - 1], x, n, &frames);
        for (int64_t i = 0; i < n; i++)
            x[i] *= 3;
        float *b = mel_compute_line(by[power - 1], x, n, &frames);
        for (int64_t i = 0; i < frames * 40; i++)
            a[i] *= power == 1 ? 3.0f : 9.0f;
        EXPECT_BELOW(test_distance(b, a, (size_t)(frames * 40)), 1e-6);
        free(x), free(a), free(b);
    }
}

// What is normalised does not hear how loud a recording is; of each band by itself, the mean of
// every band is 0, too; silence is all zeros.
TEST(mel_normalised_hears_no_loudness)
{
    static const char *const by[] = {
        "n_fft=512 hop_length=160 n_mels=40 log=db log_floor=1e-30 normalise=item",
        "n_fft=512 hop_length=160 n_mels=40 log=db log_floor=1e-30 normalise=bands"};
    for (int k = 0; k < 2; k++) {
        int64_t frames, n = 4000;
        float *x = mel_noise(8, n, 0.1f), *a = mel_compute_line(by[k], x, n, &frames);
        double sum = 0, squares = 0, first = 0;
        for (int64_t i = 0; i < frames * 40; i++)
            sum += (double)a[i], squares += (double)a[i] * (double)a[i],
                first += i % 40 ? 0 : (double)a[i];
        EXPECT_NEAR(sum / (double)(frames * 40), 0, 1e-5);
        EXPECT_NEAR(squares / (double)(frames * 40), 1, 1e-5);
        EXPECT(k == 1 ? fabs(first) < 1e-3 : fabs(first) > 1);
        for (int64_t i = 0; i < n; i++)
            x[i] *= 0.03f;
        float *b = mel_compute_line(by[k], x, n, &frames);
        EXPECT_BELOW(test_distance(b, a, (size_t)(frames * 40)), 1e-4);
        memset(x, 0, (size_t)n * sizeof *x);
        float *c = mel_compute_line(by[k], x, n, &frames);
        for (int64_t i = 0; i < frames * 40; i++)
            EXPECT(fabsf(c[i]) < 1e-6f);
        free(x), free(a), free(b), free(c);
    }
}

// The level of every frame is that of the largest sample, wherever it lies; the bands are those of
// one fewer.
TEST(mel_level_is_the_largest_sample)
{
    static const char *const lines[] = {
        "n_fft=512 hop_length=160 n_mels=40 log=db power=1",
        "n_fft=512 hop_length=160 n_mels=41 log=db power=1 level=true"};
    int64_t frames, n = 4000;
    float *x = mel_noise(8, n, 0.1f);
    x[3000] = -0.5f;
    float *bands = mel_compute_line(lines[0], x, n, &frames),
          *both = mel_compute_line(lines[1], x, n, &frames);
    for (int64_t i = 0; i < frames; i++) {
        EXPECT_NEAR(both[i * 41 + 40], 20 * log10(0.5), 1e-5);
        EXPECT(!memcmp(both + i * 41, bands + i * 40, 40 * sizeof *both));
    }
    free(x), free(bands), free(both);
}

// A signal that begins one hop later has its frames one place later, bit for bit.
TEST(mel_shift_by_one_hop)
{
    enum { N = 6000, HOP = 160, BANDS = 40 };
    const char *line = "n_fft=512 hop_length=160 n_mels=40 pad=constant log=db";
    int64_t frames, later;
    float *x = mel_noise(9, N, 0.3f), *moved = calloc(N + HOP, sizeof *moved);
    memcpy(moved + HOP, x, N * sizeof *x);
    float *a = mel_compute_line(line, x, N, &frames),
          *b = mel_compute_line(line, moved, N + HOP, &later);
    EXPECT_INT(later, frames + 1);
    EXPECT(!memcmp(a, b + BANDS, (size_t)(frames * BANDS) * sizeof *a));
    free(x), free(moved), free(a), free(b);
}

// The spectrum of one sample 1 under the middle of the window is 1 in every bin.
TEST(mel_of_an_impulse_is_the_sum_of_the_bank)
{
    enum { BINS = 257, BANDS = 30 };
    float x[512] = {0}, *bank = calloc(BANDS * BINS, sizeof *bank);
    x[256] = 1;
    feature *f =
        mel_open_line("n_fft=512 hop_length=512 n_mels=30 center=false log=none", variant_best());
    int64_t frames;
    float *out = mel_compute(f, x, 512, NULL, &frames);
    EXPECT_INT(frames, 1);
    EXPECT_INT(mel_bank(f->settings, bank), 0);
    for (int b = 0; b < BANDS; b++) {
        double sum = 0;
        for (int k = 0; k < BINS; k++)
            sum += bank[b * BINS + k];
        EXPECT_NEAR(out[b], sum, 1e-6 * sum);
    }
    free(out), free(bank);
    feature_close(f);
}

TEST(mel_sine_lands_in_its_band)
{
    static const double hz[] = {100, 440, 1000, 1500, 3000, 7000};
    for (int scale = 0; scale < 2; scale++)
        for (size_t i = 0; i < sizeof hz / sizeof *hz; i++) {
            int64_t frames;
            float *x = mel_sine(hz[i], 16000, 16000);
            float *out =
                mel_compute_line(scale ? "n_fft=2048 n_mels=64 log=none scale=htk norm=none"
                                       : "n_fft=2048 n_mels=64 log=none scale=slaney norm=none",
                                 x, 16000, &frames);
            const float *row = out + frames / 2 * 64;
            int best = 0;
            for (int b = 0; b < 64; b++)
                best = row[b] > row[best] ? b : best;
            double place =
                mel_from_hz((mel_scale)scale, hz[i]) / mel_from_hz((mel_scale)scale, 8000) * 65 - 1;
            EXPECT_NEAR(best, place, 1.0);
            free(x), free(out);
        }
}

// Where the scale is linear a triangle twice as wide is one of its own width and half of each of
// its neighbours.
TEST(mel_overlapping_bands_are_sums_of_narrow_ones)
{
    enum { BANDS = 12, BINS = 513 };
    err e = {0};
    mel_settings s = {0};
    static float narrow[BANDS][BINS], wide[BANDS][BINS];
    EXPECT_OK(mel_set(&s, "n_mels", "12", &e) && mel_set(&s, "fmax", "900", &e) &&
                  mel_set(&s, "norm", "none", &e) && mel_resolve(&s, &e),
              e);
    EXPECT_INT(mel_bank(&s, narrow[0]), 0);
    s.overlap = 2;
    EXPECT_INT(mel_bank(&s, wide[0]), 0);
    double most = 0;
    for (int b = 1; b + 1 < BANDS; b++)
        for (int k = 0; k < BINS; k++) {
            float want = narrow[b][k] + (narrow[b - 1][k] + narrow[b + 1][k]) / 2;
            EXPECT(fabsf(wide[b][k] - want) < 1e-6f);
            most = larger(most, (double)wide[b][k]);
        }
    EXPECT(most > 0.9);
}

// Triangles of height 1 add up to 1 between the first and the last peak, so the bands together hold
// the energy that Parseval's theorem gives.
TEST(mel_keeps_the_energy)
{
    enum { N = 1024, BANDS = 20 };
    float window[N];
    int64_t frames;
    feature *f = mel_open_line(
        "n_fft=1024 hop_length=1024 n_mels=20 center=false log=none norm=none scale=htk",
        variant_best());
    float *x = mel_sine(1000, 16000, N), *out = mel_compute(f, x, N, NULL, &frames);
    double energy = 0, bands = 0;
    mel_window(f->settings, window);
    for (int t = 0; t < N; t++)
        energy += (double)(window[t] * x[t]) * (window[t] * x[t]);
    for (int b = 0; b < BANDS; b++)
        bands += out[b];
    EXPECT_NEAR(bands, energy * N / 2, 1e-5 * energy * N);
    free(x), free(out);
    feature_close(f);
}

TEST(mel_scales_have_their_fixed_points)
{
    EXPECT_NEAR(mel_from_hz(MEL_SLANEY, 1000), 15, 1e-12);
    EXPECT_NEAR(mel_from_hz(MEL_SLANEY, 6400), 42, 1e-9);
    EXPECT_NEAR(mel_from_hz(MEL_HTK, 1000), 999.985537, 1e-5);
    for (double hz = 0; hz < 20000; hz += 333)
        for (int scale = 0; scale < 2; scale++)
            EXPECT_NEAR(mel_to_hz((mel_scale)scale, mel_from_hz((mel_scale)scale, hz)), hz, 1e-8);
}

TEST(mel_silence_is_the_floor)
{
    int64_t frames;
    float x[4000] = {0}, *db = mel_compute_line("log=db", x, 4000, &frames),
          *ln = mel_compute_line("log=ln", x, 4000, &frames);
    EXPECT_NEAR(db[0], -100, 1e-4);
    EXPECT_NEAR(ln[0], log(1e-6), 1e-5);
    free(db), free(ln);
}
