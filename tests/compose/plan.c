// SPDX-License-Identifier: GPL-3.0-or-later
// plan.c: from words to a plan by the documented rules, and a plan as a file.
#include <string.h>

#include "base/file.h"
#include "compose/mood.h"
#include "compose/song_plan.h"
#include "tests/test.h"

static song_plan made(arena *a, song_plan_wish w)
{
    song_plan p = {0};
    err e = {0};
    EXPECT_OK(song_plan_make(&w, a, &p, &e), e);
    return p;
}

static const char *chords(arena *a, const song_plan *p)
{
    strbuf b = {0};
    char name[CHORD_TEXT];
    for (int i = 0; i < p->bars && i < 4; i++) {
        chord_print(p->chords[i], key_sharps(p->root, p->mode), name);
        strbuf_printf(&b, "%s%s", i ? " " : "", name);
    }
    return strbuf_keep(&b, a);
}

// The whole rule: affect, mode, tempo, length, chords in C.
TEST(compose_plan_follows_the_rule)
{
    static const struct {
        const char *text, *mood, *mode, *chords;
        double tempo;
    } rule[] = {{"grief and mourning", "grief", "aeolian", "Cm Ab Fm Cm", 70},
                {"RAGE!", "rage", "phrygian", "Cm Db Bbm Cm", 130},
                {"awe under the stars", "awe", "lydian", "C D Bm C", 90},
                {"memories of my childhood", "nostalgia", "dorian", "Cm F Gm Cm", 100},
                {"afraid of the nightmare", "fear", "phrygian", "Cm Db Bbm Cm", 130},
                {"numb, detached", "dissociation", "locrian", "Cdim Dbmaj7 Ebm Cdim", 70},
                {"we resist, unbroken", "defiance", "mixolydian", "C Bb F C", 130},
                {"a tender embrace", "tenderness", "ionian", "C Am F G", 100},
                {"bewildered", "confusion", "locrian", "Cdim Dbmaj7 Ebm Cdim", 100},
                {"the table", "neutral", "ionian", "C Am F G", 100}};
    arena a = {0};
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++) {
        song_plan p = made(&a, (song_plan_wish){.text = rule[i].text});
        EXPECT_STR(mood_at(p.primary)->name, rule[i].mood);
        EXPECT_STR(mode_at(p.mode)->name, rule[i].mode);
        EXPECT_STR(chords(&a, &p), rule[i].chords);
        EXPECT_NEAR(p.tempo, rule[i].tempo, 0);
        EXPECT_INT(p.bars, 32);
        EXPECT_NEAR(p.complexity, 0.5, 0);
    }
    song_plan p = made(&a, (song_plan_wish){.text = "loss", .tempo = 60});
    EXPECT_INT(p.bars, 16); // motivation 3
    p = made(&a, (song_plan_wish){.text = "loss", .tempo = 190});
    EXPECT_INT(p.bars, 64); // motivation 9
    EXPECT_NEAR(p.complexity, 0.6, 1e-12);
    p = made(&a, (song_plan_wish){.text = " ... "});
    EXPECT(p.silent && p.primary == mood_neutral());
    arena_free(&a);
}

TEST(compose_plan_counts_words)
{
    mood_reading r = mood_read("A melancholic ballad about loss, lost love and LONELINESS");
    EXPECT_STR(mood_at(r.primary)->name, "grief");
    EXPECT_STR(mood_at(r.secondary)->name, "tenderness");
    EXPECT_INT(r.hits, 5);
    EXPECT_NEAR(r.intensity, 1, 0);
    EXPECT_NEAR(r.valence, (4 * -0.8 + 0.6) / 5, 1e-12);
    EXPECT_NEAR(mood_read("loss").intensity, 1 / 3.0, 1e-12);
    EXPECT_INT(mood_read("悲しい 歌 про потерю").hits, 0);
    EXPECT(!mood_read("悲").silent && mood_read("").silent && mood_read("?!").silent);
}

TEST(compose_plan_takes_what_is_given_first)
{
    arena a = {0};
    song_plan_wish w = {.emotion = "grief", .genre = "ballad", .bars = 8, .key = "Am", .tempo = 72};
    song_plan p = made(&a, w);
    EXPECT_INT(p.root, 9);
    EXPECT_STR(mode_at(p.mode)->name, "aeolian");
    EXPECT_NEAR(p.tempo, 72, 0);
    EXPECT_INT(p.bars, 8);
    EXPECT_NEAR(p.valence, -0.8, 0);
    EXPECT(p.chords[7].root == 9);
    p = made(&a, (song_plan_wish){.emotion = "grief", .key = "A"});
    EXPECT_STR(mode_at(p.mode)->name, "ionian");
    p = made(&a, (song_plan_wish){.emotion = "nostalgia", .key = "Em"});
    EXPECT_STR(mode_at(p.mode)->name, "dorian");
    p = made(&a, (song_plan_wish){.text = "a happy waltz in B♭ major"});
    EXPECT_INT(p.root, 10);
    EXPECT_INT(p.beats, 3);
    EXPECT_STR(genre_at(p.genre)->name, "waltz");
    p = made(&a, (song_plan_wish){.text = "lost in a dream"});
    EXPECT_INT(p.root, 0);
    p = made(&a, (song_plan_wish){.emotion = "0.9,0.8"});
    EXPECT_STR(mood_at(p.primary)->name, "joy");
    p = made(&a, (song_plan_wish){.emotion = "melancholy"});
    EXPECT_STR(mood_at(p.primary)->name, "grief");
    EXPECT_NEAR(p.valence, -0.5, 0);
    p = made(&a, (song_plan_wish){.emotion = "-0.4,-0.5"});
    EXPECT(strcmp(mode_at(p.mode)->name, "locrian"));
    arena_free(&a);
}

