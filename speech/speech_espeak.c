// SPDX-License-Identifier: GPL-3.0-or-later
// speech_espeak.c: one part of a text through libespeak-ng, in a worker (speech.h).
//
// Its state is global and its callback is told of no object before the first sound, so a process
// speaks one part at a time, which a worker does. Its pitch of 0 to 100 is 2^((p - 50) / 50) of the
// voice's own (pitch_adjust_tab of intonation.c), a range of 50 its own range, a gap of 1 is 10 ms.
#include <espeak-ng/speak_lib.h>
#include <math.h>
#include <string.h>

#include "base/library.h"
#include "speech/speech.h"

typedef struct espeak {
    __typeof__(espeak_Initialize) *initialize;
    __typeof__(espeak_ListVoices) *list_voices;
    __typeof__(espeak_SetVoiceByName) *set_voice;
    __typeof__(espeak_SetParameter) *set;
    __typeof__(espeak_SetSynthCallback) *set_callback;
    __typeof__(espeak_Synth) *synth;
    __typeof__(espeak_Info) *info;
} espeak;

static const library_function functions[] = {
    {"espeak_Initialize", offsetof(espeak, initialize)},
    {"espeak_ListVoices", offsetof(espeak, list_voices)},
    {"espeak_SetVoiceByName", offsetof(espeak, set_voice)},
    {"espeak_SetParameter", offsetof(espeak, set)},
    {"espeak_SetSynthCallback", offsetof(espeak, set_callback)},
    {"espeak_Synth", offsetof(espeak, synth)},
    {"espeak_Info", offsetof(espeak, info)},
};
static const library libespeak = {"libespeak-ng", LIBRARY_FILES("espeak-ng", "1"), functions,
                                  sizeof functions / sizeof *functions};

enum { WORDS_A_MINUTE = 175, GAP_MOST = 30, GAP_OWN = 2 };

static int clamp(double x, int lo, int hi)
{
    return x < lo ? lo : x > hi ? hi : (int)lrint(x);
}

static int take(short *samples, int n, espeak_EVENT *events)
{
    if (samples && n > 0)
        strbuf_add(events->user_data, (const char *)samples, (size_t)n * sizeof *samples);
    return 0;
}

static void list_languages(const espeak *s, strbuf *out)
{
    strbuf_add(out, (const char[]){SPEECH_NO_LANGUAGE}, 1);
    for (const espeak_VOICE **v = s->list_voices(NULL); v && *v; v++)
        if ((*v)->languages && (*v)->languages[0])
            strbuf_printf(out, "%s\n", (*v)->languages + 1); // behind its priority
}

static void set_voice(const espeak *s, const speech_prosody *p)
{
    s->set(espeakPITCH, clamp(50 + 50 * p->pitch / 12, 0, 100), 0);
    s->set(espeakRANGE, clamp(50 * p->range, 0, 100), 0);
    s->set(espeakRATE, clamp(WORDS_A_MINUTE * p->rate, espeakRATE_MINIMUM, espeakRATE_MAXIMUM), 0);
    s->set(espeakWORDGAP, clamp(GAP_OWN * (p->gaps - 1) * 2, 0, GAP_MOST), 0);
}

bool speech_part_say(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    speech_part p;
    espeak s;
    (void)user;
    if (!library_open(&libespeak, &s, e))
        return false;
    memcpy(&p, item, sizeof p);
    const char *text = (const char *)item + sizeof p;
    int32_t rate = s.initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, NULL, espeakINITIALIZE_DONT_EXIT);
    if (rate <= 0)
        return err_set(e, ERR_MISSING,
                       "the voices of espeak-ng are missing; install the package espeak-ng-data");
    if (s.set_voice(p.language) != EE_OK) {
        list_languages(&s, out);
        return true;
    }
    strbuf_add(out, (const char[]){SPEECH_SAMPLES}, 1);
    strbuf_add(out, (const char *)&rate, sizeof rate);
    s.set_callback(take);
    set_voice(&s, &p.prosody);
    return s.synth(text, n - sizeof p, 0, POS_CHARACTER, 0, espeakCHARS_UTF8, NULL, out) == EE_OK ||
           err_set(e, ERR_IO, "espeak-ng could not speak");
}

const char *speech_library(void)
{
    const char *path;
    espeak s;
    return library_open(&libespeak, &s, NULL) ? s.info(&path) : "missing";
}
