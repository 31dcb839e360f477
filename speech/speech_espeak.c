// SPDX-License-Identifier: GPL-3.0-or-later
// speech_espeak.c: one part of a text through libespeak-ng, in a worker (speech.h).
//
// Its state is global and its callback is told of no object before the first sound, so a process
// speaks one part at a time, which a worker does. Its pitch of 0 to 100 is 2^((p - 50) / 50) of the
// voice's own (pitch_adjust_tab of intonation.c), a range of 50 its own range, a gap of 1 is 10 ms.
#include <espeak-ng/speak_lib.h>
#include <math.h>
#include <string.h>

#include "speech/speech.h"

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

static void list_languages(strbuf *out)
{
    strbuf_add(out, (const char[]){SPEECH_NO_LANGUAGE}, 1);
    for (const espeak_VOICE **v = espeak_ListVoices(NULL); v && *v; v++)
        if ((*v)->languages && (*v)->languages[0])
            strbuf_printf(out, "%s\n", (*v)->languages + 1); // behind its priority
}

static void set_voice(const speech_prosody *p)
{
    espeak_SetParameter(espeakPITCH, clamp(50 + 50 * p->pitch / 12, 0, 100), 0);
    espeak_SetParameter(espeakRANGE, clamp(50 * p->range, 0, 100), 0);
    espeak_SetParameter(espeakRATE,
                        clamp(WORDS_A_MINUTE * p->rate, espeakRATE_MINIMUM, espeakRATE_MAXIMUM), 0);
    espeak_SetParameter(espeakWORDGAP, clamp(GAP_OWN * (p->gaps - 1) * 2, 0, GAP_MOST), 0);
}

bool speech_part_say(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    speech_part p;
    (void)user;
    memcpy(&p, item, sizeof p);
    const char *text = (const char *)item + sizeof p;
    int32_t rate = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, NULL, espeakINITIALIZE_DONT_EXIT);
    if (rate <= 0)
        return err_set(e, ERR_MISSING,
                       "the voices of espeak-ng are missing; install the package espeak-ng-data");
    if (espeak_SetVoiceByName(p.language) != EE_OK) {
        list_languages(out);
        return true;
    }
    strbuf_add(out, (const char[]){SPEECH_SAMPLES}, 1);
    strbuf_add(out, (const char *)&rate, sizeof rate);
    espeak_SetSynthCallback(take);
    set_voice(&p.prosody);
    return espeak_Synth(text, n - sizeof p, 0, POS_CHARACTER, 0, espeakCHARS_UTF8, NULL, out) ==
               EE_OK ||
           err_set(e, ERR_IO, "espeak-ng could not speak");
}

const char *speech_library(void)
{
    const char *path;
    return espeak_Info(&path);
}
