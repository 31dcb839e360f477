// SPDX-License-Identifier: GPL-3.0-or-later
// augment_mel.c: a tilt of frames is that of the sound they are of.
#include "data/loader/augment_mel.h"

#include <math.h>
#include <string.h>

#include "base/larger.h"
#include "data/audio/augment_clip.h"
#include "data/features/feature.h"
#include "tests/test.h"

enum { N = 32000, BANDS = 64 };

static mel_settings settings_of(const char *log, const char *power)
{
    const char *const each[][2] = {{"preset", "librosa"}, {"sample_rate", "16000"},
                                   {"n_mels", "64"},      {"log", log},
                                   {"power", power},      {"top_db", "none"}};
    mel_settings s = {0};
    err e = {0};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        EXPECT_OK(mel_set(&s, each[i][0], each[i][1], &e), e);
    EXPECT_OK(mel_resolve(&s, &e), e);
    return s;
}

// [frames][BANDS] of white noise, tilted by `tilt` and louder by `gain` as sound; their mean over
// time in `mean`.
static float *frames_of(const mel_settings *s, double tilt, double gain, int64_t *frames,
                        double mean[BANDS], arena *a)
{
    err e = {0};
    float *x = NEW(a, float, N), *y = NEW(a, float, N);
    clip_draw d = {.stretch = 1, .tilt = tilt, .snr = INFINITY};
    for (uint32_t i = 0; i < N; i++)
        x[i] = test_fill(5, i, 0.3f * (float)pow(10, gain / 20));
    EXPECT_OK(augment_clip(&d, 16000, x, N, y, &e), e);
    feature *f = feature_open(feature_find("mel", &e), s, &e);
    *frames = feature_frames(f, N);
    float *mel = NEW(a, float, (size_t)*frames *BANDS);
    EXPECT_OK(feature_compute(f, y, N, mel, NULL, &e), e);
    feature_close(f);
    memset(mean, 0, BANDS * sizeof *mean);
    for (int64_t i = 0; i < *frames * BANDS; i++)
        mean[i % BANDS] += (double)mel[i] / (double)*frames;
    return mel;
}

TEST(augment_mel_tilts_as_sound_is_tilted)
{
    static const char *const kinds[][2] = {
        {"ln", "2"}, {"ln", "1"}, {"db", "2"}, {"db", "1"}, {"ln_clamp", "2"}};
    arena a = {0};
    err e = {0};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        mel_settings s = settings_of(kinds[k][0], kinds[k][1]);
        augment_mel m = {.tilt = 4};
        rng draws = rng_stream(1, "test", 0);
        double before[BANDS], after[BANDS], drawn = 4 * (2 * (double)rng_uniform(draws, 2, 6) - 1);
        int64_t frames;
        EXPECT_OK(augment_mel_bands(&s, &a, &m, &e), e);
        EXPECT(fabs(drawn) > 0.5);
        frames_of(&s, drawn, 0, &frames, after, &a);
        float *mel = frames_of(&s, 0, 0, &frames, before, &a);
        augment_mel_row(&m, draws, 2, 3, NULL, frames, BANDS, mel);
        double got[BANDS] = {0};
        for (int64_t i = 0; i < frames * BANDS; i++)
            got[i % BANDS] += (double)mel[i] / (double)frames;
        for (int b = 0; b < BANDS; b++)
            if (m.octave[b] > -2.5f && b < BANDS - 1) {
                double db = (got[b] - after[b]) / m.per_db;
                test_expect(fabs(db) < 0.15, __FILE__, __LINE__,
                            "log %s, power %s: band %d is off by %.2f dB", kinds[k][0], kinds[k][1],
                            b, db);
            }
    }
    arena_free(&a);
}

TEST(augment_mel_gain_counts_decibels_and_deviations)
{
    arena a = {0};
    err e = {0};
    mel_settings s = settings_of("ln", "2");
    augment_mel m = {.gain = 6};
    rng draws = rng_stream(9, "test", 0);
    float x[2 * BANDS] = {0}, y[2 * BANDS] = {0}, deviation[BANDS];
    for (int b = 0; b < BANDS; b++)
        deviation[b] = 1 + (float)b;
    EXPECT_OK(augment_mel_bands(&s, &a, &m, &e), e);
    double low = 9, high = -9;
    for (uint64_t p = 0; p < 2000; p++) {
        double db = 6 * (2 * (double)rng_uniform(draws, 1, (uint32_t)p * 2 + 1) - 1);
        memset(x, 0, sizeof x);
        augment_mel_row(&m, draws, 1, p, deviation, 1, BANDS, x); // one frame of two
        EXPECT_NEAR(x[3], db * M_LN10 / 10 / 4, 1e-6);
        EXPECT(x[BANDS] == 0);
        low = fmin(low, db), high = fmax(high, db);
    }
    EXPECT(low < -5.9 && high > 5.9);
    augment_mel none = {0};
    augment_mel_row(&none, draws, 1, 1, NULL, 2, BANDS, y);
    EXPECT(y[0] == 0 && y[2 * BANDS - 1] == 0);
    s = settings_of("none", "2");
    EXPECT_ERR(augment_mel_bands(&s, &a, &m, &e), e, ERR_CONFIG, "mel.log: none");
    s = settings_of("db", "2"), s.normalise = MEL_NORMALISE_ITEM;
    EXPECT_ERR(augment_mel_bands(&s, &a, &m, &e), e, ERR_CONFIG, "mel.normalise");
    arena_free(&a);
}

// Pitch classes get louder with the sound; turned to their key they have no loudness.
TEST(augment_mel_gain_is_that_of_louder_sound)
{
    arena a = {0};
    err e = {0};
    mel_settings s = settings_of("db", "2");
    for (s.chroma = MEL_CHROMA_NONE; s.chroma <= MEL_CHROMA_KEY; s.chroma++) {
        augment_mel m = {.gain = 9};
        rng draws = rng_stream(1, "test", 0);
        double mean[BANDS], drawn = 9 * (2 * (double)rng_uniform(draws, 2, 11) - 1);
        int64_t frames;
        EXPECT_OK(augment_mel_bands(&s, &a, &m, &e), e);
        EXPECT(fabs(drawn) > 1);
        const float *louder = frames_of(&s, 0, drawn, &frames, mean, &a);
        float *mel = frames_of(&s, 0, 0, &frames, mean, &a);
        augment_mel_row(&m, draws, 2, 5, NULL, frames, BANDS, mel);
        double apart = 0;
        for (int64_t i = 0; i < frames * BANDS; i++)
            apart = larger(apart, fabs((double)mel[i] - (double)louder[i]));
        test_expect(apart < 1e-3, __FILE__, __LINE__, "chroma %d is off by %g dB", s.chroma, apart);
    }
    arena_free(&a);
}
