// SPDX-License-Identifier: GPL-3.0-or-later
// affect.c: valence and arousal from velocity, density, tempo, articulation, mode and register
// (affect.h).
#include "data/music/affect.h"

#include <math.h>

#include "data/music/bars.h"
#include "data/music/key.h"
#include "data/music/midi_stats.h"

static const struct {
    double velocity, density, tempo, detached;
} arousal_weight = {0.04, 0.45, 0.4, 0.5};

static const struct {
    double mode, tempo, octave;
} valence_weight = {2.5, 0.3, 0.1};

// Where each term is 0.
static const struct {
    double velocity, density, tempo, mode, pitch;
} middle = {65, 5.5, 120, 0.03, 62};

// Octaves of a ratio, within what music does: a broken tempo map must not decide alone.
static double octaves(double x, double of)
{
    return x > 0 ? fmax(-3, fmin(3, log2(x / of))) : 0;
}

static double mean_velocity(const midi_song *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->n_notes; i++)
        sum += s->notes[i].velocity;
    return sum / (double)s->n_notes;
}

// The middle where nothing has a pitch.
static double mean_pitch(const midi_song *s)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < s->n_notes; i++)
        if (!s->instruments[s->notes[i].instrument].is_drum)
            sum += s->notes[i].pitch, n++;
    return n > 0 ? sum / n : middle.pitch;
}

static double mode_term(const midi_song *s)
{
    double w[PITCH_CLASSES];
    key_weights(s, w);
    key_estimate k = key_find(w);
    return k.found ? k.best_major - k.best_minor - middle.mode : 0;
}

song_affect affect_estimate(arena *scratch, const midi_song *s)
{
    if (!s->n_notes)
        return (song_affect){.found = false};
    double speed = octaves(bars_tempo(s).mean, middle.tempo),
           articulation = midi_articulation(scratch, s);
    double detached = articulation > 0 ? 1 - articulation : 0;
    double arousal =
        arousal_weight.velocity * (mean_velocity(s) - middle.velocity) +
        arousal_weight.tempo * speed +
        arousal_weight.density * octaves((double)midi_onsets(s) / s->seconds, middle.density) +
        arousal_weight.detached * detached;
    double valence = valence_weight.mode * mode_term(s) + valence_weight.tempo * speed +
                     valence_weight.octave * (mean_pitch(s) - middle.pitch) / 12;
    return (song_affect){true, tanh(valence), tanh(arousal)};
}
