// SPDX-License-Identifier: GPL-3.0-or-later
// lyrics_set.c: two things under one path. {"lyrics": "..."} keeps a person's own, which /generate
// gives back from then on ("" forgets them); {"text": "a ballad about loss"} has the language model
// write some, by a plan of these words as /generate would make it.
#include <ctype.h>
#include <string.h>

#include "compose/intent.h"
#include "serve/http/fields.h"
#include "serve/http/route.h"

enum { PREVIEW = 120 };

static int count_lines(const char *s)
{
    int n = 0;
    for (const char *line = s; *line; line += strcspn(line, "\n"), line += *line == '\n')
        n += line[strspn(line, " \t\r")] != '\n' && line[strspn(line, " \t\r")] != 0;
    return n;
}

static int count_words(const char *s)
{
    int n = 0;
    for (bool in = false; *s; s++) {
        bool letter = !isspace((unsigned char)*s);
        n += letter && !in, in = letter;
    }
    return n;
}

static void tell(const asked *q, const char *source, const char *text, answer *a)
{
    json *j = json_object(), *lyrics = json_object();
    json_set_str(j, "status", "success");
    json_set_str(j, "source", source);
    json_set_int(j, "lines", count_lines(text));
    json_set_int(j, "word_count", count_words(text));
    json_set_str(j, "preview", arena_printf(q->arena, "%.*s", (int)str_head(text, PREVIEW), text));
    json_set_str(lyrics, "source", source);
    json_set_str(lyrics, "text", text);
    json_set(j, "lyrics", lyrics);
    answer_json(a, j);
}

static bool write_some(asked *q, const char *text, answer *a, err *e)
{
    const house *s = q->house;
    ollama_host host;
    song_plan plan;
    song_intent intent;
    song_plan_wish w = {.text = text};
    err fault = {0};
    if (!s->language)
        return err_set(e, ERR_MISSING,
                       "lyrics are by a language model, and the service has none; start 'kmidi "
                       "serve' with --llm, or send your own as {\"lyrics\": \"...\"}");
    if (!ollama_open(&host, s->language, q->arena, s->env, e))
        return false;
    if (intent_ask(&host, text, &intent, &fault))
        w.intent = &intent;
    const char *said =
        song_plan_make(&w, q->arena, &plan, e) ? intent_lyrics(&host, &plan, e) : NULL;
    if (said)
        tell(q, arena_printf(q->arena, "ollama %s", host.model), said, a);
    return said != NULL;
}

static bool run(asked *q, answer *a, err *e)
{
    fields f = {q->body, ""};
    const char *own, *text;
    if (!fields_text(&f, "lyrics", KEPT_LYRICS, &own, e) ||
        !fields_text(&f, "text", SONG_PLAN_TEXT, &text, e))
        return false;
    if (text && !own)
        return write_some(q, text, a, e);
    if (!own)
        return fields_missing(&f, "lyrics", e);
    kept_lyrics_put(q->house->kept, own);
    tell(q, "user", own, a);
    return true;
}

const route route_lyrics_set = {
    .method = "POST",
    .path = "/lyrics",
    .summary = "Keeps lyrics, or has a language model write some",
    .takes = TAKES_JSON,
    .works = true,
    .asks = "{\"type\":\"object\",\"properties\":{\"lyrics\":{\"type\":\"string\",\"maxLength\":"
            "32768},\"text\":{\"type\":\"string\"}}}",
    .gives = "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\"},\"source\":{"
             "\"type\":\"string\"},\"lines\":{\"type\":\"integer\"},\"word_count\":{\"type\":"
             "\"integer\"},\"preview\":{\"type\":\"string\"},\"lyrics\":{\"type\":\"object\"}}}",
    .run = run,
};
