// SPDX-License-Identifier: GPL-3.0-or-later
// mel.c: frames of a mel spectrogram (settings, window and bank: data/mel.h).
//
//     window * samples -> real FFT -> |X|^power -> filter bank -> logarithm
//
// A triangle covers few bins, and neighbours overlap by half, so the bank has about two weights a bin instead of n_mels: each band keeps
// its first bin and its weights, filled up with zeros to whole vectors. The spectrum has as many zeros behind it, so that no band needs a
// remainder.
#include <math.h>
#include <string.h>

#include "base/variant.h"
#include "base/vmath.h"
#include "data/feature.h"
#include "data/fft.h"
#include "data/mel.h"

typedef struct band {
    int first, vectors;   // bins [first, first + vectors * VLANES)
    const float *weights; // [vectors * VLANES]
} band;

typedef struct mel {
    mel_settings s;
    fft *transform;
    int bins;
    float *window;                // [n_fft]
    band *bands;                  // [n_mels]
    size_t at_spectrum, at_power; // in scratch: windowed samples, spectrum, powers
} mel;

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static void pack_band(band *b, const float *row, int bins, arena *a)
{
    int lo = 0, hi = bins;
    while (lo < hi && row[lo] == 0)
        lo++;
    while (hi > lo && row[hi - 1] == 0)
        hi--;
    b->first = lo;
    b->vectors = (hi - lo + VLANES - 1) / VLANES;
    float *w = NEW(a, float, (size_t)(b->vectors * VLANES));
    memcpy(w, row + lo, (size_t)(hi - lo) * sizeof *w);
    b->weights = w;
}

static void pack_bank(mel *m, arena *a)
{
    arena dense = {.name = "mel bank"};
    float *bank = NEW(&dense, float, (size_t)m->s.n_mels *(size_t)m->bins);
    mel_bank(&m->s, bank);
    m->bands = NEW(a, band, (size_t)m->s.n_mels);
    for (int b = 0; b < m->s.n_mels; b++)
        pack_band(&m->bands[b], bank + (size_t)b * (size_t)m->bins, m->bins, a);
    arena_free(&dense);
}

static bool mel_open(feature *f, err *e)
{
    mel *m = NEW(&f->memory, mel, 1);
    const mel_settings *s = f->settings;
    f->state = m;
    m->s = *s;
    m->bins = s->n_fft / 2 + 1;
    m->window = NEW(&f->memory, float, (size_t)s->n_fft);
    mel_window(s, m->window);
    pack_bank(m, &f->memory);
    f->rate = s->sample_rate;
    f->width = s->n_mels;
    f->span = s->n_fft;
    f->hop = s->hop_length;
    f->before = s->center ? s->n_fft / 2 : 0;
    f->reflect = s->pad == MEL_REFLECT;
    f->whole = s->top_db > 0;
    m->at_spectrum = round_up((size_t)s->n_fft * 4, 64);
    m->at_power = m->at_spectrum + round_up((size_t)m->bins * 8, 64);
    f->scratch = m->at_power + round_up(((size_t)m->bins + VLANES) * 4, 64);
    return (m->transform = fft_open(s->n_fft, e)) != NULL;
}

static void mel_close(feature *f)
{
    mel *m = f->state;
    if (m)
        fft_close(m->transform);
}

static void powers(const mel *m, const float *X, float *p)
{
    for (int k = 0; k < m->bins; k++)
        p[k] = X
    [2 * k] * X[2 * k] + X
    [2 * k + 1] * X[2 * k + 1];
    if (m->s.power == 1)
        for (int k = 0; k < m->bins; k++)
            p[k] = sqrtf(p[k]);
}

static float apply(const band *b, const float *p)
{
    vf sum = {0};
    for (int v = 0; v < b->vectors; v++)
        sum += *(const vf *)(b->weights + v * VLANES) * *(const vf *)(p + b->first + v * VLANES);
    float total = 0;
    for (int i = 0; i < VLANES; i++)
        total += sum[i];
    return total;
}

static void logarithms(const mel_settings *s, float *out)
{
    int n = s->n_mels;
    float floor = (float)s->log_floor, scale = s->log == MEL_LOG_DB ? 4.34294481903251828f * (float)(s->power == 1 ? 2 : 1) : 1;
    if (s->log == MEL_LOG_LN)
        for (int b = 0; b < n; b++)
            out[b] = vm_log(out[b] + floor);
    else if (s->log != MEL_LOG_NONE)
        for (int b = 0; b < n; b++)
            out[b] = scale * vm_log(out[b] > floor ? out[b] : floor);
}

static void mel_frames(const feature *f, const float *x, int64_t count, float *out, void *scratch)
{
    const mel *m = f->state;
    float *windowed = scratch, *X
    = (float *)((char *)scratch + m->at_spectrum), *p = (float *)((char *)scratch + m->at_power);
    memset(p + m->bins, 0, VLANES * sizeof *p);
    for (int64_t i = 0; i < count; i++, x += f->hop, out += f->width) {
        for (int t = 0; t < m->s.n_fft; t++)
            windowed[t] = x[t] * m->window[t];
        fft_run(m->transform, windowed, X);
        powers(m, X, p);
        for (int b = 0; b < m->s.n_mels; b++)
            out[b] = apply(&m->bands[b], p);
        logarithms(&m->s, out);
    }
}

static void mel_finish(const feature *f, float *out, int64_t n, float most)
{
    const mel *m = f->state;
    float least = most - (float)m->s.top_db;
    for (int64_t i = 0; i < n; i++)
        out[i] = out[i] > least ? out[i] : least;
}

static bool set(void *settings, const char *name, const char *value, err *e)
{
    return mel_set(settings, name, value, e);
}

static bool resolve(void *settings, err *e)
{
    return mel_resolve(settings, e);
}

const feature_def VARIANT(feature_mel) = {
    .name = "mel",
    .help = "Mel spectrogram: energy in bands spaced as the ear hears them",
    .table = mel_table,
    .table_n = &mel_table_n,
    .settings_size = sizeof(mel_settings),
    .set = set,
    .resolve = resolve,
    .open = mel_open,
    .close = mel_close,
    .frames = mel_frames,
    .finish = mel_finish,
};
