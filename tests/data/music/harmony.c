// SPDX-License-Identifier: GPL-3.0-or-later
// harmony.c: chords that a musician would name, and every number of their context.
#include "data/music/harmony.h"

#include <math.h>
#include <string.h>

#include "tests/data/music/songs.h"
#include "tests/test.h"

static int chord_of(const char *tones, int bass, double *score)
{
    double w[PITCH_CLASSES] = {0}, low[PITCH_CLASSES] = {0};
    for (int p = 0; p < PITCH_CLASSES; p++)
        w[p] = tones[p] == 'x' ? 2.5 : 0;
    low[bass] = 1;
    return chord_match(w, low, score);
}

// All sixty in their own names; the three names of an augmented chord are told apart by the bass.
TEST(chords_match_their_templates)
{
    static const int above[CHORD_QUALITIES][4] = {
        {0, 4, 7, 7}, {0, 3, 7, 7}, {0, 3, 6, 6}, {0, 4, 8, 8}, {0, 4, 7, 10}};
    for (int id = 0; id < CHORD_NONE; id++) {
        double w[PITCH_CLASSES] = {0}, bass[PITCH_CLASSES] = {0}, score;
        for (int t = 0; t < 4; t++)
            w[(id / CHORD_QUALITIES + above[id % CHORD_QUALITIES][t]) % PITCH_CLASSES] = 1;
        bass[id / CHORD_QUALITIES] = 1;
        EXPECT_INT(chord_match(w, bass, &score), id);
        EXPECT_NEAR(score, 1, 1e-12);
    }
}

TEST(chords_of_doubtful_tones)
{
    double score;
    char name[8];
    //                       C D EF G A B
    EXPECT_STR(chord_name(chord_of("x...x..x....", 0, &score), name), "C");
    EXPECT_STR(chord_name(chord_of("x...x..x.x..", 0, &score), name), "C");  // C6
    EXPECT_STR(chord_name(chord_of("x...x..x.x..", 9, &score), name), "Am"); // Am7: the same tones
    EXPECT_NEAR(score, 3 / sqrt(12), 1e-12);
    // a bare fifth is taken for major
    EXPECT_STR(chord_name(chord_of("x......x....", 0, &score), name), "C");
    EXPECT_NEAR(score, 2 / sqrt(6), 1e-12);
    EXPECT_STR(chord_name(chord_of("x.x.xx.x.x.x", 0, &score), name), "N.C."); // a scale
    EXPECT_NEAR(score, 4 / sqrt(28), 1e-12);
    EXPECT_STR(chord_name(chord_of("x...........", 0, &score), name), "N.C."); // one tone
    EXPECT_NEAR(score, 1 / sqrt(3), 1e-12);
    EXPECT_STR(chord_name(chord_of("xxxxxxxxxxxx", 0, &score), name), "N.C.");
    EXPECT_STR(chord_name(chord_of("............", 0, &score), name), "N.C.");
    EXPECT_NEAR(score, 0, 0);
    EXPECT_STR(chord_name(1, name), "Cm");
    EXPECT_STR(chord_name(11 * 5 + 2, name), "Bdim");
    EXPECT_STR(chord_name(1 * 5 + 3, name), "C#aug");
    EXPECT_STR(chord_name(2 * 5 + 4, name), "D7");
    EXPECT_STR(chord_name(-1, name), "N.C.");
}

static void expect_context(const float *got, const double want[HARMONY_CONTEXT], int line)
{
    for (int i = 0; i < HARMONY_CONTEXT; i++)
        test_expect(fabs((double)got[i] - want[i]) < 1e-6, __FILE__, line,
                    "element %d is %.8g, expected %.8g", i, (double)got[i], want[i]);
}

TEST(harmony_of_a_cadence)
{
    static const char *const names[] = {"G", "C", "D", "G"};
    arena a = {0};
    char name[8];
    song_harmony h = harmony_of(&a, song_cadence(&a), HARMONY_BARS);
    EXPECT_INT(h.n, 4);
    for (size_t i = 0; i < h.n; i++) {
        EXPECT_STR(chord_name(h.spans[i].chord, name), names[i]);
        EXPECT(h.spans[i].sounds && h.spans[i].bar == i && h.spans[i].score > 0.9F);
        EXPECT_NEAR(h.spans[i].tick, (double)i * 4 * SONG_TICKS, 0);
        EXPECT_NEAR(h.spans[i].ticks, 4 * SONG_TICKS, 0);
    }
    // The second bar: C in the bass, C E G above; before it G in the bass, B D G above.
    const double want[HARMONY_CONTEXT] = {
        [7] = 1,          [12 + 0] = 0.5,  [12 + 4] = 0.25, [12 + 7] = 0.25, [24 + 7] = 0.5,
        [24 + 11] = 0.25, [24 + 2] = 0.25, [36 + 0] = 1,    [48] = 1,
    };
    const double first[HARMONY_CONTEXT] = {[7] = 1,         [12 + 7] = 0.5, [12 + 11] = 0.25,
                                           [12 + 2] = 0.25, [36 + 7] = 1,   [48] = 1};
    expect_context(h.context, first, __LINE__);
    expect_context(h.context + HARMONY_CONTEXT, want, __LINE__);
    arena_free(&a);
}

