// SPDX-License-Identifier: GPL-3.0-or-later
// arrange.c: rhythm, chords, groove and dynamics as their rules say.
#include "data/music/arrange.h"

#include <math.h>
#include <string.h>

#include "data/music/chords.h"
#include "data/music/groove.h"
#include "data/music/harmony.h"
#include "tests/test.h"

enum { BARS = 64 };

static arrangement *scale(arena *a, double arousal, int bars)
{
    arrange_style s = {.valence = 0.5, .arousal = arousal, .seed = 3};
    arrangement *r = arrange_open(a, &s, bars);
    int *pitches = NEW(a, int, r->n_slots);
    for (size_t i = 0; i < r->n_slots; i++)
        pitches[i] = 72 + (int)(i % 8);
    arrange_melody(r, pitches, r->n_slots);
    return r;
}

TEST(arrange_rhythm_fills_every_bar)
{
    arena a = {0};
    size_t notes[3];
    for (int k = 0; k < 3; k++) {
        const arrangement *r = scale(&a, k - 1.0, BARS);
        double at = 0;
        for (size_t i = 0; i < r->n_slots; i++) {
            const arrange_slot *s = &r->slots[i];
            EXPECT_NEAR(s->quarter, at, 0);
            EXPECT(floor(s->quarter / 4) == floor((s->quarter + s->quarters) / 4 - 1e-9));
            at += s->quarters;
        }
        EXPECT_NEAR(at, 4 * BARS, 0);
        EXPECT_NEAR(r->slots[r->n_slots - 1].quarters, 2, 0);
        notes[k] = r->n_slots;
    }
    // notes a bar: of each beat 1 + p eighths; a half takes two
    EXPECT(notes[0] < 3.6 * BARS && notes[0] < notes[1] && notes[1] < notes[2] &&
           notes[2] > 5.5 * BARS);
    arena_free(&a);
}

TEST(arrange_tempo_and_touch_follow_arousal)
{
    arena a = {0};
    const arrangement *calm = scale(&a, -0.6, BARS), *wild = scale(&a, 0.9, BARS);
    EXPECT_NEAR(60e6 / calm->song->tempos[0].us_per_quarter, 96 - 46 * 0.6, 1e-9);
    EXPECT_NEAR(60e6 / wild->song->tempos[0].us_per_quarter, 96 + 46 * 0.9, 1e-9);
    double v[2] = {0}, held[2] = {0};
    for (int k = 0; k < 2; k++) {
        const arrangement *r = k ? wild : calm;
        for (size_t i = 0; i < r->song->n_notes; i++) {
            v[k] += r->song->notes[i].velocity;
            held[k] += (r->song->notes[i].end_tick - r->song->notes[i].start_tick) /
                       (480 * r->slots[i].quarters);
        }
        v[k] /= (double)r->song->n_notes, held[k] /= (double)r->song->n_notes;
    }
    EXPECT_NEAR(v[0], 127 * sqrt(0.8 * 0.25), 3);
    EXPECT_NEAR(v[1], 127 * sqrt(0.8 * 0.625), 3);
    EXPECT_NEAR(held[0], 0.75 + 0.28 * 0.6, 0.005);
    EXPECT_NEAR(held[1], 0.75 - 0.28 * 0.9, 0.005);
    arena_free(&a);
}

// What is put under the melody is found again by chord recognition.
TEST(arrange_chords_are_heard_as_such)
{
    arena a = {0};
    arrangement *r = scale(&a, -0.5, 4);
    const int chords[] = {0 * CHORD_QUALITIES + CHORD_MAJOR, 9 * CHORD_QUALITIES + CHORD_MINOR,
                          7 * CHORD_QUALITIES + CHORD_SEVENTH, CHORD_NONE};
    size_t before = r->song->n_notes;
    arrange_chords(r, chords, 4);
    EXPECT_INT(r->song->n_notes, before + 4 + 4 + 5); // once a bar: a root and the tones
    for (size_t i = 0; i < r->song->n_notes; i++)
        if (r->song->notes[i].instrument == 0)
            r->song->notes[i].velocity = 1,
            r->song->notes[i].end_tick = r->song->notes[i].start_tick + 1;
    song_harmony h = harmony_of(&a, r->song, HARMONY_BARS);
    for (int i = 0; i < 3; i++)
        EXPECT_INT(h.spans[i].chord, chords[i]);
    arena_free(&a);
}

TEST(arrange_groove_is_measured_as_it_was_asked)
{
    arena a = {0};
    float asked[GROOVE] =
        {[GROOVE_SWING] = 1 / 3.0f, [GROOVE_TEMPO] = 0.55f, [GROOVE_ACCENT] = 0.1f},
          have[GROOVE];
    asked[GROOVE_DEVIATION + 4] = 0.2f; // the second beat is late
    arrangement *r = scale(&a, 0.5, BARS);
    arrange_groove(r, asked);
    groove_measure(&a, r->song, have);
    EXPECT_NEAR(have[GROOVE_SWING], 1 / 3.0, 0.05);
    EXPECT_NEAR(have[GROOVE_TEMPO], 0.55, 1e-6);
    EXPECT_NEAR(have[GROOVE_DEVIATION + 4], 0.2, 0.01);
    EXPECT_NEAR(have[GROOVE_DEVIATION], 0, 0.01);
    EXPECT(have[GROOVE_ACCENT] > have[GROOVE_ACCENT + 2] + 0.08f);
    EXPECT_NEAR(have[GROOVE_HUMANIZATION], 0, 0.02);
    asked[GROOVE_HUMANIZATION] = 0.1f;
    r = scale(&a, 0.5, BARS);
    arrange_groove(r, asked);
    groove_measure(&a, r->song, have);
    EXPECT_NEAR(have[GROOVE_HUMANIZATION], 0.1, 0.02);
    arena_free(&a);
}

TEST(arrange_dynamics_give_the_curve)
{
    arena a = {0};
    arrangement *r = scale(&a, 0.5, 8);
    song_dynamics d = dynamics_of(&a, r->song, DYNAMICS_BARS);
    EXPECT_INT(d.n, 2);
    for (size_t i = 0; i < d.n; i++)
        for (int k = 0; k < DYNAMICS; k++)
            d.phrases[i].curve[k] = 0.3f + 0.03f * (float)k;
    arrange_dynamics(r, d.phrases, d.n);
    song_dynamics have = dynamics_of(&a, r->song, DYNAMICS_BARS);
    for (size_t i = 0; i < have.n; i++)
        for (int k = 0; k < DYNAMICS; k++)
            if (have.phrases[i].heard & 1u << k)
                EXPECT_NEAR(have.phrases[i].curve[k], 0.3 + 0.03 * k, 0.5 / 127);
    arena_free(&a);
}
