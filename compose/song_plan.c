// SPDX-License-Identifier: GPL-3.0-or-later
// song_plan.c: the rules of song_plan.h, one function each.
#include "compose/song_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/str.h"
#include "compose/mood.h"
#include "data/music/emotions.h"

enum { MOTIVATION = 7 };
#define CHAOS 0.5

bool song_plan_in_range(const char *what, double x, double least, double most, err *e)
{
    return (x >= least && x <= most) ||
           err_set(e, ERR_USAGE, "%s lies from %g to %g, and is %g", what, least, most, x);
}

// ---- What it feels like

size_t song_plan_emotions(const char *out[SONG_PLAN_EMOTIONS])
{
    size_t n = 0;
    for (size_t i = 0; i < mood_count() && n < SONG_PLAN_EMOTIONS; i++)
        out[n++] = mood_at((int)i)->name;
    for (size_t i = 0; i < emotion_count() && n < SONG_PLAN_EMOTIONS; i++)
        if (mood_find(emotion_at(i)->name) < 0)
            out[n++] = emotion_at(i)->name;
    return n;
}

static bool unknown_emotion(const char *text, err *e)
{
    const char *names[SONG_PLAN_EMOTIONS];
    size_t n = song_plan_emotions(names);
    strbuf all = {0};
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    const char *near = str_nearest(text, names, n);
    err_set(e, ERR_USAGE,
            "unknown emotion '%.60s'%s%s%s; give valence,arousal (as 0.5,-0.2) or one of: %s", text,
            near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "", all.s);
    strbuf_free(&all);
    return false;
}

// A name of either table, or numbers; a mood of that name, then one that knows the word, wins over
// the nearest.
static bool take_emotion(const char *text, song_plan *p, err *e)
{
    double intensity = NAN;
    p->primary = mood_find(text), p->secondary = -1, p->hits = -1;
    if (p->primary >= 0)
        p->valence = mood_at(p->primary)->valence, p->arousal = mood_at(p->primary)->arousal;
    else if (!strchr(text, ',') && !emotion_find(text))
        return unknown_emotion(text, e);
    else if (!emotion_parse(text, &p->valence, &p->arousal, &intensity, e))
        return false;
    mood_reading word = mood_read(text);
    if (p->primary < 0)
        p->primary = word.hits ? word.primary : mood_nearest(p->valence, p->arousal);
    p->intensity = isnan(intensity) ? hypot(p->valence, p->arousal) / sqrt(2) : intensity;
    return true;
}

// The second mood weighs half of the first.
static void take_intent(const song_intent *t, song_plan *p)
{
    const mood_def *a = mood_at(t->primary),
                   *b = mood_at(t->secondary < 0 ? t->primary : t->secondary);
    p->primary = t->primary, p->secondary = t->secondary, p->hits = -1;
    p->valence = (2 * a->valence + b->valence) / 3, p->arousal = (2 * a->arousal + b->arousal) / 3;
    p->intensity = hypot(p->valence, p->arousal) / sqrt(2);
    p->by = t->by, p->themes = t->themes, p->n_themes = t->n_themes;
}

static bool take_feeling(const song_plan_wish *w, song_plan *p, err *e)
{
    if (w->emotion)
        return take_emotion(w->emotion, p, e);
    if (w->intent) {
        take_intent(w->intent, p);
        return true;
    }
    mood_reading r = mood_read(p->text);
    p->primary = r.primary, p->secondary = r.secondary, p->hits = r.hits, p->silent = r.silent;
    p->intensity = r.intensity, p->valence = r.valence, p->arousal = r.arousal;
    return true;
}

// ---- Which music

static bool take_genre(const song_plan_wish *w, song_plan *p, err *e)
{
    p->genre = w->genre ? genre_find(w->genre) : w->intent ? w->intent->genre : genre_in(p->text);
    if (p->genre < 0 && w->genre)
        return genre_unknown(w->genre, e);
    p->genre = p->genre < 0 ? genre_plain() : p->genre;
    p->beats = genre_at(p->genre)->beats;
    return true;
}

// "in a minor", "in F# dorian", "in Em": a root and a mode behind "in". The bare letter is no key,
// since "in a" begins many sentences.
static bool key_in_text(const char *text, key_name *out)
{
    const char *s = text;
    char word[64], root[8];
    err e = {0};
    while (mood_word(&s, word)) {
        const char *at = s + strspn(s, " \t\n");
        size_t n = strcspn(at, " \t\n.,;!?");
        if (strcmp(word, "in") || n == 0 || n >= sizeof root)
            continue;
        memcpy(root, at, n), root[n] = 0;
        char two[80] = "";
        const char *next = at + n;
        if (mood_word(&next, word))
            strcpy(two, root), strcat(two, " "), strcat(two, word);
        if (key_parse(two, out, &e) || (n > 1 && key_parse(root, out, &e)))
            return true;
    }
    return false;
}

