// SPDX-License-Identifier: GPL-3.0-or-later
// chroma.h: how much of a spectrum sounds in each of the twelve pitch classes, C first, whatever
// the octave: what is heard of harmony where bands of a mel scale, some of them several semitones
// wide, say little.
//
// A bin's place p (semitones above A of 27.5 Hz) is shared among classes by a bell around each, as
// wide as the bins lie apart there (w, at least a semitone):
//
//     bank[c][k] = exp(-2 (d / w)^2) / |...|             over c: length 1
//     d          = p - c, turned by whole octaves to within [-6, 6)
//
// The same weights as librosa.filters.chroma (0.11) with octwidth None: every octave counts alike,
// of 440 Hz, without an estimate of tuning.
#ifndef KMIDI_DATA_AUDIO_CHROMA_H
#define KMIDI_DATA_AUDIO_CHROMA_H

enum { CHROMA_CLASSES = 12 };

// bank [CHROMA_CLASSES][n_fft / 2 + 1]
void chroma_bank(int sample_rate, int n_fft, float *bank);

#endif
