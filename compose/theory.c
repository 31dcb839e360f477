// SPDX-License-Identifier: GPL-3.0-or-later
// theory.c: modes.def and chord_kinds.def as tables, and names read and written (theory.h).
#include "compose/theory.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/names.h"
#include "base/str.h"
#include "data/music/chords.h"

#define MAJOR FAMILY_MAJOR
#define MINOR FAMILY_MINOR
static const mode_def modes[] = {
#define MODE(name, sharps, family, ...) {#name, sharps, family, {__VA_ARGS__}},
#include "compose/modes.def"
#undef MODE
};
enum { MODES = sizeof modes / sizeof *modes };

// The tones behind the root, as many as are not 0.
static const struct {
    const char *names;
    chord_quality nearest;
    int above[CHORD_VOICES];
} qualities[] = {
#define KIND(names, nearest, ...) {names, nearest, {__VA_ARGS__}},
#include "compose/chord_kinds.def"
#undef KIND
};
enum { QUALITIES = sizeof qualities / sizeof *qualities };

int mode_count(void)
{
    return MODES;
}

const mode_def *mode_at(int mode)
{
    CHECK(mode >= 0 && mode < MODES);
    return &modes[mode];
}

int mode_find(const char *name)
{
    for (int i = 0; i < MODES; i++)
        if (!strcasecmp(modes[i].name, name))
            return i;
    return -1;
}

uint16_t mode_mask(int root, int mode)
{
    unsigned mask = 0;
    for (int i = 0; i < DEGREES; i++)
        mask |= 1u << (root + mode_at(mode)->steps[i]) % PITCH_CLASSES;
    return (uint16_t)mask;
}

// A fifth upwards is seven semitones and one sharp more.
int key_sharps(int root, int mode)
{
    int n = (root * 7 + mode_at(mode)->sharps + 24) % 12;
    return n > 6 ? n - 12 : n;
}

const char *pitch_class_name(int pitch_class, int sharps)
{
    static const char *const names[3][PITCH_CLASSES] = {
        {"C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"},
        {"C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"},
        {"C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"}};
    return names[sharps < 0 ? 0 : sharps > 0 ? 2 : 1][(pitch_class % 12 + 12) % 12];
}

// ---- Reading

// A letter and its accidentals; what stands behind them, or NULL.
static const char *read_root(const char *s, int *root)
{
    static const int naturals[] = {9, 11, 0, 2, 4, 5, 7};
    int letter = *s >= 'a' ? *s - 'a' : *s - 'A', sign = 0;
    if (letter < 0 || letter > 6)
        return NULL;
    for (s++;; s++)
        if (*s == '#' || *s == 'b')
            sign += *s == '#' ? 1 : -1;
        else if (str_starts(s, "♯") || str_starts(s, "♭"))
            sign += str_starts(s, "♯") ? 1 : -1, s += strlen("♯") - 1;
        else
            break;
    *root = ((naturals[letter] + sign) % 12 + 12) % 12;
    return s;
}

static bool is_word(const char *s, const char *names)
{
    char name[64];
    while (str_name(&names, name))
        if (!strcasecmp(s, name))
            return true;
    return false;
}

bool key_parse(const char *text, key_name *out, err *e)
{
    const char *rest = read_root(text, &out->root);
    while (rest && (*rest == ' ' || *rest == '_' || (*rest == '-' && rest[1])))
        rest++;
    out->mode = rest ? mode_find(rest) : -1;
    out->family = !rest            ? FAMILY_NONE
                  : out->mode >= 0 ? mode_at(out->mode)->family
                  : !strcmp(rest, "m") || is_word(rest, "minor|min|moll")          ? FAMILY_MINOR
                  : !*rest || !strcmp(rest, "M") || is_word(rest, "major|maj|dur") ? FAMILY_MAJOR
                                                                                   : FAMILY_NONE;
    return out->family != FAMILY_NONE ||
           err_set(
               e, ERR_USAGE,
               "'%.40s' is no key; write a root from A to G with # or b, then m, minor, major or "
               "a mode, as Am, \"F# minor\", Bb or \"D dorian\"",
               text);
}

// Names are tried one by one, since the first of a major chord is nothing at all.
static int find_quality(const char *s, size_t n)
{
    for (int i = 0; i < QUALITIES; i++)
        for (const char *at = qualities[i].names;;) {
            size_t k = strcspn(at, "|");
            if (k == n && !memcmp(at, s, n))
                return i;
            if (!at[k])
                break;
            at += k + 1;
        }
    return -1;
}

static bool no_chord(const char *text, err *e)
{
    strbuf all = {0};
    for (int i = 1; i < QUALITIES; i++)
        strbuf_printf(&all, "%s%.*s", i > 1 ? ", " : "", (int)strcspn(qualities[i].names, "|"),
                      qualities[i].names);
    err_set(e, ERR_VALUE,
            "'%.40s' is no chord; write a root from A to G with # or b, then nothing or one of: %s "
            "(and /E for another bass)",
            text, all.s);
    strbuf_free(&all);
    return false;
}

bool chord_parse(const char *text, chord_symbol *out, err *e)
{
    int root = 0, bass;
    const char *rest = *text >= 'A' && *text <= 'G' ? read_root(text, &root) : NULL;
    size_t n = rest ? strcspn(rest, "/") : 0;
    int quality = rest ? find_quality(rest, n) : -1;
    bass = root;
    if (quality >= 0 && rest[n]) {
        rest = read_root(rest + n + 1, &bass);
        quality = rest && !*rest ? quality : -1;
    }
    *out = (chord_symbol){(int8_t)root, (int8_t)quality, (int8_t)bass};
    return quality >= 0 || no_chord(text, e);
}

// ---- What a chord is

void chord_print(chord_symbol c, int sharps, char out[CHORD_TEXT])
{
    const char *names = qualities[c.quality].names;
    snprintf(out, CHORD_TEXT, "%s%.*s%s%s", pitch_class_name(c.root, sharps),
             (int)strcspn(names, "|"), names, c.bass != c.root ? "/" : "",
             c.bass != c.root ? pitch_class_name(c.bass, sharps) : "");
}

int chord_steps(chord_symbol c, int above[CHORD_VOICES])
{
    int n = 1;
    above[0] = 0;
    for (; n < CHORD_VOICES && qualities[c.quality].above[n]; n++)
        above[n] = qualities[c.quality].above[n];
    return n;
}

uint16_t chord_mask(chord_symbol c)
{
    int above[CHORD_VOICES], n = chord_steps(c, above);
    unsigned mask = 0;
    for (int i = 0; i < n; i++)
        mask |= 1u << (c.root + above[i]) % PITCH_CLASSES;
    return (uint16_t)mask;
}

int chord_to_id(chord_symbol c)
{
    return c.root * CHORD_QUALITIES + (int)qualities[c.quality].nearest;
}

chord_symbol chord_from_id(int id)
{
    int root = id / CHORD_QUALITIES, quality = id % CHORD_QUALITIES; // the first five rows
    return (chord_symbol){(int8_t)root, (int8_t)quality, (int8_t)root};
}

chord_symbol chord_move(chord_symbol c, int semitones)
{
    int by = (semitones % 12 + 12) % 12;
    return (chord_symbol){(int8_t)((c.root + by) % 12), c.quality, (int8_t)((c.bass + by) % 12)};
}
