// SPDX-License-Identifier: GPL-3.0-or-later
// voicing.c: all inversions, and the nearest (voicing.h).
#include "compose/voicing.h"

#include <stdlib.h>

#include "base/err.h"

enum { MIDDLE = 57 };

// The chord's tones from `lowest` upwards, each in the first octave that has it.
static voicing stack(uint16_t mask, int lowest, int n)
{
    voicing v = {.n = n};
    for (int pitch = lowest, k = 0; k < n; pitch++)
        if (mask_has(mask, pitch))
            v.pitch[k++] = pitch;
    return v;
}

// How far the voices move; voices that one of the two lacks are compared with its nearest end.
static int distance(const voicing *a, const voicing *b)
{
    int sum = 0, n = a->n > b->n ? a->n : b->n;
    for (int i = 0; i < n; i++)
        sum += abs(a->pitch[i < a->n ? i : a->n - 1] - b->pitch[i < b->n ? i : b->n - 1]);
    return sum;
}

voicing voicing_of(chord_symbol c, const voicing *before)
{
    uint16_t mask = chord_mask(c);
    int n = 0, least = -1;
    voicing best = {0}, middle = {.n = 1, .pitch = {MIDDLE}};
    for (int p = 0; p < 12; p++)
        n += mask >> p & 1;
    for (int lowest = VOICING_LEAST; lowest < VOICING_LEAST + 12; lowest++) {
        voicing v = mask_has(mask, lowest) ? stack(mask, lowest, n) : (voicing){0};
        if (v.n == 0 || v.pitch[v.n - 1] > VOICING_MOST)
            continue;
        int d = distance(&v, before ? before : &middle);
        if (least < 0 || d < least)
            least = d, best = v;
    }
    CHECK(best.n >= 2);
    return best;
}

int voicing_tone(const voicing *v, int t)
{
    return v->pitch[t % v->n] + 12 * (t / v->n);
}

int voicing_bass(int pitch_class, int near)
{
    int best = -1;
    for (int p = VOICING_BASS_LEAST; p <= VOICING_BASS_MOST; p++)
        if (p % 12 == pitch_class && (best < 0 || abs(p - near) < abs(best - near)))
            best = p;
    return best;
}
