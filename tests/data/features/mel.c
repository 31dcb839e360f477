// SPDX-License-Identifier: GPL-3.0-or-later
// Mel spectrograms: librosa's and torchaudio's numbers, the formulas, and properties that any right
// implementation has.
#include "data/audio/mel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/variant.h"
#include "data/features/feature.h"
#include "data/features/mel_bench.h"
#include "tests/test.h"

// "name=value" pairs separated by blanks -> an open feature of variant v; NULL with a failed test.
static feature *open_line(const char *line, variant v)
{
    arena a = {0};
    err e = {0};
    static const char *const names[] = {"base", "v3", "v4"};
    setenv("KMIDI_ISA", names[v], 1);
    const feature_def *d = feature_find("mel", &e);
    unsetenv("KMIDI_ISA");
    void *s = feature_settings(d, &a);
    char copy[2000], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *pair = strtok_r(copy, " ", &rest); pair; pair = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(pair, '=');
        *value++ = 0;
        EXPECT_OK(feature_set(d, s, pair, value, &e), e);
    }
    EXPECT_OK(feature_resolve(d, s, &e), e);
    feature *f = feature_open(d, s, &e);
    EXPECT_OK(f != NULL, e);
    arena_free(&a);
    return f;
}

static float *compute(const feature *f, const float *x, int64_t n, threads *pool, int64_t *frames)
{
    err e = {0};
    *frames = feature_frames(f, n);
    float *out = calloc((size_t)(*frames * f->width) + 1, sizeof *out);
    EXPECT_OK(feature_compute(f, x, n, out, pool, &e), e);
    return out;
}

static float *compute_line(const char *line, const float *x, int64_t n, int64_t *frames)
{
    feature *f = open_line(line, variant_best());
    float *out = compute(f, x, n, NULL, frames);
    feature_close(f);
    return out;
}

static float *noise(uint32_t seed, int64_t n, float scale)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = test_fill(seed, (uint32_t)i, scale);
    return x;
}

static float *sine(double hz, int rate, int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(0.5 * sin(2 * M_PI * hz * (double)i / rate));
    return x;
}

// Samples of the goldens, as floats.
static float *golden_samples(const json *g, int64_t *n)
{
    const json *list = json_get(g, "samples");
    *n = (int64_t)json_len(list);
    float *x = malloc((size_t)*n * sizeof *x + 1);
    for (int64_t i = 0; i < *n; i++)
        x[i] = (float)json_num(json_at(list, (size_t)i), 0) / 32768;
    return x;
}

static void case_line(const json *c, char *line, size_t size)
{
    char top[40] = "none", high[40] = "auto";
    bool torch = !strcmp(json_str(json_get(c, "by"), ""), "torchaudio");
    if (json_num(json_get(c, "top_db"), 0) > 0)
        snprintf(top, sizeof top, "%g", json_num(json_get(c, "top_db"), 0));
    if (json_num(json_get(c, "fmax"), 0) > 0)
        snprintf(high, sizeof high, "%g", json_num(json_get(c, "fmax"), 0));
    const char *log = json_str(json_get(c, "log"), "");
    snprintf(line, size,
             "sample_rate=%d n_fft=%d win_length=%d hop_length=%d n_mels=%d scale=%s norm=%s "
             "center=%s pad=%s power=%d fmin=%g fmax=%s log=%s "
             "log_floor=%g top_db=%s nyquist=%s",
             (int)json_int(json_get(c, "rate"), 0), (int)json_int(json_get(c, "n_fft"), 0),
             (int)json_int(json_get(c, "win"), 0), (int)json_int(json_get(c, "hop"), 0),
             (int)json_int(json_at(json_get(c, "shape"), 1), 0), json_str(json_get(c, "scale"), ""),
             json_str(json_get(c, "norm"), ""),
             json_bool(json_get(c, "center"), true) ? "true" : "false",
             json_str(json_get(c, "pad"), ""), (int)json_num(json_get(c, "power"), 0),
             json_num(json_get(c, "fmin"), 0), high, log,
             !strcmp(log, "none") ? 1e-10 : json_num(json_get(c, "floor"), 0), top,
             torch ? "floor" : "exact");
}

