// SPDX-License-Identifier: GPL-3.0-or-later
// augment_rows.c: the statistics, chords and curves of an augmented song are the augmented ones.
#include <math.h>
#include <string.h>

#include "data/loader/augment_midi.h"
#include "data/music/dynamics.h"
#include "data/music/harmony.h"
#include "data/music/midi_stats.h"
#include "tests/data/music/songs.h"
#include "tests/test.h"

static midi_draw draw(int transpose, double stretch, double velocity, double drop)
{
    augment_midi s = {{transpose, transpose}, {stretch, stretch}, {velocity, velocity}, drop};
    return augment_midi_draw(&s, 3, 1, 4);
}

TEST(augment_melody_transposes_only_as_far_as_all_fits)
{
    uint16_t x[] = {60, 64, 67}, low[] = {3, 40};
    midi_draw up = draw(5, 1.05, 1.1, 0.5), down = draw(-7, 1, 1, 0);
    augment_melody(&up, x, 3);
    EXPECT(x[0] == 65 && x[1] == 69 && x[2] == 72);
    augment_melody(&down, low, 2);
    EXPECT(low[0] == 0 && low[1] == 37);
}

// A copy of s, `by` semitones higher, `stretch` times as slow and `velocity` times as loud.
static midi_song *changed(const midi_song *s, int by, double stretch, double velocity, arena *a)
{
    midi_song *t = song_new(a);
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_note *n = &s->notes[i];
        song_play(t, n->instrument, (double)n->start_tick / SONG_TICKS,
                  (double)(n->end_tick - n->start_tick) / SONG_TICKS, n->pitch + by,
                  (int)lround(n->velocity * velocity));
    }
    song_tempo_at(t, 0, 120 / stretch);
    song_done(t);
    return t;
}

// Velocities of 40, 60, 80 and 100, so that 1.1 times as loud is a whole number again.
static midi_song *phrases(arena *a)
{
    midi_song *s = song_new(a);
    for (int i = 0; i < 64; i++) {
        uint32_t x = test_fill_u32(11, (uint32_t)i);
        song_play(s, SONG_PIANO, 0.75 * i, 0.5 + x % 4 * 0.25, (int)(48 + x / 7 % 36),
                  (int)(40 + x / 1000 % 4 * 20));
    }
    song_done(s);
    return s;
}

TEST(augment_stats_are_those_of_the_augmented_song)
{
    static const struct {
        int by;
        double stretch, velocity;
    } cases[] = {{0, 1, 1},   {4, 1, 1},   {-5, 1, 1},    {0, 1.25, 1},
                 {0, 0.8, 1}, {0, 1, 1.1}, {7, 1.05, 0.9}};
    arena a = {0}, scratch = {0};
    const midi_song *s = phrases(&a);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        midi_draw d = draw(cases[k].by, cases[k].stretch, cases[k].velocity, 0);
        float want[MIDI_STATS], got[MIDI_STATS];
        midi_stats(&scratch, s, got);
        midi_stats(&scratch, changed(s, cases[k].by, cases[k].stretch, cases[k].velocity, &a),
                   want);
        augment_stats(&d, got);
        for (int i = 0; i < MIDI_STATS; i++)
            test_expect(fabsf(got[i] - want[i]) < 2e-6f, __FILE__, __LINE__,
                        "case %zu: number %d is %g, expected %g", k, i, (double)got[i],
                        (double)want[i]);
    }
    arena_free(&scratch);
    arena_free(&a);
}

TEST(augment_stats_leave_what_was_cut)
{
    float x[MIDI_STATS] = {
        [MIDI_STATS_DENSITY] = 1, [MIDI_STATS_TEMPO] = 0.9f, [MIDI_STATS_VELOCITY] = 0.95f};
    midi_draw d = draw(3, 0.8, 1.2, 0);
    augment_stats(&d, x);
    EXPECT(x[MIDI_STATS_DENSITY] == 1 && x[MIDI_STATS_TEMPO] == 1 && x[MIDI_STATS_VELOCITY] == 1);
    EXPECT(x[MIDI_STATS_PITCH] == 0); // drums alone have no pitch to move
    d = draw(0, 1.25, 1, 0);
    augment_stats(&d, x);
    EXPECT(x[MIDI_STATS_DENSITY] == 1 && x[MIDI_STATS_TEMPO] == 1);
}

TEST(augment_harmony_is_that_of_the_transposed_song)
{
    arena a = {0};
    const midi_song *s = song_cadence(&a);
    song_harmony before = harmony_of(&a, s, HARMONY_BARS);
    for (int by = -14; by <= 14; by++) {
        song_harmony want = harmony_of(&a, changed(s, by, 1, 1, &a), HARMONY_BARS);
        midi_draw d = draw(by, 1, 1, 0);
        EXPECT_INT(want.n, before.n);
        for (size_t i = 0; i < before.n; i++) {
            float row[HARMONY_CONTEXT + 1];
            memcpy(row, before.context + i * HARMONY_CONTEXT, HARMONY_CONTEXT * sizeof *row);
            row[HARMONY_CONTEXT] = (float)before.spans[i].chord;
            augment_harmony(&d, row);
            EXPECT_INT(row[HARMONY_CONTEXT], want.spans[i].chord);
            EXPECT(test_distance(row, want.context + i * HARMONY_CONTEXT, HARMONY_CONTEXT) < 1e-6);
        }
    }
    float none[HARMONY_CONTEXT + 1] = {[HARMONY_CONTEXT] = CHORD_NONE};
    midi_draw d = draw(5, 1, 1, 0);
    augment_harmony(&d, none);
    EXPECT_INT(none[HARMONY_CONTEXT], CHORD_NONE);
    arena_free(&a);
}

TEST(augment_dynamics_are_those_of_the_louder_song)
{
    arena a = {0}, scratch = {0};
    const midi_song *s = phrases(&a), *loud = changed(s, 2, 1, 1.1, &a);
    song_dynamics before = dynamics_of(&a, s, DYNAMICS_BARS),
                  want = dynamics_of(&a, loud, DYNAMICS_BARS);
    midi_draw d = draw(2, 1, 1.1, 0);
    float row[MIDI_STATS + DYNAMICS], stats[MIDI_STATS];
    EXPECT(before.n == want.n && before.n > 2);
    for (size_t i = 0; i < before.n; i++) {
        midi_stats(&scratch, s, row);
        midi_stats(&scratch, loud, stats);
        memcpy(row + MIDI_STATS, before.phrases[i].curve, sizeof before.phrases[i].curve);
        augment_dynamics(&d, row);
        EXPECT(test_distance(row + MIDI_STATS, want.phrases[i].curve, DYNAMICS) < 1e-6);
        EXPECT(test_distance(row, stats, MIDI_STATS) < 1e-5);
    }
    arena_free(&scratch);
    arena_free(&a);
}
