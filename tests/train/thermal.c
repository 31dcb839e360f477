// SPDX-License-Identifier: GPL-3.0-or-later
// thermal.c (tests): training on a machine whose one sensor is a file of the test.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/same.h"

#define HEAT "echo %d >%s/class/thermal/thermal_zone0/temp"

static char yaml[1100], sys[1100], hot[1100], calm[1100];

static void make_places(void)
{
    snprintf(yaml, sizeof yaml, "%s", corpus_make_songs(test_path("songs"), "dynamics_engine"));
    snprintf(sys, sizeof sys, "%s", test_path("sys"));
    snprintf(hot, sizeof hot, "%s", test_path("hot"));
    snprintf(calm, sizeof calm, "%s", test_path("calm"));
    EXPECT_INT(test_shell(NULL, "mkdir -p %s/class/thermal/thermal_zone0; " HEAT, sys, 96000, sys),
               0);
}

// Begins in the background and waits until it says that it waits; its status comes to STATUS.
static void begin_hot(const char *more)
{
    EXPECT_INT(test_shell(NULL,
                          "(KMIDI_SYSFS=%s timeout 60 %s train %s --run-dir %s train.epochs=3 "
                          "train.thermal.pause=95 %s >%s.said 2>&1 & echo $! >%s.pid; wait $!; "
                          "echo $? >%s.status) >/dev/null 2>&1 & "
                          "for i in $(seq 400); do grep -q 'waiting until' %s/log.txt 2>/dev/null "
                          "&& exit 0; sleep 0.05; done; exit 1",
                          sys, test_kmidi(), yaml, hot, more, hot, hot, hot, hot),
               0);
}

static void expect_status(const char *want)
{
    const char *out;
    EXPECT_INT(test_shell(&out,
                          "for i in $(seq 400); do test -s %s.status && break; sleep 0.05; done; "
                          "cat %s.status",
                          hot, hot),
               0);
    EXPECT_STR(out, want);
}

TEST(thermal_run_waits_saved_and_makes_the_same_bits)
{
    const char *out;
    make_places();
    begin_hot("");
    EXPECT_INT(test_shell(&out, "cat %s/log.txt; ls %s/checkpoints/last.h5", hot, hot), 0);
    EXPECT_HAS(out, "96.0 C () at step 0: saved, and waiting until it is below 75 C");
    // neither one thing nor the other: it waits on
    EXPECT_INT(test_shell(&out, HEAT "; sleep 1.2; grep 'going on' %s/log.txt", 80000, sys, hot),
               1);
    EXPECT_INT(test_shell(&out, "%s runs %s --csv -q | tail -n 1", test_kmidi(), hot), 0);
    EXPECT_HAS(out, ",running,,21,");
    EXPECT_INT(test_shell(NULL, HEAT, 74900, sys), 0);
    expect_status("0\n");
    EXPECT_INT(test_shell(&out, "grep 'going on after' %s/log.txt", hot), 0);
    // without a sensor it says so, and makes the same
    same_measured();
    EXPECT_INT(test_shell(&out,
                          "KMIDI_SYSFS=%s/none %s train %s --run-dir %s train.epochs=3 "
                          "train.thermal.pause=95",
                          sys, test_kmidi(), yaml, calm),
               0);
    EXPECT_HAS(out, "this machine has no sensor of its temperature");
    same_runs(calm, hot, 21);
}

TEST(thermal_run_that_waits_can_be_stopped)
{
    const char *out;
    make_places();
    begin_hot("train.thermal.resume=60");
    EXPECT_INT(test_shell(NULL, "kill -TERM $(cat %s.pid)", hot), 0);
    expect_status("75\n");
    EXPECT_INT(test_shell(&out, "%s train %s train.thermal.pause=95 train.thermal.resume=95",
                          test_kmidi(), yaml),
               2);
    EXPECT_HAS(out, "'train.thermal.resume' must be below 95, where it waits");
}
