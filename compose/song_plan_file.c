// SPDX-License-Identifier: GPL-3.0-or-later
// song_plan_file.c: a plan as JSON, and back (song_plan.h).
//
//     {"kmidi_plan": 1, "text": "...", "by": "rules",
//      "affect": {"primary": "grief", "secondary": null, "intensity": 0.67, "valence": -0.8,
//                 "arousal": -0.6, "words": 2},
//      "plan": {"root_note": "A", "mode": "aeolian", "tempo_bpm": 72, "length_bars": 8,
//               "chord_symbols": ["Am", "F", ...], "complexity": 0.5, "genre": "ballad",
//               "chords_from": "..."},
//      "seed": 0, "parts": {...}}
//
// Of what is read, `plan` and `affect.valence`, `affect.arousal` decide; a list of chords that is
// shorter than the piece is played again and again, a longer one is an error. A key that is none is
// refused with the nearest.
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "compose/mood.h"
#include "compose/song_plan.h"

enum { FORMAT = 1 };

// ---- Writing

static json *affect_json(const song_plan *p)
{
    json *j = json_object();
    json_set_str(j, "primary", p->silent ? "silence" : mood_at(p->primary)->name);
    if (p->secondary >= 0)
        json_set_str(j, "secondary", mood_at(p->secondary)->name);
    else
        json_set(j, "secondary", NULL);
    json_set_num(j, "intensity", p->intensity);
    json_set_num(j, "valence", p->valence);
    json_set_num(j, "arousal", p->arousal);
    if (p->hits >= 0)
        json_set_int(j, "words", p->hits);
    return j;
}

static json *music_json(const song_plan *p)
{
    json *j = json_object(), *list = json_array();
    int sharps = key_sharps(p->root, p->mode);
    char name[CHORD_TEXT];
    for (int i = 0; i < p->bars; i++) {
        chord_print(p->chords[i], sharps, name);
        json_push_str(list, name);
    }
    json_set_str(j, "root_note", pitch_class_name(p->root, sharps));
    json_set_str(j, "mode", mode_at(p->mode)->name);
    json_set_num(j, "tempo_bpm", p->tempo);
    json_set_int(j, "length_bars", p->bars);
    json_set(j, "chord_symbols", list);
    json_set_num(j, "complexity", p->complexity);
    json_set_str(j, "genre", genre_at(p->genre)->name);
    if (p->chords_from)
        json_set_str(j, "chords_from", p->chords_from);
    return j;
}

json *song_plan_json(const song_plan *p)
{
    json *j = json_object(), *themes = json_array();
    json_set_int(j, "kmidi_plan", FORMAT);
    json_set_str(j, "text", p->text);
    json_set_str(j, "by", p->by);
    json_set(j, "affect", affect_json(p));
    json_set(j, "plan", music_json(p));
    json_set_int(j, "seed", (int64_t)p->seed);
    for (int i = 0; i < p->n_themes; i++)
        json_push_str(themes, p->themes[i]);
    if (p->n_themes)
        json_set(j, "themes", themes);
    else
        json_free(themes);
    return j;
}

bool song_plan_write(const char *path, const song_plan *p, json *parts, err *e)
{
    strbuf text = {0};
    json *j = song_plan_json(p);
    if (parts)
        json_set(j, "parts", parts);
    json_dump(j, 2, &text);
    strbuf_add(&text, "\n", 1);
    bool ok = file_write(path, text.s, text.len, e);
    json_free(j);
    strbuf_free(&text);
    return ok;
}

// ---- Reading

static const char *const top_keys[] = {"kmidi_plan", "text", "by",    "affect",
                                       "plan",       "seed", "parts", "themes"};
static const char *const affect_keys[] = {"primary", "secondary", "intensity",
                                          "valence", "arousal",   "words"};
static const char *const music_keys[] = {"root_note",     "mode",       "tempo_bpm", "length_bars",
                                         "chord_symbols", "complexity", "genre",     "chords_from"};
#define COUNT(x) (sizeof(x) / sizeof *(x))

