// SPDX-License-Identifier: GPL-3.0-or-later
// guidance.c: a player that is guided by its emotion, one whose nearest piece of several is kept,
// and one that hears all songs in C.
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "data/midi/midi_write.h"
#include "data/music/affect.h"
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

// How far a piece of this seed, made alone as $D/alone-SEED.mid, is from what is asked.
static double distance_alone(arena *a, const char *asked, int64_t seed)
{
    const char *out;
    const char *name = arena_printf(a, "alone-%lld.mid", (long long)seed);
    EXPECT_INT(
        perform(&out, arena_printf(a, "%s --seed %lld -o $D/%s", asked, (long long)seed, name)), 0);
    song_affect heard = affect_estimate(a, song_read(a, name));
    return hypot(heard.valence - 0.6, heard.arousal + 0.5);
}

// The k-th of those that are said to be kept, of the seeds `first` and so on, is the nearest.
static void expect_nearest(arena *a, const char *asked, const json *said, int64_t first)
{
    enum { OF = 3, STRIDE = 1000000 };
    double at[OF], least = INFINITY;
    int nearest = 0;
    for (int i = 0; i < OF; i++)
        if ((at[i] = distance_alone(a, asked, first + i * STRIDE)) < least)
            nearest = i, least = at[i];
    EXPECT(at[0] != at[1] && at[1] != at[2]);
    EXPECT_INT(json_int(json_get(said, "seed"), -1), first + nearest * STRIDE);
    EXPECT_INT(json_int(json_get(said, "best_of"), -1), OF);
    EXPECT_NEAR(hypot(json_num(json_get(said, "heard_valence"), NAN) - 0.6,
                      json_num(json_get(said, "heard_arousal"), NAN) + 0.5),
                least, 1e-6);
    EXPECT(
        test_files_alike(json_str(json_get(said, "file"), "") + strlen(test_dir()) + 1,
                         arena_printf(a, "alone-%lld.mid", (long long)(first + nearest * STRIDE))));
}

TEST(generate_keeps_the_nearest_of_several)
{
    static const char asked[] = "-e 0.6,-0.5 --seconds 4 --tempo 120";
    arena a = {0};
    const char *out;
    err e = {0};
    json *said[3];
    EXPECT_INT(
        perform(&out, arena_printf(&a, "%s --seed 5 -n 3 --best-of 3 -o $D/b.mid --json", asked)),
        0);
    for (int k = 0; k < 3; k++) {
        const char *end = out + strcspn(out, "\n");
        said[k] = json_parse(out, (size_t)(end - out), &e);
        EXPECT_OK(said[k] != NULL, e);
        out = *end ? end + 1 : end;
    }
    for (int k = 0; k < 3; k++)
        expect_nearest(&a, asked, said[k], 5 + k), json_free(said[k]);
    // more candidates than are made side by side
    EXPECT_INT(perform(&out, arena_printf(&a, "%s --seed 5 --best-of 9 -o $D/c.mid", asked)), 0);
    EXPECT_HAS(out, "the nearest of 9: valence ");
    EXPECT_INT(perform(&out, arena_printf(&a, "%s --seed 5 --best-of 1 -o $D/d.mid", asked)), 0);
    EXPECT(test_files_alike("d.mid", "alone-5.mid") && !strstr(out, "nearest"));
    arena_free(&a);
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
