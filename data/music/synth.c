// SPDX-License-Identifier: GPL-3.0-or-later
// synth.c: composing and playing one synthetic piece (synth.h).
#include "data/music/synth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/music/emotions.h"

enum { CHORD = 3 };
static const char *const labels[] = {"grief", "joy", "calm", "anger"};

// Numbers drawn one after the other for one piece.
typedef struct dice {
    rng r;
    uint64_t step;
    uint32_t next;
} dice;

static double uniform(dice *d, double lo, double hi)
{
    return lo + (hi - lo) * (double)rng_uniform(d->r, d->step, d->next++);
}

static double normal(dice *d, double deviation)
{
    return deviation * rng_normal(d->r, d->step, d->next++);
}

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

bool synth_check(const synth_options *o, err *e)
{
    if (o->items < 1 || o->items > SYNTH_ITEMS_MOST)
        return err_set(e, ERR_USAGE, "a synthetic corpus has 1 to %d items, not %lld",
                       SYNTH_ITEMS_MOST, (long long)o->items);
    if (!(o->seconds >= 0.25 && o->seconds <= 600))
        return err_set(e, ERR_USAGE, "a synthetic clip is 0.25 to 600 seconds long, not %g",
                       o->seconds);
    return true;
}

// Labels take turns, then players. Even a corpus of twelve clips has all three splits.
void synth_describe(const synth_options *o, uint64_t number, synth_piece *p)
{
    (void)o;
    *p = (synth_piece){.label = labels[number % 4], .player = (int)(number / 4 % SYNTH_PLAYERS)};
    p->split = p->player % 7 == 1 ? "val" : p->player % 7 == 2 ? "test" : "train";
}

// What the emotion asks for, what this player makes of it, and chance.
static void interpret(const synth_options *o, dice *d, synth_piece *p)
{
    dice own = {rng_stream(o->seed, "synth_habits", (uint32_t)p->player), 0, 0};
    const emotion_name *meant = emotion_find(p->label);
    double v = p->valence = clamp(meant->valence + normal(d, 0.08), -1, 1);
    double a = p->arousal = clamp(meant->arousal + normal(d, 0.08), -1, 1);
    p->tempo = clamp((96 + 46 * a) * exp(normal(d, 0.08) + normal(&own, 0.05)), 40, 220);
    p->major = v + normal(d, 0.15) > 0;
    p->tonic = (int)rng_below(d->r, d->step, d->next++, 12);
    p->voice.tuning = normal(&own, 0.15);
    double fall = clamp(2.4 - 1.4 * a - 0.6 * v + normal(d, 0.12) + normal(&own, 0.1), 0.3, 4.5),
           sum = 0;
    for (int h = 0; h < ADDITIVE_HARMONICS; h++)
        sum += p->voice.amplitude[h] = pow(h + 1, -fall) * exp(normal(&own, 0.1));
    for (int h = 0; h < ADDITIVE_HARMONICS; h++)
        p->voice.amplitude[h] /= sum;
    p->voice.attack =
        clamp((0.045 - 0.035 * a) * exp(normal(d, 0.3) + normal(&own, 0.2)), 0.003, 0.2);
    p->voice.decay = uniform(&own, 0.06, 0.2);
    p->voice.sustain = uniform(&own, 0.45, 0.8);
    p->voice.release = clamp((0.16 - 0.1 * a) * exp(normal(d, 0.2)), 0.02, 0.5);
    p->loudness = clamp((0.4 + 0.25 * a) * exp(normal(d, 0.12) + normal(&own, 0.06)), 0.05, 0.9);
    p->noise = pow(10, uniform(d, -3.2, -2.2));
}

static int degree_pitch(const synth_piece *p, int degree)
{
    static const int major[] = {0, 2, 4, 5, 7, 9, 11}, minor[] = {0, 2, 3, 5, 7, 8, 10};
    int octave = degree >= 0 ? degree / 7 : -((6 - degree) / 7);
    return p->tonic + 12 * octave + (p->major ? major : minor)[degree - 7 * octave];
}

