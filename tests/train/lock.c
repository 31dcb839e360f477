// SPDX-License-Identifier: GPL-3.0-or-later
// lock.c (tests): who has a folder, said truly while they have it and when they are gone.
#include "train/lock.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "train/job.h"

// A process that has the lock of `dir` until it is killed.
static pid_t holder(const char *dir)
{
    int ready[2];
    char byte = 0;
    if (pipe(ready))
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        test_mortal();
        err e = {0};
        bool ok = lock_take(dir, NULL, &e) >= 0;
        if (write(ready[1], ok ? "y" : "n", 1) != 1)
            _exit(98);
        pause();
        _exit(0);
    }
    close(ready[1]);
    EXPECT(read(ready[0], &byte, 1) == 1 && byte == 'y');
    close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

TEST(lock_tells_who_has_it_and_that_they_are_gone)
{
    const char *dir = test_dir();
    char host[70] = "", who[256];
    lock_owner o;
    err e = {0};
    gethostname(host, 64);
    EXPECT_INT(lock_look(dir, &o), LOCK_NONE);
    for (int again = 0; again < 3; again++) {
        pid_t pid = holder(dir);
        for (int looks = 0; looks < 3; looks++) { // who looks takes nothing
            EXPECT_INT(lock_look(dir, &o), LOCK_HELD);
            EXPECT_INT(o.pid, pid);
            EXPECT_INT(o.restarts, again);
            EXPECT_STR(o.host, host);
        }
        EXPECT_ERR(lock_take(dir, NULL, &e) >= 0, e, ERR_IO, "is in use by another kmidi (process");
        EXPECT_HAS(e.text, lock_describe(&o, who));
        end(pid);
        EXPECT_INT(lock_look(dir, &o), LOCK_FREE);
        EXPECT_INT(o.pid, pid);
    }
    int fd = lock_take(dir, NULL, &e);
    EXPECT_OK(fd >= 0, e);
    EXPECT_INT(lock_look(dir, &o), LOCK_HELD); // by ourselves; the look must not give it up
    EXPECT_INT(lock_look(dir, &o), LOCK_HELD);
    EXPECT_INT(o.restarts, 3);
    lock_release(fd);
    EXPECT_INT(lock_look(dir, NULL), LOCK_FREE);
}

TEST(lock_knows_the_job_of_a_scheduler)
{
    const char *out, *dir = test_dir(), *k = test_kmidi();
    char who[256];
    lock_owner o;
    EXPECT_INT(test_shell(&out,
                          "%s prepare configs/data/synth.yaml --out %s/s features=[dynamics] "
                          "synth.items=16 synth.seconds=20",
                          k, dir),
               0);
    EXPECT_INT(test_shell(&out,
                          "SLURM_ARRAY_JOB_ID=12 SLURM_ARRAY_TASK_ID=3 SLURM_JOB_ID=15 %s train "
                          "dynamics_engine --run-dir %s/r data.train='%s/s/train-*.h5' "
                          "data.val='%s/s/val-*.h5' train.epochs=1",
                          k, dir, dir, dir),
               0);
    EXPECT_INT(lock_look(test_path("r"), &o), LOCK_FREE);
    EXPECT_HAS(lock_describe(&o, who), " of job 12_3 on ");
}

// What is no lock of ours is no lock: a run's folder is known by it.
TEST(lock_files_of_others_are_none)
{
    static const char *const texts[] = {"{\"host\": \"a\"}", "hello", "{\"pid\": -4}", "[1]", "{"};
    err e = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        EXPECT_OK(file_write(test_path(".lock"), texts[i], strlen(texts[i]), &e), e);
        EXPECT_INT(lock_look(test_dir(), NULL), LOCK_NONE);
    }
    EXPECT_OK(file_write(test_path(".lock"), "", 0, &e), e); // of versions without words
    EXPECT_INT(lock_look(test_dir(), NULL), LOCK_FREE);
}

// Who had the lock may have saved between our look and our lock: then what was read is of the past.
TEST(lock_keeps_out_what_was_read_before_it)
{
    static const char *const between[] = {":", "cp last.h5 x && mv x last.h5", "rm last.h5",
                                          "cp last.h5 x && touch -r last.h5 x && mv x last.h5"};
    char dir[1100];
    snprintf(dir, sizeof dir, "%s", test_path("run"));
    EXPECT_INT(test_shell(NULL, "%s train %s --run-dir %s train.epochs=1 -q", test_kmidi(),
                          corpus_make(test_path("data")), dir),
               0);
    for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
        arena a = {0};
        err e = {0};
        env world = {.pool = threads_open(1, &e)};
        static const char *const longer[] = {"train.epochs=2"};
        EXPECT_INT(test_shell(NULL, "cp -r %s %s.kept; rm -f %s/STOPPED", dir, dir, dir), 0);
        job_request r = {.resume = dir, .overrides = longer, .n_overrides = 1, .env = &world};
        job *j = job_configure(&r, &a, &e);
        EXPECT_OK(j && job_open(j, &e), e);
        EXPECT_INT(test_shell(NULL, "cd %s/checkpoints && %s", dir, between[i]), 0);
        if (!i)
            EXPECT_OK(job_begin(j, &e), e);
        else
            EXPECT_ERR(job_begin(j, &e), e, ERR_IO, "another kmidi has trained in '");
        EXPECT_INT(test_shell(NULL, "test -e %s/DONE", dir), i ? 0 : 1);
        job_close(j);
        threads_close(world.pool);
        EXPECT_INT(test_shell(NULL, "rm -r %s && mv %s.kept %s", dir, dir, dir), 0);
        arena_free(&a);
    }
}
