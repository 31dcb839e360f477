// SPDX-License-Identifier: GPL-3.0-or-later
// data.c: synth, prepare, inspect and verify as a user and a script see them.
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "tests/cmd/printed.h"
#include "tests/test.h"

static void make_corpus(void)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "%s synth %s/c --items 40 --seconds 0.5 --json 2>/dev/null",
                          test_kmidi(), test_dir()),
               0);
    json *j = printed_last(out);
    EXPECT_INT(json_int(json_get(j, "items"), 0), 40);
    EXPECT(json_bool(json_get(j, "synthetic"), false));
    json_free(j);
}

static void make_shards(void)
{
    const char *out;
    EXPECT_INT(test_shell(&out,
                          "%s prepare configs/data/audio_manifest.yaml --out %s/s root=%s/c --jobs "
                          "2 --json 2>/dev/null",
                          test_kmidi(), test_dir(), test_dir()),
               0);
    json *j = printed_last(out);
    EXPECT_INT(json_int(json_get(j, "prepared"), 0), 40);
    EXPECT_INT(json_int(json_get(j, "rejected"), 1), 0);
    EXPECT(json_num(json_get(j, "seconds"), 0) > 0 && json_num(json_get(j, "items_per_s"), 0) > 0);
    json_free(j);
}

TEST(cmd_data_goes_from_nothing_to_shards)
{
    const char *out;
    make_corpus();
    make_shards();
    EXPECT_INT(test_shell(&out, "%s inspect %s/s/train-00000.h5 --json", test_kmidi(), test_dir()),
               0);
    json *j = printed_last(out);
    EXPECT_STR(json_str(json_get(j, "kind"), ""), "shard");
    EXPECT_INT(json_int(json_get(j, "items"), 0), 24);
    EXPECT_INT(json_int(json_get(json_get(j, "labels"), "joy"), 0), 6);
    EXPECT_INT(json_int(json_get(json_get(json_get(j, "settings"), "mel"), "sample_rate"), 0),
               16000);
    EXPECT(json_bool(json_get(j, "synthetic"), false));
    json_free(j);
    EXPECT_INT(test_shell(&out, "%s inspect %s/c/wav/00003.wav", test_kmidi(), test_dir()), 0);
    EXPECT_HAS(out, "audio");
    EXPECT_HAS(out, "16000");
    EXPECT_INT(test_shell(&out, "%s inspect %s/s --json", test_kmidi(), test_dir()), 0);
    EXPECT_HAS(out, "\"shards\": 3, \"items\": 40");
}

TEST(cmd_verify_tells_good_from_bad)
{
    const char *out;
    make_corpus();
    make_shards();
    EXPECT_INT(test_shell(&out, "%s verify %s/s/*.h5 %s/c/wav/0000*.wav", test_kmidi(), test_dir(),
                          test_dir()),
               0);
    EXPECT_HAS(out, "train-00000.h5: ok (shard)");
    test_shell(&out,
               "cd %s/s && printf '\\377' | dd of=train-00000.h5 bs=1 seek=60000 conv=notrunc && "
               "truncate -s 5000 val-00000.h5",
               test_dir());
    EXPECT_INT(test_shell(&out, "%s verify %s/s/*.h5 --json 2>/dev/null", test_kmidi(), test_dir()),
               1);
    EXPECT_HAS(out, "test-00000.h5\", \"kind\": \"shard\", \"ok\": true");
    EXPECT_HAS(out, "\"ok\": false, \"reason\": \"damaged\"");
    EXPECT_INT(test_shell(&out, "%s verify %s/s/*.h5", test_kmidi(), test_dir()), 1);
    EXPECT_HAS(out, "'mel'");
    EXPECT_HAS(out, "2 of 3 files did not pass");
}

