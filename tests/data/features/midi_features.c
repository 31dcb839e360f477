// SPDX-License-Identifier: GPL-3.0-or-later
// midi_features.c: everything that is measured on songs, on random ones: never NaN, always within
// its bounds.
#include <math.h>

#include "data/music/affect.h"
#include "data/music/dynamics.h"
#include "data/music/groove.h"
#include "data/music/harmony.h"
#include "data/music/melody.h"
#include "data/music/midi_stats.h"
#include "tests/data/music/songs.h"
#include "tests/test.h"

static void expect_within(const float *x, size_t n, double lo, double hi, const char *what,
                          uint32_t seed)
{
    for (size_t i = 0; i < n; i++)
        if (!((double)x[i] >= lo && (double)x[i] <= hi)) // NaN too
            test_expect(false, __FILE__, __LINE__, "%s[%zu] is %g in song %u", what, i,
                        (double)x[i], seed);
}

static void check_numbers(arena *a, const midi_song *s, uint32_t seed)
{
    float x[32];
    midi_stats(a, s, x);
    expect_within(x, 27, 0, 1 + 1e-6, "midi_stats", seed);
    expect_within(x + 27, 5, 0, 1.34, "midi_stats + 27", seed);
    groove_measure(a, s, x);
    expect_within(x, 5, -0.5 - 1e-6, 1, "groove", seed);
    expect_within(x + GROOVE_DEVIATION, 16, -0.5 - 1e-6, 0.5 + 1e-6, "deviation", seed);
    expect_within(x + GROOVE_ACCENT, 8, -1, 1, "accent", seed);
    expect_within(x + GROOVE_TEMPO, 3, 0, 1, "tempo", seed);
    song_affect f = affect_estimate(a, s);
    EXPECT(f.found == (s->n_notes > 0) && fabs(f.valence) <= 1 && fabs(f.arousal) <= 1);
}

static void check_lines(arena *a, const midi_song *s)
{
    for (int low = 0; low < 2; low++) {
        size_t n;
        const midi_note *line = low ? melody_bass(a, s, &n) : melody_top(a, s, &n);
        bool ordered = n <= s->n_notes;
        for (size_t i = 0; i < n; i++)
            ordered &= line[i].start < line[i].end && !s->instruments[line[i].instrument].is_drum &&
                       (i + 1 == n || line[i].end <= line[i + 1].start);
        EXPECT(ordered);
    }
}

static void check_spans(arena *a, const midi_song *s, uint32_t seed)
{
    song_dynamics d = dynamics_of(a, s, DYNAMICS_BARS);
    for (size_t i = 0; i < d.n; i++)
        expect_within(d.phrases[i].curve, DYNAMICS, 0, 1, "dynamics", seed);
    for (int beats = 0; beats < 2; beats++) {
        song_harmony h = harmony_of(a, s, beats ? HARMONY_BEATS : HARMONY_BARS);
        expect_within(h.context, h.n * HARMONY_CONTEXT, 0, 1, "context", seed);
        bool ids = h.n <= HARMONY_SPANS_MOST;
        for (size_t i = 0; i < h.n; i++)
            ids &= h.spans[i].chord >= 0 && h.spans[i].chord <= CHORD_NONE &&
                   h.spans[i].ticks > 0 && (double)h.spans[i].score <= 1 + 1e-6;
        EXPECT(ids);
    }
}

TEST(midi_features_of_random_songs_are_numbers)
{
    arena a = {.name = "song"};
    for (uint32_t seed = 0; seed < 60; seed++) {
        const midi_song *s = song_random(&a, seed);
        check_numbers(&a, s, seed);
        check_lines(&a, s);
        check_spans(&a, s, seed);
        arena_free(&a);
    }
}
