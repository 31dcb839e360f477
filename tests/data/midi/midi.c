// SPDX-License-Identifier: GPL-3.0-or-later
// MIDI files as music: small files whose answer a musician knows, and what is refused.
#include "data/midi/midi.h"

#include <string.h>

#include "tests/data/midi/midi_bytes.h"
#include "tests/test.h"

static void expect_note(const midi_song *s, size_t i, double start, double end, int pitch)
{
    if (!test_expect(i < s->n_notes, __FILE__, __LINE__, "there are only %zu notes", s->n_notes))
        return;
    EXPECT_NEAR(s->notes[i].start, start, 1e-12);
    EXPECT_NEAR(s->notes[i].end, end, 1e-12);
    EXPECT_INT(s->notes[i].pitch, pitch);
}

TEST(midi_a_scale_at_120)
{
    arena a = {0};
    smf f = {.ticks = 96};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, SMF_NOTE(62, 96), 0, SMF_NOTE(64, 48), 48,
              SMF_NOTE(65, 96));
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_notes, 4);
    expect_note(s, 0, 0, 0.5, 60);
    expect_note(s, 1, 0.5, 1, 62);
    expect_note(s, 2, 1, 1.25, 64);
    expect_note(s, 3, 1.5, 2, 65);
    EXPECT_NEAR(s->seconds, 2, 0);
    EXPECT_INT(s->notes[3].start_tick, 288);
    EXPECT_INT(s->notes[0].velocity, 64);
    EXPECT_INT(s->n_instruments, 1);
    EXPECT_INT(s->instruments[0].program, 0);
    EXPECT(!s->instruments[0].is_drum);
    EXPECT_INT(s->n_tempos, 1);
    EXPECT_NEAR(s->tempos[0].us_per_quarter, 500000, 0);
    EXPECT_INT(s->dropped, 0);
    arena_free(&a);
}

TEST(midi_tempo_is_global_wherever_it_stands)
{
    arena a = {0};
    smf f = {.format = 1, .ticks = 100};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 100), 0, SMF_NOTE(62, 100), 0, SMF_NOTE(64, 100));
    SMF_TRACK(&f, 0, SMF_TEMPO(1000000), 100, SMF_TEMPO(250000), 0, SMF_TEMPO(0));
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_tempos, 2);
    expect_note(s, 0, 0, 1, 60);
    expect_note(s, 1, 1, 1.25, 62);
    expect_note(s, 2, 1.25, 1.5, 64);
    EXPECT_NEAR(midi_seconds(s, 50), 0.5, 1e-12);
    EXPECT_NEAR(midi_seconds(s, 1100), 3.5, 1e-12);
    EXPECT_NEAR(midi_ticks(s, 3.5), 1100, 1e-9);
    EXPECT_NEAR(midi_ticks(s, 0.25), 25, 1e-9);
    arena_free(&a);
}

TEST(midi_metre_and_key)
{
    arena a = {0};
    smf f = {.ticks = 96};
    // 6/8 in E flat minor; 3/4 in A major a beat later; then what no metre (denominator 2^33,
    // numerator 0) and no key (18 flats) can be
    SMF_TRACK(&f, 0, 0xff, 0x58, 4, 6, 3, 36, 8, 0, 0xff, 0x59, 2, 0xfa, 1, 96, 0xff, 0x58, 4, 3, 2,
              24, 8, 0, 0xff, 0x59, 2, 3, 0, 0, 0xff, 0x58, 4, 4, 33, 24, 8, 0, 0xff, 0x58, 4, 0, 2,
              24, 8, 0, 0xff, 0x59, 2, 0xee, 0, 0, SMF_NOTE(60, 96));
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_metres, 2);
    EXPECT_INT(s->metres[0].numerator, 6);
    EXPECT_INT(s->metres[0].denominator, 8);
    EXPECT_INT(s->metres[1].numerator, 3);
    EXPECT_NEAR(s->metres[1].seconds, 0.5, 1e-12);
    EXPECT_INT(s->n_keys, 2);
    EXPECT_INT(s->keys[0].sharps, -6);
    EXPECT(s->keys[0].minor);
    EXPECT_INT(s->keys[1].sharps, 3);
    EXPECT(!s->keys[1].minor);
    arena_free(&a);
}