// Largest difference between the golden's picked values and ours, over the golden's largest.
static double golden_distance(const json *c, const float *out, int64_t width)
{
    const json *frames = json_get(c, "frames"), *bands = json_get(c, "bands"),
               *values = json_get(c, "values");
    double worst = 0, most = 0;
    for (size_t i = 0, at = 0; i < json_len(frames); i++)
        for (size_t j = 0; j < json_len(bands); j++, at++) {
            double want = json_num(json_at(values, at), NAN);
            worst = test_larger(worst, fabs(want - out[json_int(json_at(frames, i), 0) * width +
                                                       json_int(json_at(bands, j), 0)]));
            most = test_larger(most, fabs(want));
        }
    return worst / most;
}

static void check_case(const json *c, const float *x, int64_t n, variant v)
{
    char line[1000];
    case_line(c, line, sizeof line);
    feature *f = open_line(line, v);
    int64_t frames;
    float *out = compute(f, x, n, NULL, &frames);
    double sum = 0, most = -INFINITY;
    EXPECT_INT(frames, json_int(json_at(json_get(c, "shape"), 0), -1));
    for (int64_t i = 0; i < frames * f->width; i++)
        sum += out[i], most = fmax(most, out[i]);
    const char *by = json_str(json_get(c, "by"), "?");
    double distance = golden_distance(c, out, f->width), whole = json_num(json_get(c, "sum"), NAN),
           top = json_num(json_get(c, "max"), NAN);
    test_expect(distance < 1e-5, __FILE__, __LINE__, "%s differs by %g (%s) from: %s", by, distance,
                variant_name(v), line);
    test_expect(fabs(sum - whole) < 1e-5 * fabs(whole) && fabs(most - top) < 1e-5 * fabs(top),
                __FILE__, __LINE__, "%s: sum %g of %g, max %g of %g: %s", by, sum, whole, most, top,
                line);
    free(out);
    feature_close(f);
}

TEST(mel_matches_librosa_and_torchaudio_on_speech)
{
    json *g = test_golden("mel");
    int64_t n;
    float *x = golden_samples(g, &n);
    for (size_t i = 0; i < json_len(json_get(g, "cases")); i++)
        for (int v = 0; v <= (int)variant_best(); v++)
            check_case(json_at(json_get(g, "cases"), i), x, n, (variant)v);
    EXPECT_BELOW(20, json_len(json_get(g, "cases")));
    free(x);
    json_free(g);
}

// Settings that differ in every choice the arithmetic has.
static const char *const lines[] = {
    "sample_rate=8000 n_fft=256 hop_length=64 n_mels=20 log=none",
    "sample_rate=8000 n_fft=256 win_length=200 hop_length=80 n_mels=40 scale=htk norm=none power=1 "
    "pad=constant log=db top_db=30",
    "sample_rate=8000 n_fft=255 hop_length=100 n_mels=13 center=false log=ln",
    "sample_rate=11025 n_fft=100 hop_length=170 n_mels=7 nyquist=floor scale=htk log=ln_clamp "
    "log_floor=0.001 fmin=50 fmax=4000",
};

static void check_reference(const char *line, variant v, int64_t n)
{
    feature *f = open_line(line, v);
    int64_t frames;
    float *x = noise(5, n, 0.7f), *fast = compute(f, x, n, NULL, &frames),
          *slow = calloc((size_t)(frames * f->width), sizeof *slow);
    mel_reference(f->settings, x, n, frames, slow);
    EXPECT_BELOW(test_distance(fast, slow, (size_t)(frames * f->width)), 2e-6);
    free(slow), free(fast), free(x);
    feature_close(f);
}

