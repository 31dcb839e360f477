// SPDX-License-Identifier: GPL-3.0-or-later
// interrogate.c: a conversation about what a piece should be: what was understood so far, and one
// question about what is still open. By a language model where there is one, else by the rules that
// /generate goes by, so that what is said here is what would be played:
//
//     {"message": "something sad", "session_id": null}
//     {"status": "success", "reply": "I hear grief ... Which kind of music ...?",
//      "session_id": "4f0c81aa", "source": "rules", "understood": {"affect": {...}, "plan": {...}},
//      "ready": false}
//
// All that the person said in a conversation counts. `understood` is a plan, as /generate takes it.
#include <string.h>

#include "compose/mood.h"
#include "compose/song_plan.h"
#include "serve/http/fields.h"
#include "serve/http/route.h"

enum { MESSAGE = 16384 };

typedef struct talk {
    asked *q;
    kept_talk said;
    song_plan plan;
    const char *source, *reply;
    bool ready;
} talk;

// ---- By rule

// What the words leave open is asked in this order.
static const char *open_question(const talk *t)
{
    const song_plan *p = &t->plan;
    if (p->silent || p->hits == 0)
        return "What should somebody feel who hears it: grief, joy, rage, calm, awe ...?";
    if (genre_in(p->text) < 0)
        return "Which kind of music carries it: a ballad, jazz, a waltz, ambient ...?";
    if (t->said.turns < 3)
        return "Is there a key or a turn that it needs, as \"in D dorian\", or shall it come as it "
               "comes?";
    return NULL;
}

static void reply_by_rule(talk *t)
{
    const song_plan *p = &t->plan;
    const char *question = open_question(t);
    strbuf b = {0};
    if (p->hits > 0)
        strbuf_printf(&b, "I hear %s%s%s: ", mood_at(p->primary)->name,
                      p->secondary >= 0 ? " with " : "",
                      p->secondary >= 0 ? mood_at(p->secondary)->name : "");
    else
        strbuf_printf(&b, "I know none of these words as a feeling yet: ");
    strbuf_printf(&b, "%s, %s %s, %g quarters a minute. %s", genre_at(p->genre)->name,
                  pitch_class_name(p->root, key_sharps(p->root, p->mode)), mode_at(p->mode)->name,
                  p->tempo,
                  question ? question : "That is enough to play it: send it to /generate.");
    t->reply = strbuf_keep(&b, t->q->arena);
    t->source = "rules", t->ready = !question;
}

// ---- By a language model

static bool reply_by_model(talk *t, err *e)
{
    const house *s = t->q->house;
    ollama_host host;
    if (!s->language || !ollama_open(&host, s->language, t->q->arena, s->env, e))
        return false;
    const char *said = ollama_text(
        &host,
        "A person describes a piece of music that they want. Answer in two sentences at most, in "
        "their language: say what you understood of the feeling, then ask the one question whose "
        "answer would help most (feeling, genre, tempo, key, what it is about). No lists.",
        t->said.said, e);
    t->reply = said, t->source = said ? arena_printf(t->q->arena, "ollama %s", host.model) : NULL;
    t->ready = t->plan.hits > 0;
    return said != NULL;
}

// ---- The answer

static void tell(const talk *t, const char *note, answer *a)
{
    json *j = json_object();
    json_set_str(j, "status", "success");
    json_set_str(j, "reply", t->reply);
    json_set_str(j, "session_id", t->said.name);
    json_set_str(j, "source", t->source);
    json_set_int(j, "turns", t->said.turns);
    json_set(j, "understood", song_plan_json(&t->plan));
    json_set_bool(j, "ready", t->ready);
    if (note)
        json_set_str(j, "note", note);
    json_set_str(j, "request_id", t->q->id);
    answer_json(a, j);
}

static bool run(asked *q, answer *a, err *e)
{
    fields f = {q->body, ""};
    talk t = {.q = q};
    const char *message, *name;
    err fault = {0};
    if (!fields_text(&f, "message", MESSAGE, &message, e) ||
        !fields_text(&f, "session_id", KEPT_NAME, &name, e))
        return false;
    if (!message)
        return fields_missing(&f, "message", e);
    kept_say(q->house->kept, name && *name ? name : q->id, message, &t.said);
    song_plan_wish w = {.text = t.said.said};
    if (!song_plan_make(&w, q->arena, &t.plan, e))
        return false;
    if (!reply_by_model(&t, &fault))
        reply_by_rule(&t);
    tell(&t, fault.code ? fault.text : NULL, a);
    return true;
}

const route route_interrogate = {
    .method = "POST",
    .path = "/interrogate",
    .summary = "What was understood of a wish, and the next question about it",
    .takes = TAKES_JSON,
    .works = true,
    .asks = "{\"type\":\"object\",\"required\":[\"message\"],\"properties\":{\"message\":{\"type\":"
            "\"string\",\"maxLength\":16384},\"session_id\":{\"type\":[\"string\",\"null\"]},"
            "\"context\":{}}}",
    .gives = "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\"},\"reply\":{"
             "\"type\":\"string\"},\"session_id\":{\"type\":\"string\"},\"source\":{\"type\":"
             "\"string\"},\"understood\":{\"type\":\"object\"},\"ready\":{\"type\":\"boolean\"}}}",
    .run = run,
};
