// SPDX-License-Identifier: GPL-3.0-or-later
// Resampling: librosa's soxr_hq to the last digits, and what every resampler must keep.
#include "data/audio/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

typedef struct collected {
    float *x;
    int64_t n;
} collected;

static bool collect(void *user, const float *x, size_t n, err *e)
{
    (void)e;
    collected *c = user;
    memcpy(c->x + c->n, x, n * sizeof *x);
    c->n += (int64_t)n;
    return true;
}

// In pieces of `piece` samples. The result is freed by the caller.
static float *resample(const float *x, int64_t n, int from, int to, int64_t piece, int64_t *m)
{
    err e = {0};
    collected c = {.x = calloc((size_t)resample_length(n, from, to) + 100, sizeof(float))};
    resampler *r = resampler_open(from, to, &e);
    EXPECT_OK(r != NULL, e);
    for (int64_t at = 0; at < n; at += piece)
        EXPECT_OK(
            resampler_push(r, x + at, (size_t)(piece < n - at ? piece : n - at), collect, &c, &e),
            e);
    EXPECT_OK(resampler_finish(r, collect, &c, &e), e);
    resampler_close(r);
    *m = c.n;
    return c.x;
}

TEST(resample_matches_librosa)
{
    json *g = test_golden("mel");
    const json *list = json_get(g, "samples"), *cases = json_get(g, "resample");
    int64_t n = (int64_t)json_len(list), m;
    float *x = calloc((size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)json_num(json_at(list, (size_t)i), 0) / 32768;
    for (size_t i = 0; i < json_len(cases); i++) {
        const json *c = json_at(cases, i), *index = json_get(c, "index"),
                   *values = json_get(c, "values");
        float *y = resample(x, n, (int)json_int(json_get(c, "from"), 0),
                            (int)json_int(json_get(c, "to"), 0), 1000, &m);
        EXPECT_INT(m, json_int(json_get(c, "length"), -1));
        for (size_t k = 0; k < json_len(index); k++)
            EXPECT_NEAR(y[json_int(json_at(index, k), 0)], json_num(json_at(values, k), NAN), 2e-6);
        free(y);
    }
    EXPECT_INT(json_len(cases), 3);
    free(x);
    json_free(g);
}

TEST(resample_does_not_depend_on_the_pieces)
{
    static const int64_t pieces[] = {1, 333, 16384, 100000};
    static const int rates[][2] = {{44100, 16000}, {16000, 44100}, {48000, 16000},
                                   {8000, 16000},  {22050, 16000}, {1000, 768000}};
    int64_t n = 9001, m, k;
    float *x = calloc((size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = test_fill(3, (uint32_t)i, 0.5f);
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        float *whole = resample(x, n, rates[r][0], rates[r][1], n, &m);
        EXPECT_INT(m, (n * rates[r][1] + rates[r][0] - 1) / rates[r][0]);
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
            float *y = resample(x, n, rates[r][0], rates[r][1], pieces[p], &k);
            EXPECT_INT(k, m);
            EXPECT(k == m && !memcmp(y, whole, (size_t)m * sizeof *y));
            free(y);
        }
        free(whole);
    }
    free(x);
}

// 1 kHz stays 1 kHz with its amplitude and phase; what lies above the new half rate is gone.
TEST(resample_keeps_what_fits)
{
    int64_t n = 44100, m;
    float *x = calloc((size_t)n, sizeof *x), *y;
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(0.5 * sin(2 * M_PI * 1000 * (double)i / 44100) +
                       0.3 * sin(2 * M_PI * 12000 * (double)i / 44100));
    y = resample(x, n, 44100, 16000, 5000, &m);
    double worst = 0;
    for (int64_t i = 1000; i < m - 1000; i++)
        worst = larger(worst, fabs(y[i] - 0.5 * sin(2 * M_PI * 1000 * (double)i / 16000)));
    EXPECT_BELOW(worst, 1e-5);
    free(x), free(y);
}

TEST(resample_of_very_little)
{
    float x[] = {1, 2, 3};
    for (int64_t n = 0; n <= 3; n++) {
        int64_t m;
        float *y = resample(x, n, 16000, 22050, 1, &m);
        EXPECT_INT(m, (n * 22050 + 15999) / 16000);
        free(y);
    }
}
