// SPDX-License-Identifier: GPL-3.0-or-later
// program.c (tests): `kmidi train`, `eval` and `plan` from outside: results, files, exit codes,
// sentences.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/small.h"

// The last line of JSON in `out`.
static json *last_json(const char *out)
{
    const char *at = NULL;
    for (const char *p = out; (p = strstr(p, "{\"")); p++)
        if (p == out || p[-1] == '\n')
            at = p;
    err e = {0};
    json *j = at ? json_parse(at, strcspn(at, "\n"), &e) : NULL;
    EXPECT(j != NULL);
    return j;
}

TEST(train_program_learns_and_leaves_a_record)
{
    const char *out, *yaml = corpus_make(test_path("data")), *dir = test_dir(), *k = test_kmidi();
    EXPECT_INT(test_shell(&out,
                          "%s train %s --run-dir %s/run --json train.epochs=12 "
                          "train.early_stopping.monitor=accuracy",
                          k, yaml, dir),
               0);
    EXPECT_HAS(out, "emotion_recognizer: 403264 parameters, 403264 trainable");
    EXPECT_HAS(out, "steps: 8 x 1 = 8 items each, 4 an epoch, 48 in all, adamw 0.001, cosine");
    EXPECT_HAS(out, "calm 9, grief 9, joy 8");
    json *j = last_json(out);
    EXPECT_INT(json_int(json_get(j, "steps"), 0), 48);
    EXPECT(json_num(json_get(j, "best"), 0) > 0.8);
    EXPECT(json_num(json_get(j, "samples_per_s"), 0) > 0);
    double wait = json_num(json_get(j, "wait_share"), -1);
    EXPECT(wait >= 0 && wait <= 1);
    EXPECT_HAS(out, "% of the time waiting for data");
    double predicted = json_num(json_get(j, "predicted_peak"), 0),
           measured = json_num(json_get(j, "measured_peak"), 0);
    EXPECT(predicted > 0 && measured > 0);
    if (!SANITIZED)
        EXPECT_NEAR(predicted, measured, 12 << 20);
    json_free(j);
    EXPECT_INT(test_shell(&out,
                          "cd %s/run && ls DONE config.yaml environment.json log.txt metrics.jsonl "
                          "report.html curve.svg events.out.tfevents.* "
                          "checkpoints/last.h5 checkpoints/best.h5 && ls checkpoints | grep -c "
                          "epoch | grep -qx 3",
                          dir),
               0);
    EXPECT_INT(test_shell(&out, "%s eval %s/run --data '%s/data/val-*.h5' --json", k, dir, dir), 0);
    j = last_json(out);
    EXPECT(json_num(json_get(j, "accuracy"), 0) > 0.8 &&
           json_num(json_get(j, "macro_f1"), 0) > 0.5);
    EXPECT_INT(json_len(json_get(j, "confusion")), 3);
    // 9, 9 and 8 items to learn from, 3 of each to measure: counts of 10, 10 and 9 of 29
    const json *baseline = json_get(j, "baseline");
    EXPECT_NEAR(json_num(json_get(baseline, "accuracy"), 0), 1.0 / 3, 1e-9);
    EXPECT_NEAR(json_num(json_get(baseline, "loss"), 0), -(2 * log(10.0 / 29) + log(9.0 / 29)) / 3,
                1e-6);
    json_free(j);
    EXPECT_INT(test_shell(NULL, "grep -q '\"wait_share\": [01]' %s/run/metrics.jsonl", dir), 0);
    EXPECT_INT(test_shell(&out, "%s eval %s/run --data '%s/data/rage-*.h5'", k, dir, dir), 1);
    EXPECT_HAS(out, "rage");
    EXPECT_INT(test_shell(&out, "%s eval %s/run --data '%s/data/hop-*.h5'", k, dir, dir), 1);
    EXPECT_HAS(out, "hop_length");
    // a folder with a run in it is not written into
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/run", k, yaml, dir), 2);
    EXPECT_HAS(out, "already holds a run; go on with it by --resume");
    EXPECT_INT(
        test_shell(&out, "%s train %s --run-dir %s/run --overwrite train.epochs=1", k, yaml, dir),
        0);
    EXPECT_INT(test_shell(&out, "grep -c '\"train\"' %s/run/metrics.jsonl | grep -qx 4", dir), 0);
    // a new run from its weights
    EXPECT_INT(
        test_shell(
            &out,
            "%s train %s --run-dir %s/next init_from=%s/run/checkpoints/best.h5 train.epochs=1", k,
            yaml, dir, dir),
        0);
}

