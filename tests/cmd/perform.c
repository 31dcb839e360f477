// SPDX-License-Identifier: GPL-3.0-or-later
// perform.c: the command as a person types it: without a clock the same bytes each time, with one
// until it is told to stop; models of each kind; what it refuses.
#include <signal.h>
#include <string.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "data/midi/midi.h"
#include "tests/cmd/fresh.h"
#include "tests/test.h"

static int performed(const char **out, const char *args)
{
    return test_shell(out, "D=%s; %s perform %s", test_dir(), test_kmidi(), args);
}

TEST(perform_without_a_clock_makes_the_same_again)
{
    arena a = {0};
    err e = {0};
    const char *out;
    for (int i = 0; i < 2; i++)
        EXPECT_INT(test_shell(&out,
                              "D=%s/%d; mkdir $D; %s perform --no-clock -e joy --seconds 4 -o "
                              "$D/x.mid --frames $D/x.y4m --size 64x36 --json",
                              test_dir(), i, test_kmidi()),
                   0);
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_OK(j != NULL, e);
    EXPECT_INT(json_int(json_get(j, "frames"), 0), 240);
    EXPECT_INT(json_int(json_get(j, "film_frames"), 0), 240);
    EXPECT_INT(json_int(json_get(j, "new_clouds"), 0), 240);
    EXPECT_INT(json_int(json_get(j, "late"), 0), 0);
    EXPECT_INT(json_int(json_get(j, "starved"), -1), 0);
    EXPECT_STR(json_str(json_get(j, "music"), ""), "the rules of compose");
    json_free(j);
    EXPECT_INT(test_shell(&out, "cd %s; cmp 0/x.mid 1/x.mid && cmp 0/x.y4m 1/x.y4m", test_dir()),
               0);
    const midi_song *s = midi_read(&a, test_path("0/x.mid"), &e);
    EXPECT_OK(s != NULL, e);
    EXPECT(s && s->n_notes > 10);
    EXPECT(s && s->seconds <= 4.01 && s->seconds > 3);
    size_t n = 0;
    const char *log = file_read(&a, test_path("0/performance.csv"), 1 << 20, &n, &e);
    EXPECT_OK(log != NULL, e);
    EXPECT_HAS(log, "seconds,fps,frame_time_ms,memory_usage_gb,token_generation_rate\n");
    arena_free(&a);
}

// ---- Models

