// SPDX-License-Identifier: GPL-3.0-or-later
// ranks_end.c: how a run in several processes ends before it is done: one of them dies, is asked to
// stop, has a full disk, or is not what the others are. Only for a program made with MPI=1 (make
// check-mpi).
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/same.h"
#include "tests/train/several.h"

static const char *const endless =
    "train.epochs=1000000 train.save_every=0 train.save_every_steps=4 "
    "memory.micro_batch=2 -q";

static several begin(const char *yaml, const char *more)
{
    char line[4000];
    static char dir[1100];
    snprintf(dir, sizeof dir, "%s", test_path("run"));
    EXPECT_INT(test_shell(NULL, "rm -rf %s", dir), 0);
    snprintf(line, sizeof line, "%s %s %s", yaml, endless, more);
    setenv("KMIDI_GEMM", "openblas", 1);
    return several_start(2, dir, line);
}

static void expect_whole(const several *s)
{
    const char *out;
    int status = test_shell(&out, "%s verify %s/checkpoints/*.h5", test_kmidi(), s->dir);
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
}

// The step of the last line that was written down.
static int64_t last_step(const char *dir)
{
    arena a = {.name = "last"};
    const char *text = same_metrics(dir, &a), *last = NULL;
    for (const char *p = text; p && (p = strstr(p, "\"step\": "));)
        last = p += strlen("\"step\": ");
    int64_t step = last ? atoll(last) : -1;
    arena_free(&a);
    return step;
}

static int64_t saved_step(const char *dir)
{
    arena a = {.name = "saved"};
    int64_t step = same_step(dir, &a);
    arena_free(&a);
    return step;
}

TEST(ranks_end_with_the_one_that_dies)
{
    if (!several_can_run())
        return;
    const char *yaml = corpus_make(test_path("data"));
    for (int rank = 0; rank < 2; rank++) {
        char named[100];
        several s = begin(yaml, "");
        several_await(&s, 8);
        double began = hw_seconds();
        EXPECT_INT(kill(s.rank[rank], SIGKILL), 0);
        int status = several_end(&s, 20); // of the one, or of those that were ended
        EXPECT(status == 128 + SIGKILL || status == 1);
        EXPECT(hw_seconds() - began < 10);
        snprintf(named, sizeof named, "rank %d of 2 (process %d) has ended, and the run with it",
                 rank, (int)s.rank[rank]);
        EXPECT_HAS(several_said(&s), named);
        expect_whole(&s);
        EXPECT(file_exists(test_path("run/FAILED")) == (rank > 0));
    }
}

// Asked of one or of all: they stop behind the same step, and what was computed is saved.
static void stop(const char *yaml, int ranks)
{
    char named[100];
    several s = begin(yaml, "");
    several_await(&s, 6);
    for (int i = 0; i < 2; i++)
        if (ranks & 1 << i)
            EXPECT_INT(kill(s.rank[i], SIGTERM), 0);
    EXPECT_INT(several_end(&s, 20), 75);
    int64_t step = saved_step(s.dir);
    EXPECT(step > 0);
    EXPECT_INT(last_step(s.dir), step);
    snprintf(named, sizeof named, "asked to stop at step %lld; go on with: kmidi train --resume",
             (long long)step);
    EXPECT_HAS(several_said(&s), named);
    const char *again = strstr(several_said(&s), "asked to stop");
    EXPECT(again && !strstr(again + 1, "asked to stop"));
    EXPECT(file_exists(test_path("run/STOPPED")));
    expect_whole(&s);
}

TEST(ranks_stop_at_one_step)
{
    if (!several_can_run())
        return;
    const char *yaml = corpus_make(test_path("data"));
    for (int ranks = 1; ranks < 4; ranks++)
        stop(yaml, ranks);
}

// SIGUSR1, of a rank that does not write.
TEST(ranks_save_when_any_is_asked)
{
    if (!several_can_run())
        return;
    several s = begin(corpus_make(test_path("data")), "train.save_every_steps=1000000");
    several_await(&s, 6);
    EXPECT(!file_exists(test_path("run/checkpoints/previous.h5")));
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(kill(s.rank[1], SIGUSR1), 0);
        usleep(600000);
    }
    for (int i = 0; i < 5000 && !file_exists(test_path("run/checkpoints/previous.h5")); i++)
        usleep(2000);
    EXPECT(file_exists(test_path("run/checkpoints/previous.h5")));
    kill(s.rank[0], SIGTERM);
    EXPECT_INT(several_end(&s, 20), 75);
}

