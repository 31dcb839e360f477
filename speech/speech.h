// SPDX-License-Identifier: GPL-3.0-or-later
// speech.h: words as sound, under an emotion, by libespeak-ng: the one file that knows it is
// speech_espeak.c.
//
//     speech_setting s = {.language = "en", .prosody = speech_prosody_of(0.9, 0.8)};
//     speech_sound out;
//     speech_say(&s, "It is done", &out, e) && clip_write_wav("x.wav", out.samples, out.frames,
//         out.rate, e)
//     speech_free(&out)
//
// The voice is set by its own knobs of pitch, range, rate and gaps; loudness is a factor of the
// samples, that of no emotion at -9 dB of what the synthesiser gives, so that none is cut. Text of
// any script and length is spoken, in parts of a few sentences, each in a process of its own
// (base/worker.h): the synthesiser had its overflows.
#ifndef KMIDI_SPEECH_SPEECH_H
#define KMIDI_SPEECH_SPEECH_H

#include "base/arena.h"
#include "base/env.h"
#include "base/err.h"
#include "base/str.h"

enum { SPEECH_TEXT = 1 << 18, SPEECH_LANGUAGE = 32 };

typedef struct speech_prosody {
    double pitch, range, rate, loudness, gaps; // as voices.def has them
} speech_prosody;

// Of a point of valence and arousal: the mean of all rows of the table, each weighed by
// 1 / distance^4 from where data/music/emotions.def has its emotion; the row itself where it is
// there. By name: its row, or that of its point.
speech_prosody speech_prosody_of(double valence, double arousal);
speech_prosody speech_prosody_named(const char *emotion, double valence, double arousal);

typedef struct speech_setting {
    const char *language; // as the synthesiser calls it: "en", "de", "pt-br"
    speech_prosody prosody;
    const env *env;
} speech_setting;

typedef struct speech_sound {
    float *samples; // [frames], mono, -1..1
    int64_t frames;
    int rate;
} speech_sound;

// ERR_USAGE: no such language (the nearest), a text that is too long; ERR_EMPTY: nothing to say in
// it; ERR_CRASH, ERR_TIMEOUT of the synthesiser.
bool speech_say(const speech_setting *s, const char *text, speech_sound *out, err *e) MUST_CHECK;
void speech_free(speech_sound *s);
const char *speech_library(void);

// ---- For speech.c and speech_espeak.c

typedef struct speech_part { // what a worker gets; its text stands behind it
    char language[SPEECH_LANGUAGE];
    speech_prosody prosody;
} speech_part;

enum { SPEECH_NO_LANGUAGE = 'L', SPEECH_SAMPLES = 'S' };
// A worker_fn: 'S', the rate as an int32, 16-bit samples; or 'L' and the languages, a line each.
bool speech_part_say(void *user, const void *item, size_t n, strbuf *out, err *e);

#endif
