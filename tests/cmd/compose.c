// SPDX-License-Identifier: GPL-3.0-or-later
// compose.c: the command as a person types it: what it writes, that a plan plays again to the same
// bytes, models in the place of rules, and what it refuses.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "compose/band.h"
#include "compose/song_plan.h"
#include "compose/theory.h"
#include "data/midi/midi_write.h"
#include "tests/cmd/fresh.h"
#include "tests/test.h"

static int composed(const char **out, const char *args)
{
    return test_shell(out, "D=%s; %s compose %s", test_dir(), test_kmidi(), args);
}

TEST(compose_writes_music_plan_sound_and_picture)
{
    arena a = {0};
    err e = {0};
    const char *out;
    EXPECT_INT(composed(&out, "a melancholic ballad about loss --bars 8 --key Am --tempo 72 -o "
                              "$D/s.mid --wav $D/s.wav --svg $D/s.svg --simple-tones --json"),
               0);
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_OK(j != NULL, e);
    EXPECT_STR(json_str(json_get(json_get(j, "affect"), "primary"), ""), "grief");
    EXPECT_STR(json_str(json_get(json_get(j, "plan"), "genre"), ""), "ballad");
    EXPECT_STR(json_str(json_get(json_get(j, "plan"), "root_note"), ""), "A");
    EXPECT_INT(json_len(json_get(json_get(j, "plan"), "chord_symbols")), 8);
    EXPECT_STR(json_str(json_get(json_get(json_get(j, "parts"), "melody"), "by"), ""), "rule");
    json_free(j);
    EXPECT(file_exists(test_path("s.plan.json")) && file_exists(test_path("s.wav")) &&
           file_exists(test_path("s.svg")));
    const midi_song *s = midi_read(&a, test_path("s.mid"), &e);
    EXPECT_OK(s != NULL, e);
    EXPECT_NEAR(s ? s->seconds : 0, 8 * 4 * 60 / 72.0, 60 / 72.0);
    arena_free(&a);
}

TEST(compose_plays_a_plan_again)
{
    const char *out;
    EXPECT_INT(composed(&out, "--genre jazz -e joy --bars 9 --seed 4 -o $D/a.mid"), 0);
    EXPECT_HAS(out, "by rule: melody, harmony, groove, dynamics");
    EXPECT_INT(composed(&out, "--plan $D/a.plan.json -o $D/b.mid"), 0);
    EXPECT(test_files_alike("a.mid", "b.mid") && test_files_alike("a.plan.json", "b.plan.json"));
    EXPECT_INT(composed(&out, "--plan $D/a.plan.json --seed 5 -o $D/c.mid"), 0);
    EXPECT(!test_files_alike("a.mid", "c.mid"));
    EXPECT_INT(test_shell(NULL, "sed 's/\"Cmaj7\"/\"Ebm\"/' %s > %s", test_path("a.plan.json"),
                          test_path("d.plan.json")),
               0);
    EXPECT_INT(composed(&out, "--plan $D/d.plan.json -o $D/d.mid"), 0);
    EXPECT_HAS(out, "Ebm");
}

TEST(compose_takes_models_for_rules)
{
    arena a = {0};
    err e = {0};
    const char *out;
    fresh_model("melody.h5", "melody_transformer", NULL);
    fresh_model("harmony.h5", "harmony_predictor", NULL);
    fresh_model("groove.h5", "groove_predictor", NULL);
    fresh_model("dynamics.h5", "dynamics_engine", NULL);
    EXPECT_INT(composed(&out,
                        "sad --bars 12 --melody $D/melody.h5 --harmony $D/harmony.h5 --groove "
                        "$D/groove.h5 --dynamics $D/dynamics.h5 -o $D/a.mid"),
               0);
    EXPECT(!strstr(out, "by rule"));
    EXPECT_INT(composed(&out, "--plan $D/a.plan.json --melody $D/melody.h5 --harmony $D/harmony.h5 "
                              "--groove $D/groove.h5 --dynamics $D/dynamics.h5 --threads 1 -o "
                              "$D/b.mid"),
               0);
    EXPECT(test_files_alike("a.mid", "b.mid") && test_files_alike("a.plan.json", "b.plan.json"));
    EXPECT_INT(composed(&out, "--plan $D/a.plan.json --melody $D/melody.h5 -o $D/c.mid"), 0);
    EXPECT_HAS(out, "its groove was by a model; to have it again: --groove ");
    EXPECT(!strstr(out, "its melody"));
    const midi_song *s = midi_read(&a, test_path("a.mid"), &e);
    EXPECT_OK(s != NULL, e);
    // C minor: the melody and the chords of the mode
    uint16_t mode = mode_mask(0, mode_find("aeolian"));
    for (size_t i = 0; s && i < s->n_notes; i++)
        EXPECT(mask_has(mode, s->notes[i].pitch));
    EXPECT_INT(composed(&out, "sad --melody $D/groove.h5 -o $D/x.mid"), 1);
    EXPECT_HAS(out, "is of groove_predictor, and --melody is for melody_transformer");
    EXPECT_INT(composed(&out, "sad --harmony $D/groove.h5 -o $D/x.mid"), 1);
    EXPECT_INT(composed(&out, "sad --adapter $D/none -o $D/x.mid"), 2);
    EXPECT(!file_exists(test_path("x.mid")));
    arena_free(&a);
}

