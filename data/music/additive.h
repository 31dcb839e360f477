// SPDX-License-Identifier: GPL-3.0-or-later
// additive.h: the built-in synthesiser: four harmonics under an envelope of attack, decay, sustain
// and release, dying away where the instrument is struck or plucked. For the synthetic corpus
// (synth.h), and for hearing a MIDI file where nothing better is installed.
//
// A note of pitch p is sum over h = 1 .. 4 of amplitude[h - 1] sin(2 pi h f t), f = 440 2^((p +
// tuning - 69) / 12), harmonics above half the rate left out. The envelope rises to 1 within
// `attack`, falls to `sustain` within `decay`, both in straight lines, and from where it is when
// the note ends to 0 within `release`. Where the voice `rings`, as what is struck or plucked does,
// each of its partials also falls from the beginning on, by
//
//     4 (f / 27.5 Hz)^0.62 decibels a second
//
// so 4 for the lowest A of a piano, 16 for middle C, 90 for the highest C. Martin ("Decay rates of
// piano tones", JASA 19, 1947) measured 1 to 100, as a function of frequency above all; that
// loudness makes no difference is found by Cheng, Dixon and Mauch (ICASSP 2015).
#ifndef KMIDI_DATA_MUSIC_ADDITIVE_H
#define KMIDI_DATA_MUSIC_ADDITIVE_H

#include "data/audio/resample.h"
#include "data/midi/midi.h"

enum { ADDITIVE_HARMONICS = 4, ADDITIVE_RATE = 44100 };

typedef struct additive_voice {
    double tuning;                          // in semitones
    double amplitude[ADDITIVE_HARMONICS];   // sum 1
    double attack, decay, sustain, release; // seconds, sustain 0..1
    bool rings;
} additive_voice;

typedef struct additive_note {
    double start, length; // seconds
    int pitch;
    double gain;
} additive_note;

// A note as it sounds, block by block. Its length may be shortened while it sounds, to `at` / rate
// or later: it ends there. Once at / rate has reached length + release it is silent.
typedef struct additive_tone {
    additive_voice voice;
    double length, gain; // as of its note
    int rate, harmonics; // below half the rate
    int64_t at;          // samples since it began
    double turn_c, turn_s, c, s, level[ADDITIVE_HARMONICS], left[ADDITIVE_HARMONICS];
} additive_tone;

void additive_begin(additive_tone *t, const additive_voice *v, const additive_note *n, int rate);
void additive_run(additive_tone *t, float *x, int64_t frames); // adds
// How additive_render plays a velocity.
additive_voice additive_voice_of(int velocity, bool rings);

// Adds one note to x [frames].
void additive_play(const additive_voice *v, const additive_note *n, int rate, float *x,
                   int64_t frames);

// A song as mono samples at ADDITIVE_RATE, its loudest at 0.9 of full scale, with half a second
// behind its end. A velocity is (velocity / 127)^2 of amplitude, and the brighter the louder:
// harmonics fall as 1 / h^(2.4 - 1.2 velocity / 127). Drums and the pedal are left out. What
// General MIDI has of struck and plucked instruments rings, all others hold their tones
// (additive_rings). *samples is the caller's to free. ERR_VALUE: longer than ADDITIVE_SECONDS;
// ERR_MEMORY.
bool additive_rings(int program); // 0..127
#define ADDITIVE_SECONDS 7200.0
bool additive_render(const midi_song *s, float **samples, int64_t *frames, err *e) MUST_CHECK;

// The same at any rate.
bool additive_render_to(const midi_song *s, int rate, float **samples, int64_t *frames,
                        err *e) MUST_CHECK;

// The same at `rate`, resampled, block by block to the sink; what the sink refuses ends it.
bool additive_render_at(const midi_song *s, int rate, resample_sink *sink, void *user,
                        err *e) MUST_CHECK;

#endif