static void add_note(synth_piece *p, double start, double length, int pitch, double velocity)
{
    p->notes[p->n_notes++] = (synth_note){start, length, pitch, velocity};
}

// The degree of the scale nearest to a pitch.
static int nearest_degree(const synth_piece *p, double pitch)
{
    return (int)lrint((pitch - p->tonic) * 7 / 12);
}

static void write_chord(synth_piece *p, dice *d, double start, double length, int below)
{
    static const int roots[] = {0, 3, 4, 5}; // I, IV, V, VI
    int root = start > 0 ? roots[rng_below(d->r, d->step, d->next++, 4)] : 0;
    while (below - 7 >= root + 4)
        root += 7;
    for (int k = 0; k < CHORD; k++)
        add_note(p, start, length, degree_pitch(p, root + 2 * k),
                 clamp(0.45 + normal(d, 0.05), 0.1, 1));
}

// A melody that walks over the scale around the register, above a triad every two beats.
static void write_notes(const synth_options *o, dice *d, arena *a, synth_piece *p)
{
    double beat = 60 / p->tempo,
           articulation = clamp(0.75 - 0.28 * p->arousal + normal(d, 0.06), 0.2, 1);
    int centre = nearest_degree(p, 62 + 8 * p->valence + 4 * p->arousal + normal(d, 1.5)),
        degree = centre;
    int most = (int)(o->seconds / beat * 8) + 64;
    p->notes = NEW(a, synth_note, (size_t)most);
    for (double t = 0, chord = 0; t < o->seconds && p->n_notes + CHORD + 1 < most;) {
        if (t >= chord - 1e-9) {
            write_chord(p, d, t, 2 * beat * clamp(articulation + 0.1, 0, 1), centre - 3);
            chord += 2 * beat;
        }
        double length = beat * (uniform(d, 0, 1) < 0.35 + 0.25 * p->arousal ? 0.5 : 1);
        degree = (int)clamp(degree + (int)rng_below(d->r, d->step, d->next++, 5) - 2, centre - 4,
                            centre + 4);
        add_note(p, t + fabs(normal(d, 0.004)), length * articulation, degree_pitch(p, degree),
                 clamp(0.8 + normal(d, 0.1), 0.1, 1));
        t += length;
    }
}

void synth_compose(const synth_options *o, uint64_t number, arena *a, synth_piece *p)
{
    dice d = {rng_stream(o->seed, "synth", 0), number, 0};
    synth_describe(o, number, p);
    interpret(o, &d, p);
    write_notes(o, &d, a, p);
}

// Scaled so that the loudest sample is the piece's loudness; then the hiss of a room.
static void finish(const synth_options *o, uint64_t number, const synth_piece *p, float *x,
                   int64_t frames)
{
    rng r = rng_stream(o->seed, "synth_noise", 0);
    float most = 1e-9f;
    for (int64_t i = 0; i < frames; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    for (int64_t i = 0; i < frames; i++)
        x[i] = x[i] * (float)p->loudness / most +
               (float)p->noise * (2 * rng_uniform(r, number, (uint32_t)i) - 1);
}

bool synth_clip(const synth_options *o, uint64_t number, clip *c, err *e)
{
    arena a = {.name = "synth"};
    synth_piece p;
    *c = (clip){.frames = llrint(o->seconds * SYNTH_RATE),
                .rate = SYNTH_RATE,
                .source_rate = SYNTH_RATE,
                .source_channels = 1,
                .seconds = o->seconds};
    c->samples = calloc((size_t)c->frames, sizeof *c->samples);
    if (!c->samples)
        return err_set(e, ERR_MEMORY, "no memory for a clip of %g seconds", o->seconds);
    synth_compose(o, number, &a, &p);
    for (int i = 0; i < p.n_notes; i++) {
        const synth_note *n = &p.notes[i];
        additive_note note = {n->start, n->length, n->pitch, n->velocity / 2};
        additive_play(&p.voice, &note, SYNTH_RATE, c->samples, c->frames);
    }
    finish(o, number, &p, c->samples, c->frames);
    arena_free(&a);
    return true;
}