TEST(midi_one_off_closes_all_but_what_began_there)
{
    arena a = {0};
    smf f = {.ticks = 96};
    // C struck twice and closed once; D closed and struck on one tick, in both orders; E off
    // without on; F never closed; G on and off at once.
    SMF_TRACK(&f, 0, 0x90, 60, 40, 48, 60, 80, 48, 0x80, 60, 0, 0, 0x90, 62, 50, 48, 62, 60, 0,
              0x80, 62, 0, 48, 62, 0, 0, 64, 0, 0, 0x90, 65, 70, 0, 67, 70, 0, 67, 0);
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_notes, 4);
    expect_note(s, 0, 0, 0.5, 60);
    expect_note(s, 1, 0.25, 0.5, 60);
    expect_note(s, 2, 0.5, 0.75, 62);
    expect_note(s, 3, 0.75, 1, 62);
    EXPECT_INT(s->notes[1].velocity, 80);
    EXPECT_INT(s->note_ons, 6);
    EXPECT_INT(s->dropped, 2);
    arena_free(&a);
}

TEST(midi_running_status_survives_meta_and_sysex)
{
    arena a = {0};
    smf f = {.ticks = 96};
    // a text of 128 bytes (two length bytes) between events that share a status
    uint8_t events[256] = {0, 0x90, 60, 64, 0, 0xff, 1, 0x81, 0},
            tail[] = {96, 60, 0, 0, 0xf0, 2, 1, 0xf7, 0, 62, 64, 96, 62, 0};
    memcpy(events + 9 + 128, tail, sizeof tail);
    smf_track(&f, events, 9 + 128 + sizeof tail);
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_notes, 2);
    expect_note(s, 0, 0, 0.5, 60);
    expect_note(s, 1, 0.5, 1, 62);
    arena_free(&a);
}

TEST(midi_instruments_are_program_channel_and_track)
{
    arena a = {0};
    smf f = {.format = 1, .ticks = 96};
    SMF_TRACK(&f, 0, 0xc0, 40, 0, SMF_NOTE(60, 96), 0, 0xc0, 41, 0, SMF_NOTE(62, 96), 0, 0xc0, 40,
              0, SMF_NOTE(64, 96));
    SMF_TRACK(&f, 0, 0xc0, 40, 0, SMF_NOTE(67, 96), 0, 0x99, 36, 100, 24, 0x89, 36, 0);
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_instruments, 4);
    EXPECT_INT(s->instruments[0].program, 40);
    EXPECT_INT(s->instruments[0].notes, 2);
    EXPECT_INT(s->instruments[1].program, 41);
    EXPECT_INT(s->instruments[2].track, 1);
    EXPECT(s->instruments[3].is_drum);
    EXPECT_INT(s->instruments[3].channel, 9);
    EXPECT_INT(s->notes[0].pitch, 60); // of one start, by pitch
    EXPECT_INT(s->notes[1].pitch, 67);
    arena_free(&a);
}

TEST(midi_pedals_are_spans)
{
    arena a = {0};
    smf f = {.ticks = 96};
    // down at 0.5, again at 0.75, up at 1; down and up at 1.25 (nothing); down at 1.5, not lifted
    // until the last note ends at 2.5
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, SMF_PEDAL(0, 127), 48, SMF_PEDAL(0, 64), 48,
              SMF_PEDAL(0, 63), 48, SMF_PEDAL(0, 127), 0, SMF_PEDAL(0, 0), 48, SMF_PEDAL(0, 90), 96,
              SMF_NOTE(62, 96));
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->instruments[0].pedals, 2);
    EXPECT_NEAR(s->pedals[0].start, 0.5, 1e-12);
    EXPECT_NEAR(s->pedals[0].end, 1, 1e-12);
    EXPECT_NEAR(s->pedals[1].start, 1.5, 1e-12);
    EXPECT_NEAR(s->pedals[1].end, 2.5, 1e-12);
    arena_free(&a);
}

TEST(midi_time_code)
{
    arena a = {0};
    // -25 frames, 40 ticks: a tick is a millisecond, and tempo means nothing
    smf f = {.ticks = 0xe728};
    SMF_TRACK(&f, 0, SMF_TEMPO(250000), 0, SMF_NOTE(60, 96));
    const midi_song *s = smf_song(&f, &a);
    EXPECT(s->smpte);
    EXPECT_INT(s->ticks_per_quarter, 1000);
    expect_note(s, 0, 0, 0.096, 60);
    smf drop = {.ticks = 0xe350};                   // -29, 80: 29.97 frames a second
    SMF_TRACK(&drop, 0x92, 0x60, SMF_NOTE(60, 96)); // 2400 ticks
    s = smf_song(&drop, &a);
    EXPECT_NEAR(s->notes[0].start, 1.001, 1e-12);
    arena_free(&a);
}

