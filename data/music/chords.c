// SPDX-License-Identifier: GPL-3.0-or-later
// chords.c: template matching of chords (chords.h).
#include "data/music/chords.h"

#include <math.h>
#include <stdio.h>

// Semitones above the root.
static const struct {
    const char *suffix;
    int tones, above[CHORD_TONES];
} qualities[CHORD_QUALITIES] = {
    [CHORD_MAJOR] = {"", 3, {0, 4, 7}},         [CHORD_MINOR] = {"m", 3, {0, 3, 7}},
    [CHORD_DIMINISHED] = {"dim", 3, {0, 3, 6}}, [CHORD_AUGMENTED] = {"aug", 3, {0, 4, 8}},
    [CHORD_SEVENTH] = {"7", 4, {0, 4, 7, 10}},
};

int chord_tones(int id, int above[CHORD_TONES])
{
    if (id < 0 || id >= CHORD_NONE)
        return 0;
    int tones = qualities[id % CHORD_QUALITIES].tones;
    for (int t = 0; t < tones; t++)
        above[t] = qualities[id % CHORD_QUALITIES].above[t];
    return tones;
}

static double match(const double *w, double length, int id)
{
    int root = id / CHORD_QUALITIES, quality = id % CHORD_QUALITIES;
    double sum = 0;
    for (int t = 0; t < qualities[quality].tones; t++)
        sum += w[(root + qualities[quality].above[t]) % PITCH_CLASSES];
    return sum / (length * sqrt(qualities[quality].tones));
}

int chord_match(const double w[PITCH_CLASSES], const double *bass, double *score)
{
    double best = 0, squares = 0;
    int chosen = CHORD_NONE;
    for (int p = 0; p < PITCH_CLASSES; p++)
        squares += w[p] * w[p];
    for (int id = 0; squares > 0 && id < CHORD_NONE; id++) {
        double x = match(w, sqrt(squares), id);
        bool as_good = bass && chosen != CHORD_NONE && fabs(x - best) < 1e-6;
        if (as_good ? bass[id / CHORD_QUALITIES] > bass[chosen / CHORD_QUALITIES] : x > best + 1e-6)
            best = x, chosen = id;
    }
    if (score)
        *score = best;
    return best < CHORD_LEAST ? CHORD_NONE : chosen;
}

const char *chord_name(int id, char out[8])
{
    static const char *const roots[] = {"C",  "C#", "D",  "Eb", "E",  "F",
                                        "F#", "G",  "Ab", "A",  "Bb", "B"};
    if (id < 0 || id >= CHORD_NONE)
        return "N.C.";
    snprintf(out, 8, "%s%s", roots[id / CHORD_QUALITIES], qualities[id % CHORD_QUALITIES].suffix);
    return out;
}
