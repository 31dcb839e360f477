// SPDX-License-Identifier: GPL-3.0-or-later
// cloud.c: clouds of slices whose formulas (data/music/cloud.h) were worked out by hand, slices of
// sound and of songs that leave no doubt.
#include <math.h>

#include "data/music/cloud.h"
#include "tests/data/midi/midi_bytes.h"
#include "tests/test.h"

static void fill(cloud_slice s[CLOUD_SLICES], cloud_slice x)
{
    for (int k = 0; k < CLOUD_SLICES; k++)
        s[k] = x;
}

// Python: u, v, g = 0.25487767, 0.06984029, 0.11803399, r = 0.76708131.
TEST(cloud_of_even_slices_is_that_of_the_formulas)
{
    static const double want[CLOUD_WIDTH] = {
        0.5 / CLOUD_POINTS, 0.5585902797, 0.3156240352, 0.4089931934, 0.4779931934,
        0.9329931934,       0.57,         1.2333126296, 0.5966439779, 0.4241232510};
    cloud_slice s[CLOUD_SLICES];
    static float x[CLOUD_POINTS * CLOUD_WIDTH];
    fill(s, (cloud_slice){1, 0.5, 0.5, 0.5, 0.2, 0.1, 0.6, 0.4});
    cloud_make(s, &(cloud_emotion){-1, 0.5, 0.5}, x);
    for (int k = 0; k < CLOUD_WIDTH; k++)
        EXPECT_NEAR((double)x[k], want[k], 1e-6);
    double y = 0, z = 0;
    for (int i = 0; i < CLOUD_POINTS; i++) {
        EXPECT_NEAR((double)x[i * CLOUD_WIDTH], (i + 0.5) / CLOUD_POINTS, 1e-6);
        y += (double)x[i * CLOUD_WIDTH + CLOUD_Y] / CLOUD_POINTS;
        z += (double)x[i * CLOUD_WIDTH + CLOUD_Z] / CLOUD_POINTS;
    }
    // scattered evenly around the music's place
    EXPECT_NEAR(y, 0.5, 1e-3);
    EXPECT_NEAR(z, 0.35 * 0.2 + 0.25 * 0.1 + 0.2 * 0.6 + 0.2 * 0.4, 1e-3);
}

// 1/4 + 3/4 L is 1 in the first half and 1/4 in the second.
TEST(cloud_is_closer_where_it_is_loud)
{
    cloud_slice s[CLOUD_SLICES];
    static float x[CLOUD_POINTS * CLOUD_WIDTH];
    int first = 0;
    fill(s, (cloud_slice){.loudness = 1});
    for (int k = CLOUD_SLICES / 2; k < CLOUD_SLICES; k++)
        s[k].loudness = 0;
    cloud_make(s, &(cloud_emotion){0, 0, 0}, x);
    for (int i = 0; i < CLOUD_POINTS; i++) {
        first += x[i * CLOUD_WIDTH] < 0.5f;
        EXPECT(i == 0 || x[i * CLOUD_WIDTH] > x[(i - 1) * CLOUD_WIDTH]);
    }
    EXPECT_INT(first, CLOUD_POINTS * 4 / 5);
}

// Whatever the slices hold, every number is where a network or a viewer expects it.
TEST(cloud_stays_within_its_ranges)
{
    static float x[CLOUD_POINTS * CLOUD_WIDTH];
    for (int way = 0; way < 32; way++) {
        cloud_slice s[CLOUD_SLICES];
        double all = way & 1;
        fill(s, (cloud_slice){all, way & 2 ? 1 : 0, way & 4 ? 1 : 0, all, all, all, all, all});
        cloud_make(s, &(cloud_emotion){way & 8 ? 1 : -1, way & 16 ? 1 : -1, 1}, x);
        for (int i = 0; i < CLOUD_POINTS * CLOUD_WIDTH; i++) {
            int k = i % CLOUD_WIDTH;
            bool ok = k == CLOUD_SIZE ? x[i] >= 0.5f && x[i] <= 2 : x[i] >= 0 && x[i] <= 1;
            if (!ok)
                test_expect(false, __FILE__, __LINE__, "way %d, point %d: number %d is %g", way,
                            i / CLOUD_WIDTH, k, (double)x[i]);
        }
    }
}

