// SPDX-License-Identifier: GPL-3.0-or-later
// midi.c: inspect and verify on MIDI files, as a user and a script see them.
#include <stdio.h>

#include "tests/data/midi/midi_bytes.h"
#include <string.h>

#include "tests/test.h"

TEST(program_describes_midi)
{
    err e = {0};
    const char *out;
    smf f = {.format = 1, .ticks = 96};
    SMF_TRACK(&f, 0, SMF_TEMPO(500000), 0, 0xff, 0x58, 4, 3, 2, 24, 8, 0, 0xff, 0x59, 2, 0xfe, 1,
              0x82, 0x20,
              SMF_TEMPO(1000000)); // G minor
    SMF_TRACK(&f, 0, 0xc0, 40, 0, SMF_NOTE(67, 96), 0, SMF_NOTE(70, 96), 0, SMF_NOTE(74, 96), 0,
              SMF_NOTE(62, 96));
    SMF_TRACK(&f, 0, 0x99, 36, 100, 24, 0x89, 36, 0, 0, 0x99, 38, 100);
    const char *path = smf_write(&f, test_path("waltz.mid"));
    EXPECT_INT(test_shell(&out, "%s inspect %s --json", test_kmidi(), path), 0);
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_OK(j != NULL, e);
    EXPECT_STR(json_str(json_get(j, "kind"), NULL), "midi");
    EXPECT_INT(json_int(json_get(j, "notes"), -1), 5);
    EXPECT_INT(json_int(json_get(j, "dropped"), -1), 1);
    EXPECT_INT(json_int(json_get(j, "drum_notes"), -1), 1);
    // three quarters at 120, one at 60
    EXPECT_NEAR(json_num(json_get(j, "seconds"), -1), 2.5, 1e-9);
    EXPECT_INT(json_int(json_get(j, "lowest"), -1), 62);
    EXPECT_NEAR(json_num(json_get(json_get(j, "tempo"), "mean"), -1), 96, 1e-9);
    EXPECT_STR(json_str(json_at(json_get(j, "metres"), 0), NULL), "3/4");
    EXPECT_STR(json_str(json_at(json_get(j, "keys"), 0), NULL), "G minor");
    EXPECT_INT(json_int(json_get(json_get(j, "instruments"), "track 2, channel 1, program 41"), -1),
               4);
    // a velocity, four on and off, a shift for each
    EXPECT_INT(json_int(json_get(j, "note-seq-388"), -1), 13);
    const json *heard = json_get(j, "estimates");
    EXPECT_STR(json_str(json_get(heard, "key"), NULL), "D minor"); // D sounds in two octaves
    EXPECT(json_num(json_get(heard, "major_less_minor"), 1) < 0);
    EXPECT_NEAR(json_num(json_get(heard, "notes_per_second"), -1), 2, 1e-9);
    EXPECT_NEAR(json_num(json_get(heard, "articulation"), -1), 1, 1e-6);
    EXPECT(json_num(json_get(heard, "valence"), 1) < 0);
    json_free(j);
    EXPECT_INT(test_shell(&out, "%s inspect %s", test_kmidi(), path), 0);
    EXPECT_HAS(out, "G minor");
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), path), 0);
    f.n -= 6;
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), smf_write(&f, test_path("cut.mid"))),
               1);
    EXPECT_HAS(out, "cut.mid': track 3 of 3");
    EXPECT_INT(test_shell(&out, "echo text > %s; %s inspect %s", test_path("no.mid"), test_kmidi(),
                          test_path("no.mid")),
               1);
    EXPECT_HAS(out, "is 5 bytes long, shorter than the header of a MIDI file; leave it out");
}

// A folder without shards: sums, and what cannot be read by name.
TEST(program_describes_a_folder_of_midi)
{
    const char *out, *k = test_kmidi(), *dir = test_dir();
    err e = {0};
    EXPECT_INT(test_shell(&out,
                          "%s synth %s/m --midi --items 8 --seconds 5 -q && printf MThd "
                          ">%s/m/broken.mid && touch %s/m/x.txt",
                          k, dir, dir, dir),
               0);
    EXPECT_INT(test_shell(&out, "%s inspect %s/m --json 2>/dev/null", k, dir), 0);
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_STR(json_str(json_get(j, "kind"), ""), "midi");
    EXPECT_INT(json_int(json_get(j, "files"), 0), 9);
    EXPECT_INT(json_int(json_get(j, "readable"), 0), 8);
    EXPECT_INT(json_int(json_get(j, "damaged"), 0), 1);
    EXPECT_HAS(json_str(json_at(json_get(j, "errors"), 0), ""), "broken.mid");
    EXPECT(json_int(json_get(j, "notes"), 0) > 50);
    EXPECT_NEAR(json_num(json_get(j, "hours"), 0) * 3600,
                8 * json_num(json_get(j, "seconds_mean"), 0), 1e-6);
    json_free(j);
    EXPECT_INT(test_shell(&out, "%s inspect %s/m", k, dir), 0);
    EXPECT_HAS(out, "broken.mid");
    EXPECT_HAS(out, "readable             8");
}

// A note behind the end of a track is told by inspect and verify; the kinds of names that MIDI has
// are all found in a folder.
TEST(program_tells_of_notes_behind_the_end)
{
    static const char *const names[] = {"a.mid", "b.MIDI", "c.kar", "d.SMF", "e.rmi", "f.Rmi"};
    const char *out;
    smf f = {.ticks = 96}, sound = {.ticks = 96};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, 0xff, 0x2f, 0, 0, SMF_NOTE(62, 96));
    SMF_TRACK(&sound, 0, SMF_NOTE(60, 96));
    const char *path = smf_write(&f, test_path("behind.mid"));
    EXPECT_INT(test_shell(&out, "%s inspect %s --json", test_kmidi(), path), 0);
    EXPECT_HAS(out, "\"notes_behind_end_of_track\": 1");
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), path), 0);
    EXPECT_HAS(out, "ok (midi); 1 note behind the end of a track is not read");
    EXPECT_INT(test_shell(&out, "mkdir %s", test_path("all")), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char at[64];
        snprintf(at, sizeof at, "all/%s", names[i]);
        smf_write(&sound, test_path(at));
    }
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), test_path("all")), 0);
    EXPECT_HAS(out, "all 6 files are sound: 6 midi");
}
