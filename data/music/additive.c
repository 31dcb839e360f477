// SPDX-License-Identifier: GPL-3.0-or-later
// additive.c: sines by a turning phasor (additive.h).
#include "data/music/additive.h"

#include <math.h>
#include <stdlib.h>

enum { TAIL_MS = 500 };
static const double tau = 6.283185307179586;

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static double envelope(const additive_voice *v, double t, double length)
{
    double held = t < length ? t : length;
    double level = held < v->attack
                       ? held / v->attack
                       : 1 - (1 - v->sustain) * clamp((held - v->attack) / v->decay, 0, 1);
    return t < length ? level : level * clamp(1 - (t - length) / v->release, 0, 1);
}

// What is left of a partial's amplitude a sample later.
static double ringing(double hz, int rate)
{
    return pow(10, -4 * pow(hz / 27.5, 0.62) / 20 / rate);
}

// Harmonics by Chebyshev's recurrence, sin(n x) = 2 cos(x) sin((n - 1) x) - sin((n - 2) x), from
// one turning phasor.
void additive_begin(additive_tone *t, const additive_voice *v, const additive_note *n, int rate)
{
    double hz = 440 * exp2((n->pitch + v->tuning - 69) / 12), step = tau * hz / rate;
    *t = (additive_tone){.voice = *v,
                         .length = n->length,
                         .gain = n->gain,
                         .rate = rate,
                         .turn_c = cos(step),
                         .turn_s = sin(step),
                         .c = 1};
    while (t->harmonics < ADDITIVE_HARMONICS && hz * (t->harmonics + 1) < rate * 0.5)
        t->harmonics++;
    for (int h = 0; h < ADDITIVE_HARMONICS; h++)
        t->level[h] = v->amplitude[h], t->left[h] = v->rings ? ringing(hz * (h + 1), rate) : 1;
}

void additive_run(additive_tone *t, float *x, int64_t frames)
{
    for (int64_t i = 0; i < frames; i++, t->at++) {
        double before = 0, now = t->s, sum = 0;
        for (int h = 0; h < t->harmonics; h++) {
            sum += t->level[h] * now;
            t->level[h] *= t->left[h];
            double after = 2 * t->c * now - before;
            before = now;
            now = after;
        }
        x[i] += (float)(t->gain * sum * envelope(&t->voice, (double)t->at / t->rate, t->length));
        double next = t->c * t->turn_c - t->s * t->turn_s;
        t->s = t->s * t->turn_c + t->c * t->turn_s;
        t->c = next;
    }
}

void additive_play(const additive_voice *v, const additive_note *n, int rate, float *x,
                   int64_t frames)
{
    additive_tone t;
    int64_t from = (int64_t)(n->start * rate),
            past = (int64_t)((n->start + n->length + v->release) * rate);
    additive_begin(&t, v, n, rate);
    additive_run(&t, x + from, (past < frames ? past : frames) - from);
}

// Pianos and chromatic percussion, guitars and basses, pizzicato, harp and timpani, sitar to
// kalimba, bells to woodblocks and toms.
bool additive_rings(int program)
{
    return program < 16 || (program >= 24 && program < 40) || (program >= 45 && program < 48) ||
           (program >= 104 && program < 109) || (program >= 112 && program < 119);
}

additive_voice additive_voice_of(int velocity, bool rings)
{
    additive_voice v = {
        .attack = 0.008, .decay = 0.15, .sustain = 0.55, .release = 0.15, .rings = rings};
    double sum = 0;
    for (int h = 0; h < ADDITIVE_HARMONICS; h++)
        sum += v.amplitude[h] = pow(h + 1, -(2.4 - 1.2 * velocity / 127));
    for (int h = 0; h < ADDITIVE_HARMONICS; h++)
        v.amplitude[h] /= sum;
    return v;
}

static void scale(float *x, int64_t frames)
{
    float most = 1e-9f;
    for (int64_t i = 0; i < frames; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    for (int64_t i = 0; i < frames; i++)
        x[i] *= 0.9f / most;
}

bool additive_render(const midi_song *s, float **samples, int64_t *frames, err *e)
{
    if (s->seconds > ADDITIVE_SECONDS)
        return err_set(e, ERR_VALUE,
                       "%.0f seconds are too long for the built-in synthesiser; it plays up to %g",
                       s->seconds, ADDITIVE_SECONDS);
    *frames = (int64_t)(s->seconds * ADDITIVE_RATE) + ADDITIVE_RATE * TAIL_MS / 1000;
    *samples = calloc((size_t)*frames, sizeof **samples);
    if (!*samples)
        return err_set(e, ERR_MEMORY, "no memory for %.0f seconds of sound", s->seconds);
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_note *n = &s->notes[i];
        if (s->instruments[n->instrument].is_drum)
            continue;
        additive_voice v =
            additive_voice_of(n->velocity, additive_rings(s->instruments[n->instrument].program));
        additive_note note = {n->start, n->end - n->start, n->pitch,
                              n->velocity / 127.0 * n->velocity / 127.0};
        additive_play(&v, &note, ADDITIVE_RATE, *samples, *frames);
    }
    scale(*samples, *frames);
    return true;
}

bool additive_render_at(const midi_song *s, int rate, resample_sink *sink, void *user, err *e)
{
    float *x = NULL;
    int64_t n = 0;
    resampler *r = resampler_open(ADDITIVE_RATE, rate, e);
    bool ok = r && additive_render(s, &x, &n, e) &&
              resampler_push(r, x, (size_t)n, sink, user, e) && resampler_finish(r, sink, user, e);
    free(x);
    resampler_close(r);
    return ok;
}

static bool keep(void *user, const float *x, size_t n, err *e)
{
    (void)e;
    strbuf_add(user, (const char *)x, n * sizeof *x);
    return true;
}

bool additive_render_to(const midi_song *s, int rate, float **samples, int64_t *frames, err *e)
{
    strbuf b = {0};
    *samples = NULL, *frames = 0;
    if (additive_render_at(s, rate, keep, &b, e)) {
        *samples = (float *)(void *)b.s, *frames = (int64_t)(b.len / sizeof **samples);
        return true;
    }
    strbuf_free(&b);
    return false;
}