// Of a folder: a summary, and the damaged by name; with --json a line for each.
TEST(cmd_verify_sums_up_a_folder)
{
    const char *out;
    make_corpus();
    make_shards();
    EXPECT_INT(test_shell(&out, "%s verify %s/s", test_kmidi(), test_dir()), 0);
    EXPECT_STR(out, "all 3 files are sound: 3 shard\n");
    EXPECT_INT(
        test_shell(
            &out,
            "rm %s/c/wav/0001*.wav %s/c/wav/0002*.wav %s/c/wav/0003*.wav; %s verify %s/s %s/c",
            test_dir(), test_dir(), test_dir(), test_kmidi(), test_dir(), test_dir()),
        0);
    EXPECT_STR(out, "all 13 files are sound: 3 shard, 10 audio\n");
    test_shell(&out, "truncate -s 5000 %s/s/val-00000.h5", test_dir());
    EXPECT_INT(test_shell(&out, "%s verify %s/s 2>/dev/null", test_kmidi(), test_dir()), 1);
    EXPECT_STR(out, "2 of 3 files are sound: 2 shard\n");
    EXPECT_INT(test_shell(&out, "%s verify %s/s >/dev/null", test_kmidi(), test_dir()), 1);
    EXPECT_HAS(out, "val-00000.h5'");
    EXPECT_HAS(out, "1 of 3 files did not pass");
    EXPECT_INT(
        test_shell(&out, "%s verify %s/s --json 2>/dev/null | wc -l", test_kmidi(), test_dir()), 0);
    EXPECT_HAS(out, "3\n");
}

TEST(cmd_prepare_counts_what_it_rejects_by_reason)
{
    const char *out, *command = "prepare configs/data/audio_manifest.yaml max_reject_ratio=0.5";
    make_corpus();
    EXPECT_INT(test_shell(&out,
                          "cd %s/c && for i in 0 1 2; do : > $(ls -d wav/*.wav | sed -n $((i + "
                          "1))p); done; echo x >> $(ls *.jsonl)",
                          test_dir()),
               0);
    EXPECT_INT(test_shell(&out, "%s %s --out %s/s root=%s/c --json 2>/dev/null", test_kmidi(),
                          command, test_dir(), test_dir()),
               0);
    json *j = printed_last(out);
    EXPECT_INT(json_int(json_get(j, "rejected"), 0), 4);
    EXPECT_INT(json_int(json_get(json_get(j, "reasons"), "empty"), 0), 3);
    EXPECT_INT(json_int(json_get(json_get(j, "reasons"), "format"), 0), 1);
    json_free(j);
    EXPECT_INT(test_shell(&out, "%s %s --out %s/s root=%s/c max_reject_ratio=0.01", test_kmidi(),
                          command, test_dir(), test_dir()),
               1);
    EXPECT_HAS(out, "rejected: 3 empty, 1 format");
}

TEST(cmd_inspect_and_verify_name_a_text_as_one)
{
    const char *out;
    EXPECT(file_write(test_path("mine.yaml"), "# of\nmodel: dynamics_engine\n", 28, NULL));
    EXPECT(file_write(test_path("named.wav"), "no sound, only text", 19, NULL));
    EXPECT_INT(test_shell(&out, "%s inspect %s", test_kmidi(), test_path("mine.yaml")), 1);
    EXPECT_HAS(out, "mine.yaml' is text, and not a file of music or of a model");
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), test_path("mine.yaml")), 1);
    EXPECT_HAS(out, "mine.yaml' is text");
    EXPECT_INT(test_shell(&out, "%s inspect %s", test_kmidi(), test_path("named.wav")), 1);
    EXPECT_HAS(out, "named.wav' is not audio that can be read");
}

TEST(cmd_prepare_says_what_is_wrong_with_the_command)
{
    static const struct {
        const char *args, *says;
        int rc;
    } bad[] = {
        {"configs/data/synth.yaml", "--out", 2},
        {"configs/data/synth.yaml --out $D/o --shard 3/2", "--shard takes k/n", 2},
        {"configs/data/synth.yaml --out $D/o --jobs -1", "--jobs takes", 2},
        {"configs/data/synth.yaml --out $D/o mel.n_mel=3", "did you mean 'mel.n_mels'", 2},
        {"configs/data/synth.yaml --out $D/o dataset=synht", "synth", 2},
        {"configs/data/audio_manifest.yaml --out $D/o", "root=", 2},
        {"configs/data/audio_manifest.yaml --out $D/o root=$D/none", "manifest.jsonl", 1},
        {"nothing.yaml --out $D/o", "nothing.yaml", 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *out;
        int rc = test_shell(&out, "D=%s; %s prepare %s", test_dir(), test_kmidi(), bad[i].args);
        test_expect(rc == bad[i].rc, __FILE__, __LINE__, "%s: exit %d, expected %d: %s",
                    bad[i].args, rc, bad[i].rc, out);
        EXPECT_HAS(out, bad[i].says);
    }
    EXPECT(!file_exists(test_path("o")));
}