// A waltz by beats: three a bar, the context is the bar's, the place moves.
TEST(harmony_by_beats_in_three)
{
    arena a = {0};
    char name[8];
    midi_song *s = song_new(&a);
    song_metre(s, 0, 3, 4);
    song_play(s, SONG_PIANO, 0, 1, 48, 64);
    for (int beat = 1; beat < 3; beat++)
        song_play(s, SONG_PIANO, beat, 1, 64, 64), song_play(s, SONG_PIANO, beat, 1, 67, 64),
            song_play(s, SONG_PIANO, beat, 1, 72, 64);
    song_play(s, SONG_PIANO, 3, 3, 62, 64), song_play(s, SONG_PIANO, 3, 3, 65, 64),
        song_play(s, SONG_PIANO, 3, 3, 69, 64);
    song_play(s, SONG_DRUMS, 6, 1, 38, 64);
    song_done(s);
    song_harmony h = harmony_of(&a, s, HARMONY_BEATS);
    static const char *const names[] = {"N.C.", "C", "C", "Dm", "Dm", "Dm", "N.C."};
    EXPECT_INT(h.n, 9);
    for (size_t i = 0; i < 7; i++) {
        EXPECT_STR(chord_name(h.spans[i].chord, name), names[i]);
        EXPECT_INT(h.spans[i].bar, i / 3);
        EXPECT_NEAR(h.spans[i].ticks, SONG_TICKS, 0);
        for (int q = 0; q < 16; q++)
            EXPECT_NEAR((double)h.context[i * HARMONY_CONTEXT + 48 + (size_t)q],
                        q == 4 * (int)(i % 3), 0);
        EXPECT(h.spans[i].sounds == (i < 6));
    }
    // C alone on the first beat is the top then; C5 afterwards. E, G, C twice and the bass: C has 3
    // of 7. Low: C, then E.
    const double want[HARMONY_CONTEXT] = {
        [0] = 1,
        [12 + 0] = 3 / 7.0,
        [12 + 4] = 2 / 7.0,
        [12 + 7] = 2 / 7.0,
        [36 + 0] = 1 / 3.0,
        [36 + 4] = 2 / 3.0,
        [48 + 8] = 1,
    };
    expect_context(h.context + 2 * HARMONY_CONTEXT, want, __LINE__);
    arena_free(&a);
}

// Notes held over bar lines count in every bar; a long bar's last beats share the last place; a bar
// cut short ends there.
TEST(harmony_of_long_notes_and_odd_bars)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    song_metre(s, 0, 5, 4), song_metre(s, 7, 4, 4);
    for (int k = 0; k < 3; k++)
        song_play(s, SONG_PIANO, 2.5, 12, (int[]){60, 63, 67}[k], 64);
    song_done(s);
    song_harmony bars = harmony_of(&a, s, HARMONY_BARS), beats = harmony_of(&a, s, HARMONY_BEATS);
    EXPECT_INT(bars.n, 4); // 0 to 5, 5 to 7, 7 to 11, 11 to 15
    EXPECT_NEAR(bars.spans[1].ticks, 2 * SONG_TICKS, 0);
    for (size_t i = 0; i < bars.n; i++)
        EXPECT_INT(bars.spans[i].chord, 0 * CHORD_QUALITIES + CHORD_MINOR);
    EXPECT_INT(beats.n, 15);
    EXPECT_INT(beats.spans[1].chord, CHORD_NONE);
    EXPECT(!beats.spans[1].sounds && beats.spans[2].sounds);
    EXPECT_NEAR((double)beats.context[4 * HARMONY_CONTEXT + 63], 1, 0); // the fifth beat of five
    EXPECT_NEAR((double)beats.context[5 * HARMONY_CONTEXT + 48], 1, 0);
    EXPECT_INT(harmony_of(&a, song_new(&a), HARMONY_BARS).n, 0);
    arena_free(&a);
}
