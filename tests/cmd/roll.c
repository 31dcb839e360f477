// SPDX-License-Identifier: GPL-3.0-or-later
// roll.c: the picture of a song has what is in the song, whatever its name is, and does not grow
// without bound.
#include "data/music/roll.h"

#include <stdlib.h>
#include <string.h>

#include "tests/data/midi/midi_bytes.h"
#include "tests/data/music/songs.h"
#include "tests/test.h"

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)) != NULL; p += strlen(part))
        n++;
    return n;
}

TEST(roll_shows_notes_drums_and_pedal)
{
    arena a = {0};
    strbuf out = {0};
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 1, 60, 127), song_play(s, SONG_PIANO, 0, 1, 64, 20),
        song_play(s, SONG_DRUMS, 1, 1, 38, 100);
    song_play(s, SONG_FLUTE, 2, 1, 84, 127), song_pedal(s, 0.25, 1);
    song_done(s);
    roll_svg(s, "a <b> & \"c\"\x01\xff.mid", &out);
    EXPECT_HAS(out.s, "a &lt;b&gt; &amp; &quot;c&quot;?\\xff.mid");
    EXPECT_HAS(out.s, ">C4</text>");
    EXPECT_HAS(out.s, ">C6</text>");
    EXPECT_HAS(out.s, ">snare</text>");
    EXPECT_HAS(out.s, ">pedal</text>");
    EXPECT_HAS(out.s, "4 notes, 0:01");
    EXPECT_HAS(out.s, "piano 1 (channel 1)");
    EXPECT_HAS(out.s, "pipe 74");
    // two loudnesses of the piano, the flute, the drum
    EXPECT_INT(count(out.s, "stroke-opacity"), 4);
    // the C at the left edge
    EXPECT_HAS(out.s, "stroke=\"#0072b2\" stroke-opacity=\"1.00\" d=\"M64.0 ");
    EXPECT_HAS(out.s, "stroke=\"#0072b2\" stroke-opacity=\"0.47\"");
    EXPECT_INT(count(out.s, "<svg"), count(out.s, "</svg>"));
    EXPECT_INT(count(out.s, "<text"), count(out.s, "</text>"));
    strbuf_free(&out);
    arena_free(&a);
}

TEST(roll_of_a_long_song_is_bounded)
{
    arena a = {0};
    strbuf out = {0};
    enum { NOTES = 400000 };
    midi_song *s = song_new(&a);
    song_play(s, SONG_PIANO, 0, 1, 60, 100);
    song_done(s);
    s->notes = NEW(&a, midi_note, NOTES);
    s->n_notes = NOTES, s->seconds = 1801;
    for (uint32_t i = 0; i < NOTES; i++) { // two hundred a second for half an hour
        double start = 1800.0 * i / NOTES;
        s->notes[i] = (midi_note){.start = start,
                                  .end = start + 0.1,
                                  .pitch = (uint8_t)(20 + i * 37 % 90),
                                  .velocity = (uint8_t)(1 + i * 11 % 127)};
    }
    roll_svg(s, "long.mid", &out);
    EXPECT(out.len < 3 << 20);
    EXPECT_HAS(out.s, "not all are drawn");
    int width = atoi(strstr(out.s, "viewBox=\"0 0 ") + 13);
    EXPECT(width > 1000 && width <= ROLL_WIDTH);
    strbuf_free(&out);
    arena_free(&a);
}

TEST(inspect_draws_midi_alone)
{
    arena a = {0};
    err e = {0};
    const char *out;
    size_t n;
    smf f = {.ticks = 96}, none = {.ticks = 96};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, SMF_NOTE(64, 96));
    SMF_TRACK(&none, 0, 0xff, 1, 0);
    const char *path = arena_strdup(&a, smf_write(&f, test_path("x.mid")));
    EXPECT_INT(
        test_shell(&out, "%s inspect %s --svg %s --json", test_kmidi(), path, test_path("x.svg")),
        0);
    EXPECT_HAS(out, "x.svg");
    const char *svg = file_read(&a, test_path("x.svg"), 1 << 20, &n, &e);
    EXPECT_OK(svg != NULL, e);
    EXPECT_HAS(svg ? svg : "", "<svg xmlns");
    smf_write(&none, test_path("none.mid"));
    EXPECT_INT(test_shell(&out, "%s inspect %s --svg %s", test_kmidi(), test_path("none.mid"),
                          test_path("y.svg")),
               1);
    EXPECT_HAS(out, "has no notes to draw");
    EXPECT_INT(
        test_shell(&out, "%s inspect %s --svg %s", test_kmidi(), test_dir(), test_path("y.svg")),
        2);
    EXPECT(!file_exists(test_path("y.svg")));
    arena_free(&a);
}
