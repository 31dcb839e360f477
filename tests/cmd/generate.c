// SPDX-License-Identifier: GPL-3.0-or-later
// generate.c: music out of models that were never trained: what is asked is there, the same seed
// gives the same bytes, and what cannot be is said in a sentence.
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/larger.h"
#include "data/audio/clip.h"
#include "data/midi/midi_write.h"
#include "data/music/midi_stats.h"
#include "tests/cmd/fresh.h"
#include "tests/data/music/songs.h"
#include "tests/test.h"

static int generate(const char **out, const char *args)
{
    return test_shell(out, "D=%s; %s generate $D/melody.h5 %s", test_dir(), test_kmidi(), args);
}

TEST(generate_is_a_midi_file_of_so_many_bars)
{
    arena a = {0};
    const char *out;
    fresh_model("melody.h5", "melody_transformer", NULL);
    EXPECT_INT(generate(&out, "--emotion joy --bars 6 -o $D/a.mid"), 0);
    EXPECT_HAS(out, "notes in 6 bars");
    const midi_song *s = song_read(&a, "a.mid");
    EXPECT_INT(s->format, 1);
    EXPECT_INT(s->ticks_per_quarter, 480);
    EXPECT_NEAR(60e6 / s->tempos[0].us_per_quarter, 96 + 46 * 0.8, 0.01);
    EXPECT(s->n_notes >= 12 && s->n_notes <= 48);
    EXPECT(s->notes[0].start_tick == 0 && s->notes[s->n_notes - 1].start_tick == 5 * 1920 + 960);
    for (size_t i = 0; i < s->n_notes; i++)
        EXPECT(s->notes[i].pitch >= 21 && s->notes[i].pitch <= 108);
    EXPECT_INT(generate(&out, "-e joy -b 2 -n 2 -o $D/p.mid --svg $D/p.svg"), 0);
    EXPECT(file_exists(test_path("p-1.svg")) && file_exists(test_path("p-2.svg")));
    EXPECT_INT(generate(&out, "--emotion joy --seconds 20 -o $D/s.mid --json"), 0);
    EXPECT_HAS(out, "\"bars\": 11,"); // of 1.807 s
    EXPECT_NEAR(song_read(&a, "s.mid")->seconds, 20, 1.81);
    EXPECT_INT(generate(&out, "--emotion joy --tempo 60 --bars 2 --program 74 -o $D/t.mid"), 0);
    s = song_read(&a, "t.mid");
    EXPECT_NEAR(s->tempos[0].us_per_quarter, 1e6, 0);
    EXPECT_INT(s->instruments[0].program, 73);
    arena_free(&a);
}

TEST(generate_the_same_seed_the_same_bytes)
{
    const char *out;
    fresh_model("melody.h5", "melody_transformer", NULL);
    EXPECT_INT(generate(&out, "-e calm --seed 5 -o $D/a.mid"), 0);
    EXPECT_INT(generate(&out, "-e calm --seed 5 -o $D/b.mid --threads 1"), 0);
    EXPECT_INT(generate(&out, "-e calm --seed 6 -o $D/c.mid"), 0);
    EXPECT_INT(generate(&out, "-e 0.3,0.2 --seed 5 -o $D/d.mid"), 0);
    EXPECT_INT(generate(&out, "-e calm --temperature 0 --seed 5 -o $D/e.mid"), 0);
    EXPECT_INT(generate(&out, "-e calm --top-k 1 --seed 5 -o $D/f.mid"), 0);
    EXPECT(test_files_alike("a.mid", "b.mid") && !test_files_alike("a.mid", "c.mid"));
    EXPECT(test_files_alike("a.mid", "d.mid"));
    EXPECT(test_files_alike("e.mid", "f.mid") && !test_files_alike("a.mid", "e.mid"));
}

// What the rule says of joy and grief is what is measured in the files.
TEST(generate_follows_the_emotion)
{
    arena a = {0};
    const char *out;
    float joy[MIDI_STATS], grief[MIDI_STATS];
    fresh_model("melody.h5", "melody_transformer", NULL);
    EXPECT_INT(generate(&out, "-e joy --bars 32 -o $D/joy.mid"), 0);
    EXPECT_INT(generate(&out, "-e grief --bars 32 -o $D/grief.mid"), 0);
    midi_stats(&a, song_read(&a, "joy.mid"), joy);
    midi_stats(&a, song_read(&a, "grief.mid"), grief);
    EXPECT(joy[MIDI_STATS_TEMPO] > grief[MIDI_STATS_TEMPO] + 0.2f);
    EXPECT(joy[MIDI_STATS_DENSITY] > 1.5f * grief[MIDI_STATS_DENSITY]);
    EXPECT(joy[MIDI_STATS_VELOCITY] > grief[MIDI_STATS_VELOCITY] + 0.1f);
    EXPECT(joy[MIDI_STATS_ARTICULATION] < grief[MIDI_STATS_ARTICULATION] - 0.2f);
    arena_free(&a);
}