TEST(mel_fast_kernel_equals_the_formulas)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (int v = 0; v <= (int)variant_best(); v++)
            check_reference(lines[i], (variant)v, 1234);
}

// Odd, short, prime and even lengths: packed or real transforms, whole vectors or not.
TEST(mel_of_any_transform_length)
{
    static const int lengths[] = {16, 17,  30,  32,  34,  62,   64,  66,
                                  97, 126, 128, 130, 400, 1000, 1026};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int v = 0; v <= (int)variant_best(); v++) {
            char line[200];
            snprintf(line, sizeof line, "n_fft=%d hop_length=%d n_mels=%d log=none power=%d",
                     lengths[i], lengths[i], (int)(3 + i * 2), (int)(1 + i % 2));
            check_reference(line, (variant)v, 2 * lengths[i]);
        }
}

// What a loud sine leaves in far bins is the rounding of amplitudes, not of powers: bands 100 dB
// below the loudest are still right.
TEST(mel_keeps_quiet_bands_beside_loud_ones)
{
    enum { N = 1024, BANDS = 64 };
    for (int v = 0; v <= (int)variant_best(); v++) {
        feature *f = open_line(
            "n_fft=1024 hop_length=1024 n_mels=64 center=false log=none norm=none power=1",
            (variant)v);
        int64_t frames;
        float *x = sine(300, 16000, N), *out = compute(f, x, N, NULL, &frames), want[BANDS];
        mel_reference(f->settings, x, N, 1, want);
        EXPECT_BELOW(test_distance(out, want, BANDS), 1e-6);
        for (int b = 0; b < BANDS; b++)
            EXPECT_NEAR(out[b], want[b], 1e-3 * want[b] + 1e-6 * 256 * 8);
        free(x), free(out);
        feature_close(f);
    }
}

// Clips shorter than a window: reflection turns several times; one sample alone is a constant.
TEST(mel_of_very_short_clips)
{
    for (int64_t n = 1; n < 300; n = n * 2 + 1) {
        check_reference(lines[0], variant_best(), n);
        check_reference(lines[1], variant_best(), n);
    }
    feature *f = open_line(lines[2], variant_best());
    err e = {0};
    float out[13] = {0}, x[254] = {0};
    EXPECT_INT(feature_frames(f, 254), 0);
    EXPECT_ERR(feature_compute(f, x, 254, out, NULL, &e), e, ERR_EMPTY, "center: true");
    feature_close(f);
}

TEST(mel_is_the_same_for_any_number_of_threads)
{
    err e = {0};
    threads *pool = threads_open(3, &e);
    EXPECT_OK(pool != NULL, e);
    float *x = noise(6, 20001, 0.5f);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        feature *f = open_line(lines[i], variant_best());
        int64_t frames;
        float *one = compute(f, x, 20001, NULL, &frames),
              *three = compute(f, x, 20001, pool, &frames);
        EXPECT(!memcmp(one, three, (size_t)(frames * f->width) * sizeof *one));
        free(one), free(three);
        feature_close(f);
    }
    free(x);
    threads_close(pool);
}

// Collects what a stream gives.
typedef struct collected {
    float *at;
    int64_t frames, width;
} collected;

static bool collect(void *user, const float *frames, int64_t count, err *e)
{
    (void)e;
    collected *c = user;
    memcpy(c->at + c->frames * c->width, frames, (size_t)(count * c->width) * sizeof *frames);
    c->frames += count;
    return true;
}

