// SPDX-License-Identifier: GPL-3.0-or-later
// What is written as MIDI is read as what was meant: by the bytes, by our reader (through libsmf),
// and by mido and pretty_midi.
#include "data/midi/midi_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/data/music/songs.h"
#include "tests/test.h"

static midi_song *written_and_read(arena *a, const midi_song *s)
{
    strbuf bytes = {0};
    err e = {0};
    midi_song *back = NULL;
    EXPECT_OK(midi_format(s, &bytes, &e), e);
    EXPECT_OK((back = midi_parse(a, "written.mid", bytes.s, bytes.len, &e)) != NULL, e);
    strbuf_free(&bytes);
    return back ? back : NEW(a, midi_song, 1);
}

// One middle C, known from the format's definition alone.
TEST(midi_write_bytes_of_one_note)
{
    // two tracks, 480
    static const uint8_t want[] = {'M', 'T', 'h', 'd', 0, 0, 0, 6, 0, 1, 0, 2, 1, 0xe0, 'M', 'T',
                                   'r', 'k', 0, 0, 0, 20, 0, 0xff, 0x51, 3, 7, 0xa1,
                                   // ends at 960
                                   0x20, 0, 0xff, 0x58, 4, 3, 2, 24, 8, 0x87, 0x40, 0xff, 0x2f, 0,
                                   'M', 'T', 'r', 'k', 0, 0, 0, 17, 0x83, 0x60, 0xc1, 73, 0, 0x91,
                                   60, 80, 0x83, 0x60, 0x81, 60, 64, 0, 0xff, 0x2f, 0};
    arena a = {0};
    err e = {0};
    strbuf bytes = {0};
    midi_song *s = song_new(&a);
    song_metre(s, 0, 3, 4);
    song_play(s, 0, 1, 1, 60, 80);
    s->n_instruments = 1, s->instruments[0] = s->instruments[SONG_FLUTE];
    EXPECT_OK(midi_format(s, &bytes, &e), e);
    EXPECT_INT(bytes.len, sizeof want);
    EXPECT(bytes.len == sizeof want && memcmp(bytes.s, want, sizeof want) == 0);
    strbuf_free(&bytes);
    arena_free(&a);
}

static void expect_same(const midi_song *s, const midi_song *back)
{
    EXPECT_INT(back->n_notes, s->n_notes);
    for (size_t i = 0; i < s->n_notes && i < back->n_notes; i++) {
        const midi_note *x = &s->notes[i], *y = &back->notes[i];
        const midi_instrument *m = &s->instruments[x->instrument],
                              *o = &back->instruments[y->instrument];
        if (!test_expect(x->start_tick == y->start_tick && x->end_tick == y->end_tick &&
                             x->pitch == y->pitch && x->velocity == y->velocity &&
                             m->program == o->program && m->channel == o->channel,
                         __FILE__, __LINE__,
                         "note %zu of %zu differs: pitch %d at %u, read as %d at %u", i, s->n_notes,
                         x->pitch, x->start_tick, y->pitch, y->start_tick))
            return;
    }
}

TEST(midi_write_then_read_is_the_same_song)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    song_metre(s, 0, 4, 4), song_metre(s, 4, 6, 8);
    song_tempo_at(s, 0, 90), song_tempo_at(s, 4, 145.5);
    s->keys = NEW(&a, midi_key, 1), s->n_keys = 1;
    s->keys[0] = (midi_key){.sharps = -3, .minor = true};
    for (int i = 0; i < 40; i++) // the second of each pair begins where the first ends
        song_play(s, i % 3, i * 0.25, 0.5, 36 + i / 2, 1 + 3 * i);
    song_pedal(s, 0.5, 1.25), song_pedal(s, 2, 3);
    s->instruments[SONG_PIANO].pedals = 2;
    song_done(s);
    const midi_song *back = written_and_read(&a, s);
    expect_same(s, back);
    EXPECT_INT(back->format, 1);
    EXPECT_INT(back->tracks, 4);
    EXPECT_INT(back->ticks_per_quarter, 480);
    EXPECT_INT(back->dropped, 0);
    EXPECT_INT(back->n_tempos, 2);
    EXPECT_NEAR(back->tempos[1].us_per_quarter, 60e6 / 145.5, 0.5);
    EXPECT_INT(back->metres[1].denominator, 8);
    EXPECT_INT(back->keys[0].sharps, -3);
    EXPECT(back->keys[0].minor);
    for (size_t i = 0; i < back->n_instruments; i++)
        if (back->instruments[i].channel == 0 &&
            test_expect(back->instruments[i].pedals == 2, __FILE__, __LINE__, "pedal lost"))
            for (uint32_t k = 0; k < 2; k++) {
                EXPECT_NEAR(back->pedals[back->instruments[i].first_pedal + k].start,
                            s->pedals[k].start, 0.001);
                EXPECT_NEAR(back->pedals[back->instruments[i].first_pedal + k].end,
                            s->pedals[k].end, 0.001);
            }
    arena_free(&a);
}