TEST(generate_continues_a_prompt)
{
    arena a = {0};
    err e = {0};
    const char *out;
    midi_song *s = song_scale(&a);
    fresh_model("melody.h5", "melody_transformer", NULL);
    song_tempo_at(s, 0, 75);
    song_done(s);
    EXPECT_OK(midi_write(test_path("scale.mid"), s, &e), e);
    EXPECT_INT(generate(&out, "--prompt $D/scale.mid --bars 2 -o $D/a.mid --json"), 0);
    EXPECT_HAS(out, "\"prompt_notes\": 8,");
    EXPECT_NEAR(song_read(&a, "a.mid")->tempos[0].us_per_quarter, 800000, 0);
    EXPECT_INT(generate(&out, "-e joy --tempo 75 --bars 2 -o $D/b.mid"), 0);
    EXPECT(!test_files_alike("a.mid", "b.mid"));
    EXPECT_INT(test_shell(&out, "echo no > %s", test_path("no.mid")), 0);
    EXPECT_INT(generate(&out, "--prompt $D/no.mid -o $D/c.mid"), 1);
    EXPECT_HAS(out, "no.mid");
    arena_free(&a);
}

TEST(generate_with_chords_groove_and_dynamics)
{
    arena a = {0};
    const char *out;
    fresh_model("melody.h5", "melody_transformer", NULL),
        fresh_model("harmony.h5", "harmony_predictor", NULL);
    fresh_model("groove.h5", "groove_predictor", NULL),
        fresh_model("dynamics.h5", "dynamics_engine", NULL);
    EXPECT_INT(generate(&out, "-e calm -o $D/plain.mid"), 0);
    EXPECT_INT(generate(&out, "-e calm --harmony $D/harmony.h5 -o $D/chords.mid --json"), 0);
    EXPECT_HAS(out, "\"chords\": [\"");
    EXPECT(!test_has(out, "N.C."));
    const midi_song *plain = song_read(&a, "plain.mid"), *chords = song_read(&a, "chords.mid");
    EXPECT_INT(chords->n_instruments, 2);
    // struck twice a bar, a root and at least three tones
    EXPECT_INT(chords->n_notes >= plain->n_notes + 8 * 2 * 4, 1);
    EXPECT_INT(generate(&out, "-e calm --groove $D/groove.h5 -o $D/groove.mid"), 0);
    const midi_song *groove = song_read(&a, "groove.mid");
    size_t off = 0;
    for (size_t i = 0; i < groove->n_notes; i++)
        off += groove->notes[i].start_tick % 240 != 0;
    EXPECT(groove->n_notes == plain->n_notes && off > groove->n_notes / 2);
    EXPECT_INT(generate(&out, "-e calm --dynamics $D/dynamics.h5 -o $D/loud.mid"), 0);
    EXPECT_INT(song_read(&a, "loud.mid")->n_notes, plain->n_notes);
    EXPECT(!test_files_alike("plain.mid", "loud.mid"));
    EXPECT_INT(generate(&out, "-e calm --harmony $D/groove.h5 -o $D/x.mid"), 1);
    EXPECT_HAS(out, "is of groove_predictor, and one of harmony_predictor is wanted here");
    arena_free(&a);
}

// ---- The transformer

static int perform(const char **out, const char *args)
{
    fresh_model("player.h5", "emotion_midi_transformer",
                "layers=2 dim=32 heads=2 ffn=48 cross=0 emotion_tokens=3");
    return test_shell(out, "D=%s; %s generate $D/player.h5 %s", test_dir(), test_kmidi(), args);
}

