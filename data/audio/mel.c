// SPDX-License-Identifier: GPL-3.0-or-later
// mel.c: settings, window and filter bank of mel spectrograms (mel.h). The arithmetic of frames is
// in features/mel.c.
//
// Reference: librosa 0.11 (filters.mel, feature.melspectrogram), torchaudio 2.11
// (functional.melscale_fbanks, transforms.MelSpectrogram); Slaney, "Auditory Toolbox" (1998); Young
// et al., "The HTK Book". tests/golden/mel.py made numbers of both.
#include "data/audio/mel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "data/audio/chroma.h"
#include "data/audio/resample.h"

#define ROW(field, type)     "mel." #field, CONFIG_##type, KEY_AT(mel_settings, field)
#define CHOICE(field, words) ROW(field, ENUM), .choices = words

const config_key mel_table[] = {
    {CHOICE(preset, "none|librosa|torchaudio"),
     .help = "where settings that are not given come from: librosa and "
             "torchaudio are those libraries' own defaults"},
    {ROW(sample_rate, INT), .min = 1000, .max = 768000,
     .help = "Hz; audio of another rate is resampled"},
    {CHOICE(resampler, RESAMPLE_NAME),
     .help = "by what audio is resampled: libsoxr at its quality HQ"},
    {ROW(n_fft, INT), .min = 16, .max = 65536, .help = "samples of a Fourier transform"},
    {ROW(win_length, INT), .min = 1, .max = 65536, .zero = "auto",
     .help = "samples under the Hann window; auto: n_fft"},
    {ROW(hop_length, INT), .min = 1, .max = 1 << 20, .zero = "auto",
     .help = "samples from frame to frame; auto: half of win_length"},
    {ROW(n_mels, INT), .min = 1, .max = MEL_BANDS, .help = "bands"},
    {ROW(fmin, NUMBER), .min = 0, .max = 384000, .help = "Hz, lower edge of the first band"},
    {ROW(fmax, NUMBER), .min = 1, .max = 384000, .zero = "auto",
     .help = "Hz, upper edge of the last band; auto: half of sample_rate"},
    {CHOICE(scale, "slaney|htk"), .help = "mel scale"},
    {CHOICE(norm, "none|slaney"),
     .help = "slaney: each band's triangle has area 1; none: height 1"},
    {ROW(overlap, NUMBER), .min = 1, .max = 64, .unsaid = "1",
     .help =
         "how many bands each triangle reaches to either side: 1 to the next one's top, as in "
         "librosa; 8: eight times as wide, so that pitch and single formants are not told apart"},
    {CHOICE(nyquist, "exact|floor"),
     .help = "floor: half of an odd sample_rate is rounded down, as torchaudio does"},
    {ROW(power, INT), .min = 1, .max = 2, .help = "1: magnitudes, 2: powers"},
    {ROW(center, BOOL),
     .help =
         "frame i is centred on sample i * hop_length, the ends filled up; false: it begins there"},
    {CHOICE(pad, "reflect|constant"),
     .help = "what the ends are filled with: the signal reflected, or zeros"},
    {CHOICE(log, "none|db|ln|ln_clamp"),
     .help = "db: decibels of max(x, log_floor); ln: ln(x + log_floor); "
             "ln_clamp: ln(max(x, log_floor))"},
    {ROW(log_floor, NUMBER), .min = 1e-37, .max = 1, .zero = "auto",
     .help = "keeps logarithms finite; auto: 1e-10 for db, 1e-6 for ln, 1e-5 for ln_clamp"},
    {ROW(top_db, NUMBER), .min = 0, .max = 1000, .zero = "none",
     .help = "with db: no value lies further below the largest of the file"},
    {CHOICE(normalise, "none|item|bands"), .unsaid = "none",
     .help = "mean 0 and deviation 1 within each recording, so that its loudness and range are not "
             "heard: item: of all its values; bands: of each band's"},
    {CHOICE(chroma, "none|classes|key"), .unsaid = "none",
     .help = "the last 12 of the n_mels values of a frame are pitch classes, whatever the octave, "
             "with as many fewer bands before them: classes: from C up (librosa's chroma_stft); "
             "key: from the tonic of the frame's key, so that transposing changes nothing"},
    {ROW(level, BOOL), .unsaid = "false",
     .help = "the last of the n_mels values of a frame is the largest sample of the whole "
             "recording, in the logarithm of the bands, of which there is one fewer: bands say how "
             "much sounds, and not how high it peaks"},
};
const size_t mel_table_n = sizeof mel_table / sizeof *mel_table;

