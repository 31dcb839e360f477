// SPDX-License-Identifier: GPL-3.0-or-later
// cloud.c: the points of a cloud from its slices, by the formulas of cloud.h.
#include "data/music/cloud.h"

#include <math.h>

static double within(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

// ---- Numbers that fill a square or a line evenly, however many are taken (Roberts 2018): powers
// of the plastic number's inverse, and the golden ratio's

static double sequence(int i, double step)
{
    double x = 0.5 + (i + 1) * step;
    return x - floor(x);
}

// ---- Between the middles of slices

static double blend(double a, double b, double share)
{
    return a + (b - a) * share;
}

typedef struct moment {
    cloud_slice s;
    double charge;
} moment;

static moment moment_at(const cloud_slice *s, const double *charge, double x)
{
    double at = within(x * CLOUD_SLICES - 0.5, 0, CLOUD_SLICES - 1);
    int k = at < CLOUD_SLICES - 1 ? (int)at : CLOUD_SLICES - 2;
    const cloud_slice *a = &s[k], *b = &s[k + 1];
    at -= k;
    return (moment){
        .s = {blend(a->loudness, b->loudness, at), blend(a->brightness, b->brightness, at),
              blend(a->change, b->change, at), blend(a->pitch, b->pitch, at),
              blend(a->tension, b->tension, at), blend(a->density, b->density, at),
              blend(a->velocity, b->velocity, at), blend(a->range, b->range, at)},
        .charge = blend(charge[k], charge[k + 1], at),
    };
}

// ---- A point

// Five colours of matplotlib's "coolwarm" (Moreland, "Diverging color maps for scientific
// visualization", 2009), linear between them.
static void coolwarm(double x, double rgb[3])
{
    static const double map[5][3] = {{0.230, 0.299, 0.754},
                                     {0.553, 0.689, 0.995},
                                     {0.865, 0.865, 0.865},
                                     {0.957, 0.598, 0.477},
                                     {0.706, 0.016, 0.150}};
    double at = 4 * within(x, 0, 1);
    int k = at < 4 ? (int)at : 3;
    for (int c = 0; c < 3; c++)
        rgb[c] = blend(map[k][c], map[k + 1][c], at - k);
}

static double height(const cloud_slice *s)
{
    return 0.35 * s->tension + 0.25 * s->density + 0.2 * s->velocity + 0.2 * s->range;
}

static void place(int i, double x, const moment *m, const cloud_emotion *e, float *out)
{
    double u = sequence(i, 0.7548776662466927), v = sequence(i, 0.5698402909980532),
           g = sequence(i, 0.6180339887498949), r = sqrt(-2 * log(1 - u)), rgb[3];
    double spread = (0.16 + 0.22 * m->s.change) * (1 + 0.5 * fmax(0, e->arousal)) / 4 * r;
    double z = within(height(&m->s) + spread * sin(2 * M_PI * v) * (1 + e->intensity) / 2, 0, 1),
           glow = 0.6 * (0.5 + m->charge) / (1 + r / 1.8 * (r / 1.8));
    coolwarm((e->valence + 1) / 2 + 0.3 * (m->s.brightness - 0.5), rgb);
    out[CLOUD_X] = (float)x;
    out[CLOUD_Y] = (float)within(m->s.pitch + spread * cos(2 * M_PI * v), 0, 1);
    out[CLOUD_Z] = (float)z;
    for (int c = 0; c < 3; c++)
        out[CLOUD_RED + c] = (float)fmin(1, rgb[c] + 0.3 * glow);
    out[CLOUD_ALPHA] = (float)(0.3 + 0.4 * m->charge);
    out[CLOUD_SIZE] =
        (float)within((0.5 + m->s.velocity + 0.5 * m->s.loudness) * (0.7 + 0.6 * g), 0.5, 2);
    out[CLOUD_GLOW] = (float)glow;
    out[CLOUD_DEPTH] = (float)(0.3 + 0.7 * pow(z, 1.5));
}

static void charge_up(const cloud_slice *s, double arousal, double *charge)
{
    double c = 0;
    for (int k = 0; k < CLOUD_SLICES; k++) {
        double energy = s[k].loudness * (0.35 + 0.65 * fmax(0, arousal));
        charge[k] = c = k ? 0.94 * c + 0.06 * energy : energy;
    }
}

void cloud_make(const cloud_slice s[CLOUD_SLICES], const cloud_emotion *e, float *out)
{
    double charge[CLOUD_SLICES], total = 0, before = 0;
    charge_up(s, e->arousal, charge);
    for (int k = 0; k < CLOUD_SLICES; k++)
        total += 0.25 + 0.75 * s[k].loudness;
    for (int i = 0, k = 0; i < CLOUD_POINTS; i++, out += CLOUD_WIDTH) {
        double want = total * (i + 0.5) / CLOUD_POINTS, here = 0.25 + 0.75 * s[k].loudness;
        while (k < CLOUD_SLICES - 1 && before + here < want)
            before += here, here = 0.25 + 0.75 * s[++k].loudness;
        double x = within((k + (want - before) / here) / CLOUD_SLICES, 0, 1);
        moment m = moment_at(s, charge, x);
        place(i, x, &m, e, out);
    }
}
