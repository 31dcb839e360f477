// SPDX-License-Identifier: GPL-3.0-or-later
// player.c (tests): player.sh, from a folder in MAESTRO's layout to a model with its card.
#include "base/file.h"
#include "tests/test.h"

#define RUN(want, ...) EXPECT_INT(test_shell(&out, __VA_ARGS__), want)

// DIR/maestro: nine synthetic pieces, six to learn from, two to validate, one to test.
static void make_maestro(const char *d)
{
    const char *out;
    RUN(0,
        "%s synth '%s/maestro' --midi -n 9 -s 20 -q && cd '%s/maestro' && echo terms >LICENSE && "
        "ls midi | awk -F'\\n' 'BEGIN {print \"canonical_composer,canonical_title,split,year,"
        "midi_filename,audio_filename,duration\"} {s = NR < 7 ? \"train\" : NR < 9 ? "
        "\"validation\" : \"test\"; print \"A,T\" NR \",\" s \",2018,midi/\" $1 \",x.wav,20\"}' "
        ">maestro-v3.0.0.csv",
        test_kmidi(), d, d);
}

TEST(player_from_maestro_with_its_card)
{
    arena a = {0};
    err e = {0};
    size_t n;
    const char *out, *d = test_dir(), *k = test_kmidi(),
                     *keys = "train.max_steps=2 train.batch_size=2 data.window=32 "
                             "schedule.warmup_steps=1 transformer.dim=32 transformer.ffn=32";
    make_maestro(d);
    RUN(0, "chmod 444 '%s/maestro/LICENSE'", d);
    for (int again = 0; again < 2; again++) // what is done is not done again
        RUN(0, "KMIDI=%s ./player.sh '%s/maestro' '%s/player' small %s 2>&1", k, d, d, keys);
    EXPECT_HAS(out, "nats_per_note");
    const char *card = file_read(&a, test_path("player/small.md"), 1 << 20, &n, &e);
    EXPECT_OK(card != NULL, e);
    EXPECT_HAS(card ? card : "", "CC-BY-NC-SA-4.0");
    EXPECT_HAS(card ? card : "", "nats_per_second");
    EXPECT(file_exists(test_path("player/small.onnx")) &&
           file_exists(test_path("player/small-joy.mid")) &&
           file_exists(test_path("player/LICENSE")));
    RUN(2, "./player.sh 2>&1");
    EXPECT_HAS(out, "make player MAESTRO=");
    RUN(2, "./player.sh m o huge 2>&1");
    EXPECT_HAS(out, "not 'huge'");
    arena_free(&a);
}