// Two bands in decibels: the low one at 0 dB, then the high one at -30 dB.
TEST(cloud_hears_loudness_brightness_and_change)
{
    enum { FRAMES = 2 * CLOUD_SLICES };
    const mel_settings m = {.n_mels = 2, .power = 2, .log = MEL_LOG_DB};
    float frames[FRAMES][2];
    cloud_slice s[CLOUD_SLICES];
    for (int i = 0; i < FRAMES; i++) {
        bool late = i >= FRAMES / 2;
        frames[i][0] = late ? -200 : 0, frames[i][1] = late ? -30 : -200;
    }
    cloud_hear(&m, frames[0], FRAMES, s);
    for (int k = 0; k < CLOUD_SLICES; k++) {
        bool late = k >= CLOUD_SLICES / 2;
        EXPECT_NEAR(s[k].loudness, late ? 0.5 : 1, 1e-9);
        EXPECT_NEAR(s[k].brightness, late ? 1 : 0, 1e-9);
        EXPECT_NEAR(s[k].change, k == CLOUD_SLICES / 2 ? 1 : 0, 1e-9);
    }
    // one frame is all slices; amplitudes are squared
    const mel_settings amplitude = {.n_mels = 2, .power = 1, .log = MEL_LOG_NONE};
    cloud_hear(&amplitude, (const float[]){1, 3}, 1, s);
    EXPECT_NEAR(s[CLOUD_SLICES - 1].brightness, 0.9, 1e-9);
    EXPECT_NEAR(s[0].loudness, 1, 0);
}

// Silence is no cloud of NaN.
TEST(cloud_of_silence_is_finite)
{
    const mel_settings m = {.n_mels = 2, .power = 2, .log = MEL_LOG_NONE};
    cloud_slice s[CLOUD_SLICES] = {{0}};
    static float x[CLOUD_POINTS * CLOUD_WIDTH];
    cloud_hear(&m, (const float[4]){0}, 2, s);
    cloud_make(s, &(cloud_emotion){0, 0, 0}, x);
    EXPECT_NEAR(s[0].loudness, 0, 0);
    for (int i = 0; i < CLOUD_POINTS * CLOUD_WIDTH; i++)
        EXPECT(isfinite(x[i]));
}

// C4 and C6 together for the second half of two seconds: an octave around C5 each way.
TEST(cloud_reads_pitch_tension_and_range)
{
    arena a = {0};
    smf f = {0};
    cloud_slice s[CLOUD_SLICES];
    // ticks of 96 a quarter, half a second: 192 ticks wait, 192 ticks sound
    SMF_TRACK(&f, 0x81, 0x40, 0x90, 60, 127, 0, 84, 127, 0x81, 0x40, 60, 0, 0, 84, 0);
    const midi_song *song = smf_song(&f, &a);
    EXPECT_NEAR(song->seconds, 2, 1e-9);
    cloud_read(song, 2, s);
    for (int k = 0; k < CLOUD_SLICES; k++) {
        EXPECT_NEAR(s[k].pitch, 0.5, 1e-9);
        EXPECT_NEAR(s[k].tension, 1, 1e-9);
        EXPECT_NEAR(s[k].range, 0.5, 1e-9);
        EXPECT_NEAR(s[k].velocity, 1, 1e-9);
    }
    // both onsets within an eighth of a second, 16 a second; not before, not long behind
    EXPECT_NEAR(s[CLOUD_SLICES / 2].density, 0.8, 1e-9);
    EXPECT_NEAR(s[0].density, 0, 0);
    EXPECT_NEAR(s[CLOUD_SLICES - 1].density, 0, 0);
    arena_free(&a);
}
