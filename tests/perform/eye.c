// SPDX-License-Identifier: GPL-3.0-or-later
// eye.c: tones block by block are those of the synthesiser at once; a cloud does not depend on how
// often somebody looked before; it shows the window and nothing older.
#include "perform/eye.h"

#include <math.h>
#include <string.h>

#include "data/music/additive.h"
#include "perform/tones.h"
#include "tests/perform/score.h"
#include "tests/test.h"

enum { RATE = 22050, SAMPLES = 3 * RATE };

// One note, of which the messages come `early` samples before their moments.
static void expect_tone(int64_t early)
{
    static float at_once[SAMPLES], piece[SAMPLES];
    arena a = {0};
    tones *t = tones_open(RATE, &a);
    additive_voice v = additive_voice_of(100, true);
    additive_note n = {.start = 1000.0 / RATE, .length = 30000.0 / RATE, .pitch = 64, .gain = 1};
    memset(at_once, 0, sizeof at_once);
    additive_play(&v, &n, RATE, at_once, SAMPLES);
    const score_event on = note_on(0, 64, 100), off = note_off(0, 64);
    for (int64_t at = 0, k; at < SAMPLES; at += k) {
        k = SAMPLES - at < 441 ? SAMPLES - at : 441;
        int64_t told = early < 1000 ? 1000 - early : 0, ended = 31000 - early;
        if (at <= told && at + k > told)
            tones_event(t, &on, 1000 - at);
        if (at <= ended && at + k > ended)
            tones_event(t, &off, 31000 - at);
        tones_play(t, piece + at, k);
    }
    float gain = 0.3f * (100 / 127.0f) * (100 / 127.0f);
    for (int i = 0; i < SAMPLES; i++)
        at_once[i] *= gain;
    EXPECT_BELOW(test_distance(piece, at_once, SAMPLES), 1e-5);
    arena_free(&a);
}

TEST(tones_are_those_of_the_synthesiser)
{
    expect_tone(0);
    expect_tone(30900); // the end is known before the beginning is heard
}

TEST(tones_beyond_their_number_take_the_place_of_others)
{
    static float x[RATE];
    arena a = {0};
    tones *t = tones_open(RATE, &a);
    for (int i = 0; i < 300; i++) {
        const score_event on = note_on(0, i % 128, 127);
        tones_event(t, &on, 0);
    }
    tones_play(t, x, RATE);
    double most = 0;
    for (int i = 0; i < RATE; i++)
        most = larger(most, fabs((double)x[i]));
    EXPECT(most > 0.5 && most < TONES_MOST);
    arena_free(&a);
}

// A note each half second, looked at `fps` times a second; the cloud at the end.
static void watch(int fps, double window, double seconds, eye_cloud *out)
{
    arena a = {0};
    err e = {0};
    env v = {0};
    score_bar bar = {.seconds = 2, .beats = 4, .valence = 0.9, .arousal = 0.5, .intensity = 0.7};
    eye *y = eye_open(&(eye_setup){.env = &v, .window = window}, &a, &e);
    EXPECT_OK(y != NULL, e);
    int next = 0;
    eye_bar(y, &bar);
    for (int k = 1; k <= fps * seconds; k++) {
        double now = (double)k / fps;
        for (; next < 2 * seconds && next / 2.0 < now; next++) {
            const score_event off = note_off(next / 2.0, 60 + (next + 11) % 12),
                              on = note_on(next / 2.0, 60 + next % 12, 90);
            eye_event(y, &off), eye_event(y, &on);
        }
        EXPECT_OK(eye_look(y, now, out, &e), e);
    }
    eye_close(y);
    arena_free(&a);
}

TEST(eye_sees_the_same_however_often_it_looks)
{
    static eye_cloud often, seldom;
    watch(60, 4, 6, &often), watch(5, 4, 6, &seldom);
    EXPECT(!often.blank && !memcmp(often.points, seldom.points, sizeof often.points));
    EXPECT_NEAR(often.to, 6, 0.06);
    EXPECT_NEAR(often.to - often.from, 4, 0.06);
    EXPECT_NEAR(often.valence, 0.9, 1e-9);
    for (int i = 0; i < CLOUD_POINTS * CLOUD_WIDTH; i++)
        EXPECT(often.points[i] >= 0 && often.points[i] <= 2);
}

TEST(eye_forgets_what_is_older_than_its_window)
{
    static eye_cloud late, early;
    watch(10, 2, 2, &early), watch(10, 2, 8, &late);
    // in 4 / 12 of an octave above or below: pitch is y
    double a = 0, b = 0;
    for (int i = 0; i < CLOUD_POINTS; i++)
        a += (double)early.points[i * CLOUD_WIDTH + CLOUD_Y],
            b += (double)late.points[i * CLOUD_WIDTH + CLOUD_Y];
    EXPECT_NEAR(a / CLOUD_POINTS, (60 + 1.5 - 36) / 72, 0.03); // notes 0 .. 3
    EXPECT_NEAR(b / CLOUD_POINTS, (60 + 1.5 - 36) / 72, 0.03); // 12 .. 15, the same
    EXPECT_NEAR(late.from, 6, 0.06);
}