// Every model of songs trains from MIDI that the command prepared, and beats the baseline on songs
// that it has not seen.
TEST(train_program_learns_from_songs)
{
    static const struct {
        const char *model, *figure;
    } cases[] = {{"melody_transformer", "perplexity"},
                 {"harmony_predictor", "loss"},
                 {"groove_predictor", "mse"},
                 {"dynamics_engine", "mse"}};
    const char *out, *k = test_kmidi();
    char dir[1100];
    snprintf(dir, sizeof dir, "%s", test_dir());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char yaml[1200];
        snprintf(yaml, sizeof yaml, "%s", corpus_make_songs(test_path("songs"), cases[i].model));
        EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/%s train.epochs=30 logging.every=20",
                              k, yaml, dir, cases[i].model),
                   0);
        EXPECT_HAS(out, "data: 24 items of synth");
        EXPECT_INT(test_shell(&out, "%s eval %s/%s --data '%s/songs/val-*.h5' --json", k, dir,
                              cases[i].model, dir),
                   0);
        json *j = last_json(out);
        double model = json_num(json_get(j, cases[i].figure), 1e9),
               guess = json_num(json_get(json_get(j, "baseline"), cases[i].figure), 0);
        test_expect(model < 0.98 * guess, __FILE__, __LINE__, "%s: %s %g, baseline %g",
                    cases[i].model, cases[i].figure, model, guess);
        json_free(j);
    }
    // weights that came from elsewhere say nothing of data; shards of songs do
    EXPECT_INT(test_shell(&out,
                          "%s export %s/dynamics_engine --format safetensors -o %s/d.safetensors",
                          k, dir, dir),
               0);
    EXPECT_INT(test_shell(&out, "%s import %s/d.safetensors --model dynamics_engine -o %s/d.h5", k,
                          dir, dir),
               0);
    EXPECT_INT(test_shell(&out, "%s eval %s/d.h5 --data '%s/songs/val-*.h5' --json", k, dir, dir),
               0);
    json *foreign = last_json(out);
    EXPECT_INT(test_shell(&out, "%s eval %s/dynamics_engine --data '%s/songs/val-*.h5' --json", k,
                          dir, dir),
               0);
    json *own = last_json(out);
    EXPECT_NEAR(json_num(json_get(foreign, "mse"), -1), json_num(json_get(own, "mse"), -2), 1e-9);
    json_free(foreign), json_free(own);
}