TEST(generate_performs_for_so_long)
{
    arena a = {0};
    const char *out;
    EXPECT_INT(perform(&out, "-e joy --seconds 12 -o $D/p.mid --json"), 0);
    EXPECT_HAS(out, "\"bars\": 7,"); // of 1.807 s
    EXPECT_HAS(out, "\"prompt_events\": 0,");
    const midi_song *s = song_read(&a, "p.mid");
    EXPECT_INT(s->n_instruments, 1);
    EXPECT_NEAR(60e6 / s->tempos[0].us_per_quarter, 96 + 46 * 0.8, 0.01);
    EXPECT(s->n_notes > 20 && s->dropped == 0);
    EXPECT(s->seconds > 10 && s->seconds < 12.01);
    int sounding[128] = {0};
    for (size_t i = 0; i < s->n_notes; i++) { // no pitch is struck while it sounds
        EXPECT(s->notes[i].start_tick >= (uint32_t)sounding[s->notes[i].pitch]);
        sounding[s->notes[i].pitch] = (int)s->notes[i].end_tick;
    }
    EXPECT_INT(perform(&out, "-e joy --bars 3 --tempo 60 --program 20 -o $D/q.mid"), 0);
    s = song_read(&a, "q.mid");
    EXPECT(s->seconds > 9 && s->seconds < 12.01);
    EXPECT_INT(s->instruments[0].program, 19);
    arena_free(&a);
}

TEST(generate_performs_the_same_for_a_seed)
{
    const char *out;
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 5 --threads 1 -o $D/a.mid"), 0);
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 5 --threads 2 -o $D/b.mid"), 0);
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 6 -o $D/c.mid"), 0);
    EXPECT_INT(perform(&out, "-e grief --seconds 8 --seed 5 -o $D/d.mid"), 0);
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 5 --penalty 3 -o $D/e.mid"), 0);
    EXPECT(test_files_alike("a.mid", "b.mid") && !test_files_alike("a.mid", "c.mid") &&
           !test_files_alike("a.mid", "d.mid") && !test_files_alike("a.mid", "e.mid"));
}

TEST(generate_performs_from_weights_of_bf16)
{
    const char *out;
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 5 -o $D/a.mid"), 0);
    EXPECT_INT(
        perform(&out, "-e calm --seconds 8 --seed 5 --precision bf16 --threads 1 -o $D/b.mid"), 0);
    EXPECT_INT(
        perform(&out, "-e calm --seconds 8 --seed 5 --precision bf16 --threads 2 -o $D/c.mid"), 0);
    EXPECT(test_files_alike("b.mid", "c.mid") && !test_files_alike("a.mid", "b.mid"));
    EXPECT_INT(perform(&out, "-e calm --seconds 8 --seed 5 --precision int8 -o $D/d.mid"), 0);
    EXPECT(!test_files_alike("a.mid", "d.mid") && !test_files_alike("b.mid", "d.mid"));
}

TEST(generate_performs_behind_a_prompt)
{
    arena a = {0};
    err e = {0};
    const char *out;
    midi_song *s = song_scale(&a);
    song_tempo_at(s, 0, 75);
    song_done(s);
    EXPECT_OK(midi_write(test_path("scale.mid"), s, &e), e);
    EXPECT_INT(perform(&out, "--prompt $D/scale.mid --seconds 6 -o $D/a.mid --json"), 0);
    EXPECT_HAS(out, "\"prompt_events\": ");
    EXPECT(!test_has(out, "\"prompt_events\": 0"));
    EXPECT_NEAR(song_read(&a, "a.mid")->tempos[0].us_per_quarter, 800000, 0);
    EXPECT(song_read(&a, "a.mid")->seconds < 6.01);
    EXPECT_INT(perform(&out, "-e joy --tempo 75 --seconds 6 -o $D/b.mid"), 0);
    EXPECT(!test_files_alike("a.mid", "b.mid"));
    EXPECT_INT(perform(&out, "-e joy --harmony $D/none.h5 -o $D/x.mid"), 2);
    EXPECT_HAS(out, "--harmony is for melody_transformer");
    arena_free(&a);
}

// Of a prompt longer than the context the end is heard, and that is said.
TEST(generate_hears_the_end_of_a_long_prompt)
{
    const char *out;
    EXPECT_INT(perform(&out, "-e joy --seconds 600 -o $D/long.mid"), 0);
    EXPECT_INT(perform(&out, "--prompt $D/long.mid --seconds 2 -o $D/on.mid --json"), 0);
    EXPECT_HAS(out, "\"prompt_events\": 1024,");
    EXPECT_HAS(out, "events the last 1024 are heard");
}

