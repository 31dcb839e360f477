// SPDX-License-Identifier: GPL-3.0-or-later
// slurm_job.c (tests): what a job asks of its scheduler, and parts that are merged. Slurm's
// commands are small scripts here; tests/cluster/ does it with the real ones.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/cmd/fake.h"
#include "tests/test.h"
#include "tests/train/corpus.h"

// ---- Inside of a job

// Training of thousands of steps as a job that Slurm says this of.
static int as_job(const char **out, const char *world, const char *more)
{
    char bin[1100], run[1100], yaml[1100];
    snprintf(bin, sizeof bin, "%s", test_path("bin"));
    snprintf(run, sizeof run, "%s", test_path("run"));
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("corpus")));
    return test_shell(
        out,
        "env -u SLURM_JOB_END_TIME PATH=%s:/usr/bin:/bin SLURM_JOB_ID=41 %s timeout 60 %s train %s "
        "--run-dir %s --resume auto %s",
        bin, world, test_kmidi(), yaml, run, more);
}

TEST(slurm_job_ends_before_its_time)
{
    const char *out;
    fake_command("squeue",
                 "test $3 = 41 || exit 1; case $5 in %L) echo 0:02;; %T) echo RUNNING;; esac");
    fake_command("scontrol", "");
    EXPECT_INT(as_job(&out, "", "train.epochs=1000000"), 75);
    EXPECT_HAS(out, "the time limit is near");
    EXPECT_HAS(fake_said("squeue"), "-h -j 41 -o %L");
    EXPECT_STR(fake_said("scontrol"), ""); // nobody asked for that
    EXPECT_INT(as_job(&out, "KMIDI_REQUEUE=2", "train.epochs=1000000"), 75);
    EXPECT_HAS(out, "this job is queued again");
    EXPECT_STR(fake_said("scontrol"), "requeue 41\n");
    EXPECT_INT(as_job(&out, "KMIDI_REQUEUE=2 SLURM_RESTART_COUNT=2", "train.epochs=1000000"), 75);
    EXPECT_HAS(out, "job 41 was started 2 times before, and KMIDI_REQUEUE=2 allows no more");
    EXPECT_STR(fake_said("scontrol"), "requeue 41\n");
}

TEST(slurm_job_that_is_cancelled_stays_so)
{
    const char *out;
    fake_command("squeue", "case $5 in %L) echo 0:02;; %T) echo COMPLETING;; esac");
    fake_command("scontrol", "");
    EXPECT_INT(as_job(&out, "KMIDI_REQUEUE=2", "train.epochs=1000000"), 75);
    EXPECT_STR(fake_said("scontrol"), "");
    fake_command("squeue", "case $5 in %L) echo 0:02;; %T) echo RUNNING;; esac");
    fake_command("scontrol", "echo 'not allowed' >&2; exit 1");
    EXPECT_INT(as_job(&out, "KMIDI_REQUEUE=2", "train.epochs=1000000"), 75);
    EXPECT_HAS(out, "job 41 cannot be queued again (scontrol: not allowed)");
}

TEST(slurm_job_without_an_end_runs_through)
{
    const char *out;
    fake_command("squeue", "echo UNLIMITED");
    EXPECT_INT(as_job(&out, "KMIDI_REQUEUE=2", ""), 0);
    fake_command("squeue", "exit 1");
    EXPECT_INT(as_job(&out, "KMIDI_REQUEUE=2", ""), 0); // done: ends at once
    EXPECT_HAS(out, "is done");
}

// The process that a lost node left behind has the folder: its job comes again.
TEST(slurm_job_waits_for_a_folder_in_use)
{
    const char *out;
    char yaml[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("corpus")));
    fake_command("squeue", "case $5 in %L) echo UNLIMITED;; %T) echo RUNNING;; esac");
    fake_command("scontrol", "");
    EXPECT_INT(test_shell(NULL, "mkdir -p %s && : >%s/.lock", test_path("run"), test_path("run")),
               0);
    EXPECT_INT(
        test_shell(
            &out,
            "flock %s/.lock env PATH=%s:/usr/bin:/bin SLURM_JOB_ID=41 KMIDI_REQUEUE=2 %s train %s "
            "--run-dir %s --resume auto",
            test_path("run"), test_path("bin"), test_kmidi(), yaml, test_path("run")),
        75);
    EXPECT_HAS(out, "is in use by another kmidi");
    EXPECT_STR(fake_said("scontrol"), "requeue 41\n");
}

