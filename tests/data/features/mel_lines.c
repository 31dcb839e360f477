// SPDX-License-Identifier: GPL-3.0-or-later
// mel_lines.c: mel spectrograms of settings as a line, and signals (mel_lines.h).
#include "tests/data/features/mel_lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

feature *mel_open_line(const char *line, variant v)
{
    arena a = {0};
    err e = {0};
    static const char *const names[] = {"base", "v3", "v4"};
    const char *asked = getenv("KMIDI_ISA"), *was = asked ? arena_strdup(&a, asked) : NULL;
    setenv("KMIDI_ISA", names[v], 1);
    const feature_def *d = feature_find("mel", &e);
    if (was)
        setenv("KMIDI_ISA", was, 1);
    else
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

float *mel_compute(const feature *f, const float *x, int64_t n, threads *pool, int64_t *frames)
{
    err e = {0};
    *frames = feature_frames(f, n);
    float *out = calloc((size_t)(*frames * f->width) + 1, sizeof *out);
    EXPECT_OK(feature_compute(f, x, n, out, pool, &e), e);
    return out;
}

float *mel_compute_line(const char *line, const float *x, int64_t n, int64_t *frames)
{
    feature *f = mel_open_line(line, variant_best());
    float *out = mel_compute(f, x, n, NULL, frames);
    feature_close(f);
    return out;
}

float *mel_noise(uint32_t seed, int64_t n, float scale)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = test_fill(seed, (uint32_t)i, scale);
    return x;
}

float *mel_sine(double hz, int rate, int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(0.5 * sin(2 * M_PI * hz * (double)i / rate));
    return x;
}
