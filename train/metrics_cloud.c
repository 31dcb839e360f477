// SPDX-License-Identifier: GPL-3.0-or-later
// metrics_cloud.c: how far one cloud of points lies from another, as spectocloud_vit's loss has it,
// in f64.
#include "train/metrics_cloud.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 10, COLOURS = 3, REST = 7, FEW = 64 };

// The mean over x [n] of the squared distance to the nearest of y [n].
static double one_way(const float *x, const float *y, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        float nearest = INFINITY;
        for (int64_t j = 0; j < n; j++) {
            float a = x[i * WIDTH] - y[j * WIDTH], b = x[i * WIDTH + 1] - y[j * WIDTH + 1],
                  c = x[i * WIDTH + 2] - y[j * WIDTH + 2], d = a * a + b * b + c * c;
            nearest = d < nearest ? d : nearest;
        }
        total += (double)nearest;
    }
    return total / (double)n;
}

cloud_distance cloud_compare(const float *said, const float *meant, int64_t numbers)
{
    int64_t n = numbers / WIDTH;
    cloud_distance d = {.chamfer = one_way(said, meant, n) + one_way(meant, said, n)};
    double rest = 0;
    for (int64_t i = 0; i < n * WIDTH; i++) {
        double e = fabs((double)said[i] - (double)meant[i]);
        int64_t k = i % WIDTH;
        if (k >= COLOURS && k < REST)
            d.colours += e * e / (double)(n * (REST - COLOURS));
        if (k >= REST)
            rest += (e < 1 ? 0.5 * e * e : e - 0.5) / (double)(n * (WIDTH - REST));
    }
    d.loss = d.chamfer + 0.5 * d.colours + 0.3 * rest;
    return d;
}