static bool take_key(const song_plan_wish *w, song_plan *p, err *e)
{
    key_name k = {0};
    if (w->key ? !key_parse(w->key, &k, e) : !key_in_text(p->text, &k))
        k = (key_name){
            .root = 0, .mode = -1, .family = w->intent ? w->intent->family : FAMILY_NONE};
    if (w->key && k.family == FAMILY_NONE)
        return false;
    p->root = k.root;
    p->mode = mode_find(mood_at(p->primary)->mode);
    CHECK(p->mode >= 0);
    if (k.mode >= 0)
        p->mode = k.mode;
    else if (k.family != FAMILY_NONE && k.family != mode_at(p->mode)->family)
        p->mode = mode_find(k.family == FAMILY_MINOR ? "aeolian" : "ionian");
    return true;
}

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static bool take_time(const song_plan_wish *w, song_plan *p, bool tempo_given, err *e)
{
    const genre_def *g = genre_at(p->genre);
    if ((tempo_given && !song_plan_in_range("the tempo", w->tempo, SONG_PLAN_TEMPO_LEAST,
                                            SONG_PLAN_TEMPO_MOST, e)))
        return false;
    double base = mood_at(p->primary)->tempo + (int)(40 * CHAOS - 20);
    base *= w->intent && !w->emotion ? w->intent->pace : 1;
    p->tempo = tempo_given ? w->tempo : clamp(base, g->tempo[0], g->tempo[1]);
    int motivation = tempo_given ? (int)clamp((int)(w->tempo / 20), 1, 10) : MOTIVATION;
    p->bars = w->bars ? (int)w->bars : motivation <= 3 ? 16 : motivation <= 7 ? 32 : 64;
    p->complexity = CHAOS + (motivation > 8 ? 0.1 : 0);
    return true;
}

// ---- Chords

chord_symbol song_plan_tonic(int root, int mode)
{
    const int *steps = mode_at(mode)->steps;
    const char *name = steps[2] == 4 ? "C" : steps[4] == 6 ? "Cdim" : "Cm";
    chord_symbol c;
    err e = {0};
    CHECK(chord_parse(name, &c, &e));
    return chord_move(c, root);
}

void song_plan_lay_chords(song_plan *p, arena *a, const chord_symbol *chords, int n)
{
    CHECK(n > 0 && p->bars > 0);
    p->chords = NEW(a, chord_symbol, (size_t)p->bars);
    for (int i = 0; i < p->bars; i++)
        p->chords[i] = chords[i % n];
}

static bool is_on(chord_symbol c, int root)
{
    return c.root == root && c.bass == root;
}

// The last bar comes home: what the progression has on the tonic itself (Cmaj9, C5, C7), else the
// tonic's triad.
static void take_chords(song_plan *p, arena *a)
{
    rng dice = rng_stream(p->seed, "progression", 0);
    progression g = progression_of(a, p->genre, p->root, p->mode, rng_u32(dice, 0, 0));
    song_plan_lay_chords(p, a, g.chords, g.n);
    chord_symbol home = song_plan_tonic(p->root, p->mode);
    for (int i = 0; i < g.n; i++)
        home = is_on(g.chords[i], p->root) ? g.chords[i] : home;
    p->chords[p->bars - 1] = home;
    p->chords_from = g.from;
}

bool song_plan_make(const song_plan_wish *w, arena *a, song_plan *p, err *e)
{
    const char *text = w->text ? w->text : "";
    if (!w->text && !w->emotion && !w->genre)
        return err_set(
            e, ERR_USAGE,
            "what should it be? Say it in words (\"a melancholic ballad about loss\"), or "
            "by --emotion, --genre or --plan");
    if (strlen(text) > SONG_PLAN_TEXT)
        return err_set(e, ERR_USAGE, "the text is %zu bytes long; %d are taken", strlen(text),
                       SONG_PLAN_TEXT);
    *p = (song_plan){.text = str_utf8_escape(a, text), .by = "rules", .seed = w->seed};
    if (w->bars && !song_plan_in_range("the number of bars", (double)w->bars, 1, SONG_PLAN_BARS, e))
        return false;
    if (!take_feeling(w, p, e) || !take_genre(w, p, e) || !take_key(w, p, e) ||
        !take_time(w, p, w->tempo != 0, e))
        return false;
    take_chords(p, a);
    return true;
}
