// SPDX-License-Identifier: GPL-3.0-or-later
// melody.c: top lines that an ear would hum, and what is not in them.
#include "data/music/melody.h"

#include "tests/data/music/songs.h"
#include "tests/test.h"

static void expect_line(const midi_note *line, size_t n, const int *pitches, size_t n_pitches)
{
    EXPECT_INT(n, n_pitches);
    for (size_t i = 0; i < n && i < n_pitches; i++) {
        EXPECT_INT(line[i].pitch, pitches[i]);
        EXPECT(line[i].start < line[i].end && line[i].start_tick < line[i].end_tick);
        EXPECT(i + 1 == n ||
               (line[i].end <= line[i + 1].start && line[i].end_tick <= line[i + 1].start_tick));
    }
}

TEST(melody_of_a_cadence_is_its_soprano)
{
    static const int top[] = {67, 67, 66, 67}, bass[] = {43, 48, 50, 43};
    arena a = {0};
    size_t n;
    const midi_song *s = song_cadence(&a);
    const midi_note *line;
    line = melody_top(&a, s, &n);
    expect_line(line, n, top, 4);
    line = melody_bass(&a, s, &n);
    expect_line(line, n, bass, 4);
    arena_free(&a);
}

// A tune over broken chords: held notes cover the accompaniment; in the rest it is heard.
TEST(melody_covers_its_accompaniment)
{
    static const int top[] = {76, 74, 60}, bass[] = {48, 55, 60};
    arena a = {0};
    size_t n;
    midi_song *s = song_new(&a);
    song_play(s, SONG_FLUTE, 0, 1, 76, 90), song_play(s, SONG_FLUTE, 1, 1, 74, 90);
    song_play(s, SONG_PIANO, 0, 0.5, 48, 50), song_play(s, SONG_PIANO, 1, 0.5, 55, 50),
        song_play(s, SONG_PIANO, 2, 0.5, 60, 50);
    song_play(s, SONG_PIANO, 1.5, 0.25, 64, 50);
    song_play(s, SONG_DRUMS, 0.5, 0.25, 99, 127), song_play(s, SONG_DRUMS, 3, 0.25, 35, 127);
    song_done(s);
    const midi_note *line = melody_top(&a, s, &n);
    expect_line(line, n, top, 3);
    EXPECT_NEAR(line[1].end, 1.0, 1e-9);
    line = melody_bass(&a, s, &n);
    EXPECT_INT(n, 4); // 64 has nothing held below it
    EXPECT_INT(line[1].pitch, bass[1]);
    EXPECT_INT(line[2].pitch, 64);
    EXPECT_INT(line[3].pitch, bass[2]);
    arena_free(&a);
}

TEST(melody_cuts_a_note_where_a_higher_one_begins)
{
    static const int top[] = {60, 64};
    arena a = {0};
    size_t n;
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 4, 60, 64), song_play(s, SONG_PIANO, 1, 1, 64, 64);
    song_play(s, SONG_PIANO, 3, 1, 55, 64); // 60 is still held above
    song_done(s);
    const midi_note *line = melody_top(&a, s, &n);
    expect_line(line, n, top, 2);
    EXPECT_INT(line[0].end_tick, SONG_TICKS);
    EXPECT_NEAR(line[0].end, 0.5, 1e-9);
    arena_free(&a);
}

// 25 ms apart is one chord; 50 ms apart is two notes; of two that are the same the louder.
TEST(melody_takes_hands_for_hands)
{
    static const int chord[] = {72}, apart[] = {60, 72};
    arena a = {0};
    size_t n;
    const midi_note *line;
    midi_song *s = song_new(&a), *t = song_new(&a), *u = song_new(&a);
    song_play(s, SONG_PIANO, 0, 1, 60, 64), song_play(s, SONG_PIANO, 0.05, 1, 72, 64), song_done(s);
    song_play(t, SONG_PIANO, 0, 1, 60, 64), song_play(t, SONG_PIANO, 0.1, 1, 72, 64), song_done(t);
    song_play(u, SONG_PIANO, 0, 1, 72, 64), song_play(u, SONG_FLUTE, 0, 1, 72, 90), song_done(u);
    line = melody_top(&a, s, &n);
    expect_line(line, n, chord, 1);
    line = melody_top(&a, t, &n);
    expect_line(line, n, apart, 2);
    EXPECT_INT(melody_top(&a, u, &n)->velocity, 90);
    arena_free(&a);
}

TEST(melody_of_drums_and_of_nothing)
{
    arena a = {0};
    size_t n = 7;
    EXPECT(melody_top(&a, song_swing(&a), &n) && n == 0);
    EXPECT(melody_bass(&a, song_new(&a), &n) && n == 0);
    arena_free(&a);
}
