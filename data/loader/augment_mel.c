// SPDX-License-Identifier: GPL-3.0-or-later
// augment_mel.c: numbers added to bands (augment_mel.h). 10 dB are a factor of ten in power and of
// sqrt(10) in magnitude.
#include "data/loader/augment_mel.h"

#include <math.h>

#include "data/audio/augment_clip.h"
#include "data/audio/chroma.h"

bool augment_mel_bands(const mel_settings *s, arena *a, augment_mel *m, err *e)
{
    if (s->log == MEL_LOG_NONE)
        return err_set(e, ERR_CONFIG,
                       "frames without logarithm (mel.log: none) cannot be tilted or made louder "
                       "while they are loaded; take "
                       "data.augment.tilt and data.augment.gain out");
    if (s->normalise)
        return err_set(e, ERR_CONFIG,
                       "frames that are normalised within each recording (mel.normalise) cannot be "
                       "tilted or made louder while they are loaded; take data.augment.tilt and "
                       "data.augment.gain out");
    double low = mel_from_hz((mel_scale)s->scale, s->fmin),
           high = mel_from_hz((mel_scale)s->scale, s->fmax);
    float *octave = NEW(a, float, (size_t)s->n_mels);
    // a pitch class is of all octaves, so no tilt moves it
    for (int b = 0; b < mel_bands(s); b++) {
        double hz =
            mel_to_hz((mel_scale)s->scale, low + (high - low) * (b + 1) / (mel_bands(s) + 1));
        octave[b] = (float)log2(fmax(hz, TILT_LEAST) / TILT_PIVOT);
    }
    m->octave = octave;
    m->turned = s->chroma == MEL_CHROMA_KEY ? CHROMA_CLASSES : 0;
    // decibels count both powers alike
    m->per_db = s->log == MEL_LOG_DB ? 1 : M_LN10 / (s->power == 1 ? 20 : 10);
    return true;
}

void augment_mel_row(const augment_mel *m, rng draws, uint64_t epoch, uint64_t position,
                     const float *deviation, int64_t frames, int n_mels, float *x)
{
    if (m->tilt == 0 && m->gain == 0)
        return;
    double tilt = m->tilt * (2 * (double)rng_uniform(draws, epoch, (uint32_t)position * 2) - 1);
    double gain = m->gain * (2 * (double)rng_uniform(draws, epoch, (uint32_t)position * 2 + 1) - 1);
    for (int b = 0; b < n_mels - m->turned; b++) {
        float by = (float)(m->per_db * (gain + tilt * (double)m->octave[b]) /
                           (deviation ? (double)deviation[b] : 1));
        for (int64_t t = 0; t < frames; t++)
            x[t * n_mels + b] += by;
    }
}
