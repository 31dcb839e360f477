// SPDX-License-Identifier: GPL-3.0-or-later
// dynamics.c: velocity curves of a crescendo, of pieces in three and with a pickup, and of silence.
#include "data/music/dynamics.h"

#include "tests/data/music/songs.h"
#include "tests/test.h"

TEST(dynamics_of_a_crescendo)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    for (int q = 0; q < 16; q++)
        song_play(s, SONG_PIANO, q, 1, 60, 20 + 5 * q),
            song_play(s, SONG_DRUMS, q, 1, 36, 30 + 5 * q);
    song_done(s);
    song_dynamics d = dynamics_of(&a, s, DYNAMICS_BARS);
    EXPECT_INT(d.n, 1);
    EXPECT_INT(d.phrases[0].heard, 0xffff);
    EXPECT_NEAR(d.phrases[0].ticks, 16 * SONG_TICKS, 0);
    for (int k = 0; k < DYNAMICS; k++)
        EXPECT_NEAR((double)d.phrases[0].curve[k], (25 + 5 * k) / 127.0, 1e-6);
    arena_free(&a);
}

// Four bars of three: spans of three sixteenths of a bar each, most of them without an onset.
TEST(dynamics_of_a_waltz)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    song_metre(s, 0, 3, 4);
    for (int bar = 0; bar < 4; bar++)
        song_play(s, SONG_PIANO, 3 * bar, 3, 60, 40 + bar);
    song_done(s);
    song_dynamics d = dynamics_of(&a, s, DYNAMICS_BARS);
    EXPECT_INT(d.n, 1);
    EXPECT_INT(d.phrases[0].heard, 0x1111);
    EXPECT_NEAR(d.phrases[0].ticks, 12 * SONG_TICKS, 0);
    for (int k = 0; k < DYNAMICS; k++)
        EXPECT_NEAR((double)d.phrases[0].curve[k], k % 4 ? 0 : (40 + k / 4) / 127.0, 1e-6);
    arena_free(&a);
}

// Phrases count from the first bar that plays; one without notes is left out; the last keeps the
// length of its spans.
TEST(dynamics_count_phrases)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 5, 1, 60, 100);     // bar 1: phrases at bars 1, 5, 9, 13
    song_play(s, SONG_PIANO, 19.5, 1, 60, 50);   // bar 4
    song_play(s, SONG_PIANO, 36 + 3, 1, 60, 25); // bar 9, which is the last
    song_done(s);
    song_dynamics d = dynamics_of(&a, s, DYNAMICS_BARS);
    EXPECT_INT(d.n, 2);
    EXPECT_INT(d.phrases[0].bar, 1);
    EXPECT_NEAR(d.phrases[0].tick, 4 * SONG_TICKS, 0);
    EXPECT_INT(d.phrases[0].heard, 1u << 1 | 1u << 15);
    EXPECT_NEAR((double)d.phrases[0].curve[1], 100 / 127.0, 1e-6);
    EXPECT_NEAR((double)d.phrases[0].curve[15], 50 / 127.0, 1e-6);
    EXPECT_INT(d.phrases[1].bar, 9);
    EXPECT_NEAR(d.phrases[1].ticks, 16 * SONG_TICKS, 0);
    EXPECT_INT(d.phrases[1].heard, 1u << 3);
    d = dynamics_of(&a, s, 1);
    EXPECT_INT(d.n, 3);
    EXPECT_INT(d.phrases[1].heard, 1u << 14);
    EXPECT_INT(dynamics_of(&a, song_new(&a), DYNAMICS_BARS).n, 0);
    arena_free(&a);
}