// Struck again while it sounds, twice at once, and two instruments that take turns on one channel.
TEST(midi_write_parts_what_covers_itself)
{
    arena a = {0};
    midi_song *s = song_new(&a);
    s->instruments[SONG_FLUTE].channel = 0;
    song_play(s, SONG_PIANO, 0, 4, 60, 40);
    song_play(s, SONG_PIANO, 1, 1, 60, 50);
    song_play(s, SONG_PIANO, 2, 1, 62, 50), song_play(s, SONG_PIANO, 2, 2, 62, 30);
    song_play(s, SONG_FLUTE, 3, 1, 80, 60);
    song_play(s, SONG_PIANO, 5, 1, 64, 60);
    song_done(s);
    const midi_song *back = written_and_read(&a, s);
    EXPECT_INT(back->n_notes, 5);
    EXPECT_INT(back->notes[0].end_tick, 480);
    EXPECT_INT(back->notes[1].end_tick, 960);
    EXPECT_INT(back->notes[2].end_tick, 4 * 480);
    EXPECT_INT(back->notes[2].velocity, 50);
    EXPECT_INT(back->instruments[back->notes[3].instrument].program, 73);
    EXPECT_INT(back->instruments[back->notes[4].instrument].program, 0);
    // the piano's program is said again after the flute's
    strbuf bytes = {0};
    err e = {0};
    int programs = 0;
    EXPECT_OK(midi_format(s, &bytes, &e), e);
    for (size_t i = 0; i + 2 < bytes.len; i++)
        programs += (uint8_t)bytes.s[i] == 0xc0 &&
                    ((uint8_t)bytes.s[i + 1] == 0 || (uint8_t)bytes.s[i + 1] == 73);
    EXPECT_INT(programs, 3);
    strbuf_free(&bytes);
    arena_free(&a);
}

TEST(midi_write_refuses_what_midi_cannot_say)
{
    arena a = {0};
    err e = {0};
    strbuf b = {0};
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 1, 60, 64);
    s->notes[0].pitch = 128;
    EXPECT_ERR(midi_format(s, &b, &e), e, ERR_VALUE, "pitch 128");
    s->notes[0].pitch = 60, s->notes[0].velocity = 0;
    EXPECT_ERR(midi_format(s, &b, &e), e, ERR_VALUE, "velocity 0");
    s->notes[0].velocity = 64, s->notes[0].end_tick = 0;
    EXPECT_ERR(midi_format(s, &b, &e), e, ERR_VALUE, "ticks 0 to 0");
    s->notes[0].end_tick = 0x10000000;
    EXPECT_ERR(midi_format(s, &b, &e), e, ERR_VALUE, "nothing happens");
    s->notes[0].end_tick = 480, s->tempos[0].us_per_quarter = 2e7;
    EXPECT_ERR(midi_format(s, &b, &e), e, ERR_VALUE, "microseconds");
    s->tempos[0].us_per_quarter = NAN;
    EXPECT_ERR(midi_format(s, &b, &e), e, ERR_VALUE, "microseconds");
    s->tempos[0].us_per_quarter = 5e5, s->ticks_per_quarter = 0;
    EXPECT_ERR(midi_format(s, &b, &e), e, ERR_VALUE, "0 ticks");
    s->ticks_per_quarter = 480;
    EXPECT_ERR(midi_write(test_path("no/folder.mid"), s, &e), e, ERR_MISSING, "folder.mid");
    strbuf_free(&b);
    arena_free(&a);
}

// Real files, and what has no notes or no end. Whatever a song is, what was written reads to the
// same notes as what was read from that.
TEST(midi_write_real_files)
{
    arena a = {0};
    err e = {0};
    size_t n = 0;
    char **paths = file_glob(&a, "../shared/data/*/*/*.mid*", &n, &e);
    if (!paths) {
        test_skip("no MIDI in ../shared/data");
        return;
    }
    for (size_t i = 0; i < n; i += 7) {
        arena song = {0};
        const midi_song *s = midi_load(&song, paths[i], &e);
        if (s) {
            const midi_song *once = written_and_read(&song, s);
            EXPECT_BELOW((double)s->n_notes * 0.98 - 1, (double)once->n_notes);
            EXPECT_NEAR(once->seconds, s->seconds, 0.01);
            expect_same(once, written_and_read(&song, once));
        }
        arena_free(&song);
    }
    arena_free(&a);
}

TEST(midi_write_as_mido_and_pretty_midi_read_it)
{
    const char *out;
    arena a = {0};
    err e = {0};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(&out, "\"$PEERS_PYTHON\" -c 'import mido, pretty_midi'") != 0) {
        test_skip("PEERS_PYTHON does not name a Python with mido and pretty_midi");
        return;
    }
    midi_song *s = song_cadence(&a);
    EXPECT_OK(midi_write(test_path("cadence.mid"), s, &e), e);
    EXPECT_INT(test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/midi_notes.py '%s'",
                          test_path("cadence.mid")),
               0);
    strbuf want = {0};
    for (size_t i = 0; i < s->n_notes; i++)
        strbuf_printf(&want, "%u %u %d %d\n", s->notes[i].start_tick, s->notes[i].end_tick,
                      s->notes[i].pitch, s->notes[i].velocity);
    EXPECT_STR(out, want.s);
    strbuf_free(&want);
    arena_free(&a);
}