static bool check_keys(const json *o, const char *what, const char *const *names, size_t n, err *e)
{
    char guess[NAME_GUESS];
    if (json_type(o) != JSON_OBJECT)
        return err_set(e, ERR_FORMAT, "%s is no object {...}", what);
    for (void *it = json_first(o); it; it = json_next(o, it)) {
        bool known = false;
        for (size_t i = 0; i < n; i++)
            known = known || !strcmp(json_key(it), names[i]);
        if (!known)
            return err_set(e, ERR_CONFIG, "%s has a key '%.60s', which a plan does not have%s",
                           what, json_key(it), name_guess(guess, json_key(it), names, n));
    }
    return true;
}

static bool number(const json *o, const char *key, double least, double most, double *x, err *e)
{
    const json *v = json_get(o, key);
    if (!v)
        return true;
    *x = json_num(v, 0);
    if (json_type(v) != JSON_NUMBER || !(*x >= least && *x <= most))
        return err_set(e, ERR_VALUE, "%s is a number from %g to %g", key, least, most);
    return true;
}

static bool whole(const json *o, const char *key, int64_t least, int64_t most, int64_t *x, err *e)
{
    const json *v = json_get(o, key);
    if (!v)
        return true;
    *x = json_int(v, least - 1);
    return (*x >= least && *x <= most) ||
           err_set(e, ERR_VALUE, "%s is a whole number from %lld to %lld", key, (long long)least,
                   (long long)most);
}

// A text that must be there; NULL with a sentence.
static const char *word(const json *o, const char *key, err *e)
{
    const char *s = json_str(json_get(o, key), NULL);
    if (!s)
        err_set(e, ERR_VALUE, "%s is missing, or is no text", key);
    return s;
}

static bool read_mood(const json *o, const char *key, int *mood, err *e)
{
    const char *name = json_str(json_get(o, key), NULL), *names[64];
    size_t n = mood_count();
    if (!name || !strcmp(name, "silence"))
        return true;
    *mood = mood_find(name);
    for (size_t i = 0; i < n && i < COUNT(names); i++)
        names[i] = mood_at((int)i)->name;
    return *mood >= 0 || (name_unknown(e, key, name, names, n), false);
}

static bool read_affect(const json *j, song_plan *p, err *e)
{
    int64_t hits = -1;
    const char *name = json_str(json_get(j, "primary"), "");
    p->primary = -1, p->secondary = -1, p->silent = !strcmp(name, "silence");
    if (!check_keys(j, "\"affect\"", affect_keys, COUNT(affect_keys), e) ||
        !number(j, "valence", -1, 1, &p->valence, e) ||
        !number(j, "arousal", -1, 1, &p->arousal, e) ||
        !number(j, "intensity", 0, 1, &p->intensity, e) ||
        !whole(j, "words", 0, SONG_PLAN_TEXT, &hits, e) ||
        !read_mood(j, "primary", &p->primary, e) || !read_mood(j, "secondary", &p->secondary, e))
        return false;
    p->hits = (int)hits;
    if (p->primary < 0)
        p->primary = p->silent ? mood_neutral() : mood_nearest(p->valence, p->arousal);
    return true;
}

static bool read_chords(const json *list, song_plan *p, arena *a, err *e)
{
    size_t n = json_len(list);
    if (json_type(list) != JSON_ARRAY || n == 0 || n > (size_t)p->bars)
        return err_set(e, ERR_VALUE,
                       "chord_symbols is a list of 1 to %d chords, one a bar, and has %zu", p->bars,
                       n);
    chord_symbol *chords = NEW(a, chord_symbol, n);
    for (size_t i = 0; i < n; i++) {
        const char *s = json_str(json_at(list, i), NULL);
        if (!s)
            return err_set(e, ERR_VALUE, "chord_symbols, bar %zu: no text", i + 1);
        if (!chord_parse(s, &chords[i], e))
            return err_trail(e, "chord_symbols, bar %zu", i + 1);
    }
    song_plan_lay_chords(p, a, chords, (int)n);
    return true;
}