TEST(train_program_says_what_is_wrong)
{
    const char *out, *yaml = corpus_make(test_path("data")), *dir = test_dir(), *k = test_kmidi();
    static const struct {
        const char *arguments;
        int status;
        const char *sentence;
    } cases[] = {
        {"optim.lrr=1", 2,
         "override 'optim.lrr=1': unknown key 'optim.lrr'; did you mean 'optim.lr'?"},
        {"optim.lr=fast", 2, "'optim.lr' must be a number from 0 to 10, not 'fast'"},
        {"model=emotion_recogniser", 2,
         "there is no model 'emotion_recogniser'; did you mean 'emotion_recognizer'?"},
        {"memory.budget=1MiB", 1, "the smallest budget it can run in is memory.budget="},
        {"data.train=nowhere-*.h5", 1, "data.train: "},
        {"train.early_stopping.monitor=perplexity", 2,
         "emotion_recognizer has no 'perplexity' to monitor; it has loss accuracy macro_f1"},
        {"data.val=null train.early_stopping.patience=2", 2, "early stopping needs 'data.val'"},
        {"precision=fp16", 2, "'precision' must be one of fp32, bf16x3, bf16"},
        {"--resume nowhere", 1, "'nowhere' is neither a checkpoint nor a run folder"},
        {"init_from=nowhere.h5", 1, "nowhere.h5"},
        {"--run-dir /proc/none", 1, "/proc/none"},
        {"data.val=$D/hop-00000.h5", 1, "hop_length"},
        {"data.val=$D/rage-00000.h5", 1, "rage"},
        {"model=melody_transformer", 1, "is a shard of audio and has no 'melody' of MIDI"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT_INT(test_shell(&out, "D=%s/data; %s train %s %s %s", dir, k, yaml,
                              strstr(cases[i].arguments, "--r") ? "" : "--run-dir /proc/none",
                              cases[i].arguments),
                   cases[i].status);
        EXPECT_HAS(out, cases[i].sentence);
    }
    EXPECT_INT(test_shell(&out, "%s train %s/none.yaml", k, dir), 1);
    EXPECT_INT(test_shell(&out, "%s train", k), 2);
    EXPECT_INT(test_shell(&out, "%s eval %s --data 'x'", k, yaml), 1);
    EXPECT_HAS(out, "config.yaml' ");
}

TEST(plan_program_counts_bytes)
{
    const char *out, *yaml = corpus_make(test_path("data")), *k = test_kmidi();
    EXPECT_INT(test_shell(&out, "%s plan %s --json --budget 6GiB", k, yaml), 0);
    json *j = last_json(out);
    EXPECT(json_int(json_get(j, "arena_bytes"), 0) > 100000);
    EXPECT_INT(json_int(json_get(j, "micro_batch"), 0), 8);
    EXPECT_INT(json_int(json_get(j, "params_bytes"), 0) / 1000, 4 * 4 * 403464 / 1000);
    json_free(j);
    EXPECT_INT(test_shell(&out, "%s plan %s --budget 10MiB", k, yaml), 1);
    EXPECT_HAS(out, "the smallest budget it can run in is");
    EXPECT_INT(test_shell(&out, "%s plan %s data.train=none.h5 --nodes", k, yaml), 0);
    EXPECT_HAS(out, "planned without data");
    EXPECT_HAS(out, "lstm");
}

// Where a library is forced, there is nothing to learn of the other, and what was measured stands
// as well.
TEST(plan_program_keeps_what_it_measured_with_one_library)
{
    static const char *const libraries[] = {"openblas", "onednn"};
    const char *out, *yaml = corpus_make(test_path("data")), *dir = test_dir();
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(test_shell(&out,
                              "export XDG_CACHE_HOME=%s/%d KMIDI_GEMM=%s; %s plan %s >/dev/null; "
                              "cat %s/%d/kmidi/machine-*.json >%s/said.%d && cmp %s/said.%d "
                              "%s/said.%d",
                              dir, i / 2, libraries[i / 2], test_kmidi(), yaml, dir, i / 2, dir, i,
                              dir, i, dir, i / 2 * 2),
                   0);
        EXPECT_STR(out, "");
    }
}