TEST(midi_formats_wrappers_and_wrong_counts)
{
    arena a = {0};
    err e = {0};
    smf f = {.format = 2, .ticks = 96};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96));
    SMF_TRACK(&f, 0, SMF_NOTE(64, 96));
    EXPECT_INT(smf_song(&f, &a)->n_notes, 2);
    f.bytes[11] = 1; // one track promised, two there
    EXPECT_INT(smf_song(&f, &a)->n_notes, 2);
    f.bytes[11] = 200;
    EXPECT_INT(smf_song(&f, &a)->n_notes, 2);
    uint8_t riff[SMF_MOST + 20] = {'R', 'I', 'F', 'F', 0,   0,   0,   0,           'R',
                                   'M', 'I', 'D', 'd', 'a', 't', 'a', (uint8_t)f.n};
    memcpy(riff + 20, f.bytes, f.n);
    const midi_song *s = midi_parse(&a, "test.rmi", riff, f.n + 20, &e);
    EXPECT_OK(s && s->n_notes == 2, e);
    smf open = {.ticks = 96, .open = true};
    SMF_TRACK(&open, 0, SMF_NOTE(60, 96));
    EXPECT_INT(smf_song(&open, &a)->n_notes, 1);
    smf none = {.ticks = 96};
    SMF_TRACK(&none, 0, 0xff, 1, 0);
    EXPECT_INT(smf_song(&none, &a)->n_notes, 0);
    arena_free(&a);
}

// Three sequences, a quarter long and more: in 3/4 at 60, at nothing that is said, and at 240 from
// its second quarter on. Each begins at 120 and in 4/4, where the one before ends; the end of a
// track counts, too.
TEST(midi_sequences_of_format_2_follow_each_other)
{
    arena a = {0};
    smf f = {.format = 2, .ticks = 96};
    SMF_TRACK(&f, 0, SMF_TEMPO(1000000), 0, 0xff, 0x58, 4, 3, 2, 24, 8, 0, SMF_NOTE(60, 96), 96,
              0xff, 1, 0);
    SMF_TRACK(&f, 0, SMF_NOTE(62, 96), 0, SMF_TEMPO(1000000));
    SMF_TRACK(&f, 0, SMF_NOTE(64, 96), 0, SMF_TEMPO(250000), 0, SMF_NOTE(65, 96));
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_notes, 4);
    expect_note(s, 0, 0, 1, 60);
    expect_note(s, 1, 2, 2.5, 62);
    expect_note(s, 2, 2.5, 3, 64); // not at the tempo that ends the second
    expect_note(s, 3, 3, 3.25, 65);
    EXPECT_INT(s->notes[1].start_tick, 192);
    EXPECT_INT(s->last_tick, 192 + 96 + 192);
    EXPECT_INT(s->n_metres, 2);
    EXPECT_INT(s->metres[1].tick, 192);
    EXPECT_INT(s->metres[1].numerator, 4);
    smf time = {.format = 2, .ticks = 0xe728}; // in milliseconds: no tempo counts
    SMF_TRACK(&time, 0, SMF_TEMPO(250000), 0, SMF_NOTE(60, 96));
    SMF_TRACK(&time, 0, SMF_NOTE(62, 96));
    expect_note(smf_song(&time, &a), 1, 0.096, 0.192, 62);
    arena_free(&a);
}

// A pedal that is never lifted comes up where its own sequence ends.
TEST(midi_pedal_of_a_sequence_ends_with_it)
{
    arena a = {0};
    smf f = {.format = 2, .ticks = 96};
    SMF_TRACK(&f, 0, SMF_PEDAL(0, 127), 0, SMF_NOTE(60, 96));
    SMF_TRACK(&f, 0, SMF_NOTE(62, 96), 0, SMF_PEDAL(0, 127), 0, SMF_NOTE(64, 96));
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_pedals, 2);
    EXPECT_NEAR(s->pedals[0].end, 0.5, 1e-12);
    EXPECT_NEAR(s->pedals[1].start, 1, 1e-12);
    EXPECT_NEAR(s->pedals[1].end, 1.5, 1e-12);
    f.bytes[9] = 1; // the same tracks, together
    s = smf_song(&f, &a);
    EXPECT_NEAR(s->pedals[0].end, 1, 1e-12);
    arena_free(&a);
}

TEST(midi_sequences_of_format_2_are_bounded)
{
    arena a = {0};
    err e = {0};
    smf f = {.format = 2, .ticks = 0x7fff};
    for (int i = 0; i < 9; i++) // of 2^28 - 1 ticks each: the ninth goes beyond 2^31
        SMF_TRACK(&f, 0xff, 0xff, 0xff, 0x7f, 0xff, 1, 0);
    EXPECT_ERR(midi_parse(&a, "long.mid", f.bytes, f.n, &e) != NULL, e, ERR_VALUE, "track 9 of 9");
    arena_free(&a);
}

