// SPDX-License-Identifier: GPL-3.0-or-later
// additive.c: a note has its pitch, its harmonics and its envelope.
#include "data/music/additive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/data/music/songs.h"
#include "tests/test.h"

enum { RATE = 16000, SECOND = RATE };

// Amplitude of one frequency in x [from, from + n).
static double strength(const float *x, int from, int n, double hz)
{
    double c = 0, s = 0;
    for (int i = 0; i < n; i++) {
        c += (double)x[from + i] * cos(6.283185307179586 * hz * (from + i) / RATE);
        s += (double)x[from + i] * sin(6.283185307179586 * hz * (from + i) / RATE);
    }
    return 2 * sqrt(c * c + s * s) / n;
}

TEST(additive_note_has_pitch_harmonics_and_envelope)
{
    static float x[2 * SECOND];
    additive_voice v = {.amplitude = {0.5, 0.25, 0.15, 0.1},
                        .attack = 0.1,
                        .decay = 0.1,
                        .sustain = 0.5,
                        .release = 0.2};
    additive_note n = {.start = 0.25, .length = 1, .pitch = 69, .gain = 1};
    additive_play(&v, &n, RATE, x, 2 * SECOND);
    int held = SECOND * 3 / 4; // sustain, from 0.75 s on, 0.4 s: whole periods of 440 Hz
    for (int h = 0; h < 4; h++)
        EXPECT_NEAR(strength(x, held, SECOND * 2 / 5, 440 * (h + 1)), 0.5 * v.amplitude[h], 1e-3);
    EXPECT_NEAR(strength(x, held, SECOND * 2 / 5, 2200), 0, 1e-3);
    EXPECT_NEAR(strength(x, held, SECOND * 2 / 5, 466), 0, 1e-2);
    for (int i = 0; i < SECOND / 4; i++)
        EXPECT(x[i] == 0);
    for (int i = SECOND * 145 / 100 + 2; i < 2 * SECOND; i++)
        EXPECT(x[i] == 0);
    // the top, between attack and decay
    EXPECT_NEAR(strength(x, SECOND * 34 / 100, SECOND / 44, 440), 0.5, 0.06);
    EXPECT(strength(x, SECOND / 4, SECOND / 44, 440) < 0.12);
}

// Each partial falls by 4 (f / 27.5 Hz)^0.62 decibels a second; what does not ring keeps its level.
TEST(additive_ringing_notes_die_away)
{
    static const int pitches[] = {33, 57, 69, 81};
    for (int i = 0; i < 4; i++) {
        static float x[4 * SECOND];
        memset(x, 0, sizeof x);
        additive_voice v = {.amplitude = {0.4, 0.3, 0.2, 0.1},
                            .attack = 0.01,
                            .decay = 0.01,
                            .sustain = 1,
                            .release = 0.1,
                            .rings = true};
        additive_note n = {.length = 3, .pitch = pitches[i], .gain = 1};
        additive_play(&v, &n, RATE, x, 4 * SECOND);
        for (int h = 1; h <= 2; h++) {
            double hz = 440 * exp2((pitches[i] - 69) / 12.0) * h, want = 4 * pow(hz / 27.5, 0.62);
            double now = strength(x, SECOND / 2, SECOND / 5, hz),
                   later = strength(x, SECOND / 2 + SECOND, SECOND / 5, hz);
            EXPECT_NEAR(20 * log10(now / later), want, 0.5);
        }
        for (int k = SECOND * 31 / 10 + 2; k < 4 * SECOND; k++)
            EXPECT(x[k] == 0);
        // no click: at the note's end nothing jumps by more than the sound itself does
        float step = 0;
        for (int k = SECOND * 29 / 10; k < SECOND * 32 / 10; k++)
            step = fmaxf(step, fabsf(x[k] - x[k - 1]));
        float before = 0;
        for (int k = SECOND * 27 / 10; k < SECOND * 29 / 10; k++)
            before = fmaxf(before, fabsf(x[k] - x[k - 1]));
        EXPECT(step <= before * 1.01f);
    }
}

// A held chord of the piano dies away, one of the organ does not; neither exceeds 0.9.
TEST(additive_songs_ring_or_hold)
{
    for (int k = 0; k < 2; k++) {
        arena a = {0};
        err e = {0};
        float *x = NULL, early = 0, late = 0, most = 0;
        int64_t frames = 0;
        midi_song *s = song_new(&a);
        for (int p = 60; p < 70; p += 3)
            song_play(s, SONG_PIANO, 0, 40, p, 127);
        song_done(s);
        s->instruments[SONG_PIANO].program = k ? 19 : 0;
        EXPECT_OK(additive_render(s, &x, &frames, &e), e);
        for (int64_t i = 0; i < frames; i++) {
            float *into = i < ADDITIVE_RATE                                              ? &early
                          : i > frames - 3 * ADDITIVE_RATE && i < frames - ADDITIVE_RATE ? &late
                                                                                         : &most;
            *into = fmaxf(*into, fabsf(x[i]));
        }
        EXPECT(fmaxf(fmaxf(early, late), most) <= 0.9001f);
        EXPECT(k ? late > 0.4f * early : late < 0.001f * early);
        free(x);
        arena_free(&a);
    }
    EXPECT(additive_rings(0) && additive_rings(24) && additive_rings(45) && !additive_rings(40) &&
           !additive_rings(16) && !additive_rings(73));
}

TEST(additive_leaves_out_what_is_above_half_the_rate)
{
    static float x[SECOND];
    additive_voice v = {.amplitude = {0.25, 0.25, 0.25, 0.25},
                        .attack = 0.01,
                        .decay = 0.01,
                        .sustain = 1,
                        .release = 0.01};
    additive_note n = {.length = 1, .pitch = 108, .gain = 1}; // 4186 Hz
    additive_play(&v, &n, RATE, x, SECOND);
    EXPECT_NEAR(strength(x, RATE / 4, RATE / 2, 440 * exp2(39 / 12.0)), 0.25, 0.01);
    EXPECT_NEAR(strength(x, RATE / 4, RATE / 2, RATE - 2 * 440 * exp2(39 / 12.0)), 0, 0.01);
}

TEST(additive_song_without_drums)
{
    arena a = {0};
    err e = {0};
    float *x = NULL, most = 0;
    int64_t frames = 0;
    midi_song *s = song_new(&a);
    song_play(s, SONG_DRUMS, 0, 1, 36, 120);
    song_play(s, SONG_PIANO, 2, 2, 60, 100);
    song_done(s);
    EXPECT_OK(additive_render(s, &x, &frames, &e), e);
    EXPECT_INT(frames, 2.5 * ADDITIVE_RATE);
    for (int64_t i = 0; i < frames; i++) {
        EXPECT(i >= ADDITIVE_RATE || x[i] == 0);
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    }
    EXPECT_NEAR(most, 0.9, 1e-5);
    free(x);
    s->seconds = 1e5;
    EXPECT_ERR(additive_render(s, &x, &frames, &e), e, ERR_VALUE, "too long");
    arena_free(&a);
}
