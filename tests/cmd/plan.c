// SPDX-License-Identifier: GPL-3.0-or-later
// plan.c (tests): `kmidi plan` and `train` about a whole run: steps, hours, disk; batches larger
// than the data; what may not be meant so.
#include <stdio.h>
#include <string.h>

#include "tests/test.h"
#include "tests/train/corpus.h"

static json *planned(const char *yaml, const char *keys)
{
    const char *out;
    err e = {0};
    test_shell(&out, "%s plan %s %s --json 2>/dev/null", test_kmidi(), yaml, keys);
    json *j = json_parse(out, strlen(out), &e);
    test_expect(j != NULL, __FILE__, __LINE__, "%s: %s", keys, out);
    return j;
}

static long long whole(const json *j, const char *key)
{
    return json_int(json_get(j, key), -1);
}

// 26 items to learn from, 9 to evaluate on; batches of 8; 4 epochs.
TEST(plan_answers_for_the_whole_run)
{
    static const struct {
        const char *keys;
        long long per_epoch, steps, evaluations, files;
    } cases[] = {
        {"", 4, 16, 4, 7},
        {"train.epochs=10 train.eval_every=3", 4, 40, 4, 7}, // epochs 3, 6, 9 and the end
        {"train.max_steps=9", 4, 9, 3, 7},
        {"train.eval_every_steps=5 train.save_every=0", 4, 16, 4, 4},
        {"train.eval_every=0 train.keep_top_k=1", 4, 16, 1, 5},
        {"data.val=null", 4, 16, 0, 6},
        {"data.drop_last=true train.grad_accum=2", 2, 8, 4, 7},
    };
    const char *yaml = corpus_make(test_path("data"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json *j = planned(yaml, cases[i].keys);
        EXPECT_INT(whole(j, "steps_per_epoch"), cases[i].per_epoch);
        EXPECT_INT(whole(j, "steps"), cases[i].steps);
        EXPECT_INT(whole(j, "evaluations"), cases[i].evaluations);
        EXPECT_INT(whole(j, "checkpoint_files"), cases[i].files);
        double seconds = json_num(json_get(j, "total_seconds"), 0),
               step = json_num(json_get(j, "step_seconds"), 0);
        EXPECT(seconds >= step * (double)cases[i].steps &&
               seconds < 10 * step * (double)(cases[i].steps + 10));
        json_free(j);
    }
}

TEST(plan_answers_for_each_of_several_ranks)
{
    const char *out, *yaml = corpus_make(test_path("data"));
    json *one = planned(yaml, "train.batch_size=16"),
         *four = planned(yaml, "train.batch_size=16 --ranks 4");
    EXPECT(whole(one, "ranks") == 1 && whole(four, "ranks") == 4);
    EXPECT_INT(whole(four, "steps"), whole(one, "steps"));
    EXPECT_INT(whole(four, "micro_batch") * whole(four, "grad_accum"), 16);
    EXPECT(whole(four, "micro_batch") <= 4);
    EXPECT(whole(four, "arena_bytes") < whole(one, "arena_bytes"));
    // what sums are made in
    EXPECT(whole(four, "loader_bytes") > whole(one, "loader_bytes"));
    json_free(one), json_free(four);
    EXPECT_INT(test_shell(&out, "%s plan %s --ranks 3", test_kmidi(), yaml), 2);
    EXPECT_HAS(out, "a step of 8 items cannot be shared by 3 ranks");
    EXPECT_INT(test_shell(&out, "%s plan %s --ranks 0", test_kmidi(), yaml), 2);
}

TEST(plan_knows_the_size_of_checkpoints)
{
    const char *out, *yaml = corpus_make(test_path("data")), *run = test_path("run");
    EXPECT_INT(test_shell(&out,
                          "%s train %s --run-dir %s train.epochs=1 train.ema=0.9 >%s.log 2>&1 && "
                          "stat -c %%s %s/checkpoints/last.h5",
                          test_kmidi(), yaml, run, run, run),
               0);
    double real = 0;
    EXPECT_INT(sscanf(out, "%lf", &real), 1);
    json *j = planned(yaml, "train.ema=0.9");
    double file = (double)whole(j, "checkpoint_bytes") / (double)whole(j, "checkpoint_files");
    EXPECT_NEAR(file / real, 1, 0.03);
    json_free(j);
}

TEST(plan_for_people_says_steps_and_hours)
{
    const char *out, *yaml = corpus_make(test_path("data"));
    EXPECT_INT(test_shell(&out, "%s plan %s train.early_stopping.patience=2", test_kmidi(), yaml),
               0);
    EXPECT_HAS(out, "steps an epoch                          4\n");
    EXPECT_HAS(out, "steps in all                           16, unless it ends early\n");
    EXPECT_HAS(out, "time in all");
    EXPECT_HAS(out, "at most, 7 files");
    EXPECT_INT(test_shell(&out, "%s plan %s data.train=none.h5", test_kmidi(), yaml), 0);
    EXPECT_HAS(out, "steps and hours in all: prepare the data first");
    EXPECT_INT(test_shell(&out, "%s plan %s memory.beside_llm=true", test_kmidi(), yaml), 0);
    EXPECT_HAS(out, "a model that fills a larger machine leaves less of it (docs/memory.md)");
}

// Nothing larger than the data is computed: of a batch of 512 for 26 items, 26 rows; the
// evaluation's 9.
TEST(plan_computes_no_rows_that_never_exist)
{
    const char *out, *yaml = corpus_make(test_path("data"));
    json *exact = planned(yaml, "train.batch_size=26 memory.micro_batch=26"),
         *large = planned(yaml, "train.batch_size=512");
    EXPECT_INT(whole(large, "micro_batch") * whole(large, "grad_accum"), 26);
    EXPECT_INT(whole(large, "steps_per_epoch"), 1);
    const json *list = json_get(large, "alternatives");
    EXPECT_INT(whole(json_at(list, 0), "micro_batch"), 26);
    EXPECT_NEAR((double)whole(json_at(list, 0), "peak_bytes") / (double)whole(exact, "peak_bytes"),
                1, 0.05);
    json_free(large);
    // 512 again: no part of it is larger than 26
    large = planned(yaml, "train.batch_size=8 train.grad_accum=64");
    for (size_t i = 0; i < json_len(json_get(large, "alternatives")); i++)
        EXPECT(whole(json_at(json_get(large, "alternatives"), i), "micro_batch") <= 26);
    json_free(large), json_free(exact);
    EXPECT_INT(
        test_shell(
            &out,
            "%s train %s --run-dir %s train.batch_size=512 train.epochs=2 memory.recompute=none",
            test_kmidi(), yaml, test_path("run")),
        0);
    EXPECT_HAS(out, "= 26 items each, 1 an epoch, 2 in all");
    EXPECT_HAS(out, "a step takes all 26 rows of data.train: 512 x 1 were asked for");
    EXPECT_INT(
        test_shell(&out, "%s train --resume %s train.epochs=3", test_kmidi(), test_path("run")), 0);
    EXPECT_INT(
        test_shell(
            &out,
            "%s train %s --run-dir %s memory.micro_batch=8 train.batch_size=512 train.epochs=1",
            test_kmidi(), yaml, test_path("by8")),
        0);
    EXPECT_HAS(out, "steps: 8 x 64 = 512 items each, 1 an epoch");
}

// A step over all items is the same whether they were asked for or more.
TEST(train_batch_beyond_the_data_is_all_of_them)
{
    const char *out, *yaml = corpus_make(test_path("data")), *dir = test_dir();
    EXPECT_INT(test_shell(&out,
                          "for b in 26 64; do %s train %s --run-dir %s/$b train.batch_size=$b "
                          "train.epochs=3 -q -t 1 >/dev/null 2>&1 || exit 1; "
                          "done; "
                          "for b in 26 64; do sed 's/, \"seconds.*//' %s/$b/metrics.jsonl "
                          ">%s/$b.txt; done; cmp %s/26.txt %s/64.txt && wc -l <%s/26.txt",
                          test_kmidi(), yaml, dir, dir, dir, dir, dir, dir),
               0);
    EXPECT_STR(out, "6\n");
    // What is computed at once divides the rows that there are, as `kmidi plan` says it.
    EXPECT_INT(test_shell(&out,
                          "%s train %s --run-dir %s/13 train.batch_size=64 memory.micro_batch=13 "
                          "train.max_steps=1",
                          test_kmidi(), yaml, dir),
               0);
    EXPECT_INT(test_shell(&out,
                          "%s train %s --run-dir %s/12 train.batch_size=64 memory.micro_batch=12",
                          test_kmidi(), yaml, dir),
               2);
    EXPECT_HAS(out, "'memory.micro_batch' is auto or a divisor of the 26 rows of a step, not 12");
}

TEST(train_says_that_the_warmup_does_not_end)
{
    const char *out, *yaml = corpus_make(test_path("data"));
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s schedule.warmup_steps=500", test_kmidi(),
                          yaml, test_path("run")),
               0);
    EXPECT_HAS(out, "the warm-up of 500 steps does not end within the run's 16: the learning rate "
                    "only gets to 3e-05 of 0.001; lower "
                    "schedule.warmup_steps");
    EXPECT_INT(test_shell(&out, "%s plan %s schedule.warmup_epochs=4", test_kmidi(), yaml), 0);
    EXPECT_HAS(out, "the warm-up of 16 steps does not end within the run's 16");
    EXPECT_INT(test_shell(&out, "%s plan %s schedule.warmup_epochs=3", test_kmidi(), yaml), 0);
    EXPECT(!strstr(out, "warm-up"));
}

