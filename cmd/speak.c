// SPDX-License-Identifier: GPL-3.0-or-later
// speak.c: words as sound: translated where that is asked for, spoken under an emotion by espeak-ng
// or by a server with a voice of its own, written as wav; and how long each stage took.
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/hw.h"
#include "cmd/cmd.h"
#include "data/audio/clip.h"
#include "data/music/emotions.h"
#include "net/http.h"
#include "net/translate.h"
#include "speech/speech.h"

#define SERVER_SECONDS 60.0

typedef struct order {
    cmd *c;
    const char *out, *text, *emotion, *language, *by;
    double valence, arousal;
    speech_prosody prosody;
    speech_sound sound;
    double translating, speaking, writing; // seconds
} order;

static const option options[] = {
    {"out", 'o', OPT_OUT, "OUT.wav", "the sound file to write", true},
    {"emotion", 'e', OPT_TEXT, "NAME|V,A",
     "how it is said: joy, grief, anger ..., or valence and arousal (default neutral)", false},
    {"language", 'l', OPT_TEXT, "LANG", "of the words: en, de, fr, pt-br ... (default en)", false},
    {"to", 0, OPT_TEXT, "LANG", "translate first, and speak this language", false},
    {"translator", 0, OPT_TEXT, "URL",
     "translate by this server of LibreTranslate's form (default: Apertium, where it is installed)",
     false},
    {"voice-server", 0, OPT_TEXT, "URL",
     "speak by this server (POST URL/v1/audio/speech) in place of espeak-ng", false},
    {"voice", 0, OPT_TEXT, "NAME", "the server's voice (default alloy)", false},
    {0},
};

static bool take_words(order *o, err *e)
{
    strbuf all = {0};
    cmd *c = o->c;
    double intensity;
    for (int i = 0; i < c->n_args; i++)
        strbuf_printf(&all, "%s%s", i ? " " : "", c->args[i]);
    o->text = str_utf8_escape(c->arena, strbuf_keep(&all, c->arena));
    o->out = option_text(c, "out", NULL), o->emotion = option_text(c, "emotion", "neutral");
    o->language = option_text(c, "language", "en");
    if (option_given(c, "translator") && !option_given(c, "to"))
        return err_set(e, ERR_USAGE, "--translator translates to what --to says; add --to LANG");
    if (!emotion_parse(o->emotion, &o->valence, &o->arousal, &intensity, e))
        return false;
    o->prosody = speech_prosody_named(o->emotion, o->valence, o->arousal);
    return true;
}

static bool translate_words(order *o, err *e)
{
    cmd *c = o->c;
    translate_wish w = {.server = option_text(c, "translator", NULL),
                        .from = o->language,
                        .to = option_text(c, "to", NULL),
                        .seconds = SERVER_SECONDS,
                        .env = &c->env};
    if (!w.to)
        return true;
    double since = hw_seconds();
    o->text = translate(&w, o->text, c->arena, e);
    o->translating = hw_seconds() - since, o->language = w.to;
    return o->text != NULL;
}

// ---- By a server

static char *speech_body(const order *o)
{
    json *j = json_object();
    strbuf b = {0};
    json_set_str(j, "model", "tts-1");
    json_set_str(j, "input", o->text);
    json_set_str(j, "voice", option_text(o->c, "voice", "alloy"));
    json_set_str(j, "response_format", "wav");
    json_set_num(j, "speed", o->prosody.rate);
    json_dump(j, 0, &b);
    json_free(j);
    return strbuf_keep(&b, o->c->arena);
}

