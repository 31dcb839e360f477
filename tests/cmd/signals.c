// SPDX-License-Identifier: GPL-3.0-or-later
// signals.c (tests): what asks a command to stop, what ends it at once, and how it then ends.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/process.h"
#include "tests/test.h"
#include "tests/train/corpus.h"

// A process of `k` that has polled so often and then computes for ever.
static pid_t busy(const command *k, int polls)
{
    int ready[2];
    char byte;
    if (pipe(ready))
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(99);
        signal(SIGHUP, SIG_DFL), signal(SIGINT, SIG_DFL); // the tests may run under nohup
        process_start(k);
        for (int i = 0; i < polls; i++)
            (void)process_stop(NULL);
        if (write(ready[1], "x", 1) != 1)
            _exit(98);
        for (volatile int i = 0;; i = !i)
            ;
    }
    close(ready[1]);
    EXPECT(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    return pid;
}

static void wait_for(double seconds)
{
    usleep((useconds_t)(seconds * 1e6));
}

// How it ended within `seconds`: its exit status, minus the signal; 1000 where it goes on (it is
// then ended).
static int ended(pid_t pid, double seconds)
{
    int status;
    for (int looks = 0; waitpid(pid, &status, WNOHANG) == 0; looks++, wait_for(0.002))
        // looks, not a clock: a machine that stood still for a while tells nothing
        if (looks * 0.002 > seconds) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return 1000;
        }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(signals_end_at_once_what_has_not_begun)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGXCPU};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        pid_t train = busy(&cmd_train, 0), predict = busy(&cmd_predict, 0),
              export = busy(&cmd_export, 0);
        kill(train, numbers[i]), kill(predict, numbers[i]), kill(export, numbers[i]);
        EXPECT_INT(ended(train, 2), 75);
        EXPECT_INT(ended(predict, 2), -numbers[i]);
        EXPECT_INT(ended(export, 2), -numbers[i]);
    }
}

TEST(signals_of_machines_never_mean_at_once)
{
    pid_t pid = busy(&cmd_train, 5);
    for (int i = 0; i < 8; i++, wait_for(0.01))
        kill(pid, i % 3 ? SIGTERM : SIGHUP);
    wait_for(0.4);
    // the same instant
    kill(pid, SIGINT), wait_for(0.03), kill(pid, SIGINT), wait_for(0.05), kill(pid, SIGTERM);
    wait_for(0.3);
    int status = 0;
    EXPECT_INT(waitpid(pid, &status, WNOHANG), 0);
    kill(pid, SIGINT); // a person's second
    EXPECT_INT(ended(pid, 2), 75);
}

TEST(signals_end_what_waits_for_ever)
{
    pid_t eval = busy(&cmd_eval, 9), train = busy(&cmd_train, 1), working = busy(&cmd_train, 3);
    kill(eval, SIGTERM), kill(train, SIGTERM), kill(working, SIGTERM);
    EXPECT_INT(ended(eval, 8), -SIGTERM);
    EXPECT_INT(ended(train, 8), 75);
    EXPECT_INT(ended(working, 0.5), 1000); // a step may take its time
}

// Two signals, `gap` microseconds apart, to the program while it trains.
static void send_two(const char *yaml, const char *dir, const int pair[2], int gap)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(99);
        execl(test_kmidi(), "kmidi", "train", yaml, "--run-dir", dir, "train.epochs=1000000",
              "train.save_every=0", "train.eval_every=1000000", (char *)NULL);
        _exit(98);
    }
    for (int i = 0; i < 5000 && test_shell(NULL, "test -s %s/metrics.jsonl", dir); i++)
        wait_for(0.002);
    kill(pid, pair[0]);
    usleep((useconds_t)gap);
    kill(pid, pair[1]);
    EXPECT_INT(ended(pid, 20), 75);
    EXPECT_INT(test_shell(NULL, "test -f %s/STOPPED && %s verify %s/checkpoints/last.h5", dir,
                          test_kmidi(), dir),
               0);
}

TEST(signals_in_pairs_lose_no_work)
{
    static const int pairs[][2] = {
        {SIGTERM, SIGTERM}, {SIGTERM, SIGINT}, {SIGINT, SIGINT}, {SIGHUP, SIGTERM}};
    char yaml[1100], dir[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    for (int i = 0; i < 4; i++) {
        snprintf(dir, sizeof dir, "%s-%d", test_path("run"), i);
        send_two(yaml, dir, pairs[i], 700 * i);
    }
}
