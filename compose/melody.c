// SPDX-License-Identifier: GPL-3.0-or-later
// melody.c: the chain of melody.h: weights of notes, weights of steps, drawing a phrase.
//
// With e_t the weight of note t and s(o, p, q) that of a step, what may still come behind (p, q) is
//
//     b_t(p, q) = sum over r of s(p, q, r; t + 1) e_{t+1}(r) b_{t+1}(q, r),     b = 1 at the end
//
// and note t + 1 is drawn with s e b behind what was drawn. Each b_t is scaled to a largest of 1.
#include "compose/melody.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/music/key.h"

enum { P = MELODY_PITCHES };
#define UNHEARD                                                                                    \
    1e-4 // of the likeliest note of a slot: what is rarer is left out, and saves 9 of 10 sums

// ---- What may be played in a bar

// A chord's tone outside the mode stands for the note of the mode a semitone beside it, as G# for G
// over E7 in A minor.
static uint16_t scale_over(uint16_t mode, uint16_t chord)
{
    unsigned foreign = chord & ~mode, scale = mode;
    for (int p = 0; p < 12; p++)
        if (foreign >> p & 1)
            scale &= ~((1u << (p + 1) % 12 | 1u << (p + 11) % 12) & ~chord);
    return (uint16_t)(scale | chord);
}

uint16_t *melody_scales(arena *a, const song_plan *p)
{
    uint16_t *scales = NEW(a, uint16_t, (size_t)p->bars);
    for (int bar = 0; bar < p->bars; bar++)
        scales[bar] = scale_over(mode_mask(p->root, p->mode), chord_mask(p->chords[bar]));
    return scales;
}

// ---- The weight of a note

static double normal(double x, double variance)
{
    return exp(-x * x / (2 * variance));
}

static double centre_at(const melody_setting *m, const form_slot *s)
{
    const song_plan *p = m->plan;
    double phrase = fmod(s->quarter, FORM_PHRASE * p->beats) / (FORM_PHRASE * p->beats);
    return 71 + 3 * p->arousal + 2 * p->valence + 3 * (sin(M_PI * phrase) - 0.5);
}

// How much a note that the chord lacks may have in this place.
static double foreign_share(const song_plan *p, const form_slot *s)
{
    double free = (0.15 + 0.5 * p->complexity) * (1 - 0.9 * s->stress);
    return s->quarters > 1 ? free / 5 : free;
}

static double end_weight(const melody_setting *m, const form_slot *s, int pitch)
{
    const song_plan *p = m->plan;
    const int *steps = mode_at(p->mode)->steps;
    int degree = (pitch + 12 - p->root) % 12;
    bool chord = mask_has(chord_mask(p->chords[s->bar]), pitch),
         home = mask_has(chord_mask(p->chords[s->bar]), p->root);
    if (s->bar == p->bars - 1)
        return degree == 0 ? 1 : 1e-6;
    if (!chord)
        return 0.01;
    if (m->form->bars[s->bar].closes)
        return degree == 0 ? 4 : home ? 0.5 : 1;
    return degree == steps[1] || degree == steps[4] || degree == steps[6] ? 3 : 1;
}

double melody_weight(const melody_setting *m, size_t slot, int pitch, const int *pitches)
{
    const form_slot *s = &m->form->slots[slot];
    const song_plan *p = m->plan;
    if (pitch < MELODY_LEAST || pitch > MELODY_MOST || !mask_has(m->scale[s->bar], pitch))
        return 0;
    bool minor = mode_at(p->mode)->family == FAMILY_MINOR;
    double w = normal(pitch - centre_at(m, s), 29) *
               sqrt(key_profiles[minor][(pitch + 12 - p->root) % 12]);
    if (!mask_has(chord_mask(p->chords[s->bar]), pitch))
        w *= foreign_share(p, s);
    if (s->ends)
        w *= end_weight(m, s, pitch);
    if (s->twin >= 0)
        w *= 0.03 + normal(pitch - pitches[s->twin], 1);
    return w + 1e-12;
}

// ---- The weight of a step

static double nearness(int step)
{
    int size = abs(step);
    double w = normal(step, 7.2);
    return size > 12                               ? 1e-9
           : size == 0                             ? 0.6 * w
           : size == 6 || size == 10 || size == 11 ? 0.2 * w
                                                   : w;
}