TEST(generate_plays)
{
    arena a = {0};
    err e = {0};
    const char *out;
    clip c;
    fresh_model("melody.h5", "melody_transformer", NULL);
    EXPECT_INT(generate(&out, "-e joy --bars 2 -o $D/a.mid --wav $D/a.wav --simple-tones --json"),
               0);
    EXPECT_HAS(out, "\"played_by\": \"built-in\"");
    double peak = 0, sum = 0;
    if (test_expect(clip_read(test_path("a.wav"), 0, 0, 0, &c, &e), __FILE__, __LINE__, "%s",
                    e.text)) {
        for (int64_t i = 0; i < c.frames; i++)
            peak = larger(peak, fabs((double)c.samples[i])), sum += fabs((double)c.samples[i]);
        EXPECT_NEAR(peak, 0.9, 0.001);
        EXPECT(sum / (double)c.frames > 0.02);
        EXPECT_NEAR(c.seconds, song_read(&a, "a.mid")->seconds + 0.5, 0.01);
    }
    clip_free(&c);
    EXPECT_INT(generate(&out, "-e joy --bars 2 -o $D/a.mid --wav $D/b.wav --soundfont $D/none.sf2"),
               1);
    EXPECT_HAS(out, "there is no sound font");
    EXPECT_INT(generate(&out, "-e joy --bars 2 -o $D/a.mid --wav $D/b.wav --soundfont $D/a.mid"),
               1);
    EXPECT_HAS(out, "a.mid' is no sound font");
    EXPECT(!file_exists(test_path("b.wav")));
    // whoever plays where the system decides
    EXPECT_INT(generate(&out, "-e joy --bars 2 -o $D/a.mid --wav $D/b.wav --json"), 0);
    EXPECT(test_has(out, "fluidsynth") || test_has(out, "built-in"));
    EXPECT_OK(clip_read(test_path("b.wav"), 0, 0, 0, &c, &e), e);
    clip_free(&c);
    arena_free(&a);
}

// A fluidsynth that writes what it was called with behind the header of a file.
TEST(generate_asks_fluidsynth)
{
    const char *out;
    fresh_model("melody.h5", "melody_transformer", NULL);
    EXPECT_INT(test_shell(&out,
                          "D=%s; printf 'RIFF1234sfbk' > $D/gm.sf2; mkdir $D/bin; cat > "
                          "$D/bin/fluidsynth <<'END' && chmod +x "
                          "$D/bin/fluidsynth\n#!/bin/sh\nall=$*; while [ \"$1\" != -F ]; do shift; "
                          "done\nprintf '%%44s%%s' RIFF \"$all\" > "
                          "\"$2\"\nEND",
                          test_dir()),
               0);
    EXPECT_INT(test_shell(&out,
                          "D=%s; PATH=$D/bin:$PATH %s generate $D/melody.h5 -e joy -o $D/a.mid -w "
                          "$D/a.wav --soundfont $D/gm.sf2",
                          test_dir(), test_kmidi()),
               0);
    EXPECT_HAS(out, "played by fluidsynth");
    EXPECT_INT(test_shell(&out, "cat %s", test_path("a.wav")), 0);
    EXPECT_HAS(out, "gm.sf2");
    EXPECT_HAS(out, "a.mid");
}

// The k-th of many is the one that its seed makes alone.
TEST(generate_makes_many)
{
    const char *out;
    EXPECT_INT(perform(&out, "-e calm --seconds 3 --seed 7 --count 3 -o $D/m.mid --wav $D/m.wav "
                             "--simple-tones --json"),
               0);
    EXPECT_HAS(out, "m-1.mid");
    EXPECT_HAS(out, "\"seed\": 9");
    EXPECT(file_exists(test_path("m-3.wav")) && !file_exists(test_path("m.mid")) &&
           !file_exists(test_path("m-4.mid")));
    int lines = 0;
    for (const char *p = out; (p = strstr(p, "{\"file\"")) != NULL; p++)
        lines++;
    EXPECT_INT(lines, 3);
    EXPECT_INT(perform(&out, "-e calm --seconds 3 --seed 8 -o $D/one.mid"), 0);
    EXPECT(test_files_alike("one.mid", "m-2.mid") && !test_files_alike("one.mid", "m-1.mid"));
    // more than are made side by side
    EXPECT_INT(perform(&out, "-e calm --seconds 3 --seed 1 --count 10 -o $D/n.mid --threads 2"), 0);
    EXPECT(test_files_alike("n-7.mid", "m-1.mid") && test_files_alike("n-8.mid", "one.mid") &&
           test_files_alike("n-9.mid", "m-3.mid"));
    fresh_model("melody.h5", "melody_transformer", NULL);
    EXPECT_INT(generate(&out, "-e joy --bars 2 --count 2 -o $D/no.ending/t"), 1);
    EXPECT_INT(generate(&out, "-e joy --bars 2 --count 2 -o $D/t"), 0);
    EXPECT(file_exists(test_path("t-1")) && file_exists(test_path("t-2")) &&
           !test_files_alike("t-1", "t-2"));
}

