// SPDX-License-Identifier: GPL-3.0-or-later
// anchors.c: the grid, and which of it the music is like (anchors.h).
#include "data/music/anchors.h"

#include <math.h>

enum { LIT = 5, MEMORY = 60 }; // a frame; frames behind which 0.85^n is nothing
#define FRAME 0.2
#define WIDTH 0.1
#define DECAY 0.85

static const struct family {
    anchor_about about;
    int count[3]; // g's of each density
    int rows;     // h's
    double y, y_g, z, z_g, z_h;
} families[] = {{ANCHOR_TENSION, {5, 10, 26}, 3, 0.2, 0.6, 0.3, 0, 0.4},
                {ANCHOR_DENSITY, {5, 10, 25}, 2, 0.3, 0.4, 0.6, 0, 0.3},
                {ANCHOR_ENERGY, {10, 20, 50}, 1, 0.5, 0, 0, 1, 0},
                {ANCHOR_BRIGHTNESS, {10, 20, 50}, 1, 0, 1, 0.5, 0, 0},
                {ANCHOR_COMPLEXITY, {5, 10, 25}, 1, 0.7, 0.2, 0.7, 0.2, 0}};

int anchors_make(anchor_density density, anchor out[ANCHORS_MOST])
{
    int n = 0;
    for (const struct family *f = families; f < families + sizeof families / sizeof *families; f++)
        for (int i = 0; i < f->count[density] * f->rows; i++) {
            double g = (double)(i / f->rows) / (f->count[density] - 1),
                   h = f->rows > 1 ? (double)(i % f->rows) / (f->rows - 1) : 0;
            out[n++] = (anchor){f->about, g, f->y + f->y_g * g, f->z + f->z_g * g + f->z_h * h, 0};
        }
    return n;
}

// NaN: nothing is known of it.
static void know(const anchor_music *m, double at, double out[ANCHOR_ABOUTS])
{
    int k = (int)(at / m->seconds * CLOUD_SLICES);
    const cloud_slice *s = &m->slices[k < CLOUD_SLICES ? k : CLOUD_SLICES - 1];
    out[ANCHOR_TENSION] = m->notes ? s->tension : NAN;
    out[ANCHOR_DENSITY] = m->notes ? s->density : NAN;
    out[ANCHOR_ENERGY] = m->notes ? s->velocity : NAN;
    out[ANCHOR_BRIGHTNESS] = m->sound ? s->brightness : NAN;
    out[ANCHOR_COMPLEXITY] = NAN;
}

static double likeness(const anchor *a, const double *known)
{
    double away = (known[a->about] - a->at) / WIDTH;
    return isnan(away) ? 0 : exp(-away * away / 2);
}

// The likest, of equals the first, once each.
static void light(anchor *wall, int n, const double *known)
{
    double like[ANCHORS_MOST];
    for (int i = 0; i < n; i++)
        like[i] = likeness(&wall[i], known);
    for (int k = 0; k < LIT; k++) {
        int best = 0;
        for (int i = 1; i < n; i++)
            if (like[i] > like[best])
                best = i;
        wall[best].active = fmax(wall[best].active, like[best]);
        like[best] = 0;
    }
    for (int i = 0; i < n; i++)
        wall[i].active *= DECAY;
}

void anchors_light(anchor *wall, int n, const anchor_music *m, double until)
{
    int last = (int)(until / FRAME), first = last > MEMORY ? last - MEMORY : 0;
    double known[ANCHOR_ABOUTS];
    for (int i = 0; i < n; i++)
        wall[i].active = 0;
    for (int f = first; m->seconds > 0 && f <= last && f * FRAME < m->seconds; f++) {
        know(m, f * FRAME, known);
        light(wall, n, known);
    }
}
