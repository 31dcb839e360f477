// SPDX-License-Identifier: GPL-3.0-or-later
// guidance.c: a player that is guided by its emotion, and one that hears all songs in C.
#include <string.h>

#include "data/midi/midi_write.h"
#include "tests/cmd/fresh.h"
#include "tests/data/music/songs.h"
#include "tests/test.h"

static int perform(const char **out, const char *args)
{
    fresh_model("player.h5", "emotion_midi_transformer",
                "layers=2 dim=32 heads=2 ffn=48 cross=0 emotion_tokens=3");
    return test_shell(out, "D=%s; %s generate $D/player.h5 %s", test_dir(), test_kmidi(), args);
}

static void expect_lifted(arena *a, const char *low, const char *high, int semitones)
{
    const midi_song *x = song_read(a, low), *y = song_read(a, high);
    EXPECT(x->n_notes > 5);
    EXPECT_INT(x->n_notes, y->n_notes);
    for (size_t i = 0; i < x->n_notes && i < y->n_notes; i++) {
        EXPECT_INT(y->notes[i].pitch, x->notes[i].pitch + semitones);
        EXPECT_INT(y->notes[i].start_tick, x->notes[i].start_tick);
    }
}

TEST(generate_guided_by_its_emotion)
{
    const char *out;
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 5 -o $D/a.mid"), 0);
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 5 --guidance 1 -o $D/b.mid"), 0);
    EXPECT(!strstr(out, "condition_dropout"));
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 5 --guidance 3 -o $D/c.mid"), 0);
    EXPECT_HAS(out, "was not trained with train.condition_dropout");
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 5 --guidance 3 --threads 1 -o $D/d.mid"),
               0);
    EXPECT(test_files_alike("a.mid", "b.mid") && !test_files_alike("a.mid", "c.mid") &&
           test_files_alike("c.mid", "d.mid"));
}

// A player whose shards had all songs in C: what it hears of the same piece in another key is the
// same, and what it plays there goes back. (The likeliest, since what no key of MIDI has, seven
// pitches, cannot be drawn.)
TEST(generate_performs_in_the_key_of_its_prompt)
{
    arena a = {0};
    const char *out;
    err e = {0};
    model_meta meta = {.arena = &a};
    meta_set(&meta, "settings", "{\"tokens\": {\"to_c\": true}}");
    fresh_said("c.h5", "emotion_midi_transformer",
               "layers=2 dim=32 heads=2 ffn=48 cross=0 emotion_tokens=3", &meta);
    midi_song *s = song_cadence(&a); // G
    EXPECT_OK(midi_write(test_path("g.mid"), s, &e), e);
    for (size_t i = 0; i < s->n_notes; i++)
        s->notes[i].pitch = (uint8_t)(s->notes[i].pitch + 2);
    EXPECT_OK(midi_write(test_path("a.mid"), s, &e), e);
    static const char *const made[] = {
        "-e joy --prompt $D/g.mid -o $D/0.mid", "-e joy --prompt $D/a.mid -o $D/2.mid",
        "-e joy --prompt $D/g.mid --key Am -o $D/keyed.mid", "-e joy -o $D/in_c.mid",
        "-e joy --key Eb -o $D/in_e_flat.mid"};
    for (int i = 0; i < 5; i++)
        EXPECT_INT(
            test_shell(&out, "D=%s; %s generate $D/c.h5 --seconds 8 --temperature 0 --penalty 3 %s",
                       test_dir(), test_kmidi(), made[i]),
            0);
    expect_lifted(&a, "0.mid", "2.mid", 2);
    expect_lifted(&a, "in_c.mid", "in_e_flat.mid", 3);
    EXPECT(!test_files_alike("0.mid", "keyed.mid"));
    arena_free(&a);
}