// The opening and the end are arranged, what is between is the player's, in the bars' scales.
TEST(compose_lets_a_player_go_on)
{
    arena a = {0};
    err e = {0};
    const char *out;
    fresh_model("player.h5", "emotion_midi_transformer", "dim=32 heads=2 layers=1");
    EXPECT_INT(composed(&out, "sad --bars 6 --tempo 120 --player $D/player.h5 -o $D/a.mid"), 0);
    EXPECT_INT(
        composed(&out, "--plan $D/a.plan.json --player $D/player.h5 --threads 1 -o $D/b.mid"), 0);
    EXPECT(test_files_alike("a.mid", "b.mid"));
    const midi_song *s = midi_read(&a, test_path("a.mid"), &e);
    EXPECT_OK(s != NULL, e);
    uint16_t mode = mode_mask(0, mode_find("aeolian"));
    size_t played = 0;
    for (size_t i = 0; s && i < s->n_notes; i++) {
        const midi_note *n = &s->notes[i];
        bool between = n->start >= 4 && n->start < 10;
        played += s->instruments[n->instrument].channel == BAND_DRUMS;
        EXPECT(mask_has(mode, n->pitch));
        EXPECT(between || s->instruments[n->instrument].channel != BAND_DRUMS);
    }
    EXPECT(played > 1);
    EXPECT_NEAR(s ? s->seconds : 0, 12, 0.5);
    EXPECT_INT(composed(&out, "sad --bars 2 --player $D/player.h5 -o $D/x.mid"), 2);
    EXPECT_HAS(out, "needs 3 bars");
    arena_free(&a);
}

TEST(compose_refuses_what_cannot_be_meant)
{
    static const struct {
        const char *args, *says;
        int status;
    } bad[] = {{"-o $D/x.mid", "what should it be?", 2},
               {"--genre balad -o $D/x.mid", "did you mean 'ballad'", 2},
               {"--emotion greif -o $D/x.mid", "did you mean 'grief'", 2},
               {"joy --key H -o $D/x.mid", "'H' is no key", 2},
               {"joy --tempo 0 -o $D/x.mid", "--tempo lies from 20 to 400, and is 0", 2},
               {"joy --bars 10000 -o $D/x.mid", "--bars lies from 1 to 4096, and is 10000", 2},
               {"joy --bars 0 -o $D/x.mid", "--bars lies from 1 to 4096", 2},
               {"joy -o $D/x.wav", "-o names the MIDI file", 2},
               {"joy --temperature -1 -o $D/x.mid", "temperature", 2},
               {"--plan $D/none.json -o $D/x.mid", "none.json", 1},
               {"joy --plan $D/p.json -o $D/x.mid", "--plan or words", 2},
               {"--key C --plan $D/p.json -o $D/x.mid", "instead of --key", 2},
               {"joy -o $D/none/x.mid", "none", 1}};
    const char *out;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_INT(composed(&out, bad[i].args), bad[i].status);
        EXPECT_HAS(out, bad[i].says);
    }
    EXPECT(!file_exists(test_path("x.mid")) && !file_exists(test_path("x.plan.json")));
}

// Any script, any length; what is no UTF-8 is kept as text that is.
TEST(compose_takes_any_text)
{
    const char *out;
    EXPECT_INT(composed(&out, "'悲しい歌' 'песня о потере' --bars 2 -o $D/a.mid"), 0);
    EXPECT_HAS(out, "know none of these words");
    EXPECT_INT(composed(&out, "\"$(printf 'lost\\377\\001')\" --bars 2 -o $D/a.mid"), 0);
    EXPECT_INT(composed(&out, "--plan $D/a.plan.json -o $D/b.mid"), 0);
    EXPECT_INT(
        composed(&out, "\"$(head -c 100000 /dev/zero | tr '\\0' 'x')\" --bars 2 -o $D/c.mid"), 0);
    EXPECT_INT(composed(&out, "'' --bars 2 -o $D/d.mid"), 0);
    EXPECT_HAS(out, "silence");
}

// A hundred pieces, every genre and ten feelings, as other programs read them.
TEST(compose_pieces_open_elsewhere)
{
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import mido, pretty_midi, symusic' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with mido, pretty_midi and symusic");
        return;
    }
    static const char *const feelings[] = {"grief", "joy", "anger",    "calm",      "awe",
                                           "fear",  "Q4",  "defiance", "confusion", "-0.3,0.1"};
    const char *out;
    for (int i = 0; i < 100; i++)
        EXPECT_INT(test_shell(&out,
                              "%s compose --emotion=%s --genre %s --bars %d --seed %d -o %s/%d.mid",
                              test_kmidi(), feelings[i % 10], genre_at(i % genre_count())->name,
                              1 + i % 13, i, test_dir(), i),
                   0);
    EXPECT_INT(test_shell(&out, "\"$PEERS_PYTHON\" -W ignore tests/peers/music_check.py %s/*.mid",
                          test_dir()),
               0);
    EXPECT_HAS(out, "100 pieces");
}
