// SPDX-License-Identifier: GPL-3.0-or-later
// key.c: key finding by correlation with probe-tone profiles (key.h).
#include "data/music/key.h"

#include <math.h>
#include <string.h>

const double key_profiles[2][PITCH_CLASSES] = {
    {6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88},
    {6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17},
};

void key_weights(const midi_song *s, double w[PITCH_CLASSES])
{
    memset(w, 0, PITCH_CLASSES * sizeof *w);
    for (size_t i = 0; i < s->n_notes; i++)
        if (!s->instruments[s->notes[i].instrument].is_drum)
            w[s->notes[i].pitch % PITCH_CLASSES] += s->notes[i].end - s->notes[i].start;
}

static double mean(const double *x)
{
    double sum = 0;
    for (int p = 0; p < PITCH_CLASSES; p++)
        sum += x[p];
    return sum / PITCH_CLASSES;
}

// Pearson's correlation of w, moved down by `tonic`, with a profile; 0 where w is flat.
static double correlation(const double *w, int tonic, const double *profile)
{
    double mw = mean(w), mp = mean(profile), ww = 0, pp = 0, wp = 0;
    for (int p = 0; p < PITCH_CLASSES; p++) {
        double a = w[(p + tonic) % PITCH_CLASSES] - mw, b = profile[p] - mp;
        ww += a * a, pp += b * b, wp += a * b;
    }
    return ww > 1e-18 * mw * mw ? wp / sqrt(ww * pp) : 0;
}

key_estimate key_find(const double w[PITCH_CLASSES])
{
    key_estimate k = {0};
    for (int mode = 0; mode < 2; mode++)
        for (int tonic = 0; tonic < PITCH_CLASSES; tonic++) {
            double r = correlation(w, tonic, key_profiles[mode]);
            double *best = mode ? &k.best_minor : &k.best_major;
            if (r > *best)
                *best = r;
            if (r > k.correlation + 1e-9)
                k = (key_estimate){true, tonic, mode == 1, r, k.best_major, k.best_minor};
        }
    return k;
}

static bool fits(const midi_song *s, int semitones)
{
    for (size_t i = 0; s && i < s->n_notes; i++) {
        int pitch = s->notes[i].pitch + semitones;
        if (!s->instruments[s->notes[i].instrument].is_drum && (pitch < 0 || pitch > 127))
            return false;
    }
    return true;
}

static int tonic_of(const midi_song *s)
{
    double w[PITCH_CLASSES] = {0};
    if (s)
        key_weights(s, w);
    return key_find(w).tonic;
}

int key_to_c(const midi_song *s, int tonic)
{
    int up = (PITCH_CLASSES - (tonic < 0 ? tonic_of(s) : tonic)) % PITCH_CLASSES,
        down = up < PITCH_CLASSES / 2 ? up : up - PITCH_CLASSES,
        other = down == up ? up - PITCH_CLASSES : up;
    return fits(s, down) ? down : fits(s, other) ? other : 0;
}
