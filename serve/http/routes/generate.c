// SPDX-License-Identifier: GPL-3.0-or-later
// generate.c: an intent becomes a plan, and the plan a piece, as `kmidi compose` has it:
//
//     {"intent": {"emotional_intent": "a melancholic ballad about loss", "core_wound": ...,
//                 "core_desire": ..., "emotion": "grief",
//                 "technical": {"key": "Am", "bpm": 72, "progression": ["Am", "F"], "genre":
//                               "ballad", "bars": 8}},
//      "output_format": "json", "seed": 0, "plan": {...}, "player": false, "llm": true,
//      "lyrics": false}
//
// The first half is what the clients of music_brain.api send; the feeling is read in
// emotional_intent and, where no word of that is known, in the other two. `plan` is a result that
// was given back, and is played instead. What a language model does not answer, the rules do, and
// "notes" says so.
#include <string.h>

#include "base/hw.h"
#include "compose/compose.h"
#include "compose/intent.h"
#include "compose/mood.h"
#include "data/music/emotions.h"
#include "serve/http/fields.h"
#include "serve/http/route.h"
#include "serve/http/score.h"

enum { CHORDS = 512, WORDS = 200, TITLE = 80 };

typedef struct order {
    asked *q;
    fields all, intent, technical;
    song_plan_wish wish;
    song_plan plan;
    composition piece;
    const json *progression;
    int format;
    bool player, models, ask_llm, sing;
    song_intent heard;
    ollama_host host;
    bool seeded;           // a seed is given
    bool answers;          // the language model does
    json *notes, *ignored; // sentences
} order;

// ---- What is asked

static bool take_technical(order *o, err *e)
{
    const fields *t = &o->technical;
    song_plan_wish *w = &o->wish;
    return fields_text(t, "key", WORDS, &w->key, e) &&
           fields_text(t, "genre", WORDS, &w->genre, e) &&
           fields_num(t, "bpm", SONG_PLAN_TEMPO_LEAST, SONG_PLAN_TEMPO_MOST, &w->tempo, e) &&
           fields_int(t, "bars", 1, SONG_PLAN_BARS, &w->bars, e) &&
           fields_list(t, "progression", CHORDS, &o->progression, e);
}

// The feeling is in the first text; where its words are not known, in all three.
static bool take_words(order *o, err *e)
{
    const char *text, *wound, *desire;
    song_plan_wish *w = &o->wish;
    if (!fields_text(&o->intent, "emotional_intent", SONG_PLAN_TEXT, &text, e) ||
        !fields_text(&o->intent, "core_wound", SONG_PLAN_TEXT, &wound, e) ||
        !fields_text(&o->intent, "core_desire", SONG_PLAN_TEXT, &desire, e) ||
        !fields_text(&o->intent, "emotion", WORDS, &w->emotion, e))
        return false;
    if (!text && !w->emotion)
        return fields_missing(&o->intent, "emotional_intent", e);
    w->text = text ? text : "";
    bool known = mood_read(w->text).hits > 0;
    if (!known && !w->emotion && emotion_find(w->text))
        w->emotion = w->text;
    if (!known && (wound || desire))
        w->text = arena_printf(o->q->arena, "%s\n%s\n%s", w->text, wound ? wound : "",
                               desire ? desire : "");
    return true;
}

static bool take_settings(order *o, err *e)
{
    int64_t seed = -1;
    o->models = true, o->ask_llm = o->q->house->language != NULL;
    bool ok = fields_choice(&o->all, "output_format", SCORE_FORMATS, &o->format, e) &&
              fields_int(&o->all, "seed", 0, INT64_MAX / 2, &seed, e) &&
              fields_flag(&o->all, "player", &o->player, e) &&
              fields_flag(&o->all, "models", &o->models, e) &&
              fields_flag(&o->all, "llm", &o->ask_llm, e) &&
              fields_flag(&o->all, "lyrics", &o->sing, e);
    o->seeded = seed >= 0;
    o->wish.seed = o->seeded ? (uint64_t)seed : 0;
    if (ok && o->player && !shelf_by(o->q->house->models, SHELF_PLAYER))
        return err_set(e, ERR_MISSING,
                       "no player is open; start 'kmidi serve' with an emotion_midi_transformer");
    return ok;
}

