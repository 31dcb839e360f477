// SPDX-License-Identifier: GPL-3.0-or-later
// conductor.c: lines and knobs, and what is neither; the meter's counts.
#include "perform/conductor.h"

#include <string.h>

#include "perform/meter.h"
#include "tests/test.h"

static conductor_says hear(conductor *k, const char *text, err *e)
{
    conductor_says said = CONDUCTOR_NOTHING;
    for (; *text; text++) {
        conductor_says now = conductor_byte(k, *text, e);
        said = now == CONDUCTOR_NOTHING ? said : now;
    }
    return said;
}

TEST(conductor_understands_lines)
{
    conductor k = {0};
    err e = {0};
    EXPECT_INT(hear(&k, "emotion grief\n", &e), CONDUCTOR_WISH);
    EXPECT_NEAR(k.mood.valence, -0.8, 1e-9);
    EXPECT_INT(hear(&k, "  joy \r\n", &e), CONDUCTOR_WISH);
    EXPECT_STR(k.mood.emotion, "joy");
    EXPECT_INT(hear(&k, "emotion -0.25,0.5,1\n", &e), CONDUCTOR_WISH);
    EXPECT_NEAR(k.mood.arousal, 0.5, 1e-9);
    EXPECT_INT(hear(&k, "\n   \n", &e), CONDUCTOR_NOTHING);
    EXPECT_INT(hear(&k, "quit", &e), CONDUCTOR_NOTHING);
    EXPECT_INT(hear(&k, "\n", &e), CONDUCTOR_QUIT);
    EXPECT_INT(hear(&k, "emotion greif\n", &e), CONDUCTOR_WRONG);
    EXPECT_HAS(e.text, "did you mean 'grief'");
    EXPECT_STR(k.mood.emotion, "-0.25,0.5,1");
    char text[3 * CONDUCTOR_LINE];
    memset(text, 'x', sizeof text);
    strcpy(text + sizeof text - 6, "\njoy\n");
    EXPECT_INT(hear(&k, text, &e), CONDUCTOR_WISH);
    EXPECT_HAS(e.text, "a line is shorter than 200");
}

TEST(conductor_turns_knobs)
{
    conductor k = {.mood = {.valence = 0.5, .arousal = 0.5, .intensity = 0.5}};
    EXPECT_INT(conductor_control(&k, (uint8_t[]){0xb3, CONDUCTOR_VALENCE, 0}), CONDUCTOR_WISH);
    EXPECT_NEAR(k.mood.valence, -1, 1e-9);
    EXPECT_INT(conductor_control(&k, (uint8_t[]){0xb0, CONDUCTOR_AROUSAL, 127}), CONDUCTOR_WISH);
    EXPECT_NEAR(k.mood.arousal, 1, 1e-9);
    EXPECT_INT(conductor_control(&k, (uint8_t[]){0xb0, CONDUCTOR_AROUSAL, 64}), CONDUCTOR_WISH);
    EXPECT_STR(k.mood.emotion, "-1.000,0.000,0.500");
    EXPECT_INT(conductor_control(&k, (uint8_t[]){0xb0, 64, 127}), CONDUCTOR_NOTHING);
    EXPECT_INT(conductor_control(&k, (uint8_t[]){0x90, CONDUCTOR_VALENCE, 9}), CONDUCTOR_NOTHING);
}

TEST(meter_counts_frames_and_their_parts)
{
    arena a = {0};
    meter *m = meter_open(&a);
    meter_second s;
    for (int i = 0; i < 200; i++) {
        meter_frame f = {.whole = i == 7 ? 30 : 2, .part = {1, -1, 2, 0}, .late = i == 7};
        f.fresh = i % 2, f.skipped = i == 8;
        EXPECT(meter_put(m, &f));
    }
    meter_take(m);
    EXPECT(!meter_take_second(m, 0.9, 10, &s));
    EXPECT(meter_take_second(m, 2, 50, &s));
    EXPECT_NEAR(s.fps, 100, 1e-9);
    EXPECT_NEAR(s.tokens, 25, 1e-9);
    EXPECT_NEAR(s.frame_ms, 2 + 28 / 200.0, 1e-6);
    EXPECT(s.memory_gb > 0.001 && s.memory_share > 0 && s.memory_share <= 1);
    meter_sum all = meter_all(m, 1.5);
    EXPECT_NEAR(all.whole.over, 1, 1e-9);
    all = meter_all(m, 1000 / 60.0);
    EXPECT_INT(all.frames, 200);
    EXPECT_INT(all.fresh, 100);
    EXPECT_INT(all.late, 1);
    EXPECT_INT(all.skipped, 1);
    EXPECT_NEAR(all.whole.p99, 2, 0.011);
    EXPECT_NEAR(all.whole.most, 30, 1e-9);
    EXPECT_NEAR(all.whole.over, 1 / 200.0, 1e-9);
    EXPECT_INT(all.part[METER_CLOUD].n, 0);
    EXPECT_NEAR(all.part[METER_MIDI].mean, 1, 1e-6);
    arena_free(&a);
}