// Zero where a value follows from others (mel_resolve). `none` is what the program's own emotion
// model likes: 16 kHz, 20 ms a frame.
static const mel_settings preset_values[] = {
    [MEL_PRESET_NONE] = {.sample_rate = 16000,
                         .n_fft = 1024,
                         .hop_length = 320,
                         .n_mels = 128,
                         .scale = MEL_SLANEY,
                         .norm = MEL_NORM_SLANEY,
                         .overlap = 1,
                         .power = 2,
                         .center = true,
                         .pad = MEL_REFLECT,
                         .log = MEL_LOG_LN},
    [MEL_PRESET_LIBROSA] = {.sample_rate = 22050,
                            .n_fft = 2048,
                            .hop_length = 512,
                            .n_mels = 128,
                            .scale = MEL_SLANEY,
                            .norm = MEL_NORM_SLANEY,
                            .overlap = 1,
                            .power = 2,
                            .center = true,
                            .pad = MEL_CONSTANT,
                            .log = MEL_LOG_DB,
                            .top_db = 80},
    [MEL_PRESET_TORCHAUDIO] = {.sample_rate = 16000,
                               .n_fft = 400,
                               .n_mels = 128,
                               .scale = MEL_HTK,
                               .norm = MEL_NORM_NONE,
                               .overlap = 1,
                               .power = 2,
                               .nyquist = MEL_NYQUIST_FLOOR,
                               .center = true,
                               .pad = MEL_REFLECT,
                               .log = MEL_LOG_DB},
};

bool mel_set(mel_settings *s, const char *name, const char *value, err *e)
{
    const config_key *d = setting_find(mel_table, mel_table_n, name, e);
    if (!d || !setting_parse(d, s, value, e))
        return false;
    s->given |= 1u << (d - mel_table);
    return true;
}

// Rows that were not given get the value of `from`.
static void fill(mel_settings *s, const mel_settings *from)
{
    strbuf text = {0};
    for (size_t i = 0; i < mel_table_n; i++)
        if (!(s->given & 1u << i)) {
            text.len = 0;
            setting_print(&mel_table[i], from, &text);
            CHECK(setting_parse(&mel_table[i], s, text.s, NULL));
        }
    strbuf_free(&text);
}

// Settings that change nothing are put to one value, so that equal spectrograms have equal
// settings.
static void normalise(mel_settings *s)
{
    if (s->sample_rate % 2 == 0 && s->n_fft % 2 == 0)
        s->nyquist = MEL_NYQUIST_EXACT;
    if (!s->center)
        s->pad = MEL_CONSTANT;
    if (s->log == MEL_LOG_NONE)
        s->log_floor = 0;
    if (s->log != MEL_LOG_DB)
        s->top_db = 0;
}

bool mel_resolve(mel_settings *s, err *e)
{
    static const double floors[] = {
        [MEL_LOG_NONE] = 0, [MEL_LOG_DB] = 1e-10, [MEL_LOG_LN] = 1e-6, [MEL_LOG_LN_CLAMP] = 1e-5};
    int preset = s->preset;
    fill(s, &preset_values[preset]);
    s->preset = preset;
    if (!s->win_length)
        s->win_length = s->n_fft;
    if (!s->hop_length)
        s->hop_length = s->win_length > 1 ? s->win_length / 2 : 1;
    if (s->fmax == 0)
        s->fmax = s->nyquist == MEL_NYQUIST_FLOOR ? s->sample_rate / 2 : s->sample_rate / 2.0;
    if (s->log_floor == 0)
        s->log_floor = floors[s->log];
    if (s->win_length > s->n_fft)
        return err_set(e, ERR_CONFIG,
                       "win_length %d is over n_fft %d; lower one or raise the other",
                       s->win_length, s->n_fft);
    if (s->fmax > s->sample_rate / 2.0)
        return err_set(
            e, ERR_CONFIG,
            "fmax %g Hz is over half of the sample rate %d Hz; lower fmax or raise sample_rate",
            s->fmax, s->sample_rate);
    if ((s->normalise || s->chroma == MEL_CHROMA_KEY) && s->log == MEL_LOG_NONE)
        return err_set(e, ERR_CONFIG, "%s is of logarithms, and log is none; set log to ln or db",
                       !s->normalise                        ? "chroma key"
                       : s->normalise == MEL_NORMALISE_ITEM ? "normalise item"
                                                            : "normalise bands");
    if (s->chroma && s->n_mels <= CHROMA_CLASSES)
        return err_set(e, ERR_CONFIG,
                       "chroma takes %d of n_mels %d and leaves no band; raise n_mels",
                       CHROMA_CLASSES, s->n_mels);
    if (s->level && (s->chroma || s->top_db > 0 || s->n_mels < 2))
        return err_set(e, ERR_CONFIG, "level stands beside bands without a limit; leave %s",
                       s->chroma       ? "chroma out"
                       : s->top_db > 0 ? "top_db out (top_db: none)"
                                       : "it a band: raise n_mels");
    if (s->fmin >= s->fmax)
        return err_set(e, ERR_CONFIG, "fmin %g Hz is not below fmax %g Hz; change one of them",
                       s->fmin, s->fmax);
    normalise(s);
    s->given = (1u << mel_table_n) - 1;
    return true;
}