static bool take_progression(order *o, err *e)
{
    size_t n = json_len(o->progression);
    chord_symbol *chords = NEW(o->q->arena, chord_symbol, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *s = json_str(json_at(o->progression, i), NULL);
        if (!s)
            return err_set(e, ERR_VALUE, "%sprogression, chord %zu: no text", o->technical.path,
                           i + 1);
        if (!chord_parse(s, &chords[i], e))
            return err_trail(e, "%sprogression, chord %zu", o->technical.path, i + 1);
    }
    if (n) {
        song_plan_lay_chords(&o->plan, o->q->arena, chords, (int)n);
        o->plan.chords_from = "the progression that was given";
    }
    return true;
}

static void note(order *o, const char *what, const char *instead)
{
    strbuf b = {0};
    strbuf_printf(&b, "%s; %s", what, instead);
    json_push_str(o->notes, b.s);
    strbuf_free(&b);
}

static void open_model(order *o, uint64_t seed, const char *instead)
{
    const house *h = o->q->house;
    err fault = {0};
    if (!o->ask_llm || !h->language)
        return;
    o->answers = ollama_open(&o->host, h->language, o->q->arena, h->env, &fault);
    o->host.seed = seed;
    if (fault.code)
        note(o, fault.text, instead);
}

// What the language model makes of the words; where it fails, the rules read them.
static void ask_model(order *o)
{
    static const char instead[] = "the rules read the words";
    err fault = {0};
    open_model(o, o->wish.seed, instead);
    if (o->answers && *o->wish.text && intent_ask(&o->host, o->wish.text, &o->heard, &fault))
        o->wish.intent = &o->heard;
    if (fault.code)
        note(o, fault.text, instead);
}

// One that was given keeps its own seed unless another is asked for.
static bool take_plan(order *o, const json *given, err *e)
{
    if (!song_plan_from_json(given, o->q->arena, &o->plan, e))
        return err_trail(e, "plan");
    if (o->seeded)
        o->plan.seed = o->wish.seed;
    char own[KEPT_LYRICS + 1];
    kept_lyrics(o->q->house->kept, own);
    if (o->sing && !*own)
        open_model(o, o->plan.seed, "there are no lyrics");
    return true;
}

static bool make_plan(order *o, const json *given, err *e)
{
    if (given)
        return take_plan(o, given, e);
    if (!o->intent.in)
        return fields_missing(&o->all, "intent", e);
    if (!take_words(o, e) || !take_technical(o, e))
        return false;
    ask_model(o);
    return song_plan_make(&o->wish, o->q->arena, &o->plan, e) && take_progression(o, e);
}

static bool take_order(order *o, err *e)
{
    fields plan;
    arena *a = o->q->arena;
    bool ok = fields_object(&o->all, "intent", a, &o->intent, e) &&
              fields_object(&o->intent, "technical", a, &o->technical, e) &&
              fields_object(&o->all, "plan", a, &plan, e) && take_settings(o, e) &&
              make_plan(o, plan.in, e);
    fields_unknown(&o->all, "intent|output_format|seed|plan|player|models|llm|lyrics", o->ignored);
    fields_unknown(&o->intent, "emotional_intent|core_wound|core_desire|emotion|technical",
                   o->ignored);
    fields_unknown(&o->technical, "key|bpm|progression|genre|bars", o->ignored);
    return ok;
}

// ---- What comes of it

static bool play(order *o, err *e)
{
    const shelf *s = o->q->house->models;
    composition *k = &o->piece;
    k->arena = o->q->arena, k->env = o->q->house->env, k->plan = &o->plan;
    k->sampling = (sampler_options){.temperature = 0.85, .top_k = 40, .top_p = 0.92, .penalty = 1};
    if (o->models) {
        k->melody = shelf_by(s, SHELF_MELODY), k->harmony = shelf_by(s, SHELF_HARMONY);
        k->groove = shelf_by(s, SHELF_GROOVE), k->dynamics = shelf_by(s, SHELF_DYNAMICS);
    }
    k->player = o->player ? shelf_by(s, SHELF_PLAYER) : NULL;
    return compose(k, e);
}

static json *parts_json(const order *o)
{
    const composition *k = &o->piece;
    const trained *by[] = {k->melody, k->harmony, k->groove, k->dynamics, k->player};
    json *all = json_object();
    for (int i = 0; i <= SHELF_PLAYER; i++) {
        if (i == SHELF_PLAYER && !by[i])
            continue;
        json *part = json_object();
        json_set_str(part, "by", by[i] ? by[i]->model->name : "rule");
        if (i == SHELF_HARMONY && by[i])
            json_set(part, "chord_symbols", compose_chords(&o->piece));
        json_set(all, shelf_part((shelf_place)i), part);
    }
    return all;
}

