// SPDX-License-Identifier: GPL-3.0-or-later
// genre.c: genres.def and progressions.def, looked up (genre.h).
#include "compose/genre.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "compose/mood.h"

static const genre_def genres[] = {
#define GENRE(...) {__VA_ARGS__},
#include "compose/genres.def"
#undef GENRE
};
enum { GENRES = sizeof genres / sizeof *genres };

static const struct {
    const char *genre, *mode, *chords, *from;
} progressions[] = {
#define PROGRESSION(genre, mode, chords, from) {genre, #mode, chords, from},
#include "compose/progressions.def"
#undef PROGRESSION
};
enum { PROGRESSIONS = sizeof progressions / sizeof *progressions };

int genre_count(void)
{
    return GENRES;
}

const genre_def *genre_at(int genre)
{
    CHECK(genre >= 0 && genre < GENRES);
    return &genres[genre];
}

int genre_plain(void)
{
    return genre_find("plain");
}

// "Lo-Fi", "lo fi" and "lo_fi" are one.
static bool is_alike(const char *name, const char *listed, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = name[i] == ' ' || name[i] == '-' ? '_' : name[i];
        if (!c || strncasecmp(&c, listed + i, 1))
            return false;
    }
    return !name[n];
}

static bool has_name(const genre_def *g, const char *name)
{
    if (is_alike(name, g->name, strlen(g->name)))
        return true;
    for (const char *s = g->also; *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        if (is_alike(name, s, n))
            return true;
        s += n;
    }
    return false;
}

int genre_find(const char *name)
{
    for (int i = 0; i < GENRES; i++)
        if (has_name(&genres[i], name))
            return i;
    return -1;
}

// Single words, and pairs for names of two.
int genre_in(const char *text)
{
    char word[64], before[64] = "", pair[129];
    while (mood_word(&text, word)) {
        strcpy(pair, before), strcat(pair, "_"), strcat(pair, word);
        int found = genre_find(word);
        found = found < 0 ? genre_find(pair) : found;
        if (found >= 0 && found != genre_plain())
            return found;
        strcpy(before, word);
    }
    return -1;
}

bool genre_unknown(const char *name, err *e)
{
    const char *names[GENRES];
    strbuf all = {0};
    for (int i = 0; i < GENRES; i++) {
        names[i] = genres[i].name;
        strbuf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = str_nearest(name, names, GENRES);
    err_set(e, ERR_USAGE, "unknown genre '%.60s'%s%s%s; there are: %s", name,
            near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "", all.s);
    strbuf_free(&all);
    return false;
}

// ---- Progressions

static bool fits(int row, const char *genre, int mode, bool family)
{
    int own = mode_find(progressions[row].mode);
    CHECK(own >= 0);
    return !strcmp(progressions[row].genre, genre) &&
           (family ? mode_at(own)->family == mode_at(mode)->family : own == mode);
}

// The dice-th row that fits; -1 where none does.
static int pick(const char *genre, int mode, bool family, uint32_t dice)
{
    uint32_t n = 0, at = 0;
    for (int i = 0; i < PROGRESSIONS; i++)
        n += fits(i, genre, mode, family);
    for (int i = 0; i < PROGRESSIONS; i++)
        if (fits(i, genre, mode, family) && at++ == dice % n)
            return i;
    return -1;
}

static progression read_row(arena *a, int row, int root)
{
    progression p = {.from = progressions[row].from};
    p.chords = NEW(a, chord_symbol, strlen(progressions[row].chords) / 2 + 1);
    for (const char *s = progressions[row].chords; *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        err e = {0};
        CHECK(chord_parse(arena_printf(a, "%.*s", (int)n, s), &p.chords[p.n], &e));
        p.chords[p.n] = chord_move(p.chords[p.n], root);
        p.n++, s += n;
    }
    return p;
}

progression progression_of(arena *a, int genre, int root, int mode, uint32_t dice)
{
    const char *name = genres[genre].name;
    int row = pick(name, mode, false, dice);
    // A mode that the genre has no chords for keeps its own colour, unless it is plain major or
    // minor.
    if (row < 0 && (mode == mode_find("ionian") || mode == mode_find("aeolian")))
        row = pick(name, mode, true, dice);
    row = row < 0 ? pick("", mode, false, 0) : row;
    CHECK(row >= 0);
    return read_row(a, row, root);
}
