// SPDX-License-Identifier: GPL-3.0-or-later
// groove.c: bar lines, and the 32 groove numbers on patterns whose feel has a name.
#include "data/music/groove.h"

#include <math.h>

#include "tests/data/music/songs.h"
#include "tests/test.h"

static void expect_all(const midi_song *s, const double want[GROOVE], int line)
{
    arena scratch = {.name = "scratch"};
    float got[GROOVE];
    groove_measure(&scratch, s, got);
    for (int i = 0; i < GROOVE; i++)
        test_expect(fabs((double)got[i] - want[i]) < 1e-6, __FILE__, line,
                    "element %d is %.8g, expected %.8g", i, (double)got[i], want[i]);
    arena_free(&scratch);
}

// ---- Bars

TEST(bars_follow_metres)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 20, 60, 64);
    // the same again, in the middle of a bar, changes nothing
    song_metre(s, 4, 3, 4), song_metre(s, 5, 3, 4);
    song_metre(s, 11, 6, 8), song_metre(s, 14, 2, 2);
    song_done(s);
    song_bars b = bars_of(&a, s);
    static const double starts[] = {0, 4, 7, 10, 11, 14, 18}, beats[] = {1, 1, 1, 1, 1.5, 2, 2};
    EXPECT_INT(b.n, 7);
    for (size_t i = 0; i < b.n && i < 7; i++) {
        EXPECT_NEAR(b.list[i].tick, starts[i] * SONG_TICKS, 0);
        EXPECT_NEAR(b.list[i].beat, beats[i] * SONG_TICKS, 0);
        EXPECT(b.list[i].compound == (i == 4));
        EXPECT_INT(bars_find(&b, b.list[i].tick), i);
        EXPECT_INT(bars_find(&b, b.list[i].tick + b.list[i].ticks - 1), i);
    }
    EXPECT_NEAR(b.list[3].ticks, SONG_TICKS, 0); // cut short by 6/8
    EXPECT_NEAR(b.sixteenth, SONG_TICKS / 4.0, 0);
    EXPECT_INT(bars_find(&b, 22 * SONG_TICKS), b.n);
    EXPECT_INT(bars_find(&b, -1), b.n);
    EXPECT_INT(bars_of(&a, song_new(&a)).n, 0);
    arena_free(&a);
}

TEST(bars_place_onsets)
{
    arena a = {0};
    bar_place at;
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 8, 60, 64), song_done(s);
    song_bars b = bars_of(&a, s);
    EXPECT(bars_place(&b, 480 + 30, &at) && at.bar == 0 && at.nearest == 4 && at.on_beat);
    EXPECT_NEAR(at.late, 0.25, 1e-12);
    EXPECT(bars_place(&b, 720, &at) && at.nearest == 6 && !at.on_beat);
    EXPECT(bars_place(&b, 1920 - 30, &at) && at.bar == 1 && at.nearest == 0 && at.on_beat);
    EXPECT_NEAR(at.late, -0.25, 1e-12);
    EXPECT(!bars_place(&b, 3840, &at));
    arena_free(&a);
}

TEST(bars_measure_tempo)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 16, 60, 64);
    song_tempo_at(s, 8, 60), song_done(s);
    song_tempo t = bars_tempo(s), none = bars_tempo(song_new(&a));
    EXPECT_NEAR(t.mean, 80, 1e-9);
    EXPECT_NEAR(t.deviation, sqrt(800), 1e-9); // 4 s at 120, 8 s at 60
    EXPECT_NEAR(none.mean + none.deviation, 0, 0);
    arena_free(&a);
}

// ---- Groove

TEST(groove_of_a_swung_ride)
{
    arena a = {0};
    const double quiet = -20 / 3.0 / 127, loud = 40 / 3.0 / 127;
    const double want[GROOVE] = {
        [0] = 1 / 3.0,                    // 2:1
        [1] = -1 / 9.0,                   // a third of a sixteenth early, two of six
        [2] = 800 / 9.0 / 127 / 127,      // of 80, 100, 80
        [3] = 12 / (23 / 3.0 + 0.25) / 8, // notes a quarter
        [5 + 7] = -1 / 3.0,
        [5 + 15] = -1 / 3.0, // the upbeats
        [21] = quiet,
        [23] = loud,
        [24] = quiet,
        [25] = quiet,
        [27] = loud,
        [28] = quiet, // two and four
        [29] = 0.6,
        [31] = 2 / 6.0,
    };
    expect_all(song_swing(&a), want, __LINE__);
    arena_free(&a);
}

static double swing_of(double upbeat, int numerator, int denominator)
{
    arena a = {0};
    float x[GROOVE];
    midi_song *s = song_new(&a);
    song_metre(s, 0, numerator, denominator);
    for (int q = 0; q < 12; q++)
        song_play(s, SONG_DRUMS, q, 0.1, 42, 80), song_play(s, SONG_PIANO, q + 0.05, 0.1, 40, 80),
            song_play(s, SONG_DRUMS, q + upbeat, 0.1, 42, 80);
    song_done(s);
    groove_measure(&a, s, x);
    arena_free(&a);
    return (double)x[GROOVE_SWING];
}