static void check_stream(const feature *f, const float *x, int64_t n, int64_t piece)
{
    err e = {0};
    int64_t frames;
    float *whole = compute(f, x, n, NULL, &frames);
    collected c = {.at = calloc((size_t)(frames * f->width), sizeof(float)), .width = f->width};
    feature_stream *s = feature_stream_open(f, collect, &c, &e);
    for (int64_t at = 0; at < n; at += piece)
        EXPECT_OK(feature_stream_push(s, x + at, piece < n - at ? piece : n - at, &e), e);
    EXPECT_OK(feature_stream_finish(s, &e), e);
    EXPECT_INT(c.frames, frames);
    if (f->whole)
        f->def->finish(f, c.at, frames * f->width, feature_stream_most(s));
    EXPECT(!memcmp(whole, c.at, (size_t)(frames * f->width) * sizeof *whole));
    feature_stream_close(s);
    free(c.at), free(whole);
}

TEST(mel_stream_gives_the_same_bits)
{
    static const int64_t lengths[] = {1, 2, 127, 128, 129, 256, 400, 5000, 30011},
                         pieces[] = {1, 100, 4096, 40000};
    float *x = noise(7, 40000, 0.5f);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        feature *f = open_line(lines[i], variant_best());
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++)
                if (feature_frames(f, lengths[l]))
                    check_stream(f, x, lengths[l], pieces[p]);
        feature_close(f);
    }
    free(x);
}

// Magnitudes of a scaled signal are scaled, powers by the square.
TEST(mel_scales_with_the_signal)
{
    static const char *const by[] = {"n_fft=512 hop_length=160 n_mels=40 log=none power=1",
                                     "n_fft=512 hop_length=160 n_mels=40 log=none power=2"};
    for (int power = 1; power <= 2; power++) {
        int64_t frames, n = 4000;
        float *x = noise(8, n, 0.1f), *a = compute_line(by[power - 1], x, n, &frames);
        for (int64_t i = 0; i < n; i++)
            x[i] *= 3;
        float *b = compute_line(by[power - 1], x, n, &frames);
        for (int64_t i = 0; i < frames * 40; i++)
            a[i] *= power == 1 ? 3.0f : 9.0f;
        EXPECT_BELOW(test_distance(b, a, (size_t)(frames * 40)), 1e-6);
        free(x), free(a), free(b);
    }
}

// A signal that begins one hop later has its frames one place later, bit for bit.
TEST(mel_shift_by_one_hop)
{
    enum { N = 6000, HOP = 160, BANDS = 40 };
    const char *line = "n_fft=512 hop_length=160 n_mels=40 pad=constant log=db";
    int64_t frames, later;
    float *x = noise(9, N, 0.3f), *moved = calloc(N + HOP, sizeof *moved);
    memcpy(moved + HOP, x, N * sizeof *x);
    float *a = compute_line(line, x, N, &frames), *b = compute_line(line, moved, N + HOP, &later);
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
        open_line("n_fft=512 hop_length=512 n_mels=30 center=false log=none", variant_best());
    int64_t frames;
    float *out = compute(f, x, 512, NULL, &frames);
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
            float *x = sine(hz[i], 16000, 16000);
            float *out =
                compute_line(scale ? "n_fft=2048 n_mels=64 log=none scale=htk norm=none"
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

// Triangles of height 1 add up to 1 between the first and the last peak, so the bands together hold
// the energy that Parseval's theorem gives.
TEST(mel_keeps_the_energy)
{
    enum { N = 1024, BANDS = 20 };
    float window[N];
    int64_t frames;
    feature *f =
        open_line("n_fft=1024 hop_length=1024 n_mels=20 center=false log=none norm=none scale=htk",
                  variant_best());
    float *x = sine(1000, 16000, N), *out = compute(f, x, N, NULL, &frames);
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
    float x[4000] = {0}, *db = compute_line("log=db", x, 4000, &frames),
          *ln = compute_line("log=ln", x, 4000, &frames);
    EXPECT_NEAR(db[0], -100, 1e-4);
    EXPECT_NEAR(ln[0], log(1e-6), 1e-5);
    free(db), free(ln);
}

TEST(mel_bench_measures)
{
    err e = {0};
    EXPECT(mel_bench(NULL, 1, 1, &e) > 0);
}
