// SPDX-License-Identifier: GPL-3.0-or-later
// limits.c (tests): the 25M transformer trains under a limit of the system at its budget, one for
// each profile, and takes what was predicted.
//
// The profiles' budgets (2, 7, 12, 18, 40 GiB) are scaled into the range that matters for a step
// that a test can wait for: from the least that it can run in to what it takes when it may take
// all. The limit is that of private memory (RLIMIT_DATA), which counts what is reserved and not
// used, too: stacks of threads, and what libraries set aside.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/small.h"

static const char STEP[] = "data.window=64 data.val=null train.batch_size=16 train.max_steps=2 "
                           "train.threads=2 train.save_every=0";

// What libraries set aside; OpenBLAS, where it is forced, a buffer for each of two threads, and is
// refused without (the test below).
static long long reserved_kib(void)
{
    const char *forced = getenv("KMIDI_GEMM");
    return (192 + (forced && !strcmp(forced, "openblas") ? 272 : 0)) << 10;
}

static json *said(const char *out)
{
    const char *at = strstr(out, "{\"");
    return at ? json_parse(at, strcspn(at, "\n"), NULL) : NULL;
}

static double planned(const char *yaml, const char *budget)
{
    const char *out;
    (void)test_shell(&out, "%s plan %s --json --budget %s %s 2>/dev/null", test_kmidi(), yaml,
                     budget, STEP);
    json *j = said(out);
    double peak = json_num(json_get(j, "peak_bytes"), 0);
    EXPECT(peak > 0);
    json_free(j);
    return peak;
}

// A budget is given in whole KiB, so that what is asked is what is compared: a plan may end within
// a KiB of it.
static void run_within(const char *yaml, const char *name, long long kib)
{
    const char *out;
    double budget = 1024.0 * (double)kib;
    int status = test_shell(&out,
                            "ulimit -d %lld; %s train %s --json --run-dir %s memory.budget=%lldKiB "
                            "%s 2>&1 | grep -F '{\"run' || echo killed",
                            kib + reserved_kib(), test_kmidi(), yaml, test_path(name), kib, STEP);
    json *j = said(out);
    double predicted = json_num(json_get(j, "predicted_peak"), 0),
           measured = json_num(json_get(j, "measured_peak"), 0);
    EXPECT_INT(status, 0);
    test_expect(predicted > 0 && predicted <= budget, __FILE__, __LINE__,
                "%s: %.0f of %.0f bytes: %s", name, predicted, budget, out);
    double off = fabs(measured - predicted);
    test_expect(off < 0.05 * measured || off < 12 << 20, __FILE__, __LINE__,
                "%s: %.0f MiB predicted, %.0f measured", name, predicted / (1 << 20),
                measured / (1 << 20));
    json_free(j);
}

// Status of `kmidi ARGS` under a limit, or 124 after half a minute.
static int limited(const char **out, const char *limit, const char *variables, const char *args)
{
    return test_shell(out, "ulimit %s; %s timeout 30 %s %s", limit, variables, test_kmidi(), args);
}

// The limit that a refusal names lets the same command run to its end.
static void named_limit_does(arena *a, const char *refusal, const char *variables, const char *args)
{
    const char *out, *at = strstr(refusal, "set ulimit -v ");
    const char *limit = arena_printf(a, "-v %d", at ? atoi(at + strlen("set ulimit -v ")) : 0);
    EXPECT_INT(limited(&out, limit, variables, args), 0);
}

