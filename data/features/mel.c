// SPDX-License-Identifier: GPL-3.0-or-later
// mel.c: frames of a mel spectrogram (settings, window and bank: data/audio/mel.h).
//
//     window * samples -> FFT -> |X|^power -> filter bank -> logarithm
//
// Two things make it fast. A real transform of n points is a complex one of n / 2 over the same
// memory (z[t] = x[2t] + i x[2t + 1]) and a pass that untangles even and odd samples; that pass is
// done here with whole vectors, squaring at once. FFTW's own real transform takes twice as long.
// With M = n / 2, A = Z[k] and B = conj Z[M - k] (Press et al., "Numerical Recipes", 12.3):
//
//     2 X[k]          = (A + B) - i exp(-2 pi i k / n) (A - B)
//     2 conj X[M - k] = (A + B) + i exp(-2 pi i k / n) (A - B)
//     the factor 2 is taken out of the window
//
// And a triangle covers few bins: a band keeps its first bin and its weights, filled up with zeros
// to whole vectors, and the sums across the vectors of VLANES bands are taken together. 1.0 us a
// frame of 2048 points and 128 bands (AVX-512, 2026), of which 0.6 us are FFTW's.
#include <math.h>
#include <string.h>

#include "base/variant.h"
#include "base/vmath.h"
#include "data/audio/fft.h"
#include "data/audio/mel.h"
#include "data/features/chroma_turn.h"
#include "data/features/feature.h"

// Lanes of two vectors side by side, every other one upwards (of floats and doubles) or downwards
// (doubles), and one vector of floats backwards.
#if defined(__AVX512F__)
#define EVEN       0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD        1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define DEVEN      0, 2, 4, 6, 8, 10, 12, 14
#define DODD       1, 3, 5, 7, 9, 11, 13, 15
#define DEVEN_DOWN 14, 12, 10, 8, 6, 4, 2, 0
#define DODD_DOWN  15, 13, 11, 9, 7, 5, 3, 1
#define BACKWARDS  7, 6, 5, 4, 3, 2, 1, 0
#elif defined(__AVX__)
#define EVEN       0, 2, 4, 6, 8, 10, 12, 14
#define ODD        1, 3, 5, 7, 9, 11, 13, 15
#define DEVEN      0, 2, 4, 6
#define DODD       1, 3, 5, 7
#define DEVEN_DOWN 6, 4, 2, 0
#define DODD_DOWN  7, 5, 3, 1
#define BACKWARDS  3, 2, 1, 0
#else
#define EVEN       0, 2, 4, 6
#define ODD        1, 3, 5, 7
#define DEVEN      0, 2
#define DODD       1, 3
#define DEVEN_DOWN 2, 0
#define DODD_DOWN  3, 1
#define BACKWARDS  1, 0
#endif

typedef struct band {
    int first, vectors;   // bins [first, first + vectors * VLANES)
    const float *weights; // [vectors * VLANES]
} band;

typedef struct mel {
    mel_settings s;
    fft *transform;
    bool packed;                           // n_fft / 2 complex points, to be untangled; else real
    int bins, groups;                      // groups of VLANES bands
    double *window;                        // [n_fft]; halved when packed
    double *cosine, *sine;                 // [n_fft / 4 + 1 + DLANES] of 2 pi k / n_fft
    band *bands;                           // [groups * VLANES]: those behind n_mels are empty
    const chroma_turn *turn;               // NULL: classes, or none
    size_t at_spectrum, at_power, at_sums; // bytes into scratch; windowed samples come first
} mel;

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void pack_band(band *b, const float *row, int bins, arena *a)
{
    int lo = 0, hi = bins;
    while (lo < hi && row[lo] == 0)
        lo++;
    while (hi > lo && row[hi - 1] == 0)
        hi--;
    b->first = lo < hi ? lo : 0;
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
    m->bands = NEW(a, band, (size_t)(m->groups * VLANES));
    for (int b = 0; b < m->s.n_mels; b++)
        pack_band(&m->bands[b], bank + (size_t)b * (size_t)m->bins, m->bins, a);
    arena_free(&dense);
}