double melody_step(const melody_setting *m, size_t slot, int o, int p, int q)
{
    const song_plan *pl = m->plan;
    const form_slot *s = &m->form->slots[slot];
    int step = q - p, before = o < 0 ? 0 : p - o;
    double w = nearness(step);
    if (abs(before) >= 5)
        w *= step * before > 0 ? 0.3 : step && abs(step) <= 2 ? 1.6 : 1;
    bool from = mask_has(chord_mask(pl->chords[m->form->slots[slot - 1].bar]), p),
         to = mask_has(chord_mask(pl->chords[s->bar]), q);
    if ((!from || !to) && abs(step) > 2)
        w *= 0.05;
    if ((p + 12 - pl->root) % 12 == 11 && step > 0 && step <= 1)
        w *= 3;
    return w + 1e-15;
}

// ---- A phrase

typedef struct phrase {
    const melody_setting *m;
    size_t first, n;
    double *notes; // [n][P]
    double *ahead; // [n][P][P], of (note t - 1, note t)
} phrase;

static void scale_to_one(double *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t i = 0; most > 0 && i < n; i++)
        x[i] /= most;
}

// What may come behind (p, q), q in slot t of the phrase; p < 0: q is the first of all.
static double look_ahead(const phrase *f, size_t t, int p, int q)
{
    double sum = 0;
    if (t + 1 == f->n)
        return 1;
    for (int r = 0; r < P; r++)
        if (f->notes[(t + 1) * P + (size_t)r] > 0)
            sum += melody_step(f->m, f->first + t + 1, p, MELODY_LEAST + q, MELODY_LEAST + r) *
                   f->notes[(t + 1) * P + (size_t)r] *
                   f->ahead[((t + 1) * P + (size_t)q) * P + (size_t)r];
    return sum;
}

static void pass_back(phrase *f)
{
    for (size_t t = f->n; t-- > 0;) {
        double *ahead = f->ahead + t * P * P;
        for (int p = 0; p < P; p++)
            for (int q = 0; (t == 0 || f->notes[(t - 1) * P + (size_t)p] > 0) && q < P; q++)
                if (f->notes[t * P + (size_t)q] > 0)
                    ahead[p * P + q] = look_ahead(f, t, MELODY_LEAST + p, q);
        scale_to_one(ahead, P * P);
    }
}

static int draw(const double *w, double u)
{
    double sum = 0;
    int chosen = -1;
    for (int i = 0; i < P; i++)
        sum += w[i];
    u *= sum;
    for (int i = 0; i < P; i++) {
        if (w[i] > 0 && (chosen < 0 || u >= 0))
            chosen = i;
        u -= w[i];
    }
    CHECK(chosen >= 0);
    return MELODY_LEAST + chosen;
}

// The first note of a piece has nothing before it: its past is itself.
static void draw_forward(const phrase *f, rng dice, int *pitches)
{
    for (size_t t = 0; t < f->n; t++) {
        size_t slot = f->first + t;
        int p = slot ? pitches[slot - 1] : -1, o = slot > 1 ? pitches[slot - 2] : -1;
        double w[P];
        for (int q = 0; q < P; q++) {
            int past = p < 0 ? q : p - MELODY_LEAST;
            w[q] = f->notes[t * P + (size_t)q];
            if (w[q] > 0)
                w[q] *= f->ahead[(t * P + (size_t)past) * P + (size_t)q] *
                        (p < 0 ? 1 : melody_step(f->m, slot, o, p, MELODY_LEAST + q));
        }
        pitches[slot] = draw(w, (double)rng_uniform(dice, slot, 0));
    }
}

static void draw_phrase(const melody_setting *m, arena *scratch, size_t first, size_t n, rng dice,
                        int *pitches)
{
    arena_mark at = arena_save(scratch);
    phrase f = {.m = m, .first = first, .n = n};
    f.notes = NEW(scratch, double, n *P);
    f.ahead = NEW(scratch, double, n *P *P);
    for (size_t t = 0; t < n; t++) {
        for (int q = 0; q < P; q++)
            f.notes[t * P + (size_t)q] = melody_weight(m, first + t, MELODY_LEAST + q, pitches);
        scale_to_one(f.notes + t * P, P);
        for (int q = 0; q < P; q++)
            if (f.notes[t * P + (size_t)q] < UNHEARD)
                f.notes[t * P + (size_t)q] = 0;
    }
    pass_back(&f);
    draw_forward(&f, dice, pitches);
    arena_rewind(scratch, at);
}

void melody_draw(const melody_setting *m, arena *scratch, int *pitches)
{
    rng dice = rng_stream(m->plan->seed, "melody", 0);
    for (size_t first = 0, i = 0; i < m->form->n; i++)
        if (m->form->slots[i].ends || i + 1 == m->form->n) {
            draw_phrase(m, scratch, first, i + 1 - first, dice, pitches);
            first = i + 1;
        }
}