// A window of one sample is that sample, as in librosa and torch: the formula would give 0.
double mel_window_at(const mel_settings *s, int t)
{
    int left = (s->n_fft - s->win_length) / 2;
    if (s->win_length == 1)
        return t == left;
    return t >= left && t < left + s->win_length
               ? 0.5 - 0.5 * cos(2 * M_PI * (t - left) / s->win_length)
               : 0;
}

void mel_window(const mel_settings *s, float *window)
{
    for (int t = 0; t < s->n_fft; t++)
        window[t] = (float)mel_window_at(s, t);
}

// Slaney: linear below 1 kHz (200 / 3 Hz a mel), logarithmic above (27 steps for a factor of 6.4).
double mel_from_hz(mel_scale scale, double hz)
{
    if (scale == MEL_HTK)
        return 2595 * log10(1 + hz / 700);
    return hz < 1000 ? hz * 3 / 200 : 15 + 27 * log(hz / 1000) / log(6.4);
}

double mel_to_hz(mel_scale scale, double mel)
{
    if (scale == MEL_HTK)
        return 700 * (pow(10, mel / 2595) - 1);
    return mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27);
}

static double bin_hz(const mel_settings *s, int k)
{
    if (s->nyquist == MEL_NYQUIST_FLOOR)
        return (double)k * (s->sample_rate / 2) / (s->n_fft / 2);
    return (double)k * s->sample_rate / s->n_fft;
}

void mel_remark(const mel_settings *s, strbuf *out)
{
    arena a = {.name = "mel bank"};
    int empty = mel_bank(s, NEW(&a, float, (size_t)s->n_mels *(size_t)(s->n_fft / 2 + 1)));
    arena_free(&a);
    if (empty)
        strbuf_printf(out,
                      "%d of the %d mel bands are empty: no frequency of n_fft %d lies in them, "
                      "and they will be the same in every frame; "
                      "raise n_fft or lower n_mels",
                      empty, s->n_mels, s->n_fft);
}

int mel_bands(const mel_settings *s)
{
    return s->n_mels - (s->chroma ? CHROMA_CLASSES : 0) - s->level;
}

int mel_bank(const mel_settings *s, float *bank)
{
    int bins = s->n_fft / 2 + 1, bands = mel_bands(s), empty = 0;
    if (s->chroma)
        chroma_bank(s->sample_rate, s->n_fft, bank + (size_t)bands * (size_t)bins);
    if (s->level)
        memset(bank + (size_t)bands * (size_t)bins, 0, (size_t)bins * sizeof *bank);
    double low = mel_from_hz(s->scale, s->fmin),
           step = (mel_from_hz(s->scale, s->fmax) - low) / (bands + 1);
    for (int b = 0; b < bands; b++) {
        double middle = b + 1, left = mel_to_hz(s->scale, low + (middle - s->overlap) * step),
               top = mel_to_hz(s->scale, low + middle * step),
               right = mel_to_hz(s->scale, low + (middle + s->overlap) * step),
               height = s->norm == MEL_NORM_SLANEY ? 2 / (right - left) : 1;
        bool any = false;
        for (int k = 0; k < bins; k++) {
            double hz = bin_hz(s, k), up = (hz - left) / (top - left),
                   down = (right - hz) / (right - top);
            double w = fmax(0, fmin(up, down)) * height;
            bank[(size_t)b * (size_t)bins + (size_t)k] = (float)w;
            any |= w > 0;
        }
        empty += !any;
    }
    return empty;
}