// Windows and twiddle factors. Transforms too short for two vectors, or odd ones, are real.
static void prepare(mel *m, arena *a)
{
    int n = m->s.n_fft, twiddles = n / 4 + 1 + DLANES;
    m->packed = n % 2 == 0 && n >= 4 * DLANES;
    m->window = NEW(a, double, (size_t)n);
    for (int t = 0; t < n; t++)
        m->window[t] = mel_window_at(&m->s, t) * (m->packed ? 0.5 : 1);
    m->cosine = NEW(a, double, (size_t)twiddles);
    m->sine = NEW(a, double, (size_t)twiddles);
    for (int k = 0; k < twiddles; k++) {
        m->cosine[k] = cos(2 * M_PI * k / n);
        m->sine[k] = sin(2 * M_PI * k / n);
    }
}

static bool mel_open(feature *f, err *e)
{
    mel *m = NEW(&f->memory, mel, 1);
    const mel_settings *s = f->settings;
    f->state = m;
    m->s = *s;
    m->bins = s->n_fft / 2 + 1;
    m->groups = (s->n_mels + VLANES - 1) / VLANES;
    prepare(m, &f->memory);
    pack_bank(m, &f->memory);
    if (s->chroma == MEL_CHROMA_KEY) {
        chroma_turn *turn = NEW(&f->memory, chroma_turn, 1);
        chroma_turn_open(turn);
        m->turn = turn;
    }
    f->rate = s->sample_rate;
    f->width = s->n_mels;
    f->span = s->n_fft;
    f->hop = s->hop_length;
    f->before = s->center ? s->n_fft / 2 : 0;
    f->reflect = s->pad == MEL_REFLECT;
    f->normal = (normal_kind)s->normalise;
    f->level = s->level;
    f->whole = s->top_db > 0 || f->normal || f->level;
    m->at_spectrum = rounded((size_t)s->n_fft * sizeof(double));
    m->at_power = m->at_spectrum + rounded((size_t)m->bins * 2 * sizeof(double));
    m->at_sums = m->at_power + rounded((size_t)(m->bins + VLANES) * sizeof(float));
    f->scratch = m->at_sums + rounded((size_t)(m->groups * VLANES) * sizeof(float));
    m->transform =
        fft_open(m->packed ? FFT_COMPLEX : FFT_REAL, m->packed ? s->n_fft / 2 : s->n_fft, e);
    return m->transform != NULL;
}

static void mel_close(feature *f)
{
    mel *m = f->state;
    if (m)
        fft_close(m->transform);
}

static inline vf load(const float *x)
{
    return *(const vf *)x;
}

static inline vd load_double(const double *x)
{
    return *(const vd *)x;
}

static inline vh square(vd re, vd im)
{
    return __builtin_convertvector(re * re + im * im, vh);
}

// Z [M] complex points (room for one more) -> powers p [M + 1]. The last step may go beyond the
// middle: it writes the same bins again.
static void untangle(const mel *m, double *Z, float *p)
{
    int half = m->s.n_fft / 2;
    Z[2 * half] = Z[0];
    Z[2 * half + 1] = Z[1];
    for (int k = 0; k <= half / 2; k += DLANES) {
        int mirror = half - k - DLANES + 1;
        vd up = load_double(Z + 2 * k), up2 = load_double(Z + 2 * k + DLANES);
        vd down = load_double(Z + 2 * mirror), down2 = load_double(Z + 2 * mirror + DLANES);
        // A = a + ib
        vd a = __builtin_shufflevector(up, up2, DEVEN), b = __builtin_shufflevector(up, up2, DODD);
        // B = c - id
        vd c = __builtin_shufflevector(down, down2, DEVEN_DOWN),
           d = __builtin_shufflevector(down, down2, DODD_DOWN);
        vd co = load_double(m->cosine + k), si = load_double(m->sine + k);
        vd twiddled_re = co * (b + d) - si * (a - c), twiddled_im = -co * (a - c) - si * (b + d);
        vh mirrored = square(a + c - twiddled_re, b - d - twiddled_im);
        *(vh *)(p + k) = square(a + c + twiddled_re, b - d + twiddled_im);
        *(vh *)(p + mirror) = __builtin_shufflevector(mirrored, mirrored, BACKWARDS);
    }
}

static void powers(const mel *m, double *X, float *p)
{
    if (m->packed)
        untangle(m, X, p);
    else
        for (int k = 0; k < m->bins; k++)
            p[k] = (float)(X[2 * k] * X[2 * k] + X[2 * k + 1] * X[2 * k + 1]);
    if (m->s.power == 1)
        for (int k = 0; k < m->bins; k++)
            p[k] = sqrtf(p[k]);
}

