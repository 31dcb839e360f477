// SPDX-License-Identifier: GPL-3.0-or-later
// midi_cut.c: a part of a song has the notes that begin in it, and the tempo, metre and pedal that
// are in force.
#include "data/midi/midi_cut.h"

#include "data/music/bars.h"
#include "tests/data/music/songs.h"
#include "tests/test.h"

// A bar of 4/4 at 120, then bars of 3/4 at 60; the pedal goes down in the first bar and up in the
// second of three.
static midi_song *two_parts(arena *a)
{
    midi_song *s = song_new(a);
    song_metre(s, 0, 4, 4), song_metre(s, 4, 3, 4);
    song_tempo_at(s, 4, 60);
    for (int q = 0; q < 10; q++)
        song_play(s, SONG_PIANO, q, 1, 60 + q, 50 + q);
    song_play(s, SONG_FLUTE, 3, 4, 90, 70); // over the bar line
    song_pedal(s, 1, 6);
    s->instruments[SONG_PIANO].pedals = 1;
    song_done(s);
    return s;
}

TEST(midi_cut_counts_from_where_it_begins)
{
    arena a = {0};
    const midi_song *s = two_parts(&a), *x = midi_cut(&a, s, 4 * SONG_TICKS, 7 * SONG_TICKS);
    EXPECT_INT(x->n_notes, 3);
    EXPECT_INT(x->notes[0].pitch, 64);
    EXPECT_INT(x->notes[2].start_tick, 2 * SONG_TICKS);
    EXPECT_NEAR(x->notes[2].start, 2, 1e-12);
    EXPECT_NEAR(x->seconds, 3, 1e-12);
    EXPECT_INT(x->n_tempos, 1);
    EXPECT(x->tempos[0].tick == 0 && x->tempos[0].us_per_quarter == 1000000);
    EXPECT_INT(x->n_metres, 1);
    EXPECT(x->metres[0].tick == 0 && x->metres[0].numerator == 3);
    EXPECT_INT(bars_of(&a, x).n, 1);
    EXPECT_NEAR(bars_tempo(x).mean, 60, 1e-9);
    EXPECT_INT(x->instruments[SONG_PIANO].notes, 3);
    EXPECT_INT(x->instruments[SONG_FLUTE].notes, 0);
    // down when it begins; up at second 6, 4 behind the bar line at second 2
    EXPECT_INT(x->n_pedals, 1);
    EXPECT(x->pedals[0].start == 0 && x->pedals[0].end == 3);
    x = midi_cut(&a, s, 7 * SONG_TICKS, 10 * SONG_TICKS);
    EXPECT_NEAR(x->pedals[0].end, 1, 1e-12);
    EXPECT(x->metres[0].numerator == 3 && x->tempos[0].us_per_quarter == 1000000);
    arena_free(&a);
}

// What is held ends with the part; a change of tempo within it stays where it is.
TEST(midi_cut_ends_what_is_held)
{
    arena a = {0};
    const midi_song *s = two_parts(&a), *x = midi_cut(&a, s, 2 * SONG_TICKS, 5 * SONG_TICKS);
    EXPECT_INT(x->n_notes, 4);
    EXPECT_INT(x->notes[2].pitch, 90);
    EXPECT_INT(x->notes[2].end_tick, 3 * SONG_TICKS);
    EXPECT_NEAR(x->notes[2].end, 2, 1e-12);
    EXPECT_INT(x->last_tick, 3 * SONG_TICKS);
    EXPECT_INT(x->n_tempos, 2);
    EXPECT_INT(x->tempos[1].tick, 2 * SONG_TICKS);
    EXPECT_NEAR(x->tempos[1].seconds, 1, 1e-12);
    EXPECT_INT(x->n_metres, 2);
    EXPECT_INT(x->metres[1].tick, 2 * SONG_TICKS);
    arena_free(&a);
}

TEST(midi_cut_of_the_whole_is_the_song)
{
    arena a = {0};
    const midi_song *s = two_parts(&a), *x = midi_cut(&a, s, 0, 100 * SONG_TICKS);
    bool same = x->n_notes == s->n_notes;
    for (size_t i = 0; same && i < s->n_notes; i++)
        same = x->notes[i].start == s->notes[i].start && x->notes[i].end == s->notes[i].end &&
               x->notes[i].pitch == s->notes[i].pitch &&
               x->notes[i].start_tick == s->notes[i].start_tick &&
               x->notes[i].end_tick == s->notes[i].end_tick;
    EXPECT(same);
    EXPECT_NEAR(x->seconds, s->seconds, 0);
    EXPECT_INT(x->last_tick, s->last_tick);
    EXPECT_INT(midi_cut(&a, s, 50 * SONG_TICKS, 60 * SONG_TICKS)->n_notes, 0);
    arena_free(&a);
}
