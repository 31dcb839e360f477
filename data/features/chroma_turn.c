// SPDX-License-Identifier: GPL-3.0-or-later
// chroma_turn.c: a softmax over 24 correlations, and the mean of twelve rotations (chroma_turn.h).
#include "data/features/chroma_turn.h"

#include <math.h>

#include "base/larger.h"
#include "data/music/key.h"

enum { N = CHROMA_CLASSES };
static const double sharpness = 30;

// Mean 0; the length that it then has.
static double centre(double x[N])
{
    double sum = 0, squares = 0;
    for (int c = 0; c < N; c++)
        sum += x[c];
    for (int c = 0; c < N; c++)
        x[c] -= sum / N, squares += x[c] * x[c];
    return sqrt(squares);
}

void chroma_turn_open(chroma_turn *t)
{
    for (int k = 0; k < CHROMA_KEYS; k++) {
        double p[N];
        for (int c = 0; c < N; c++)
            p[c] = key_profiles[k / N][(c - k % N + N) % N];
        double length = centre(p);
        for (int c = 0; c < N; c++)
            t->keys[k][c] = (float)(sharpness * p[c] / length);
    }
}

// The weight of each tonic, major and minor together.
static void weigh(const chroma_turn *t, const double y[N], double length, double w[N])
{
    double r[CHROMA_KEYS], most = -INFINITY, sum = 0;
    for (int k = 0; k < CHROMA_KEYS; k++) {
        r[k] = 0;
        for (int c = 0; c < N; c++)
            r[k] += (double)t->keys[k][c] * y[c] / (length + CHROMA_LEAST);
        most = larger(most, r[k]);
    }
    for (int k = 0; k < CHROMA_KEYS; k++)
        sum += r[k] = exp(r[k] - most);
    for (int k = 0; k < N; k++)
        w[k] = (r[k] + r[k + N]) / sum;
}

void chroma_turn_run(const chroma_turn *t, float x[N])
{
    double y[N], w[N];
    for (int c = 0; c < N; c++)
        y[c] = (double)x[c];
    weigh(t, y, centre(y), w);
    for (int j = 0; j < N; j++) {
        double z = 0;
        for (int k = 0; k < N; k++)
            z += w[k] * y[(j + k) % N];
        x[j] = (float)z;
    }
}
