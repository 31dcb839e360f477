// SPDX-License-Identifier: GPL-3.0-or-later
// feature_normal.c: sums in double precision, in the order of time, so that the frames are the same
// bits for any number of threads (feature_normal.h).
#include "data/features/feature_normal.h"

#include <math.h>
#include <string.h>

#include "base/larger.h"

normal_sums normal_open(int width, int bands, arena *a)
{
    size_t n = (size_t)bands;
    return (normal_sums){.width = width,
                         .bands = bands,
                         .sum = NEW(a, double, n),
                         .squares = NEW(a, double, n),
                         .mean = NEW(a, float, n),
                         .scale = NEW(a, float, n)};
}

void normal_reset(normal_sums *s)
{
    s->n = 0;
    memset(s->sum, 0, (size_t)s->bands * sizeof *s->sum);
    memset(s->squares, 0, (size_t)s->bands * sizeof *s->squares);
}

void normal_add(normal_sums *s, const float *frames, int64_t n)
{
    s->n += n;
    for (int64_t t = 0; t < n; t++, frames += s->width)
        for (int b = 0; b < s->bands; b++) {
            double x = (double)frames[b];
            s->sum[b] += x;
            s->squares[b] += x * x;
        }
}

// The mean of n numbers and one over their deviation.
static void moments(double sum, double squares, double n, float *mean, float *scale)
{
    double m = sum / n, d = sqrt(larger(squares / n - m * m, 0));
    *mean = (float)m;
    *scale = (float)(1 / larger(d, NORMAL_LEAST));
}

static void of_all(const normal_sums *s)
{
    double sum = 0, squares = 0;
    for (int b = 0; b < s->bands; b++)
        sum += s->sum[b], squares += s->squares[b];
    moments(sum, squares, (double)s->n * s->bands, s->mean, s->scale);
    for (int b = 1; b < s->bands; b++)
        s->mean[b] = s->mean[0], s->scale[b] = s->scale[0];
}

static void of_bands(const normal_sums *s)
{
    for (int b = 0; b < s->bands; b++)
        moments(s->sum[b], s->squares[b], (double)s->n, &s->mean[b], &s->scale[b]);
}

void normal_apply(const normal_sums *s, normal_kind kind, float *frames, int64_t n)
{
    if (kind == NORMAL_NONE)
        return;
    if (kind == NORMAL_ITEM)
        of_all(s);
    else
        of_bands(s);
    for (int64_t t = 0; t < n; t++, frames += s->width)
        for (int b = 0; b < s->bands; b++)
            frames[b] = (frames[b] - s->mean[b]) * s->scale[b];
}
