// SPDX-License-Identifier: GPL-3.0-or-later
// sound_shape.c (tests): sounds whose shape is known because they are made so.
#include "data/labels/sound_shape.h"

#include <math.h>

#include "data/labels/labels.h"
#include "tests/test.h"

enum { RATE = 16000, N = 2 * RATE };
#define PI 3.14159265358979323846

// A tone that rises evenly for `rise` seconds, stays, and is gone at `end`.
static void tone(float *x, double hz, double rise, double end)
{
    for (int t = 0; t < N; t++) {
        double at = (double)t / RATE, level = fmin(at / rise, 1);
        x[t] = at < end ? (float)(0.5 * level * sin(2 * PI * hz * at)) : 0;
    }
}

TEST(sound_shape_of_a_tone)
{
    static float x[N];
    err e = {0};
    sound_shape s;
    tone(x, 1000, 0.25, 1.5);
    EXPECT_OK(sound_shape_of(x, N, RATE, &s, &e), e);
    EXPECT(sound_shape_heard(&s) && sound_shape_ok(&s));
    EXPECT_NEAR(s.brightness, 1000, 5);
    EXPECT_NEAR(s.attack, 0.25 * 0.8, 0.006);   // from a tenth to nine tenths
    EXPECT_NEAR(s.sustain, 1.5 - 0.025, 0.012); // from a tenth on
    // two tones: the mean by power
    for (int t = 0; t < N; t++)
        x[t] = (float)(0.2 * sin(2 * PI * 500 * t / RATE) + 0.1 * sin(2 * PI * 4000 * t / RATE));
    EXPECT_OK(sound_shape_of(x, N, RATE, &s, &e), e);
    EXPECT_NEAR(s.brightness, (4 * 500 + 4000) / 5.0, 10);
    EXPECT_BELOW(s.attack, 0.003);
    EXPECT_NEAR(s.sustain, 2, 0.012);
}

TEST(sound_shape_of_a_pluck)
{
    static float x[N];
    err e = {0};
    sound_shape s;
    for (int t = 0; t < N; t++) // down by 20 dB in 0.4 s
        x[t] = (float)(0.9 * pow(10, -t / (0.4 * RATE)) * sin(2 * PI * 300 * t / RATE));
    EXPECT_OK(sound_shape_of(x, N, RATE, &s, &e), e);
    EXPECT_BELOW(s.attack, 0.006);
    EXPECT_NEAR(s.sustain, 0.4, 0.01);
    EXPECT_INT(sound_sustain_class(s.sustain), 3);
}

TEST(sound_shape_of_little)
{
    static const float silence[RATE], one[1] = {0.5f};
    err e = {0};
    sound_shape s;
    EXPECT_OK(sound_shape_of(silence, RATE, RATE, &s, &e), e);
    EXPECT(!sound_shape_heard(&s) && s.brightness == 0 && s.attack == 0);
    EXPECT_OK(sound_shape_of(silence, 0, RATE, &s, &e), e);
    EXPECT(!sound_shape_heard(&s));
    EXPECT_OK(sound_shape_of(one, 1, 100, &s, &e), e);
    EXPECT(s.attack == 0 && isfinite(s.brightness));
}

TEST(sound_shape_classes)
{
    EXPECT_INT(sound_attack_class(0), 0);
    EXPECT_INT(sound_attack_class(0.0049), 0);
    EXPECT_INT(sound_attack_class(0.005), 1);
    EXPECT_INT(sound_attack_class(0.1), 5);
    EXPECT_INT(sound_attack_class(9), ATTACKS - 1);
    EXPECT_INT(sound_sustain_class(0.06), 0);
    EXPECT_INT(sound_sustain_class(3), 6);
    EXPECT_INT(sound_sustain_class(4), SUSTAINS - 1);
    EXPECT_INT(sound_brightness_class(349), 0);
    EXPECT_INT(sound_brightness_class(700), 2);
    EXPECT_INT(sound_brightness_class(8000), BRIGHTNESSES - 1);
}