static bool read_root(const json *j, song_plan *p, err *e)
{
    key_name k;
    const char *root = word(j, "root_note", e), *mode = root ? word(j, "mode", e) : NULL;
    const char *names[16];
    if (!mode)
        return false;
    if (!key_parse(root, &k, e))
        return err_trail(e, "root_note");
    p->root = k.root, p->mode = mode_find(mode);
    for (int i = 0; i < mode_count(); i++)
        names[i] = mode_at(i)->name;
    return p->mode >= 0 || (name_unknown(e, "mode", mode, names, (size_t)mode_count()), false);
}

static bool read_music(const json *j, song_plan *p, arena *a, err *e)
{
    int64_t bars = 0;
    p->tempo = 0, p->complexity = 0.5;
    const char *genre = json_str(json_get(j, "genre"), genre_at(genre_plain())->name);
    if (!check_keys(j, "\"plan\"", music_keys, COUNT(music_keys), e) || !read_root(j, p, e) ||
        !number(j, "tempo_bpm", SONG_PLAN_TEMPO_LEAST, SONG_PLAN_TEMPO_MOST, &p->tempo, e) ||
        !whole(j, "length_bars", 1, SONG_PLAN_BARS, &bars, e) ||
        !number(j, "complexity", 0, 1, &p->complexity, e))
        return false;
    if (p->tempo == 0 || bars == 0)
        return err_set(e, ERR_VALUE, "%s is missing", bars ? "tempo_bpm" : "length_bars");
    p->bars = (int)bars, p->genre = genre_find(genre);
    if (p->genre < 0)
        return genre_unknown(genre, e);
    p->beats = genre_at(p->genre)->beats;
    const char *from = json_str(json_get(j, "chords_from"), NULL);
    p->chords_from = from ? arena_strdup(a, from) : NULL;
    return read_chords(json_get(j, "chord_symbols"), p, a, e);
}

// They change nothing that is played: what is no text is left out.
static void read_themes(const json *list, song_plan *p, arena *a)
{
    const char **themes = NEW(a, const char *, json_len(list) + 1);
    for (size_t i = 0; i < json_len(list); i++) {
        const char *s = json_str(json_at(list, i), NULL);
        if (s)
            themes[p->n_themes++] = arena_strdup(a, s);
    }
    p->themes = themes;
}

// For the reader's sake: nothing that is played depends on it.
static void read_makers(const json *parts, song_plan *p, arena *a)
{
    for (void *it = json_first(parts); it && p->n_makers < SONG_PLAN_MAKERS;
         it = json_next(parts, it)) {
        const char *from = json_str(json_get(json_value(it), "checkpoint"), NULL);
        if (from)
            p->makers[p->n_makers++] =
                (song_maker){arena_strdup(a, json_key(it)), arena_strdup(a, from)};
    }
}

bool song_plan_from_json(const json *j, arena *a, song_plan *p, err *e)
{
    int64_t seed = 0;
    *p = (song_plan){0};
    if (!check_keys(j, "the plan", top_keys, COUNT(top_keys), e))
        return false;
    if (json_int(json_get(j, "kmidi_plan"), 0) != FORMAT)
        return err_set(e, ERR_FORMAT, "it has no \"kmidi_plan\": %d, so it is no plan of ours",
                       FORMAT);
    p->text = arena_strdup(a, json_str(json_get(j, "text"), ""));
    p->by = arena_strdup(a, json_str(json_get(j, "by"), "rules"));
    if (!whole(j, "seed", INT64_MIN + 1, INT64_MAX, &seed, e) ||
        !read_affect(json_get(j, "affect"), p, e) || !read_music(json_get(j, "plan"), p, a, e))
        return false;
    p->seed = (uint64_t)seed;
    read_themes(json_get(j, "themes"), p, a);
    read_makers(json_get(j, "parts"), p, a);
    return true;
}

bool song_plan_read(const char *path, arena *a, song_plan *out, err *e)
{
    size_t n;
    const char *text = file_read(a, path, SONG_PLAN_BYTES, &n, e);
    json *j = text ? json_parse(text, n, e) : NULL;
    bool ok = j && song_plan_from_json(j, a, out, e);
    json_free(j);
    return ok || (text ? err_trail(e, "'%s'", path) : false);
}