// The measurement is made once; a damaged cache is made anew, none at all does no harm.
TEST(plan_program_keeps_what_it_measured)
{
    const char *out, *yaml = corpus_make(test_path("data")), *k = test_kmidi();
    char dir[1100];
    double seconds[2];
    snprintf(dir, sizeof dir, "%s", test_path("cache"));
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(test_shell(&out,
                              "XDG_CACHE_HOME=%s %s plan %s --json --svg %s.svg train.grad_accum=2",
                              dir, k, yaml, dir),
                   0);
        json *j = last_json(out);
        seconds[i] = json_num(json_get(j, "step_seconds"), 0);
        EXPECT_INT(json_len(json_get(j, "alternatives")), 5); // 16, 8, 4, 2, 1
        EXPECT_INT(json_int(json_get(j, "micro_batch"), 0) * json_int(json_get(j, "grad_accum"), 0),
                   16);
        json_free(j);
    }
    EXPECT(seconds[0] > 0 && seconds[0] == seconds[1]);
    EXPECT_INT(
        test_shell(
            &out,
            "head -c 4 %s.svg; cd %s/kmidi && for f in machine-*.json; do echo '{\"ops' > $f; done",
            dir, dir),
        0);
    EXPECT_STR(out, "<svg");
    EXPECT_INT(
        test_shell(NULL, "XDG_CACHE_HOME=%s %s plan %s && grep -q update_s %s/kmidi/machine-*.json",
                   dir, k, yaml, dir),
        0);
    EXPECT_INT(test_shell(NULL, "XDG_CACHE_HOME=/proc/none %s plan %s", k, yaml), 0);
}

TEST(train_program_survives_a_full_disk)
{
    const char *out, *yaml = corpus_make(test_path("data")), *k = test_kmidi();
    char dir[1100];
    snprintf(dir, sizeof dir, "%s", test_path("small"));
    if (test_shell(NULL, "mkdir -p %s && mount -t tmpfs -o size=12m tmpfs %s", dir, dir)) {
        test_skip("needs the right to mount a small tmpfs");
        return;
    }
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/run train.epochs=8 train.keep_top_k=5", k,
                          yaml, dir),
               1);
    EXPECT_HAS(out, "could not be saved");
    EXPECT_HAS(out, "still has the one before");
    EXPECT_HAS(out, "No space left on device");
    EXPECT_INT(test_shell(NULL, "test -z \"$(ls %s/run/checkpoints | grep tmp)\"", dir), 0);
    EXPECT_INT(test_shell(NULL, "mount -o remount,size=80m %s", dir), 0);
    EXPECT_INT(test_shell(&out, "%s train --resume %s/run", k, dir), 0);
    EXPECT_INT(test_shell(NULL, "umount %s", dir), 0);
}

TEST(train_program_profiles_its_steps)
{
    const char *out, *yaml = corpus_make(test_path("data")), *dir = test_dir(), *k = test_kmidi();
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/run --profile=5", k, yaml, dir), 0);
    EXPECT_HAS(out, "profile: the mean of 5 steps in");
    EXPECT_INT(
        test_shell(&out, "cd %s/run && grep -c . profile.jsonl trace.json && cat profile.txt", dir),
        0);
    EXPECT_HAS(out, "trace.json:1");
    EXPECT_HAS(out, "the mean of 5 (");
    EXPECT_HAS(out, "waiting for data");
    EXPECT_HAS(out, "fc1.weight");
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/short --profile train.max_steps=2", k,
                          yaml, dir),
               0);
    EXPECT_HAS(out, "no profile: the first 3 steps warm up");
    EXPECT_INT(
        test_shell(
            &out, "test ! -e %s/short/trace.json && grep -q -- --profile=5 %s/run/environment.json",
            dir, dir),
        0);
}

TEST(bench_program_profiles_a_model)
{
    const char *out, *dir = test_dir(), *k = test_kmidi();
    EXPECT_INT(
        test_shell(&out,
                   "%s bench groove_predictor --profile=3 --out %s/bench --json && ls %s/bench", k,
                   dir, dir),
        0);
    EXPECT_HAS(out, "{\"profile\": ");
    EXPECT_HAS(out, "profile.jsonl\nprofile.txt\ntrace.json");
    EXPECT_INT(test_shell(&out, "%s bench groove_predictor --out %s/bench", k, dir), 2);
    EXPECT_HAS(out, "--out is of --profile");
    EXPECT_INT(test_shell(&out, "%s bench --help", k), 0);
    EXPECT_HAS(out, "--profile[=N]");
}
