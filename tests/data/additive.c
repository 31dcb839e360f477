// SPDX-License-Identifier: GPL-3.0-or-later
// additive.c: a note has its pitch, its harmonics and its envelope.
#include "data/additive.h"

#include <math.h>
#include <stdlib.h>

#include "tests/data/songs.h"
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
    additive_voice v = {.amplitude = {0.5, 0.25, 0.15, 0.1}, .attack = 0.1, .decay = 0.1, .sustain = 0.5, .release = 0.2};
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
    EXPECT_NEAR(strength(x, SECOND * 34 / 100, SECOND / 44, 440), 0.5, 0.06); // the top, between attack and decay
    EXPECT(strength(x, SECOND / 4, SECOND / 44, 440) < 0.12);
}

TEST(additive_leaves_out_what_is_above_half_the_rate)
{
    static float x[SECOND];
    additive_voice v = {.amplitude = {0.25, 0.25, 0.25, 0.25}, .attack = 0.01, .decay = 0.01, .sustain = 1, .release = 0.01};
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