static void fresh_cloud(const char *name)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find("spectocloud_vit");
    params *p = params_open(&a);
    EXPECT_OK(model_build(m, p, &(model_dims){.batch = 1, .time = 1}, &a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    params_init(p, 1);
    model_meta meta = {.arena = &a};
    meta_set(&meta, "settings", "{\"mel\": {\"preset\": \"librosa\", \"hop_length\": 2048}}");
    checkpoint_content all = {.model = m, .meta = &meta, .params = p};
    EXPECT_OK(checkpoint_save(test_path(name), &all, &e), e);
    params_release(p);
    arena_free(&a);
}

TEST(perform_by_models_plays_and_draws)
{
    err e = {0};
    const char *out;
    fresh_model("player.h5", "emotion_midi_transformer",
                "layers=1 dim=32 heads=2 ffn=32 cross=0 emotion_tokens=2");
    fresh_cloud("cloud.h5");
    EXPECT_INT(performed(&out, "--no-clock --player $D/player.h5 --cloud $D/cloud.h5 --seconds 0.5 "
                               "--frames $D/x.jsonl -o $D/x.mid --json"),
               0);
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_OK(j != NULL, e);
    EXPECT_STR(json_str(json_get(j, "music"), ""), "emotion_midi_transformer");
    EXPECT_STR(json_str(json_get(j, "pictures"), ""), "spectocloud_vit");
    EXPECT_INT(json_int(json_get(j, "frames"), 0), 30);
    EXPECT(json_int(json_get(j, "tokens"), 0) > 10);
    json_free(j);
    EXPECT_INT(test_shell(&out, "tail -n 1 %s | cut -c 1-200", test_path("x.jsonl")), 0);
    EXPECT_HAS(out, "\"frame\": 29");
    EXPECT_INT(performed(&out, "--player $D/cloud.h5 -o $D/y.mid"), 1);
    EXPECT_HAS(out, "is of spectocloud_vit, and --player is for emotion_midi_transformer");
    EXPECT_INT(performed(&out, "--cloud $D/player.h5 --frames $D/y.y4m"), 1);
    EXPECT_HAS(out, "does not take audio");
}

// ---- While it goes on

TEST(perform_in_each_strategy_ends_as_it_is_told)
{
    static const char *const strategies[] = {"pipelined", "parallel", "sequential"};
    const char *out;
    for (int i = 0; i < 3; i++) {
        EXPECT_INT(test_shell(&out,
                              "D=%s; (echo emotion grief; echo nonsense; echo quit) | %s perform "
                              "--strategy %s -o $D/%d.mid --frames $D/%d.y4m --size 32x18",
                              test_dir(), test_kmidi(), strategies[i], i, i),
                   0);
        EXPECT_HAS(out, "grief: from a bar line on");
        EXPECT_HAS(out, "unknown emotion 'nonsense'");
        EXPECT_HAS(out, strategies[i]);
        EXPECT(file_exists(test_path("0.mid")) && file_exists(test_path("0.y4m")));
    }
}

TEST(perform_ends_whole_at_a_signal)
{
    arena a = {0};
    err e = {0};
    const char *out;
    EXPECT_INT(
        test_shell(
            &out,
            "D=%s; %s perform -e joy -o $D/x.mid --frames $D/x.y4m --size 32x18 </dev/null & "
            "k=$!; n=0; until [ $(grep -c . $D/performance.csv 2>/dev/null || echo 0) "
            "-gt 2 ] || [ $n -gt 600 ]; do sleep 0.1; n=$((n + 1)); done; kill -INT "
            "$k; wait $k",
            test_dir(), test_kmidi()),
        0);
    const midi_song *s = midi_read(&a, test_path("x.mid"), &e);
    EXPECT_OK(s != NULL, e);
    EXPECT(s && s->n_notes > 0);
    EXPECT(file_exists(test_path("x.y4m")));
    arena_free(&a);
}

TEST(perform_plays_on_when_nobody_looks)
{
    const char *out;
    EXPECT_INT(
        test_shell(&out,
                   "D=%s; %s perform --seconds 3 --size 640x360 --frames - -o $D/x.mid 2>$D/said "
                   "</dev/null | head -c 100000 >$D/some; cat $D/said",
                   test_dir(), test_kmidi()),
        0);
    EXPECT_HAS(out, "nobody reads the frames any more");
    EXPECT(file_exists(test_path("x.mid")));
}

// What cannot begin leaves the files of an evening before as they are.
TEST(perform_that_does_not_begin_keeps_what_was_there)
{
    const char *out;
    EXPECT_INT(test_shell(&out,
                          "cd %s; for f in x.mid x.y4m performance.csv; do echo kept > $f; done",
                          test_dir()),
               0);
    EXPECT_INT(performed(&out, "-e joy --genre polkaa -o $D/x.mid --frames $D/x.y4m"), 2);
    EXPECT_HAS(out, "unknown genre");
    EXPECT_INT(test_shell(&out, "cd %s; cat x.mid x.y4m performance.csv; ls", test_dir()), 0);
    EXPECT_STR(out, "kept\nkept\nkept\nperformance.csv\nx.mid\nx.y4m\n");
}

TEST(perform_refuses_in_a_sentence)
{
    static const struct {
        const char *args, *says;
    } wrong[] = {
        {"", "where should it go?"},
        {"-o $D/x.mid --no-clock", "--no-clock has no end by itself"},
        {"-o $D/x.mid --emotion jyo", "did you mean 'joy'?"},
        {"-o $D/x.mid --strategy paralel", "did you mean 'parallel'?"},
        {"-o $D/x.mid --port midi", "there is jack or alsa"},
        {"-o $D/x.mid --size 3x3", "--size is as 640x360"},
        {"-o $D/x.mid --size 100x100x", "--size is as 640x360"},
        {"-o $D/x.mid --fps 0", "--fps lies from 1 to 240"},
        {"-o $D/x.mid --tempo 0", "--tempo lies from 20 to 400"},
        {"-o $D/x.mid --lookahead 0", "--lookahead lies from 1 to 32"},
        {"-o $D/x.mid --seconds 1e9", "--seconds lies from"},
        {"-o $D/x.mid --top-p 0", "top-p lies above 0"},
        {"-o $D/x.mid --genre polkaa", "unknown genre"},
        {"-o $D/x.mid --key H", "H"},
        {"--frames $D/x.y4m --wav $D/x.wav", "--wav plays the MIDI file"},
        {"--frames $D/none/x.y4m", "none"},
        {"-o $D/x.mid --adapter $D", "--adapter changes a player"},
        {"-o $D/x.mid --melody $D/none.h5", "none.h5"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *out, *args = wrong[i].args;
        int status = performed(&out, args);
        EXPECT(status == 1 || status == 2);
        EXPECT_HAS(out, wrong[i].says);
        EXPECT(!file_exists(test_path("x.mid")));
    }
}