// As grid engines set them, and too narrow for the 128 MiB that OpenBLAS sets aside for a thread.
TEST(limits_that_are_narrow_are_kept_or_refused)
{
    const char *out, *yaml = corpus_make(test_path("data")), *dir = test_dir();
    arena a = {0};
    if (SANITIZED) {
        test_skip("sanitizers take memory of their own");
        return;
    }
    const char *eval =
        arena_printf(&a, "eval %s/run --data '%s/data/val-*.h5' --threads 2", dir, dir);
    const char *train = arena_printf(
        &a, "train %s --run-dir %s/run --overwrite train.max_steps=2 train.threads=2", yaml, dir);
    const char *export =
        arena_printf(&a, "export %s/run --format onnx --overwrite -o %s/x.onnx", dir, dir);
    const char *const limits[] = {"-v 400000", "-d 150000"};
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(limited(&out, limits[i], "KMIDI_GEMM=", train), 0);
        EXPECT_INT(limited(&out, limits[i], "KMIDI_GEMM=onednn", train), 0);
        EXPECT_INT(limited(&out, limits[i], "KMIDI_GEMM=", eval), 0);
        EXPECT_INT(limited(&out, limits[i], "KMIDI_GEMM=", export), 0);
    }
    EXPECT_INT(limited(&out, "-v 250000", "", "help"), 0);
    EXPECT_INT(limited(&out, "-d 60000", "", "info"), 0);
    EXPECT_INT(limited(&out, "-v 200000", "KMIDI_GEMM=openblas", train), 1);
    EXPECT_HAS(out, "openblas needs 272.0 MiB of address space, and ulimit -v 200000 leaves ");
    named_limit_does(&a, out, "KMIDI_GEMM=openblas", train);
    EXPECT_INT(limited(&out, "-v 110000", "KMIDI_GEMM=openblas", train), 1); // not even loaded
    named_limit_does(&a, out, "KMIDI_GEMM=openblas", train);
    EXPECT_INT(limited(&out, "-v 100000", "KMIDI_GEMM=onednn", train), 1);
    named_limit_does(&a, out, "KMIDI_GEMM=onednn", train);
    EXPECT_INT(limited(&out, "-d 30000", "KMIDI_GEMM=onednn", eval), 1);
    EXPECT_HAS(out, "set ulimit -d ");
    arena_free(&a);
}

// A limit that is wider does not do worse: heaps of threads took what the second library's code or
// an evaluation needed later.
TEST(limits_that_are_wider_do_too)
{
    const char *out, *yaml = corpus_make(test_path("data")), *dir = test_dir();
    arena a = {0};
    if (SANITIZED) {
        test_skip("sanitizers take memory of their own");
        return;
    }
    const char *train = arena_printf(
        &a, "train %s --run-dir %s/run --overwrite train.max_steps=1 train.threads=2", yaml, dir);
    for (int i = 0; i < 8; i++)
        EXPECT_INT(limited(&out, arena_printf(&a, "-v %d", 300000 + i * 12000), "KMIDI_GEMM=onednn",
                           train),
                   0);
    arena_free(&a);
}

// What is planned keeps to the limit too, and a run that cannot says which would do.
TEST(limits_bound_the_budget)
{
    const char *out, *yaml = corpus_make(test_path("data"));
    arena a = {0};
    if (SANITIZED) {
        test_skip("sanitizers take memory of their own");
        return;
    }
    // most of it zeros
    const char *args =
        arena_printf(&a, "plan %s train.threads=2 train.batch_size=26 data.window=640", yaml);
    EXPECT_INT(limited(&out, "-d 600000", "KMIDI_GEMM=onednn", args), 0);
    EXPECT_HAS(out, "ulimit -d 600000");
    EXPECT_INT(limited(&out, "-d 200000", "KMIDI_GEMM=onednn",
                       arena_printf(&a, "%s memory.micro_batch=26", args)),
               1);
    EXPECT_HAS(out, "this run needs ");
    EXPECT_HAS(out, "and ulimit -d 200000 leaves ");
    arena_free(&a);
}

TEST(limits_of_each_profile_are_kept)
{
    static const struct {
        const char *name;
        double gib;
    } profiles[] = {
        {"48gb_beside", 2}, {"24gb_beside", 7}, {"16gb", 12}, {"24gb", 18}, {"48gb", 40}};
    if (SANITIZED) {
        test_skip("sanitizers take memory of their own");
        return;
    }
    const char *yaml = corpus_make_songs(test_path("songs"), "emotion_midi_transformer");
    double least = planned(yaml, "1MiB"), most = planned(yaml, "900GiB");
    EXPECT_BELOW(least, most);
    for (int i = 0; i < 5; i++)
        run_within(yaml, profiles[i].name,
                   (long long)((least + (most - least) * profiles[i].gib / 40) / 1024) + 1);
}