// Its bytes are written as they came: a wav, or nothing.
static bool speak_by_server(order *o, const char *server, err *e)
{
    http_answer got = {0};
    const char *slash = str_ends(server, "/") ? "" : "/";
    http_question q = {.url = arena_printf(o->c->arena, "%s%sv1/audio/speech", server, slash),
                       .body = speech_body(o),
                       .seconds = SERVER_SECONDS,
                       .env = &o->c->env};
    double since = hw_seconds();
    bool ok = http_ask(&q, &got, e);
    o->speaking = hw_seconds() - since, o->by = server;
    if (ok && (got.status != 200 || got.body.len < 44 || memcmp(got.body.s, "RIFF", 4)))
        ok = err_set(e, ERR_VALUE, "'%s' answers %d with no wav; name another server", q.url,
                     got.status);
    since = hw_seconds();
    ok = ok && file_write(o->out, got.body.s, got.body.len, e);
    o->writing = hw_seconds() - since;
    strbuf_free(&got.body);
    return ok;
}

static bool speak_here(order *o, err *e)
{
    speech_setting s = {.language = o->language, .prosody = o->prosody, .env = &o->c->env};
    double since = hw_seconds();
    o->by = "espeak-ng";
    if (!speech_say(&s, o->text, &o->sound, e))
        return false;
    o->speaking = hw_seconds() - since, since = hw_seconds();
    bool ok = clip_write_wav(o->out, o->sound.samples, o->sound.frames, o->sound.rate, e);
    o->writing = hw_seconds() - since;
    return ok;
}

// ---- What came of it

static void report(const order *o)
{
    cmd *c = o->c;
    json *j = json_object(), *ms = json_object();
    const speech_prosody *p = &o->prosody;
    double all = o->translating + o->speaking + o->writing;
    json_set_num(ms, "translate", 1000 * o->translating);
    json_set_num(ms, "speak", 1000 * o->speaking);
    json_set_num(ms, "write", 1000 * o->writing);
    json_set_num(ms, "all", 1000 * all);
    json_set_str(j, "file", o->out), json_set_str(j, "by", o->by);
    json_set_str(j, "language", o->language), json_set_str(j, "text", o->text);
    json_set_num(j, "valence", o->valence), json_set_num(j, "arousal", o->arousal);
    json_set_num(j, "pitch", p->pitch), json_set_num(j, "range", p->range);
    json_set_num(j, "rate", p->rate), json_set_num(j, "loudness", p->loudness);
    json_set_num(j, "gaps", p->gaps);
    if (o->sound.rate)
        json_set_num(j, "seconds", (double)o->sound.frames / o->sound.rate);
    json_set(j, "ms", ms);
    cmd_json(c, j);
    cmd_print(c, "%s: %s in %s by %s: %+.1f semitones, range x %.2f, rate x %.2f, %+.1f dB", o->out,
              o->emotion, o->language, o->by, p->pitch, p->range, p->rate, p->loudness);
    cmd_print(c, "ms: translate %.0f, speak %.0f, write %.0f, all %.0f", 1000 * o->translating,
              1000 * o->speaking, 1000 * o->writing, 1000 * all);
}

static bool run(cmd *c, err *e)
{
    order o = {.c = c};
    const char *server = option_text(c, "voice-server", NULL);
    bool ok = take_words(&o, e) && translate_words(&o, e) &&
              (server ? speak_by_server(&o, server, e) : speak_here(&o, e));
    if (ok)
        report(&o);
    speech_free(&o.sound);
    return ok;
}

const command cmd_speak = {
    .name = "speak",
    .summary = "Speaks words under an emotion",
    .usage = "WORDS ... [--emotion NAME|V,A] [--language LANG] [--to LANG] -o OUT.wav",
    .options = options,
    .args_min = 1,
    .args_max = -1,
    .polls_stop = true,
    .details =
        "Pitch, range, rate, loudness and gaps follow the emotion (docs/speak.md); the voice is "
        "espeak-ng's, offline, or a server's that is named.",
    .example = "kmidi speak \"it is done\" --emotion joy -o done.wav\n"
               "kmidi speak \"alles ist vorbei\" --language de --emotion grief -o vorbei.wav\n"
               "kmidi speak \"good morning\" --to es -o morning.wav",
    .run = run,
};
