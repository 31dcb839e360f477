// SPDX-License-Identifier: GPL-3.0-or-later
// intent.c: a schema out of our own tables, and what comes back held against them (intent.h).
#include "compose/intent.h"

#include <string.h>

#include "base/names.h"
#include "compose/mood.h"

enum { NAMES = 64 };

static const char *const paces[] = {"slow", "medium", "fast"};
static const double pace_of[] = {0.8, 1, 1.25};
static const char *const sides[] = {"major", "minor"};
#define COUNT(x) (sizeof(x) / sizeof *(x))

static size_t mood_names(const char *names[NAMES])
{
    size_t n = mood_count();
    for (size_t i = 0; i < n && i < NAMES; i++)
        names[i] = mood_at((int)i)->name;
    return n;
}

static size_t genre_names(const char *names[NAMES])
{
    for (int i = 0; i < genre_count() && i < NAMES; i++)
        names[i] = genre_at(i)->name;
    return (size_t)genre_count();
}

// ---- What is asked

static json *one_of(const char *const *names, size_t n, bool or_null)
{
    json *j = json_object(), *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_push_str(list, names[i]);
    if (or_null)
        json_push(list, NULL);
    json_set(j, "enum", list);
    return j;
}

static json *texts(void)
{
    json *j = json_object(), *item = json_object();
    json_set_str(j, "type", "array");
    json_set_str(item, "type", "string");
    json_set(j, "items", item);
    json_set_int(j, "maxItems", INTENT_THEMES);
    return j;
}

static json *schema(void)
{
    static const char *const required[] = {"mood_primary", "genre", "tempo_feel", "key_suggestion"};
    const char *names[NAMES];
    json *j = json_object(), *fields = json_object(), *list = json_array();
    json_set(fields, "mood_primary", one_of(names, mood_names(names), false));
    json_set(fields, "mood_secondary", one_of(names, mood_names(names), true));
    json_set(fields, "genre", one_of(names, genre_names(names), false));
    json_set(fields, "tempo_feel", one_of(paces, COUNT(paces), false));
    json_set(fields, "key_suggestion", one_of(sides, COUNT(sides), false));
    json_set(fields, "themes", texts());
    json_set(fields, "rule_breaks", texts());
    for (size_t i = 0; i < COUNT(required); i++)
        json_push_str(list, required[i]);
    json_set_str(j, "type", "object");
    json_set(j, "properties", fields);
    json_set(j, "required", list);
    return j;
}

// Said in words too, since a server may not heed the schema.
static const char *system_words(arena *a)
{
    const char *moods[NAMES], *genres[NAMES];
    size_t m = mood_names(moods), g = genre_names(genres);
    strbuf b = {0};
    strbuf_printf(&b, "You read what a person wants a piece of music to express. Answer with one "
                      "JSON object and nothing else: {\"mood_primary\": one of ");
    for (size_t i = 0; i < m; i++)
        strbuf_printf(&b, "%s%s", i ? ", " : "", moods[i]);
    strbuf_printf(&b, "; \"mood_secondary\": another of them or null; \"genre\": one of ");
    for (size_t i = 0; i < g; i++)
        strbuf_printf(&b, "%s%s", i ? ", " : "", genres[i]);
    strbuf_printf(&b,
                  "; \"tempo_feel\": slow, medium or fast; \"key_suggestion\": major or minor; "
                  "\"themes\": up to %d short texts; \"rule_breaks\": texts}",
                  INTENT_THEMES);
    return strbuf_keep(&b, a);
}

// ---- What comes back

// The place of the text in the list; -1 with a sentence.
static int place(const json *j, const char *key, const char *const *names, size_t n, err *e)
{
    const char *s = json_str(json_get(j, key), "");
    char guess[NAME_GUESS];
    for (size_t i = 0; i < n; i++)
        if (!strcmp(s, names[i]))
            return (int)i;
    err_set(e, ERR_VALUE, "%s '%.40s' is none that was offered%s", key, s,
            name_guess(guess, s, names, n));
    return -1;
}

static void keep_themes(const json *list, arena *a, song_intent *out)
{
    const char **kept = NEW(a, const char *, INTENT_THEMES);
    for (size_t i = 0; i < json_len(list) && out->n_themes < INTENT_THEMES; i++) {
        const char *s = json_str(json_at(list, i), "");
        if (*s && strlen(s) <= INTENT_THEME)
            kept[out->n_themes++] = arena_strdup(a, s);
    }
    out->themes = kept;
}

bool intent_read(const json *j, arena *a, song_intent *out, err *e)
{
    const char *names[NAMES];
    *out = (song_intent){.secondary = -1};
    out->primary = place(j, "mood_primary", names, mood_names(names), e);
    out->genre = out->primary < 0 ? -1 : place(j, "genre", names, genre_names(names), e);
    int pace = out->genre < 0 ? -1 : place(j, "tempo_feel", paces, COUNT(paces), e);
    int side = pace < 0 ? -1 : place(j, "key_suggestion", sides, COUNT(sides), e);
    if (side < 0)
        return false;
    out->pace = pace_of[pace];
    out->family = side ? FAMILY_MINOR : FAMILY_MAJOR;
    if (json_type(json_get(j, "mood_secondary")) == JSON_STRING &&
        (out->secondary = place(j, "mood_secondary", names, mood_names(names), e)) < 0)
        return false;
    if (out->secondary == out->primary)
        out->secondary = -1;
    keep_themes(json_get(j, "themes"), a, out);
    return true;
}

typedef struct reading {
    arena *arena;
    song_intent *out;
} reading;

static bool is_intent(const json *j, void *user, err *e)
{
    const reading *r = user;
    return intent_read(j, r->arena, r->out, e);
}

bool intent_ask(ollama_host *h, const char *text, song_intent *out, err *e)
{
    reading r = {h->arena, out};
    json *form = schema(),
         *j = ollama_json(h, system_words(h->arena), text, form, is_intent, &r, e);
    bool ok = j != NULL;
    json_free(form), json_free(j);
    out->by = ok ? arena_printf(h->arena, "ollama %s", h->model) : NULL;
    return ok;
}

const char *intent_lyrics(ollama_host *h, const song_plan *p, err *e)
{
    strbuf b = {0};
    strbuf_printf(&b, "Write the lyrics of a song of %d bars in %d/4, a %s, that expresses %s",
                  p->bars, p->beats, genre_at(p->genre)->name, mood_at(p->primary)->name);
    for (int i = 0; i < p->n_themes; i++)
        strbuf_printf(&b, "%s%s", i ? ", " : ". Themes: ", p->themes[i]);
    strbuf_printf(&b, ". %s%s", *p->text ? "What was asked for: " : "", p->text);
    const char *said = ollama_text(
        h,
        "You write song lyrics: verses and a chorus, one line a phrase of four bars, a blank line "
        "between parts, no chords, no comments. Write in the language of what was asked for.",
        b.s, e);
    strbuf_free(&b);
    return said;
}
