// SPDX-License-Identifier: GPL-3.0-or-later
// cloud_slices.c: what is heard in a slice of sound and read in one of notes (cloud.h).
#include <math.h>

#include "data/music/cloud.h"

static double share(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

// ---- Sound

// The power that a number of a mel frame stands for.
static double power_of(const mel_settings *s, double x)
{
    if (s->log == MEL_LOG_DB)
        return pow(10, x / 10);
    double m = s->log == MEL_LOG_NONE ? x : exp(x);
    return s->power == 1 ? m * m : m;
}

// Mean powers [n_mels] of the frames of slice k; at least one frame.
static void slice_powers(const mel_settings *s, const float *frames, int64_t n, int k, double *out)
{
    int64_t lo = n * k / CLOUD_SLICES, hi = n * (k + 1) / CLOUD_SLICES;
    hi = hi > lo ? hi : lo + 1;
    for (int b = 0; b < s->n_mels; b++) {
        out[b] = 0;
        for (int64_t i = lo; i < hi; i++)
            out[b] += power_of(s, (double)frames[i * s->n_mels + b]) / (double)(hi - lo);
    }
}

// Brightness and change of a slice; its power is left in `loudness`.
static void hear_slice(const double *p, const double *before, int bands, cloud_slice *out)
{
    double all = 0, bands_sum = 0, moved = 0, both = 0;
    for (int b = 0; b < bands; b++) {
        all += p[b], bands_sum += b * p[b];
        moved += fabs(p[b] - before[b]), both += p[b] + before[b];
    }
    out->loudness = all;
    out->brightness = all > 0 && bands > 1 ? share(bands_sum / all / (bands - 1)) : 0;
    out->change = both > 0 ? share(moved / both) : 0;
}

void cloud_hear(const mel_settings *s, const float *frames, int64_t n,
                cloud_slice out[CLOUD_SLICES])
{
    double powers[2][MEL_BANDS], *p = powers[0], *before = powers[1], most = 0;
    CHECK(n >= 1 && s->n_mels <= MEL_BANDS);
    slice_powers(s, frames, n, 0, before);
    for (int k = 0; k < CLOUD_SLICES; k++) {
        slice_powers(s, frames, n, k, p);
        hear_slice(p, before, s->n_mels, &out[k]);
        most = fmax(most, out[k].loudness);
        double *spare = before;
        before = p, p = spare;
    }
    for (int k = 0; k < CLOUD_SLICES; k++)
        out[k].loudness = out[k].loudness > 0 ? share(1 + log10(out[k].loudness / most) / 6) : 0;
}

// ---- Notes

// Sums over what sounds in a stretch, weighed by seconds.
typedef struct sums {
    double seconds, pitch, squares, velocity;
    int low, high, onsets;
} sums;

static void add_note(sums *x, const midi_note *n, double from, double to)
{
    double w = fmin(n->end, to) - fmax(n->start, from);
    if (w <= 0)
        return;
    x->seconds += w;
    x->pitch += w * n->pitch, x->squares += w * n->pitch * n->pitch;
    x->velocity += w * n->velocity;
    x->low = n->pitch < x->low ? n->pitch : x->low;
    x->high = n->pitch > x->high ? n->pitch : x->high;
    x->onsets += n->start >= from;
}

static void read_sums(const sums *x, double seconds, cloud_slice *out)
{
    double mean = x->pitch / x->seconds;
    out->pitch = share((mean - 36) / 72);
    out->tension = share(sqrt(fmax(0, x->squares / x->seconds - mean * mean)) / 12);
    out->density = share(x->onsets / seconds / 20);
    out->velocity = x->velocity / x->seconds / 127;
    out->range = share((x->high - x->low) / 48.0);
}

static void copy_notes(const cloud_slice *from, cloud_slice *to)
{
    to->pitch = from->pitch, to->tension = from->tension, to->velocity = from->velocity,
    to->range = from->range, to->density = 0;
}

// Slices before the first note are like that of the first; a song of drums alone is all zeros.
void cloud_read(const midi_song *song, double seconds, cloud_slice out[CLOUD_SLICES])
{
    int first = -1;
    double wide = seconds / 16;
    for (int k = 0; k < CLOUD_SLICES; k++) {
        double middle = (k + 0.5) * seconds / CLOUD_SLICES;
        sums x = {.low = 127};
        for (size_t i = 0; i < song->n_notes && song->notes[i].start < middle + wide / 2; i++)
            if (!song->instruments[song->notes[i].instrument].is_drum)
                add_note(&x, &song->notes[i], middle - wide / 2, middle + wide / 2);
        out[k].pitch = out[k].tension = out[k].velocity = out[k].range = out[k].density = 0;
        if (x.seconds > 0) {
            read_sums(&x, wide, &out[k]);
            for (int j = 0; first < 0 && j < k; j++)
                copy_notes(&out[k], &out[j]);
            first = first < 0 ? k : first;
        } else if (k) {
            copy_notes(&out[k - 1], &out[k]);
        }
    }
}