TEST(midi_drum_hits_of_no_length_stay)
{
    arena a = {0};
    smf f = {.ticks = 96};
    // 36 on and off at once, by either kind of off; 38 struck again at the very tick where it ends;
    // 40 never closed; a pitch of no length
    SMF_TRACK(&f, 0, 0x99, 36, 90, 0, 0x89, 36, 0, 48, 0x99, 36, 80, 0, 36, 0, 0, 38, 70, 48, 38,
              60, 0, 0x89, 38, 0, 48, 38, 0, 0, 0x99, 40, 50, 0, 0x90, 60, 64, 0, 0x80, 60, 0);
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_notes, 4);
    EXPECT_INT(s->note_ons, 6);
    EXPECT_INT(s->dropped, 2); // 40, as it is dropped elsewhere, and the pitch of no length
    EXPECT_INT(s->notes[0].end_tick, 1);
    EXPECT_INT(s->notes[1].start_tick, 48);
    EXPECT_INT(s->notes[1].end_tick, 49);
    EXPECT_INT(s->notes[2].end_tick, 96);
    EXPECT_INT(s->notes[3].start_tick, 96);
    EXPECT_INT(s->notes[3].end_tick, 144);
    arena_free(&a);
}

TEST(midi_notes_behind_the_end_of_a_track_are_counted)
{
    arena a = {0};
    smf f = {.format = 1, .ticks = 96};
    // behind the end: two notes, one by running status, a note of no velocity, a text; then an
    // event that is none, and no more is counted
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, 0xff, 0x2f, 0, 0, SMF_NOTE(62, 96), 0, 0x90, 64, 64, 0,
              64, 0, 0, 65, 1, 0, 0xff, 1, 1, 'x', 0, 0xf4, 0, 0x90, 70, 70);
    SMF_TRACK(&f, 0, SMF_NOTE(67, 96));
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_notes, 2);
    EXPECT_INT(s->note_ons, 2);
    EXPECT_INT(s->behind_end, 3);
    arena_free(&a);
}

// The inputs of a folder that is not everywhere.
TEST(midi_of_the_reports)
{
    static const struct {
        const char *file;
        size_t notes;
        uint32_t behind;
    } cases[] = {{"drums_zero_len.mid", 64, 0},
                 {"format2_two_tempi.mid", 8, 0},
                 {"notes_behind_end_of_track.mid", 2, 1},
                 {"k.kar", 29, 0}};
    arena a = {0};
    err e = {0};
    if (!file_exists("../shared/data/reports")) {
        test_skip("../shared/data/reports is not here");
        return;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const midi_song *s =
            midi_read(&a, arena_printf(&a, "../shared/data/reports/%s", cases[i].file), &e);
        EXPECT_OK(s != NULL, e);
        EXPECT_INT(s ? s->n_notes : 0, cases[i].notes);
        EXPECT_INT(s ? s->behind_end : 9, cases[i].behind);
        for (size_t k = 0; s && i == 1 && k < s->n_notes; k++)
            expect_note(s, k, k < 4 ? 0.5 * (double)k : 2 + (double)(k - 4),
                        k < 4 ? 0.5 * (double)(k + 1) : 3 + (double)(k - 4), s->notes[k].pitch);
    }
    arena_free(&a);
}

TEST(midi_long_silence_is_bridged)
{
    arena a = {0};
    smf f = {.ticks = 0x7fff};
    // two empty texts of the longest delta before a note: 0.5 billion ticks at a quarter of 1 us
    SMF_TRACK(&f, 0, SMF_TEMPO(1), 0xff, 0xff, 0xff, 0x7f, 0xff, 1, 0, 0xff, 0xff, 0xff, 0x7f, 0xff,
              1, 0, 0, SMF_NOTE(60, 96));
    const midi_song *s = smf_song(&f, &a);
    EXPECT_INT(s->n_notes, 1);
    EXPECT_INT(s->notes[0].start_tick, 2 * 0x0fffffff);
    EXPECT_NEAR(s->notes[0].start, 2.0 * 0x0fffffff / 0x7fff * 1e-6, 1e-12);
    arena_free(&a);
}

TEST(midi_digest_knows_the_notes_alone)
{
    arena a = {0};
    char x[65], y[65], z[65];
    smf f = {.ticks = 96}, g = {.format = 1, .ticks = 48}, h = {.ticks = 96};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, SMF_NOTE(62, 96));
    SMF_TRACK(&g, 48, 0x92, 62, 30, 48, 0x82, 62, 0); // other track, channel, velocity, resolution
    SMF_TRACK(&g, 0, SMF_TEMPO(700000), 0, SMF_NOTE(60, 48));
    SMF_TRACK(&h, 0, SMF_NOTE(60, 96), 0, SMF_NOTE(63, 96));
    midi_notes_digest(smf_song(&f, &a), x);
    midi_notes_digest(smf_song(&g, &a), y);
    midi_notes_digest(smf_song(&h, &a), z);
    EXPECT_STR(x, y);
    EXPECT(strcmp(x, z) != 0);
    arena_free(&a);
}
