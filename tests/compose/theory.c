// SPDX-License-Identifier: GPL-3.0-or-later
// theory.c: keys and chords as musicians write them, read and written.
#include "compose/theory.h"

#include <string.h>

#include "compose/genre.h"
#include "compose/voicing.h"
#include "tests/test.h"

static chord_symbol chord(const char *text)
{
    chord_symbol c = {0};
    err e = {0};
    EXPECT_OK(chord_parse(text, &c, &e), e);
    return c;
}

static const char *printed(const char *text, int sharps)
{
    static char out[CHORD_TEXT];
    chord_print(chord(text), sharps, out);
    return out;
}

TEST(compose_keys_are_read)
{
    static const struct {
        const char *text;
        int root;
        mode_family family;
        const char *mode;
    } known[] = {{"Am", 9, FAMILY_MINOR, NULL},          {"C", 0, FAMILY_MAJOR, NULL},
                 {"F# minor", 6, FAMILY_MINOR, NULL},    {"B♭ major", 10, FAMILY_MAJOR, NULL},
                 {"bb", 10, FAMILY_MAJOR, NULL},         {"d Dorian", 2, FAMILY_MINOR, "dorian"},
                 {"Cb", 11, FAMILY_MAJOR, NULL},         {"G♯m", 8, FAMILY_MINOR, NULL},
                 {"E-lydian", 4, FAMILY_MAJOR, "lydian"}};
    static const char *const none[] = {"", "H", "Amm", "A minus", "minor", "C##x", "Ω"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        key_name k;
        err e = {0};
        EXPECT_OK(key_parse(known[i].text, &k, &e), e);
        EXPECT_INT(k.root, known[i].root);
        EXPECT_INT(k.family, known[i].family);
        EXPECT_INT(k.mode, known[i].mode ? mode_find(known[i].mode) : -1);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        key_name k;
        err e = {0};
        EXPECT_ERR(key_parse(none[i], &k, &e), e, ERR_USAGE, "is no key");
    }
}

TEST(compose_signatures_are_those_of_the_circle_of_fifths)
{
    int ionian = mode_find("ionian"), aeolian = mode_find("aeolian");
    EXPECT_INT(key_sharps(0, ionian), 0);
    EXPECT_INT(key_sharps(9, aeolian), 0);
    EXPECT_INT(key_sharps(7, ionian), 1);
    EXPECT_INT(key_sharps(10, ionian), -2);
    EXPECT_INT(key_sharps(0, aeolian), -3);
    EXPECT_INT(key_sharps(2, mode_find("dorian")), 0);
    EXPECT_INT(key_sharps(6, ionian), 6);
    EXPECT_INT(mode_mask(0, ionian), 0xab5);
    EXPECT_INT(mode_mask(9, aeolian), 0xab5);
    EXPECT_INT(mode_mask(4, mode_find("phrygian")), 0xab5);
    EXPECT_INT(mode_mask(11, mode_find("locrian")), 0xab5);
}

TEST(compose_chords_are_read_and_written)
{
    int above[CHORD_VOICES];
    chord_symbol c = chord("Bb7/D");
    EXPECT_INT(c.root, 10);
    EXPECT_INT(c.bass, 2);
    EXPECT_INT(chord_steps(c, above), 4);
    EXPECT_INT(above[3], 10);
    EXPECT_STR(printed("Bb7/D", -2), "Bb7/D");
    EXPECT_STR(printed("A#min7", -2), "Bbm7");
    EXPECT_STR(printed("B♭min7", 2), "A#m7");
    EXPECT_STR(printed("DbMaj7", -5), "Dbmaj7");
    EXPECT_STR(printed("F°", 0), "Fdim");
    EXPECT_INT(chord_mask(chord("Am")), 1 << 9 | 1 << 0 | 1 << 4);
    EXPECT_INT(chord_steps(chord("C9"), above), 5);
    for (int id = 0; id < 60; id++)
        EXPECT_INT(chord_to_id(chord_from_id(id)), id);
    static const char *const none[] = {"",    "H",     "Hm7",  "am",    "C/",
                                       "C/H", "Csus9", "N.C.", "C7/E/G"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        err e = {0};
        EXPECT_ERR(chord_parse(none[i], &c, &e), e, ERR_VALUE, "is no chord");
    }
}

TEST(compose_every_genre_has_chords_in_every_mode_and_patterns_of_its_bars)
{
    arena a = {0};
    for (int g = 0; g < genre_count(); g++) {
        const genre_def *d = genre_at(g);
        size_t bar = (size_t)d->beats * 4;
        for (int i = 0; i < GENRE_STYLES; i++)
            EXPECT(strlen(d->chords[i]) % bar == 0 && *d->chords[i] &&
                   strspn(d->chords[i], "123456789CcT-.") == strlen(d->chords[i]));
        EXPECT(strlen(d->low) == bar && strspn(d->low, "RFTOA-.") == bar);
        EXPECT(d->tempo[0] < d->tempo[1] && (d->beats == 3 || d->beats == 4));
        EXPECT_INT(genre_find(d->name), g);
        for (int m = 0; m < mode_count(); m++)
            for (uint32_t dice = 0; dice < 4; dice++) {
                progression p = progression_of(&a, g, 2, m, dice);
                EXPECT(p.n > 0 && p.from[0]);
            }
    }
    EXPECT_INT(genre_find("Lo-Fi"), genre_find("lofi"));
    EXPECT_INT(genre_find("bossa nova"), genre_find("bossa"));
    EXPECT_INT(genre_in("play me a slow Bossa Nova, please"), genre_find("bossa"));
    EXPECT_INT(genre_in("plain words"), -1);
    arena_free(&a);
}

// From C to Am two voices stay and one moves by a tone.
TEST(compose_voices_move_little)
{
    voicing c = voicing_of(chord("C"), NULL), am = voicing_of(chord("Am"), &c);
    int moved = 0;
    for (int i = 0; i < 3; i++)
        moved += c.pitch[i] > am.pitch[i] ? c.pitch[i] - am.pitch[i] : am.pitch[i] - c.pitch[i];
    EXPECT_INT(moved, 2);
    EXPECT_INT(voicing_tone(&c, 3), c.pitch[0] + 12);
    EXPECT_INT(voicing_bass(0, 35), 36);
    EXPECT_INT(voicing_bass(11, 36), 35);
}
