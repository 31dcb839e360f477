// SPDX-License-Identifier: GPL-3.0-or-later
// midi_stats.c: the 32 statistics on songs whose numbers one can work out, and their limits.
#include "data/music/midi_stats.h"

#include <math.h>

#include "tests/data/music/songs.h"
#include "tests/test.h"

static void expect_all(const midi_song *s, const double want[MIDI_STATS])
{
    arena scratch = {.name = "scratch"};
    float got[MIDI_STATS];
    midi_stats(&scratch, s, got);
    for (int i = 0; i < MIDI_STATS; i++)
        test_expect(fabs((double)got[i] - want[i]) < 1e-6, __FILE__, __LINE__,
                    "element %d is %.8g, expected %.8g", i, (double)got[i], want[i]);
    arena_free(&scratch);
}

TEST(midi_stats_of_a_scale)
{
    arena a = {0};
    const double want[MIDI_STATS] = {
        [0] = 2 / 8.0,
        [2] = 1 / 8.0,
        [4] = 1 / 8.0,
        [5] = 1 / 8.0,
        [7] = 1 / 8.0,
        [9] = 1 / 8.0,
        [11] = 1 / 8.0,
        [12] = 80 / 127.0,    // velocity
        [13] = 2 / 10.0,      // notes a second
        [14] = 120 / 200.0,   // tempo
        [15] = 1 / 8.0,       // instruments
        [16] = 1 / 16.0,      // programs
        [18] = 0.5 / 5,       // a quarter
        [20] = 12 / 127.0,    // an octave
        [21] = 1 / 16.0,      // one at a time
        [22] = 66.25 / 127,   // mean pitch
        [24] = 0.90135241181, // numpy.corrcoef with the profile of C major
        [25] = 0.75630458363, // and of A minor
        [26] = 1,             // legato
        [30] = 0.08317041366,
    };
    expect_all(song_scale(&a), want);
    arena_free(&a);
}

// Piano staccato, flute, drums, rests and two pedals that overlap.
TEST(midi_stats_of_a_small_band)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 0.25, 60, 40), song_play(s, SONG_PIANO, 1, 0.25, 60, 40);
    song_play(s, SONG_FLUTE, 2, 1, 72, 120), song_play(s, SONG_FLUTE, 3.5, 0.5, 72, 120);
    song_play(s, SONG_DRUMS, 0, 0.25, 36, 100), song_play(s, SONG_DRUMS, 2.5, 0.25, 36, 100);
    song_pedal(s, 0.5, 1.0), song_pedal(s, 0.75, 1.25), song_pedal(s, 1.9, 1.9);
    song_done(s);
    const double want[MIDI_STATS] = {
        [0] = 1,
        [12] = 520 / 6.0 / 127,
        [13] = 3 / 10.0,
        [14] = 0.6,
        [15] = 3 / 8.0,
        [16] = 2 / 16.0,
        [17] = 2 / 6.0,
        [18] = 0.25 / 5,             // seconds: 0.125, 0.125, 0.5, 0.25
        [19] = 0.15309310892 / 5,    //
        [20] = 12 / 127.0,           // drums have no pitch
        [21] = 1 / 16.0,             //
        [22] = 66 / 127.0,           //
        [23] = 0.10825317547,        // of 0.5, 0.5, 0.25, 0.5
        [24] = 0.68447269491,        // a single pitch class
        [25] = 0.68419117503,        //
        [26] = (0.25 + 2 / 3.0) / 2, // each instrument by itself
        [27] = 33.99346342 / 127,
        [28] = 2 / 6.0, // "2 and", "3 and"
        [29] = 0.75 / 2,
        [30] = 6 / 48.0,
        [31] = 0.5, // two of four quarters
    };
    expect_all(s, want);
    arena_free(&a);
}

TEST(midi_stats_of_drums_only)
{
    arena a = {0};
    const double want[MIDI_STATS] = {
        [12] = 520 / 6.0 / 127,
        [13] = 12 / (7.916666667 / 2) / 10,
        [14] = 0.6,
        [15] = 1 / 8.0,
        [17] = 1,
        // four quarters, four long and three short eighths
        [23] = sqrt(5 / 9.0 - 23 / 33.0 * 23 / 33.0) / 2,
        [27] = 9.428090416 / 127,
        [28] = 2 / 6.0,
        [31] = 1 - 12 * 0.25 / 7.916666667,
    };
    expect_all(song_swing(&a), want);
    arena_free(&a);
}

TEST(midi_stats_of_one_note)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 2, 2, 69, 127); // a second of silence, a second of A
    song_done(s);
    const double want[MIDI_STATS] = {
        [9] = 1,
        [12] = 1,
        [13] = 0.5 / 10,
        [14] = 0.6,
        [15] = 1 / 8.0,
        [16] = 1 / 16.0,
        [18] = 1 / 5.0,
        [21] = 1 / 16.0,
        [22] = 69 / 127.0,
        [24] = 0.68447269491,
        [25] = 0.68419117503,
        [31] = 0.5,
    };
    expect_all(s, want);
    arena_free(&a);
}

TEST(midi_stats_of_nothing_are_zero)
{
    arena a = {0};
    const double zeros[MIDI_STATS] = {0};
    midi_song none = {.ticks_per_quarter = 480};
    midi_song *events = song_new(&a); // tempo, metre and pedal, but no note
    song_metre(events, 0, 3, 4), song_pedal(events, 0, 5), song_done(events);
    expect_all(&none, zeros);
    expect_all(events, zeros);
    arena_free(&a);
}

// Twenty instruments with a program each, all at once, at 300 quarters a minute; then a rest of ten
// seconds and a note of thirty.
TEST(midi_stats_are_cut_at_one)
{
    arena a = {0};
    float x[MIDI_STATS];
    midi_song *s = song_new(&a);
    s->n_instruments = 20, s->instruments = NEW(&a, midi_instrument, 20);
    for (int i = 0; i < 20; i++)
        s->instruments[i].program = (uint8_t)i, song_play(s, i, 0, 1, 6 * i, 100);
    song_tempo_at(s, 0, 300), song_done(s);
    midi_stats(&a, s, x);
    static const int full[] = {MIDI_STATS_DENSITY, MIDI_STATS_TEMPO, MIDI_STATS_INSTRUMENTS,
                               MIDI_STATS_PROGRAMS, MIDI_STATS_TOGETHER};
    for (size_t i = 0; i < sizeof full / sizeof *full; i++)
        EXPECT_NEAR((double)x[full[i]], 1, 0);
    song_play(s, 0, 60, 150, 0, 100), song_play(s, 0, 400, 1, 0, 100),
        song_play(s, 0, 401, 4000, 0, 1), song_done(s);
    midi_stats(&a, s, x);
    EXPECT_NEAR((double)x[MIDI_STATS_LENGTH], 1, 0);
    EXPECT_NEAR((double)x[MIDI_STATS_LENGTH_DEV], 1, 0);
    EXPECT_NEAR((double)x[MIDI_STATS_INTERVAL_DEV], 1, 0);
    arena_free(&a);
}

TEST(midi_stats_weigh_tempo_by_time)
{
    arena a = {0};
    float x[MIDI_STATS];
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 16, 60, 64);
    // the last one comes behind the song
    song_tempo_at(s, 8, 60), song_tempo_at(s, 100, 20), song_done(s);
    midi_stats(&a, s, x);
    EXPECT_NEAR((double)x[MIDI_STATS_TEMPO], 80 / 200.0, 1e-6); // 16 quarters in 12 seconds
    arena_free(&a);
}
