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
#include "data/features/feature_stream.h"
#include "data/features/mel_bench.h"
#include "tests/data/features/mel_lines.h"
#include "tests/test.h"

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
             "log_floor=%g top_db=%s nyquist=%s chroma=%s",
             (int)json_int(json_get(c, "rate"), 0), (int)json_int(json_get(c, "n_fft"), 0),
             (int)json_int(json_get(c, "win"), 0), (int)json_int(json_get(c, "hop"), 0),
             (int)json_int(json_at(json_get(c, "shape"), 1), 0), json_str(json_get(c, "scale"), ""),
             json_str(json_get(c, "norm"), ""),
             json_bool(json_get(c, "center"), true) ? "true" : "false",
             json_str(json_get(c, "pad"), ""), (int)json_num(json_get(c, "power"), 0),
             json_num(json_get(c, "fmin"), 0), high, log,
             !strcmp(log, "none") ? 1e-10 : json_num(json_get(c, "floor"), 0), top,
             torch ? "floor" : "exact", json_str(json_get(c, "chroma"), "none"));
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
            worst = larger(worst, fabs(want - out[json_int(json_at(frames, i), 0) * width +
                                                  json_int(json_at(bands, j), 0)]));
            most = larger(most, fabs(want));
        }
    return worst / most;
}

static void check_case(const json *c, const float *x, int64_t n, variant v)
{
    char line[1000];
    case_line(c, line, sizeof line);
    feature *f = mel_open_line(line, v);
    int64_t frames;
    float *out = mel_compute(f, x, n, NULL, &frames);
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

// Pitch classes behind the bands are librosa's chroma_stft.
TEST(mel_with_chroma_matches_librosa)
{
    json *g = test_golden("mel"), *h = test_golden("chroma");
    int64_t n;
    float *x = golden_samples(g, &n);
    for (size_t i = 0; i < json_len(json_get(h, "cases")); i++)
        for (int v = 0; v <= (int)variant_best(); v++)
            check_case(json_at(json_get(h, "cases"), i), x, n, (variant)v);
    EXPECT_INT(json_len(json_get(h, "cases")), 4);
    free(x);
    json_free(g), json_free(h);
}

// Settings that differ in every choice the arithmetic has.
static const char *const lines[] = {
    "sample_rate=8000 n_fft=256 hop_length=64 n_mels=20 log=none",
    "sample_rate=8000 n_fft=256 win_length=200 hop_length=80 n_mels=40 scale=htk norm=none power=1 "
    "pad=constant log=db top_db=30",
    "sample_rate=8000 n_fft=255 hop_length=100 n_mels=13 center=false log=ln",
    "sample_rate=11025 n_fft=100 hop_length=170 n_mels=7 nyquist=floor scale=htk log=ln_clamp "
    "log_floor=0.001 fmin=50 fmax=4000",
    "sample_rate=8000 n_fft=256 hop_length=64 n_mels=20 log=db top_db=30 normalise=item",
    "sample_rate=8000 n_fft=256 hop_length=80 n_mels=20 center=false log=ln normalise=bands",
    "sample_rate=8000 n_fft=255 hop_length=80 n_mels=20 log=ln chroma=classes overlap=2.5",
    "sample_rate=8000 n_fft=256 hop_length=80 n_mels=20 log=ln level=true",
    "sample_rate=8000 n_fft=200 hop_length=90 n_mels=9 center=false power=1 log=db level=true",
    "sample_rate=8000 n_fft=256 hop_length=80 n_mels=20 log=ln normalise=item level=true",
    "sample_rate=8000 n_fft=256 hop_length=80 n_mels=20 log=db normalise=bands level=true",
};

static void check_reference(const char *line, variant v, int64_t n)
{
    feature *f = mel_open_line(line, v);
    int64_t frames;
    float *x = mel_noise(5, n, 0.7f), *fast = mel_compute(f, x, n, NULL, &frames),
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
        feature *f = mel_open_line(
            "n_fft=1024 hop_length=1024 n_mels=64 center=false log=none norm=none power=1",
            (variant)v);
        int64_t frames;
        float *x = mel_sine(300, 16000, N), *out = mel_compute(f, x, N, NULL, &frames), want[BANDS];
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
    feature *f = mel_open_line(lines[2], variant_best());
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
    float *x = mel_noise(6, 20001, 0.5f);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        feature *f = mel_open_line(lines[i], variant_best());
        int64_t frames;
        float *one = mel_compute(f, x, 20001, NULL, &frames),
              *three = mel_compute(f, x, 20001, pool, &frames);
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
    float *whole = mel_compute(f, x, n, NULL, &frames);
    collected c = {.at = calloc((size_t)(frames * f->width), sizeof(float)), .width = f->width};
    feature_stream *s = feature_stream_open(f, collect, &c, &e);
    for (int64_t at = 0; at < n; at += piece)
        EXPECT_OK(feature_stream_push(s, x + at, piece < n - at ? piece : n - at, &e), e);
    EXPECT_OK(feature_stream_finish(s, &e), e);
    EXPECT_INT(c.frames, frames);
    feature_finish(f, c.at, frames, feature_stream_most(s));
    EXPECT(!memcmp(whole, c.at, (size_t)(frames * f->width) * sizeof *whole));
    feature_stream_close(s);
    free(c.at), free(whole);
}

TEST(mel_stream_gives_the_same_bits)
{
    static const int64_t lengths[] = {1, 2, 127, 128, 129, 256, 400, 5000, 30011},
                         pieces[] = {1, 100, 4096, 40000};
    float *x = mel_noise(7, 40000, 0.5f);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        feature *f = mel_open_line(lines[i], variant_best());
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++)
                if (feature_frames(f, lengths[l]))
                    check_stream(f, x, lengths[l], pieces[p]);
        feature_close(f);
    }
    free(x);
}

TEST(mel_bench_measures)
{
    err e = {0};
    EXPECT(mel_bench(NULL, 1, 1, &e) > 0);
}