// Those that a person gave, else the language model's where they are asked for.
static json *lyrics_json(order *o)
{
    char own[KEPT_LYRICS + 1];
    const char *source = "none", *text = "";
    err fault = {0};
    kept_lyrics(o->q->house->kept, own);
    if (*own)
        source = "user", text = own;
    else if (o->sing && !o->q->house->language)
        note(o, "lyrics are by a language model, and the service has none", "there are none");
    else if (o->sing && !o->ask_llm)
        note(o, "lyrics are by a language model, and llm is false", "there are none");
    else if (o->sing && o->answers && (text = intent_lyrics(&o->host, &o->plan, &fault)) != NULL)
        source = arena_printf(o->q->arena, "ollama %s", o->host.model);
    if (fault.code)
        note(o, fault.text, "there are no lyrics");
    json *j = json_object();
    json_set_str(j, "source", source);
    json_set_str(j, "text", text ? text : "");
    return j;
}

// Of the picture.
static const char *title_of(const order *o)
{
    const song_plan *p = &o->plan;
    bool plain = *p->text && strlen(p->text) <= TITLE && !strchr(p->text, '\n');
    return plain ? p->text : mood_at(p->primary)->name;
}

static bool describe(order *o, double since, answer *a, err *e)
{
    json *files;
    if (!score_files(o->piece.song, (score_format)o->format, title_of(o), &files, e))
        return false;
    json *j = json_object(), *result = song_plan_json(&o->plan);
    json_set_str(j, "status", "success");
    json_set(result, "parts", parts_json(o));
    json_set(j, "result", result);
    json_set(j, "lyrics", lyrics_json(o));
    json_set_num(j, "seconds", o->piece.song->seconds);
    json_set_int(j, "notes_played", (int64_t)o->piece.song->n_notes);
    json_set_str(j, "output_format", score_name((score_format)o->format));
    if (files)
        json_set(j, "files", files);
    json_set(j, "notes", json_clone(o->notes));
    json_set(j, "ignored", json_clone(o->ignored));
    json_set_str(j, "request_id", o->q->id);
    json_set_num(j, "generation_time_seconds", hw_seconds() - since);
    answer_json(a, j);
    return true;
}

static bool run(asked *q, answer *a, err *e)
{
    double since = hw_seconds();
    order o = {.q = q, .all = {q->body, ""}, .notes = json_array(), .ignored = json_array()};
    score_format file = score_wanted(q->wants);
    bool ok =
        take_order(&o, e) && play(&o, e) &&
        (file ? score_answer(o.piece.song, file, title_of(&o), a, e) : describe(&o, since, a, e));
    json_free(o.notes), json_free(o.ignored);
    return ok;
}

const route route_generate = {
    .method = "POST",
    .path = "/generate",
    .summary = "Music from words: a plan, and a piece as MIDI, sound and picture",
    .takes = TAKES_JSON,
    .works = true,
    .asks =
        "{\"type\":\"object\",\"properties\":{\"intent\":{\"type\":\"object\",\"properties\":{"
        "\"emotional_intent\":{\"type\":\"string\"},\"core_wound\":{\"type\":\"string\"},"
        "\"core_desire\":{\"type\":\"string\"},\"emotion\":{\"type\":\"string\"},\"technical\":{"
        "\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"},\"bpm\":{\"type\":"
        "\"number\",\"minimum\":20,\"maximum\":400},\"progression\":{\"type\":\"array\",\"items\":"
        "{\"type\":\"string\"}},\"genre\":{\"type\":\"string\"},\"bars\":{\"type\":\"integer\","
        "\"minimum\":1,\"maximum\":4096}}}}},\"output_format\":{\"enum\":[\"json\",\"midi\","
        "\"wav\",\"svg\",\"all\"]},\"seed\":{\"type\":\"integer\"},\"plan\":{\"type\":\"object\"},"
        "\"player\":{\"type\":\"boolean\"},\"models\":{\"type\":\"boolean\"},\"llm\":{\"type\":"
        "\"boolean\"},\"lyrics\":{\"type\":\"boolean\"}}}",
    .gives = "{\"type\":\"object\",\"required\":[\"status\",\"result\",\"lyrics\"],\"properties\":{"
             "\"status\":{\"type\":\"string\"},\"result\":{\"type\":\"object\"},\"lyrics\":{"
             "\"type\":\"object\"},\"seconds\":{\"type\":\"number\"},\"files\":{\"type\":"
             "\"object\"},\"request_id\":{\"type\":\"string\"},\"generation_time_seconds\":{"
             "\"type\":\"number\"}}}",
    .run = run,
};
