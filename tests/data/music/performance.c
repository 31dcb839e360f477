// SPDX-License-Identifier: GPL-3.0-or-later
// performance.c: what may follow, and where notes lie in ticks.
#include "data/music/performance.h"

#include <math.h>

#include "tests/test.h"

static bool may(const performance *p, int token)
{
    float logits[TOKENS_COUNT] = {0};
    performance_forbid(p, logits);
    return logits[token] == 0;
}

TEST(performance_has_a_grammar)
{
    performance p = {0};
    EXPECT(may(&p, 60) && !may(&p, TOKENS_OFF + 60) && may(&p, TOKENS_SHIFT) &&
           may(&p, TOKENS_VELOCITY + 3));
    performance_take(&p, TOKENS_VELOCITY + 3);
    // nor two behind each other
    EXPECT(!may(&p, TOKENS_VELOCITY + 3) && !may(&p, TOKENS_VELOCITY + 4));
    performance_take(&p, 60);
    EXPECT(!may(&p, TOKENS_VELOCITY + 3) && may(&p, TOKENS_VELOCITY + 4)); // it is in force
    // it began at this very step
    EXPECT(!may(&p, 60) && may(&p, 61) && !may(&p, TOKENS_OFF + 60));
    performance_take(&p, TOKENS_SHIFT + 9);
    EXPECT_INT(p.step, 10);
    EXPECT(!may(&p, 60) && may(&p, TOKENS_OFF + 60) && !may(&p, TOKENS_OFF + 61));
    performance_take(&p, TOKENS_OFF + 60);
    EXPECT(may(&p, 60) && !may(&p, TOKENS_OFF + 60));
}

TEST(performance_always_goes_on)
{
    performance p = {0};
    for (int i = 0; i < PERFORMANCE_MOMENT; i++)
        performance_take(&p, i);
    for (int i = 0; i < TOKENS_COUNT; i++)
        EXPECT(may(&p, i) == (i >= TOKENS_SHIFT && i < TOKENS_VELOCITY));
    performance_take(&p, TOKENS_SHIFT);
    EXPECT(may(&p, 100) && may(&p, TOKENS_OFF));
}

// Drawn at random, with many notes that nobody ends: none lasts longer, and something may always
// follow.
TEST(performance_notes_last_no_longer_than_they_may)
{
    performance p = {.longest = 130};
    for (uint32_t i = 0; i < 20000; i++) {
        float logits[TOKENS_COUNT] = {0};
        int may_follow[TOKENS_COUNT], n = 0;
        performance_forbid(&p, logits);
        for (int k = 0; k < TOKENS_COUNT; k++)
            if (logits[k] == 0 && (test_fill_u32(k, i) % 16 == 0 || k < TOKENS_OFF))
                may_follow[n++] = k;
        for (int k = 0; k < TOKENS_COUNT && !n; k++)
            if (logits[k] == 0)
                may_follow[n++] = k;
        if (!test_expect(n > 0, __FILE__, __LINE__, "nothing may follow at event %u", i))
            return;
        performance_take(&p, may_follow[test_fill_u32(7, i) % (uint32_t)n]);
        for (int pitch = 0; pitch < 128; pitch++)
            EXPECT(!p.sounds[pitch] || p.step - p.since[pitch] <= 130);
    }
    EXPECT(p.step > 1000);
}

TEST(performance_is_a_song)
{
    // velocity bin 16; 60 from 0 to 0.5 s; 64 from 0.25 s on, never released; 67 beyond the end
    const uint16_t tokens[] = {
        TOKENS_VELOCITY + 15, 60, TOKENS_SHIFT + 24, 64, TOKENS_SHIFT + 24, TOKENS_OFF + 60,
        TOKENS_SHIFT + 99,    67, TOKENS_SHIFT + 9};
    arena a = {0};
    err e = {0};
    const midi_song *s = performance_song(
        &a, tokens, 9, &(performance_style){.tempo = 60, .seconds = 1, .program = 5}, &e);
    EXPECT_OK(s != NULL, e);
    EXPECT_INT(s->n_notes, 2);
    EXPECT_INT(s->instruments[0].program, 5);
    EXPECT(s->notes[0].pitch == 60 && s->notes[0].velocity == 61 && s->notes[0].start_tick == 0 &&
           s->notes[0].end_tick == 240);
    EXPECT(s->notes[1].pitch == 64 && s->notes[1].start_tick == 120 && s->notes[1].end_tick == 480);
    EXPECT_NEAR(s->seconds, 1, 1e-9);
    arena_free(&a);
}