TEST(generate_ends_notes_that_last_too_long)
{
    arena a = {0};
    const char *out;
    EXPECT_INT(perform(&out, "-e calm --seconds 12 --max-note 0.5 -o $D/s.mid"), 0);
    EXPECT(!strstr(out, "a note lasts"));
    const midi_song *s = song_read(&a, "s.mid");
    double most = 0;
    for (size_t i = 0; i < s->n_notes; i++)
        most = fmax(most, s->notes[i].end - s->notes[i].start);
    EXPECT(s->n_notes > 20 && most <= 0.5 + 1e-9 && most > 0.3);
    fresh_model("melody.h5", "melody_transformer", NULL);
    EXPECT_INT(generate(&out, "-e calm --bars 4 --tempo 20 --max-note 1 -o $D/u.mid"), 0);
    s = song_read(&a, "u.mid");
    for (size_t i = 0; i < s->n_notes; i++)
        EXPECT(s->notes[i].end - s->notes[i].start <= 1 + 1e-9);
    arena_free(&a);
}

TEST(generate_says_what_is_wrong)
{
    static const struct {
        const char *args, *says;
        int rc;
    } bad[] = {
        {"-o $D/x.mid", "--emotion", 2},
        {"-e joi -o $D/x.mid", "did you mean 'joy'", 2},
        {"-e 2,0 -o $D/x.mid", "from -1 to 1", 2},
        {"-e 0.5 -o $D/x.mid", "valence,arousal", 2},
        {"-e 0.5,0.5,nonsense -o $D/x.mid", "valence,arousal", 2},
        {"-e nan,0 -o $D/x.mid", "from -1 to 1", 2},
        {"-e joy --bars 0 -o $D/x.mid", "--bars", 2},
        {"-e joy --bars 4 --seconds 9 -o $D/x.mid", "not both", 2},
        {"-e joy --temperature -1 -o $D/x.mid", "temperature", 2},
        {"-e joy --top-p 0 -o $D/x.mid", "top-p", 2},
        {"-e joy --program 129 -o $D/x.mid", "--program", 2},
        {"-e joy --precision bf16x3 -o $D/x.mid", "fp32, bf16 or int8", 2},
        {"-e joy", "--out", 2},
        {"-e joy -o $D/x.wav", "x.mid --wav ", 2},
        {"-e joy -o $D/x.FLAC", "names the MIDI file", 2},
        {"-e joy -o $D/x.mid --wav $D/y.mid", "--wav writes wav", 2},
        {"-e joy -o $D/x.mid --count 0", "--count", 2},
        {"-e joy -o $D/x.mid -s 86401", "--seconds lies from 0.1 to 86400", 2},
        {"-e joy -o $D/x.mid --guidance 0.5", "--guidance lies from 1 to 20", 2},
        {"-e joy -o $D/x.mid --guidance 21", "--guidance", 2},
        {"-e joy -o $D/x.mid --best-of 0", "--best-of lies from 1 to 64", 2},
        {"-e joy -o $D/x.mid --best-of 65", "--best-of", 2},
        {"-e joy -o $D/x.mid --key H", "is no key", 2},
        {"-e joy -o $D/x.mid --max-note 0", "--max-note", 2},
        {"-e joy -o $D/no/x.mid", "no/x.mid", 1},
        {"-e joy --adapter $D/none -o $D/x.mid", "none", 1},
        {"-e joy --prompt $D/none.mid -o $D/x.mid", "none.mid", 1},
    };
    const char *out;
    fresh_model("melody.h5", "melody_transformer", NULL),
        fresh_model("mood.h5", "groove_predictor", NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = generate(&out, bad[i].args);
        test_expect(rc == bad[i].rc, __FILE__, __LINE__, "%s: exit %d, expected %d: %s",
                    bad[i].args, rc, bad[i].rc, out);
        EXPECT_HAS(out, bad[i].says);
    }
    EXPECT_INT(test_shell(&out, "%s generate %s -e joy -o %s", test_kmidi(), test_path("mood.h5"),
                          test_path("x.mid")),
               1);
    EXPECT_HAS(out, "makes no music");
    EXPECT(!file_exists(test_path("x.mid")));
}