// Neighbouring lanes added: the first half of the result is of a, the second of b.
static inline vf add_pairs(vf a, vf b)
{
    return __builtin_shufflevector(a, b, EVEN) + __builtin_shufflevector(a, b, ODD);
}

// The bank on one spectrum. p has VLANES zeros behind its bins, sums room for whole groups.
static void apply(const mel *m, const float *p, float *sums)
{
    for (int g = 0; g < m->groups; g++) {
        const band *b = m->bands + g * VLANES;
        vf lanes[VLANES];
        for (int i = 0; i < VLANES; i++, b++) {
            vf sum = {0};
            for (int v = 0; v < b->vectors; v++)
                sum += load(b->weights + v * VLANES) * load(p + b->first + v * VLANES);
            lanes[i] = sum;
        }
        for (int n = VLANES / 2; n > 0; n /= 2)
            for (int i = 0; i < n; i++)
                lanes[i] = add_pairs(lanes[2 * i], lanes[2 * i + 1]);
        *(vf *)(sums + g * VLANES) = lanes[0];
    }
}

static void logarithms(const mel_settings *s, const float *restrict sums, float *restrict out)
{
    int n = s->n_mels;
    float least = (float)s->log_floor,
          scale = s->log == MEL_LOG_DB ? 4.34294481903251828f * (float)(s->power == 1 ? 2 : 1) : 1;
    if (s->log == MEL_LOG_NONE)
        memcpy(out, sums, (size_t)n * sizeof *out);
    else if (s->log == MEL_LOG_LN)
        for (int b = 0; b < n; b++)
            out[b] = vm_log(sums[b] + least);
    else
        for (int b = 0; b < n; b++)
            out[b] = scale * vm_log(sums[b] > least ? sums[b] : least);
}

// The largest of n samples, as what it is among powers or magnitudes.
static float level(const float *restrict x, int n, int power)
{
    float most = 0;
    for (int t = 0; t < n; t++)
        most = fabsf(x[t]) > most ? fabsf(x[t]) : most;
    return power == 2 ? most * most : most;
}

static void windowing(const float *restrict x, const double *restrict w, int n,
                      double *restrict out)
{
    for (int t = 0; t < n; t++)
        out[t] = (double)x[t] * w[t];
}

// The samples that the next frame adds are on their way while this one is computed: hardware does
// not look ahead across such jumps.
static void fetch(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16)
        __builtin_prefetch(x + i);
}

static void mel_frames(const feature *f, const float *x, int64_t count, float *out, void *scratch)
{
    const mel *m = f->state;
    char *base = scratch;
    double *windowed = scratch, *X
    = (double *)(base + m->at_spectrum);
    float *p = (float *)(base + m->at_power), *sums = (float *)(base + m->at_sums);
    memset(p + m->bins, 0, VLANES * sizeof *p);
    for (int64_t i = 0; i < count; i++, x += f->hop, out += f->width) {
        windowing(x, m->window, m->s.n_fft, windowed);
        if (i + 1 < count)
            fetch(x + f->span, f->hop);
        fft_run(m->transform, windowed, X);
        powers(m, X, p);
        apply(m, p, sums);
        if (m->s.level)
            sums[m->s.n_mels - 1] = level(x, m->s.n_fft, m->s.power);
        logarithms(&m->s, sums, out);
        if (m->turn)
            chroma_turn_run(m->turn, out + mel_bands(&m->s));
    }
}

static void mel_finish(const feature *f, float *out, int64_t n, float most)
{
    const mel *m = f->state;
    float least = m->s.top_db > 0 ? most - (float)m->s.top_db : -INFINITY;
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

static void remark(const void *settings, strbuf *out)
{
    mel_remark(settings, out);
}

const feature_def VARIANT(feature_mel) = {
    .name = "mel",
    .help = "Mel spectrogram: energy in bands spaced as the ear hears them",
    .table = mel_table,
    .table_n = &mel_table_n,
    .settings_size = sizeof(mel_settings),
    .set = set,
    .resolve = resolve,
    .remark = remark,
    .open = mel_open,
    .close = mel_close,
    .frames = mel_frames,
    .finish = mel_finish,
};
