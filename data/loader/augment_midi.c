// SPDX-License-Identifier: GPL-3.0-or-later
// augment_midi.c: draws, and what they do to pitches and statistics (augment_midi.h). Tokens:
// augment_tokens.c.
#include "data/loader/augment_midi.h"

#include <math.h>
#include <string.h>

#include "data/music/chords.h"
#include "data/music/dynamics.h"
#include "data/music/harmony.h"
#include "data/music/midi_stats.h"

enum { PITCHES = 128, DRAWS = 4 };

// ---- Draws

static bool is_one(const double range[2])
{
    return (range[0] == 0 && range[1] == 0) || (range[0] == 1 && range[1] == 1);
}

bool augment_midi_asked(const augment_midi *s)
{
    return s->transpose[0] || s->transpose[1] || !is_one(s->stretch) || !is_one(s->velocity) ||
           s->drop > 0;
}

static float between(const double range[2], float u)
{
    return is_one(range) ? 1 : (float)(range[0] + (range[1] - range[0]) * (double)u);
}

midi_draw augment_midi_draw(const augment_midi *s, uint64_t seed, uint64_t epoch, uint64_t position)
{
    rng r = rng_stream(seed, "augment_midi", 0);
    uint32_t at = (uint32_t)position * DRAWS,
             steps = (uint32_t)(s->transpose[1] - s->transpose[0]) + 1;
    return (midi_draw){.transpose = s->transpose[0] + (int)rng_below(r, epoch, at, steps),
                       .stretch = between(s->stretch, rng_uniform(r, epoch, at + 1)),
                       .velocity = between(s->velocity, rng_uniform(r, epoch, at + 2)),
                       .drop = (float)s->drop,
                       .notes = rng_stream(seed, "augment_notes", (uint32_t)position),
                       .epoch = epoch};
}

// ---- Pitches

void augment_melody(const midi_draw *d, uint16_t *pitches, size_t n)
{
    int low = PITCHES - 1, high = 0;
    for (size_t i = 0; i < n; i++) {
        low = pitches[i] < low ? pitches[i] : low;
        high = pitches[i] > high ? pitches[i] : high;
    }
    int by = d->transpose < -low                 ? -low
             : d->transpose > PITCHES - 1 - high ? PITCHES - 1 - high
                                                 : d->transpose;
    for (size_t i = 0; i < n; i++)
        pitches[i] = (uint16_t)(pitches[i] + by);
}

// Semitones upwards, 0..11.
static int turn(const midi_draw *d)
{
    return (d->transpose % PITCH_CLASSES + PITCH_CLASSES) % PITCH_CLASSES;
}

static void rotate(float *classes, int by)
{
    float was[PITCH_CLASSES];
    memcpy(was, classes, sizeof was);
    for (int c = 0; c < PITCH_CLASSES; c++)
        classes[(c + by) % PITCH_CLASSES] = was[c];
}

void augment_harmony(const midi_draw *d, float *row)
{
    int by = turn(d), chord = (int)row[HARMONY_CONTEXT];
    for (int k = 0; k < 4; k++)
        rotate(row + PITCH_CLASSES * k, by);
    if (chord < CHORD_NONE)
        row[HARMONY_CONTEXT] = (float)((chord + by * CHORD_QUALITIES) % CHORD_NONE);
}

// ---- Statistics

// x of a quantity that is cut at 1, multiplied.
static void scale(float *x, float by)
{
    *x = *x < 1 ? fminf(*x * by, 1) : *x;
}

void augment_stats(const midi_draw *d, float *stats)
{
    static const midi_stat lengths[] = {MIDI_STATS_LENGTH, MIDI_STATS_LENGTH_DEV,
                                        MIDI_STATS_INTERVAL_DEV};
    static const midi_stat rates[] = {MIDI_STATS_DENSITY, MIDI_STATS_TEMPO};
    rotate(stats + MIDI_STATS_PITCH_CLASS, turn(d));
    if (stats[MIDI_STATS_PITCH] > 0) // there are notes with a pitch
        stats[MIDI_STATS_PITCH] =
            fminf(fmaxf(stats[MIDI_STATS_PITCH] + (float)d->transpose / (PITCHES - 1), 0), 1);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        scale(&stats[lengths[i]], d->stretch);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        scale(&stats[rates[i]], 1 / d->stretch);
    scale(&stats[MIDI_STATS_VELOCITY], d->velocity);
    stats[MIDI_STATS_VELOCITY_DEV] *= d->velocity;
}

void augment_dynamics(const midi_draw *d, float *row)
{
    augment_stats(d, row);
    for (int k = 0; k < DYNAMICS; k++)
        scale(&row[MIDI_STATS + k], d->velocity);
}