// Two programs under one starter, which differ as `first` and `second` say.
static const char *refused(const char *first, const char *second)
{
    const char *out;
    char starter[200], line[6000];
    snprintf(starter, sizeof starter, "%s", several_starter(1));
    snprintf(line, sizeof line, "%s %s : -n 1 %s </dev/null", starter, first, second);
    setenv("KMIDI_GEMM", "openblas", 1);
    double began = hw_seconds();
    int status = test_shell(&out, "%s", line);
    test_expect(status == 1 && hw_seconds() - began < 30, __FILE__, __LINE__, "%d: %s", status,
                out);
    return out;
}

TEST(ranks_are_refused_that_differ)
{
    char one[3000], other[3100], yaml[1100], dir[1100];
    if (!several_can_run())
        return;
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    snprintf(dir, sizeof dir, "%s", test_path("run"));
    snprintf(one, sizeof one, "%s train %s --run-dir %s -q", test_kmidi(), yaml, dir);
    snprintf(other, sizeof other, "%s optim.lr=0.002", one);
    EXPECT_HAS(refused(one, other), "rank 1: another configuration (lr: 0.002) than rank 0 has "
                                    "(lr: 0.001); give all ranks one command line");
    EXPECT_INT(
        test_shell(NULL, "cp %s %s/kmidi && echo >>%s/kmidi", test_kmidi(), test_dir(), test_dir()),
        0);
    snprintf(other, sizeof other, "%s/kmidi train %s --run-dir %s -q", test_dir(), yaml, dir);
    EXPECT_HAS(refused(one, other), "rank 1: another version of the program (");
    EXPECT(!file_exists(dir));
}

// The same words, which mean another file in another folder.
TEST(ranks_are_refused_that_read_another_shard)
{
    char one[3000], other[3000];
    if (!several_can_run())
        return;
    EXPECT(corpus_make(test_path("data/a")) && corpus_make(test_path("data/b")));
    EXPECT_INT(test_shell(NULL,
                          "cd %s/data && sed \"s|[^ ']*/data/a/||g\" a/config.yaml >a/own.yaml && "
                          "cp a/own.yaml b/ && cp b/val-00000.h5 b/train-00000.h5",
                          test_dir()),
               0);
    snprintf(one, sizeof one, "-wdir %s/data/a $(realpath %s) train own.yaml --run-dir %s/run -q",
             test_dir(), test_kmidi(), test_dir());
    snprintf(other, sizeof other,
             "-wdir %s/data/b $(realpath %s) train own.yaml --run-dir %s/run -q", test_dir(),
             test_kmidi(), test_dir());
    const char *out = refused(one, other);
    EXPECT_HAS(out, "rank 1: another shard in data.train ('train-00000.h5', 9 items, key val)");
    EXPECT_HAS(out, "than rank 0 has ('train-00000.h5', 26 items, key train)");
}

// Of the rank that writes alone: the others hear of it, and none waits.
TEST(ranks_end_together_when_the_disk_is_full)
{
    char run[6000];
    const char *out;
    if (!several_can_run())
        return;
    const char *yaml = corpus_make_songs(test_path("data"), "dynamics_engine");
    EXPECT_INT(test_shell(NULL, "mkdir %s/disk", test_dir()), 0);
    if (test_shell(NULL, "unshare -rm mount -t tmpfs -o size=500k none %s/disk", test_dir())) {
        test_skip("no small disk can be made here");
        return;
    }
    setenv("KMIDI_GEMM", "openblas", 1);
    snprintf(run, sizeof run,
             "timeout 60 %s %s train %s --run-dir %s/disk/run %s logging.tensorboard=false",
             several_starter(2), test_kmidi(), yaml, test_dir(), endless);
    double began = hw_seconds();
    int status = test_shell(&out,
                            "unshare -rm sh -c 'mount -t tmpfs -o size=500k none %s/disk; %s "
                            "</dev/null; echo status $?; cat %s/disk/run/FAILED; %s verify "
                            "%s/disk/run/checkpoints/last.h5'",
                            test_dir(), run, test_dir(), test_kmidi(), test_dir());
    EXPECT(hw_seconds() - began < 60);
    test_expect(status == 0 && strstr(out, "status 1\n") && strstr(out, "last.h5: ok"), __FILE__,
                __LINE__, "%d: %s", status, out);
    EXPECT_HAS(out, "No space left on device");
}