TEST(groove_tells_swing_from_straight)
{
    EXPECT_NEAR(swing_of(0.5, 4, 4), 0, 1e-6);
    EXPECT_NEAR(swing_of(0.6, 4, 4), 0.2, 1e-6);
    EXPECT_NEAR(swing_of(0.75, 4, 4), 0.5, 1e-6);
    EXPECT_NEAR(swing_of(2 / 3.0, 3, 4), 1 / 3.0, 1e-6);
    EXPECT_NEAR(swing_of(0.25, 4, 4), 0, 0); // no upbeat there
    EXPECT_NEAR(swing_of(0.9, 4, 4), 0, 0);  // before the next beat
    EXPECT_NEAR(swing_of(0.5, 12, 8), 0, 0); // beats of three do not swing
}

// Sixteenth runs have four moments a beat: no pair.
TEST(groove_finds_no_swing_in_runs)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    for (int i = 0; i < 32; i++)
        song_play(s, SONG_PIANO, i * 0.25, 0.25, 60, 80);
    song_done(s);
    const double want[GROOVE] = {[3] = 4 / 8.0, [29] = 0.6, [31] = 24 / 32.0};
    expect_all(s, want, __LINE__);
    arena_free(&a);
}

TEST(groove_of_a_waltz)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    song_metre(s, 0, 3, 4), song_tempo_at(s, 0, 180);
    for (int q = 0; q < 12; q++)
        song_play(s, SONG_PIANO, q, 1, q % 3 ? 60 : 40, q % 3 ? 70 : 100);
    song_done(s);
    const double want[GROOVE] = {
        [2] = 200 / 127.0 / 127, [3] = 1 / 8.0,      [21] = 20 / 127.0,
        [23] = -10 / 127.0,      [25] = -10 / 127.0, [29] = 0.9,
    };
    expect_all(s, want, __LINE__);
    arena_free(&a);
}

// Downbeats a tenth of a sixteenth late and early in turn: all of it is human. A quarter late each
// time: none of it.
TEST(groove_parts_habit_from_chance)
{
    arena a = {0};
    midi_song *human = song_new(&a), *late = song_new(&a), *noisy = song_new(&a);
    for (int bar = 1; bar < 5; bar++) {
        song_play(human, SONG_PIANO, 4 * bar + (bar % 2 ? 0.025 : -0.025), 0.5, 60, 64);
        song_play(late, SONG_PIANO, 4 * bar + 0.0625, 0.5, 60, 64);
        song_play(noisy, SONG_PIANO, 4 * bar, 0.5, 60, bar % 2 ? 1 : 127);
    }
    song_done(human), song_done(late), song_done(noisy);
    const double chance[GROOVE] = {[3] = 4 / 16.475 / 8, [4] = 0.1, [29] = 0.6};
    const double habit[GROOVE] = {[1] = 0.25, [3] = 4 / 16.5625 / 8, [5] = 0.25, [29] = 0.6};
    const double loudness[GROOVE] = {[2] = 63 * 63 / 127.0 / 127, [3] = 4 / 16.5 / 8, [29] = 0.6};
    expect_all(human, chance, __LINE__);
    expect_all(late, habit, __LINE__);
    expect_all(noisy, loudness, __LINE__);
    arena_free(&a);
}

// Every place has its own element.
TEST(groove_places_and_accents)
{
    for (int place = 0; place < 16; place++) {
        arena a = {0};
        midi_song *s = song_new(&a);
        song_play(s, SONG_PIANO, 0, 0.1, 60, 1),
            song_play(s, SONG_PIANO, 4 + place / 4.0 + 0.025, 4, 60, 101);
        song_done(s);
        float x[GROOVE];
        groove_measure(&a, s, x);
        for (int q = 0; q < 16; q++)
            // at 0, two notes share
            EXPECT_NEAR((double)x[GROOVE_DEVIATION + q], q != place ? 0 : q ? 0.1 : 0.05, 1e-6);
        for (int k = 1; k < 8; k++)
            EXPECT_NEAR((double)x[GROOVE_ACCENT + k], k == place / 2 ? 50 / 127.0 : 0, 1e-6);
        EXPECT_NEAR((double)x[GROOVE_ACCENT], place < 2 ? 0 : -50 / 127.0, 1e-6);
        arena_free(&a);
    }
}

TEST(groove_of_extremes)
{
    arena a = {0};
    const double zeros[GROOVE] = {0};
    midi_song *fast = song_new(&a), *long_bar = song_new(&a), *change = song_new(&a);
    expect_all(song_new(&a), zeros, __LINE__);
    for (int i = 0; i < 100; i++)
        song_play(fast, SONG_PIANO, 0, 1, i, 64);
    song_tempo_at(fast, 0, 400), song_done(fast);
    expect_all(fast, (double[GROOVE]){[3] = 1, [29] = 1}, __LINE__);
    song_metre(long_bar, 0, 5, 4);
    // behind the sixteenth place
    song_play(long_bar, SONG_PIANO, 4.0625, 0.9375, 60, 64), song_done(long_bar);
    expect_all(long_bar, (double[GROOVE]){[1] = 0.25, [3] = 1 / 40.0, [29] = 0.6}, __LINE__);
    song_play(change, SONG_PIANO, 0, 16, 60, 64), song_tempo_at(change, 8, 60), song_done(change);
    expect_all(change, (double[GROOVE]){[3] = 1 / 128.0, [29] = 0.4, [30] = sqrt(800) / 200},
               __LINE__);
    arena_free(&a);
}