TEST(compose_plan_refuses_in_a_sentence)
{
    static const struct {
        song_plan_wish wish;
        const char *says;
    } bad[] = {{{.genre = "balad"}, "did you mean 'ballad'"},
               {{.emotion = "nostalga"}, "did you mean 'nostalgia'"},
               {{.emotion = "joi"}, "did you mean 'joy'"},
               {{.emotion = "2,0"}, "lie from -1 to 1"},
               {{.emotion = "joy", .key = "H"}, "'H' is no key"},
               {{.emotion = "joy", .tempo = -3}, "the tempo lies from 20 to 400"},
               {{.emotion = "joy", .bars = 10000}, "bars lies from 1 to 4096, and is 10000"},
               {{0}, "what should it be?"}};
    arena a = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        song_plan p;
        err e = {0};
        EXPECT_ERR(song_plan_make(&bad[i].wish, &a, &p, &e), e, ERR_USAGE, bad[i].says);
    }
    arena_free(&a);
}

TEST(compose_plan_comes_back_from_its_file)
{
    arena a = {0};
    err e = {0};
    song_plan p = made(&a, (song_plan_wish){.text = "lost \"love\" \xff",
                                            .genre = "jazz",
                                            .key = "F#m",
                                            .bars = 9,
                                            .seed = 7}),
              q;
    EXPECT_OK(song_plan_write(test_path("a.json"), &p, NULL, &e), e);
    EXPECT_OK(song_plan_read(test_path("a.json"), &a, &q, &e), e);
    EXPECT_STR(q.text, p.text);
    EXPECT(q.primary == p.primary && q.secondary == p.secondary && q.hits == p.hits);
    EXPECT(q.root == p.root && q.mode == p.mode && q.bars == p.bars && q.genre == p.genre);
    EXPECT(q.tempo == p.tempo && q.valence == p.valence && q.arousal == p.arousal &&
           q.intensity == p.intensity && q.seed == p.seed && q.complexity == p.complexity);
    EXPECT(memcmp(q.chords, p.chords, 9 * sizeof *p.chords) == 0);
    arena_free(&a);
}

#define PLAN(affect, music) "{\"kmidi_plan\": 1, \"affect\": {" affect "}, \"plan\": {" music "}}"
#define MUSIC               "\"root_note\": \"C\", \"mode\": \"ionian\", \"tempo_bpm\": 100, "

TEST(compose_plan_files_that_are_none)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "a.json"},
        {"[]", "the plan is no object"},
        {"{\"plan\": {}}", "no \"kmidi_plan\": 1"},
        {PLAN("", MUSIC "\"length_bars\": 4, \"chord_symbols\": [\"C\", \"Hm7\"]"),
         "chord_symbols, bar 2: 'Hm7' is no chord"},
        {PLAN("", MUSIC "\"length_bars\": 4, \"chord_symbols\": [\"C\", 5]"), "bar 2: no text"},
        {PLAN("", MUSIC "\"length_bars\": 1, \"chord_symbols\": [\"C\", \"F\"]"), "has 2"},
        {PLAN("", MUSIC "\"length_bars\": 4"), "is a list of 1 to 4 chords"},
        {PLAN("", MUSIC "\"length_bars\": 10000, \"chord_symbols\": [\"C\"]"), "1 to 4096"},
        {PLAN("", MUSIC "\"length_bars\": 2.5, \"chord_symbols\": [\"C\"]"), "1 to 4096"},
        {PLAN("", "\"root_note\": \"C\", \"mode\": \"ionian\", \"tempo_bpm\": 0"),
         "tempo_bpm is a number from 20 to 400"},
        {PLAN("", "\"root_note\": \"H\", \"mode\": \"ionian\""), "root_note: 'H' is no key"},
        {PLAN("", "\"root_note\": \"C\", \"mode\": \"ionain\""), "did you mean 'ionian'"},
        {PLAN("", "\"root_note\": \"C\", \"tempo_bmp\": 3"), "did you mean 'tempo_bpm'"},
        {PLAN("\"valence\": 3", ""), "valence is a number from -1 to 1"},
        {PLAN("\"primary\": \"gref\"", ""), "did you mean 'grief'"},
    };
    arena a = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err e = {0};
        song_plan p;
        EXPECT_OK(file_write(test_path("a.json"), bad[i].text, strlen(bad[i].text), &e), e);
        bool ok = song_plan_read(test_path("a.json"), &a, &p, &e);
        EXPECT(!ok);
        EXPECT_HAS(e.text, bad[i].says);
        EXPECT_HAS(e.text, "a.json");
        EXPECT(!strchr(e.text, '\n'));
    }
    arena_free(&a);
}
