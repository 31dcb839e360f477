// SPDX-License-Identifier: GPL-3.0-or-later
// speech.c: prosody by the table, a text in parts, samples put together (speech.h).
#include "speech/speech.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/names.h"
#include "base/worker.h"
#include "data/music/emotions.h"

enum { PART = 2000, HEAD = 1 + sizeof(int32_t), LANGUAGES = 512 };
#define PART_SECONDS 60.0
#define NEUTRAL_DB   (-9.0)

static const struct {
    const char *emotion;
    speech_prosody prosody;
} table[] = {
#define VOICE(emotion, ...) {#emotion, {__VA_ARGS__}},
#include "speech/voices.def"
#undef VOICE
};
enum { ROWS = sizeof table / sizeof *table };

// ---- Prosody

speech_prosody speech_prosody_of(double valence, double arousal)
{
    speech_prosody sum = {0};
    double all = 0;
    for (int i = 0; i < ROWS; i++) {
        const emotion_name *at = emotion_find(table[i].emotion);
        const speech_prosody *p = &table[i].prosody;
        CHECK(at);
        double d = hypot(at->valence - valence, at->arousal - arousal);
        if (d < 1e-6)
            return *p;
        double w = 1 / (d * d * d * d);
        all += w;
        sum.pitch += w * p->pitch, sum.range += w * p->range, sum.rate += w * p->rate;
        sum.loudness += w * p->loudness, sum.gaps += w * p->gaps;
    }
    return (speech_prosody){sum.pitch / all, sum.range / all, sum.rate / all, sum.loudness / all,
                            sum.gaps / all};
}

speech_prosody speech_prosody_named(const char *emotion, double valence, double arousal)
{
    for (int i = 0; i < ROWS; i++)
        if (!strcasecmp(table[i].emotion, emotion))
            return table[i].prosody;
    return speech_prosody_of(valence, arousal);
}

// ---- Parts

// How many bytes of the text make the next part: up to the last end of a sentence, else the last
// blank, else the last whole character.
static size_t next_part(const char *text)
{
    size_t cut = 0, blank = 0, n = str_head(text, PART);
    if (!text[n])
        return n;
    for (size_t i = 0; i < PART; i++) {
        if (strchr(" \n\t", text[i]))
            blank = i + 1;
        if (strchr(".!?\n", text[i]) && strchr(" \n\t", text[i + 1]))
            cut = i + 1;
    }
    return cut ? cut : blank ? blank : n ? n : 1;
}

static bool no_language(const char *name, const char *list, size_t n, err *e)
{
    arena a = {.name = "languages"};
    const char **names = NEW(&a, const char *, LANGUAGES);
    char guess[NAME_GUESS];
    size_t count = 0;
    for (const char *s = list; s < list + n && count < LANGUAGES;) {
        size_t k = (size_t)((const char *)memchr(s, '\n', (size_t)(list + n - s)) - s);
        names[count++] = arena_printf(&a, "%.*s", (int)k, s);
        s += k + 1;
    }
    err_set(e, ERR_USAGE,
            "espeak-ng has no voice for '%.40s'%s; of its %zu languages some are en, "
            "en-us, de, fr, es, it, pt-br, ru, ja, cmn",
            name, name_guess(guess, name, names, count), count);
    arena_free(&a);
    return false;
}

// What a worker gave, behind what is there.
static bool add_samples(const char *language, const strbuf *part, strbuf *pcm, int *rate, err *e)
{
    int32_t own;
    if (part->len && part->s[0] == SPEECH_NO_LANGUAGE)
        return no_language(language, part->s + 1, part->len - 1, e);
    if (part->len < HEAD || (part->len - HEAD) % sizeof(int16_t))
        return err_set(e, ERR_INTERNAL, "espeak-ng's samples are cut short");
    memcpy(&own, part->s + 1, sizeof own);
    *rate = own;
    strbuf_add(pcm, part->s + HEAD, part->len - HEAD);
    return true;
}

static bool say_part(const speech_setting *s, const char *text, size_t n, strbuf *pcm, int *rate,
                     err *e)
{
    speech_part head = {.prosody = s->prosody};
    strbuf item = {0}, part = {0};
    strncpy(head.language, s->language, SPEECH_LANGUAGE - 1);
    strbuf_add(&item, (const char *)&head, sizeof head);
    strbuf_add(&item, text, n);
    strbuf_add(&item, "", 1);
    worker_options o = {.fn = speech_part_say, .seconds = PART_SECONDS, .env = s->env};
    bool ok = worker_run(&o, "espeak-ng", item.s, item.len, &part, e) &&
              add_samples(s->language, &part, pcm, rate, e);
    strbuf_free(&item), strbuf_free(&part);
    return ok;
}

static bool to_floats(const speech_setting *s, const strbuf *pcm, speech_sound *out, err *e)
{
    double gain = pow(10, (NEUTRAL_DB + s->prosody.loudness) / 20) / 32768;
    out->frames = (int64_t)(pcm->len / sizeof(int16_t));
    if (out->frames == 0)
        return err_set(e, ERR_EMPTY, "there is nothing to say in the text");
    out->samples = malloc((size_t)out->frames * sizeof *out->samples);
    if (!out->samples)
        return err_set(e, ERR_MEMORY, "there is no memory for %lld samples",
                       (long long)out->frames);
    for (int64_t i = 0; i < out->frames; i++) {
        int16_t x;
        memcpy(&x, pcm->s + (size_t)i * sizeof x, sizeof x);
        out->samples[i] = (float)fmax(-1, fmin(1, gain * x));
    }
    return true;
}

bool speech_say(const speech_setting *s, const char *text, speech_sound *out, err *e)
{
    strbuf pcm = {0};
    *out = (speech_sound){0};
    if (strlen(text) > SPEECH_TEXT)
        return err_set(e, ERR_USAGE, "the text is %zu bytes long; %d are spoken", strlen(text),
                       SPEECH_TEXT);
    if (strlen(s->language) >= SPEECH_LANGUAGE)
        return err_set(e, ERR_USAGE, "'%.40s' is no language", s->language);
    bool ok = *text || err_set(e, ERR_EMPTY, "there is nothing to say in the text");
    for (size_t n; ok && *text; text += n) {
        n = next_part(text);
        ok = say_part(s, text, n, &pcm, &out->rate, e);
    }
    ok = ok && to_floats(s, &pcm, out, e);
    strbuf_free(&pcm);
    return ok;
}

void speech_free(speech_sound *s)
{
    free(s->samples);
    *s = (speech_sound){0};
}