TEST(train_names_classes_without_items)
{
    const char *out, *k = test_kmidi(), *dir = test_dir();
    EXPECT_INT(test_shell(&out,
                          "%s prepare synth --out %s/s synth.items=24 synth.seconds=0.5 "
                          "'labels=[anger,calm,grief,joy,pride,rage]' -q && %s plan "
                          "emotion_recognizer 'data.train=%s/s/train-*.h5' data.val=null",
                          k, dir, k, dir),
               0);
    EXPECT_HAS(out,
               "no item of data.train is labelled 'pride', 'rage': the model cannot learn them");
    EXPECT_INT(test_shell(&out, "%s plan %s", k, corpus_make(test_path("data"))), 0);
    EXPECT(!strstr(out, "labelled"));
}

TEST(plan_refuses_a_profile_beyond_the_machine)
{
    const char *out, *yaml = corpus_make(test_path("data"));
    int status = test_shell(&out, "%s plan %s memory.profile=48gb", test_kmidi(), yaml);
    if (status == 0)
        test_skip("needs a machine with less than 43 GiB");
    else
        EXPECT_HAS(out, "memory.profile=48gb is for a machine of 48 GB");
    EXPECT_INT(
        test_shell(&out, "%s plan %s memory.profile=48gb --budget 40GiB", test_kmidi(), yaml), 0);
    EXPECT_HAS(out, "--budget");
}
