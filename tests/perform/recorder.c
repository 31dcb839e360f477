// SPDX-License-Identifier: GPL-3.0-or-later
// recorder.c: what was played as a song: notes at their moments, tempo and bars as they were, cut
// off at the end.
#include "perform/recorder.h"

#include "data/midi/midi_write.h"
#include "tests/perform/score.h"
#include "tests/test.h"

static void put(score *s, recorder *r, score_event x)
{
    score_put(s, &x);
    ring_done(&s->events);
    recorder_take(r, s);
}

static void put_bar(score *s, recorder *r, score_bar b)
{
    score_put_bar(s, &b);
    ring_done(&s->bars);
    recorder_take(r, s);
}

TEST(recorder_keeps_moments_tempo_and_bars)
{
    arena a = {0};
    err e = {0};
    score s;
    score_open(&s, &a);
    recorder *r = recorder_open(&a);
    put_bar(&s, r, (score_bar){.at = 0, .seconds = 2, .beats = 4}); // 120
    put(&s, r, (score_event){0, {MIDI_PROGRAM | 1, 33, 0}});
    put(&s, r, note_on(0.5, 60, 90));
    put(&s, r, note_off(1.0, 60));
    put_bar(&s, r, (score_bar){.at = 2, .seconds = 3, .beats = 3}); // 60
    put(&s, r, (score_event){2.5, {MIDI_NOTE_ON | 1, 40, 70}});
    put(&s, r, note_on(3, 64, 80));
    put(&s, r, note_on(3.5, 64, 81)); // struck again: the first ends
    put(&s, r, note_on(4.5, 99, 80)); // behind the end
    EXPECT_OK(midi_write(test_path("x.mid"), recorder_song(r, 4, &a), &e), e);
    const midi_song *m = midi_read(&a, test_path("x.mid"), &e);
    EXPECT_OK(m != NULL, e);
    if (m) {
        EXPECT_INT(m->n_notes, 4);
        EXPECT_INT(m->n_tempos, 2);
        EXPECT_NEAR(m->tempos[1].us_per_quarter, 1e6, 1);
        EXPECT_INT(m->n_metres, 2);
        EXPECT_INT(m->metres[1].numerator, 3);
        EXPECT_NEAR(m->notes[0].start, 0.5, 1e-3);
        EXPECT_NEAR(m->notes[0].end, 1, 1e-3);
        EXPECT_NEAR(m->notes[1].start, 2.5, 2e-3);
        EXPECT_NEAR(m->notes[1].end, 4, 3e-3);
        EXPECT_INT(m->instruments[m->notes[1].instrument].program, 33);
        EXPECT_NEAR(m->notes[2].end, 3.5, 2e-3);
        EXPECT_INT(m->notes[3].velocity, 81);
    }
    recorder_close(r);
    arena_free(&a);
}

TEST(recorder_of_nothing_is_a_file_all_the_same)
{
    arena a = {0};
    err e = {0};
    recorder *r = recorder_open(&a);
    const midi_song *s = recorder_song(r, 0, &a);
    EXPECT_INT(s->n_notes, 0);
    EXPECT_OK(midi_write(test_path("x.mid"), s, &e), e);
    recorder_close(r);
    arena_free(&a);
}