// ---- Parts

static int prepare_part(const char **out, const char *world, const char *more)
{
    return test_shell(out,
                      "%s %s prepare data/synth --out %s -j 1 synth.items=30 synth.seconds=0.5 "
                      "shard_items=4 %s",
                      world, test_kmidi(), test_path("parts"), more);
}

TEST(slurm_array_makes_parts_that_are_merged)
{
    const char *out;
    char whole[1100];
    snprintf(whole, sizeof whole, "%s", test_path("whole"));
    const char *task = "SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_COUNT=3 "
                       "SLURM_ARRAY_TASK_ID=";
    char world[200];
    EXPECT_INT(prepare_part(&out, "", "--merge"), 1);
    EXPECT_HAS(out, "shards of this set: ");
    EXPECT_HAS(out, "the same command without --merge makes them");
    EXPECT(!file_exists(test_path("parts")));
    for (int k = 1; k <= 3; k++) {
        snprintf(world, sizeof world, "%s%d", task, k);
        EXPECT_INT(prepare_part(&out, world, "--shard auto"), 0);
        EXPECT(!file_exists(test_path("parts/summary.json")));
        if (k < 3) {
            EXPECT_INT(prepare_part(&out, "", "--merge=3"), 1);
            EXPECT_HAS(out, k == 1 ? "make the parts --shard 2/3, 3/3 and merge again"
                                   : "make the parts --shard 3/3 and merge again");
        }
    }
    EXPECT_INT(prepare_part(&out, "", "--merge=3"), 0);
    EXPECT_INT(test_shell(NULL, "grep -q '\"splits\"' %s", test_path("parts/summary.json")), 0);
    EXPECT_INT(test_shell(&out,
                          "%s prepare data/synth --out %s -j 1 synth.items=30 synth.seconds=0.5 "
                          "shard_items=4",
                          test_kmidi(), whole),
               0);
    EXPECT_INT(test_shell(&out,
                          "%s prepare data/synth --out %s -j 1 synth.items=30 synth.seconds=0.5 "
                          "shard_items=4 --merge",
                          test_kmidi(), whole),
               0);
    EXPECT_INT(test_shell(&out, "cmp %s/summary.json %s && ls %s >%s.ls && ls %s | cmp - %s.ls",
                          whole, test_path("parts/summary.json"), whole, whole, test_path("parts"),
                          whole),
               0);
    // a part that is made anew makes the set another one
    EXPECT_INT(test_shell(&out, "rm %s/train-00001.h5", test_path("parts")), 0);
    EXPECT_INT(prepare_part(&out, "", "--merge"), 1);
    EXPECT_HAS(out, "lacks 1 of ");
    EXPECT_HAS(out, "train-00001.h5");
    EXPECT_INT(prepare_part(&out, "", "--shard 1/3"), 0);
    EXPECT(!file_exists(test_path("parts/summary.json")));
}

TEST(slurm_task_refuses_what_it_cannot_know)
{
    const char *out;
    EXPECT_INT(prepare_part(&out, "env -u SLURM_ARRAY_TASK_ID", "--shard auto"), 2);
    EXPECT_HAS(out, "this is no task of an array of jobs");
    EXPECT_INT(
        prepare_part(&out,
                     "SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_COUNT=1 "
                     "SLURM_ARRAY_TASK_ID=3",
                     "--shard auto"),
        2);
    EXPECT_HAS(out, "name the part as k/n");
    EXPECT_INT(
        prepare_part(&out,
                     "SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=2 SLURM_ARRAY_TASK_COUNT=3 "
                     "SLURM_ARRAY_TASK_ID=0",
                     "--shard auto"),
        2);
    EXPECT_INT(prepare_part(&out, "", "--shard 1/2 --merge"), 2);
    EXPECT_HAS(out, "--merge makes none");
}
