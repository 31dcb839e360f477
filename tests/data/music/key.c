// SPDX-License-Identifier: GPL-3.0-or-later
// key.c: keys of pieces that leave no doubt, all twenty-four, and of songs that have none.
#include "data/music/key.h"

#include "tests/data/music/songs.h"
#include "tests/test.h"

static key_estimate key_of(const midi_song *s)
{
    double w[PITCH_CLASSES];
    key_weights(s, w);
    return key_find(w);
}

TEST(key_of_a_scale_and_a_cadence)
{
    arena a = {0};
    key_estimate scale = key_of(song_scale(&a)), cadence = key_of(song_cadence(&a));
    EXPECT(scale.found && scale.tonic == 0 && !scale.minor);
    EXPECT_NEAR(scale.correlation, 0.9013524118, 1e-9); // numpy.corrcoef
    EXPECT_NEAR(scale.best_major, scale.correlation, 0);
    EXPECT_NEAR(scale.best_minor, 0.7563045836, 1e-9);
    EXPECT(cadence.found && cadence.tonic == 7 && !cadence.minor);
    EXPECT_NEAR(cadence.correlation, 0.9801414334, 1e-9);
    EXPECT_NEAR(cadence.best_minor, 0.5841933830, 1e-9);
    arena_free(&a);
}

// The harmonic minor scale from every tonic, and each profile found again in its own key.
TEST(key_knows_all_keys)
{
    static const int minor_scale[] = {0, 2, 3, 5, 7, 8, 11, 12};
    for (int tonic = 0; tonic < PITCH_CLASSES; tonic++) {
        double w[2][PITCH_CLASSES] = {{0}}, scale[PITCH_CLASSES] = {0};
        for (int i = 0; i < 8; i++)
            scale[(tonic + minor_scale[i]) % PITCH_CLASSES]++;
        key_estimate k = key_find(scale);
        EXPECT(k.tonic == tonic && k.minor);
        EXPECT_NEAR(k.correlation, 0.8465520454, 1e-9);
        for (int mode = 0; mode < 2; mode++) {
            for (int p = 0; p < PITCH_CLASSES; p++)
                w[mode][(tonic + p) % PITCH_CLASSES] = 3 + 2 * key_profiles[mode][p];
            k = key_find(w[mode]);
            EXPECT(k.tonic == tonic && k.minor == (mode == 1));
            EXPECT_NEAR(k.correlation, 1, 1e-12);
        }
    }
}

TEST(key_of_what_has_none)
{
    arena a = {0};
    double flat[PITCH_CLASSES];
    for (int p = 0; p < PITCH_CLASSES; p++)
        flat[p] = 0.1;
    midi_song *silent = song_new(&a);
    const key_estimate none[] = {key_find(flat), key_of(song_swing(&a)), key_of(silent)};
    for (int i = 0; i < 3; i++) {
        EXPECT(!none[i].found && !none[i].tonic && !none[i].minor);
        EXPECT_NEAR(none[i].correlation + none[i].best_major + none[i].best_minor, 0, 0);
    }
    arena_free(&a);
}

// Weights are seconds: the same ticks at half the speed count twice.
TEST(key_weighs_seconds)
{
    arena a = {0};
    double w[PITCH_CLASSES];
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 1, 60, 64), song_play(s, SONG_PIANO, 1, 1, 67, 64),
        song_play(s, SONG_DRUMS, 0, 4, 38, 64);
    song_tempo_at(s, 1, 60), song_done(s);
    key_weights(s, w);
    EXPECT_NEAR(w[0], 0.5, 1e-9);
    EXPECT_NEAR(w[7], 1.0, 1e-9);
    EXPECT_NEAR(w[2], 0, 0);
    arena_free(&a);
}

// The cadence of G from every tonic, by the shorter way; where there is no room above, an octave
// lower, and where there is none at all, as it is. Drums need none.
TEST(key_to_c_is_the_shorter_way_with_room)
{
    arena a = {0};
    EXPECT_INT(key_to_c(song_new(&a), -1), 0);
    EXPECT_INT(key_to_c(song_scale(&a), -1), 0);
    EXPECT_INT(key_to_c(NULL, -1), 0);
    EXPECT_INT(key_to_c(NULL, 6), -6); // F#
    EXPECT_INT(key_to_c(song_scale(&a), 7), 5);
    for (int up = -7; up < 5; up++) {
        midi_song *s = song_cadence(&a);
        for (size_t i = 0; i < s->n_notes; i++)
            s->notes[i].pitch = (uint8_t)(s->notes[i].pitch + up);
        int tonic = (7 + up) % PITCH_CLASSES, want = tonic <= 6 ? -tonic : PITCH_CLASSES - tonic;
        EXPECT_INT(key_to_c(s, -1), want);
    }
    midi_song *s = song_cadence(&a);
    song_play(s, SONG_DRUMS, 15, 0.1, 125, 80), song_done(s);
    EXPECT_INT(key_to_c(s, -1), 5);
    song_play(s, SONG_PIANO, 15, 0.001, 123, 80), song_done(s);
    EXPECT_INT(key_to_c(s, -1), -7);
    song_play(s, SONG_PIANO, 15, 0.001, 6, 80), song_done(s);
    EXPECT_INT(key_to_c(s, -1), 0);
    arena_free(&a);
}
