// SPDX-License-Identifier: GPL-3.0-or-later
// mel.h: the settings of a mel spectrogram, and the window and filter bank that follow from them.
//
//     X[k]  = sum over t < n_fft of w[t] x[t] exp(-2 pi i k t / n_fft)
//     m[b]  = sum over k of bank[b][k] |X[k]|^power
//     value = log(m[b])        decibels, natural logarithm, or as it is
//
// w: periodic Hann window of win_length, centred in n_fft; bank: triangles, evenly spaced on a mel
// scale.
//
// Libraries differ in nearly every choice (librosa and torchaudio: formats.md 3.9), so each choice
// is a setting with a name; presets `librosa` and `torchaudio` are those libraries' own defaults. A
// preset is only a starting point: what is stored and compared are the effective settings.
//
//     mel_settings s = {0};
//     mel_set(&s, "preset", "librosa", e) && mel_set(&s, "sample_rate", "16000", e) &&
//         mel_resolve(&s, e)
#ifndef KMIDI_DATA_AUDIO_MEL_H
#define KMIDI_DATA_AUDIO_MEL_H

#include <stdint.h>

#include "base/err.h"
#include "base/setting.h"

typedef enum mel_preset { MEL_PRESET_NONE, MEL_PRESET_LIBROSA, MEL_PRESET_TORCHAUDIO } mel_preset;
typedef enum mel_scale { MEL_SLANEY, MEL_HTK } mel_scale;
typedef enum mel_norm { MEL_NORM_NONE, MEL_NORM_SLANEY } mel_norm;
typedef enum mel_pad { MEL_REFLECT, MEL_CONSTANT } mel_pad;
typedef enum mel_nyquist { MEL_NYQUIST_EXACT, MEL_NYQUIST_FLOOR } mel_nyquist;
typedef enum mel_log { MEL_LOG_NONE, MEL_LOG_DB, MEL_LOG_LN, MEL_LOG_LN_CLAMP } mel_log;
typedef enum mel_normalise {
    MEL_NORMALISE_NONE,
    MEL_NORMALISE_ITEM,
    MEL_NORMALISE_BANDS
} mel_normalise;
typedef enum mel_chroma { MEL_CHROMA_NONE, MEL_CHROMA_CLASSES, MEL_CHROMA_KEY } mel_chroma;
typedef enum mel_resampler { MEL_SOXR_HQ } mel_resampler;

enum { MEL_BANDS = 4096 };

typedef struct mel_settings {
    uint32_t given;    // which rows of the table were set; the preset fills the others
    int preset;        // mel_preset
    int sample_rate;   // Hz; audio is resampled to it by `resampler`
    int resampler;     // mel_resampler
    int n_fft;         // samples of a transform
    int win_length;    // samples under the window, <= n_fft
    int hop_length;    // samples from frame to frame
    int n_mels;        // bands, at most MEL_BANDS
    double fmin, fmax; // Hz: lower edge of the first band, upper edge of the last
    int scale;         // mel_scale
    int norm;          // mel_norm; slaney: each triangle's area is 1 (in Hz)
    double overlap;    // triangles begin and end so many bands from their tops
    // mel_nyquist; floor: bins spread over 0 .. sample_rate / 2 rounded down, as torchaudio does at
    // odd rates
    int nyquist;
    int power; // 1: magnitude, 2: power
    // frame i is centred on sample i * hop_length, the ends filled up; else it begins there
    bool center;
    int pad; // mel_pad
    // db: 10 log10(max(m, log_floor)), 20 log10 with power 1; ln: ln(m + log_floor); ln_clamp:
    // ln(max(m, log_floor))
    int log;
    double log_floor;
    double top_db; // db: nothing lies further below the largest value of the whole; 0: no limit
    // mel_normalise: mean 0 and deviation 1 of a recording's values, of all or of each band, behind
    // all else (data/features/feature_normal.h)
    int normalise;
    // mel_chroma: whether the last CHROMA_CLASSES of n_mels are pitch classes (chroma.h) instead of
    // bands, as they are or turned to their key (data/features/chroma_turn.h)
    int chroma;
    // the last of n_mels is no band but how loud the recording gets: the largest sample of all its
    // frames, to the same power and in the same logarithm, alike in every frame
    bool level;
} mel_settings;

extern const config_key mel_table[];
extern const size_t mel_table_n;

// Sets one setting from text, in any order, `preset` among them. ERR_CONFIG.
bool mel_set(mel_settings *s, const char *name, const char *value, err *e) MUST_CHECK;
// Fills what was not given from the preset and checks what belongs together. Then all fields hold
// effective values.
bool mel_resolve(mel_settings *s, err *e) MUST_CHECK;

// The window at sample t of n_fft: zero around win_length. mel_window: all of it, [n_fft].
double mel_window_at(const mel_settings *s, int t);
void mel_window(const mel_settings *s, float *window);
// Those of n_mels that are bands of the mel scale.
int mel_bands(const mel_settings *s);
// The filter bank, [n_mels][n_fft / 2 + 1], row-major; the level's row is zeros. Returns how many
// bands have no bin at all (too many bands for n_fft).
int mel_bank(const mel_settings *s, float *bank);
// One line about settings that are allowed and likely a mistake (empty bands); adds nothing where
// there is nothing to say.
void mel_remark(const mel_settings *s, strbuf *out);
// Mel to Hz and back.
double mel_from_hz(mel_scale scale, double hz);
double mel_to_hz(mel_scale scale, double mel);

// The formulas above as they stand, in double precision, transform by its definition: O(n_fft^2) a
// frame. What the fast kernel is tested against. out [frames][n_mels] with the number of frames of
// feature_frames.
void mel_reference(const mel_settings *s, const float *samples, int64_t n, int64_t frames,
                   float *out);

#endif
