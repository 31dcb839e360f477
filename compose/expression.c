// SPDX-License-Identifier: GPL-3.0-or-later
// expression.c: timing and loudness by rule, in the form in which the models of groove and dynamics
// give them (band.h).
#include <math.h>
#include <string.h>

#include "compose/band.h"
#include "data/music/groove.h"

void band_groove(const song_plan *p, float *groove)
{
    static const float four[8] = {0.055f, -0.02f, 0, -0.02f, 0.03f, -0.02f, 0, -0.02f},
                       three[8] = {0.05f, -0.02f, 0, -0.02f, 0.01f, -0.02f, 0, 0};
    const genre_def *g = genre_at(p->genre);
    double squares = 0;
    memset(groove, 0, GROOVE * sizeof *groove);
    memcpy(groove + GROOVE_ACCENT, p->beats == 3 ? three : four, sizeof four);
    for (int k = 0; k < 8; k++)
        squares += (double)(groove[GROOVE_ACCENT + k] * groove[GROOVE_ACCENT + k]) / 8;
    groove[GROOVE_SWING] = (float)g->swing;
    groove[GROOVE_HUMANIZATION] = (float)g->loose;
    groove[GROOVE_VELOCITY_VARIANCE] = (float)squares; // touch is chance enough
    groove[GROOVE_TEMPO] = (float)(p->tempo / 200);
}

// 0 at the ends of a phrase, 1 at two thirds of it: two halves of parabolas.
static double arch(double x)
{
    double top = 2.0 / 3, d = x < top ? (top - x) / top : (x - top) / (1 - top);
    return 1 - d * d;
}

static double level(const song_plan *p, const form *f, size_t bar, double x)
{
    char section = f->bars[bar < (size_t)p->bars ? bar : (size_t)p->bars - 1].section;
    bool last = bar + FORM_PHRASE >= (size_t)p->bars;
    return 0.88 + 0.18 * arch(x) +
           (section == 'B'   ? 0.05
            : section == 'C' ? -0.05
                             : 0) -
           (last ? 0.1 * x : 0);
}

// The curve of a phrase is what its spans have, times the rule.
void band_dynamics(arrangement *r, const song_plan *p, const form *f)
{
    song_dynamics d = dynamics_of(r->arena, r->song, DYNAMICS_BARS);
    for (size_t i = 0; i < d.n; i++)
        for (int k = 0; k < DYNAMICS; k++)
            d.phrases[i].curve[k] *= (float)level(p, f, d.phrases[i].bar, (k + 0.5) / DYNAMICS);
    arrange_dynamics(r, d.phrases, d.n);
}
