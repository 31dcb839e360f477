// SPDX-License-Identifier: GPL-3.0-or-later
// sweep.c (tests): `kmidi sweep` from outside: runs, changes under its feet, and what it
// refuses.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/cmd/small_sweep.h"
#include "tests/test.h"

#include "tests/train/same.h"
#include "train/lock.h"

#define RUN(want, ...) EXPECT_INT(test_shell(&out, __VA_ARGS__), want)

TEST(sweep_program_trains_all_once)
{
    const char *out, *k = test_kmidi();
    place p = small_sweep_place();
    RUN(0, "%s sweep %s optim.lr=1e-2,1e-3 train.seed=1,2 train.epochs=3 -o %s --jobs 2 --json -q",
        k, p.yaml, p.dir);
    EXPECT_HAS(out, "{\"run\": \"0001\", \"set\": [\"optim.lr=0.01\", \"train.seed=1\"], ");
    small_sweep_states(p.dir, "0001,done 0002,done 0003,done 0004,done ");
    RUN(0, "cd %s && cat */.lock && md5sum */metrics.jsonl && ls output", p.dir);
    char *before = strdup(out);
    // a run is what the same keys give by hand
    same_measured();
    RUN(0, "%s train %s --run-dir %s.hand optim.lr=1e-2 train.seed=2 train.epochs=3", k, p.yaml,
        p.dir);
    arena a = {0};
    same_runs(arena_printf(&a, "%s.hand", p.dir), arena_printf(&a, "%s/0002", p.dir), 21);
    // again, in its words or without any: nothing is left to do, and nothing is done
    RUN(0, "%s sweep %s optim.lr=1e-2,1e-3 train.seed=1,2 train.epochs=3 -o %s", k, p.yaml, p.dir);
    EXPECT_HAS(out, "4 of 4 runs are over already");
    RUN(0, "%s sweep -o %s", k, p.dir);
    RUN(0, "cd %s && cat */.lock && md5sum */metrics.jsonl && ls output", p.dir);
    EXPECT_STR(out, before);
    // another sweep is not mixed into it
    RUN(2, "%s sweep %s optim.lr=1e-2,1e-4 train.seed=1,2 train.epochs=3 -o %s", k, p.yaml, p.dir);
    EXPECT_HAS(out, "holds another sweep, 4 runs of ");
    // a folder that was removed runs again, and alone
    RUN(0, "rm -r %s/0003 && %s sweep -o %s", p.dir, k, p.dir);
    EXPECT_HAS(out, "3 of 4 runs are over already");
    small_sweep_states(p.dir, "0001,done 0002,done 0003,done 0004,done ");
    free(before);
    arena_free(&a);
}

// The plan may be changed for what has not begun, and is refused for what has.
TEST(sweep_program_takes_a_changed_plan)
{
    const char *out, *k = test_kmidi();
    place p = small_sweep_place();
    RUN(0, "%s sweep %s train.seed=1,2 train.epochs=2 -o %s -q", k, p.yaml, p.dir);
    RUN(0, "cd %s && cp plan.jsonl saved && sed -i '2s/seed=1/seed=7/' plan.jsonl", p.dir);
    RUN(1, "%s sweep -o %s", k, p.dir);
    EXPECT_HAS(out, "plan.jsonl': the line of run 0001 was changed after that run had begun");
    RUN(0,
        "cd %s && cp saved plan.jsonl && "
        "echo '{\"run\": \"extra\", \"set\": [\"train.seed=9\"]}' >>plan.jsonl",
        p.dir);
    small_sweep_states(p.dir, "0001,done 0002,done extra,waiting ");
    RUN(0, "%s sweep -o %s", k, p.dir);
    EXPECT_HAS(out, "extra (seed=9) done");
    RUN(0, "cd %s && sed -i 's/epochs: 2/epochs: 9/' config.yaml", p.dir);
    RUN(1, "%s sweep -o %s", k, p.dir);
    EXPECT_HAS(out, "config.yaml' was changed after run 0001 had begun");
    RUN(0,
        "cd %s && sed -i 's/epochs: 9/epochs: 2/' config.yaml && "
        "echo '{\"run\": \"bad\", \"set\": [\"optim.lr=99\"]}' >>plan.jsonl",
        p.dir);
    RUN(2, "%s sweep -o %s", k, p.dir);
    EXPECT_HAS(out, "run 'bad': override 'optim.lr=99': 'optim.lr' must be a number from 0 to 10");
}

TEST(sweep_program_refuses_before_the_first_run)
{
    static const struct {
        const char *arguments;
        int status;
        const char *says;
    } cases[] = {
        {"optim.lr=1e-3,fast", 2, "'optim.lr' must be a number from 0 to 10, not 'fast'"},
        {"optim.lrr=1,2", 2, "did you mean 'optim.lr'?"},
        {"train.batch_size=8,0", 2, "'train.batch_size' must be a whole number"},
        {"train.early_stopping.monitor=loss,accuracy", 2, "has no 'accuracy' to monitor"},
        {"model=dynamics_engine,dynamics", 2, "there is no model 'dynamics'"},
        {"data.train=none.h5 train.seed=1,2", 1, "run 0001 (train.seed=1) could not begin: "},
        {"init_from=null,none.h5", 1, "run 0002 (init_from=none.h5) could not begin: init_from: "},
        {"--budget 1MiB train.seed=1,2", 1, "the smallest budget it can run in"},
        {"optim.lr=0.001..1:0.001 train.seed=1..1000", 2,
         "these are 1000000 runs (optim.lr 1000 x train.seed 1000); say --yes"},
        {"train.seed=1..1001", 2, "these are 1001 runs (train.seed 1001); say --yes"},
        {"train.seed=1..1000 train.epochs=1..1001 --yes", 2, "a sweep has at most 1000000"},
        {"train.seed=1,2 --jobs 0", 2, "--jobs lies from 1 to"},
        {"train.seed=1,2 --random 3", 2, "there are only 2 different runs"},
    };
    const char *out, *k = test_kmidi();
    place p = small_sweep_place();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RUN(cases[i].status, "%s sweep %s -o %s %s", k, p.yaml, p.dir, cases[i].arguments);
        EXPECT_HAS(out, cases[i].says);
        test_expect(!file_exists(p.dir), __FILE__, __LINE__, "%s made a folder",
                    cases[i].arguments);
    }
    RUN(2, "%s sweep %s train.seed=1,2", k, p.yaml);
    EXPECT_HAS(out, "--out runs/NAME");
    RUN(1, "%s sweep -o %s", k, p.dir);
    EXPECT_HAS(out, "holds no plan of a sweep");
    RUN(2, "mkdir %s && touch %s/mine && %s sweep %s train.seed=1,2 -o %s", p.dir, p.dir, k, p.yaml,
        p.dir);
    EXPECT_HAS(out, "holds files that are no sweep's");
    RUN(0, "%s sweep %s train.seed=1..3 train.batch_size=4,8 --dry-run --json -q", k, p.yaml);
    EXPECT_HAS(out, "{\"run\": \"0006\", \"set\": [\"train.seed=3\", \"train.batch_size=8\"], "
                    "\"micro_batch\": 8, \"peak_bytes\": ");
}

// A folder that is removed under a run fails that run, and no other.
TEST(sweep_program_goes_on_when_a_folder_goes)
{
    const char *out, *k = test_kmidi();
    place p = small_sweep_place();
    RUN(1,
        "( for i in $(seq 4000); do grep -q eval %s/0002/metrics.jsonl 2>/dev/null && break; sleep "
        "0.01; done; "
        "mv %s/0002 %s.gone ) & %s sweep %s train.seed=1..3 train.epochs=800 "
        "train.eval_every=20 train.save_every=0 -o %s",
        p.dir, p.dir, p.dir, k, p.yaml, p.dir);
    EXPECT_HAS(out, "1 of 3 runs failed; the first: 0002: ");
    EXPECT_HAS(out, "its folder was removed while it ran");
    RUN(0, "ls %s/0001/DONE %s/0003/DONE", p.dir, p.dir);
    RUN(0, "%s sweep -o %s --retry", k, p.dir);
    small_sweep_states(p.dir, "0001,done 0002,done 0003,done ");
}

// A full disk fails the runs that meet it, each with its sentence; or is waited for.
TEST(sweep_program_meets_a_full_disk)
{
    const char *out, *k = test_kmidi();
    place p = small_sweep_place();
    if (test_shell(NULL, "mkdir -p %s && mount -t tmpfs -o size=1400k tmpfs %s", p.dir, p.dir)) {
        test_skip("needs the right to mount a small tmpfs");
        return;
    }
    RUN(1, "%s sweep %s train.seed=1..4 train.epochs=2 -o %s/s", k, p.yaml, p.dir);
    EXPECT_HAS(out, "runs failed; the first: 000");
    EXPECT_HAS(out, "No space left on device");
    RUN(0, "ls -d %s/s/0001/DONE && mount -o remount,size=20m %s", p.dir, p.dir);
    RUN(0, "%s sweep -o %s/s --retry", k, p.dir);
    RUN(0, "rm -r %s/s && mount -o remount,size=2400k %s", p.dir, p.dir);
    RUN(0,
        "%s sweep %s train.seed=1..4 train.epochs=2 -o %s/s --wait-for-disk >%s.out 2>&1 & "
        "for i in $(seq 400); do grep -q 'waits for room on the disk' %s.out && break; sleep 0.05; "
        "done; %s runs %s/s --csv -q | cut -d, -f2 | sort | uniq -c | tr -d ' ' | tr '\\n' ' '; "
        "mount -o remount,size=20m %s; wait",
        k, p.yaml, p.dir, p.dir, p.dir, k, p.dir, p.dir);
    EXPECT_HAS(out, "waiting");
    EXPECT(!strstr(out, "failed") && !strstr(out, "running"));
    RUN(0, "ls %s/s/*/DONE | wc -l && umount %s", p.dir, p.dir);
    EXPECT_STR(out, "4\n");
}

// Three good runs, then three that learn nothing: these are ended, stay so, and say why.
TEST(sweep_program_ends_bad_runs)
{
    const char *out, *k = test_kmidi();
    place p = small_sweep_place();
    RUN(0,
        "%s sweep %s optim.lr=1e-2,1e-8 train.seed=1..3 train.epochs=2000 train.save_every=0 "
        "train.eval_every=40 train.early_stopping.patience=null -o %s --median=3 --median-from 300",
        k, p.yaml, p.dir);
    small_sweep_states(p.dir, "0001,done 0002,done 0003,done 0004,ended 0005,ended 0006,ended ");
    RUN(0, "cat %s/0004/ENDED", p.dir);
    EXPECT_HAS(out, "its best loss is worse than ");
    EXPECT_HAS(out, ", the median of the 3 runs that are done");
    RUN(0, "%s sweep -o %s", k, p.dir);
    EXPECT_HAS(out, "6 of 6 runs are over already");
}

// ---- Runs one by one, as tasks of an array begin them

TEST(sweep_program_begins_single_runs)
{
    const char *out, *k = test_kmidi();
    char bin[1100], real[4200];
    place p = small_sweep_place();
    EXPECT(realpath(k, real) != NULL);
    snprintf(bin, sizeof bin, "%s", test_path("bin"));
    RUN(0,
        "PATH=%s:/usr/bin:/bin %s slurm sweep %s optim.lr=1e-2,1e-3 train.seed=1,2 "
        "train.epochs=3 -o %s --threads 1",
        bin, k, p.yaml, p.dir);
    EXPECT_HAS(out, "sweep.sbatch\n");
    small_sweep_states(p.dir, "0001,waiting 0002,waiting 0003,waiting 0004,waiting ");
    RUN(0, "%s sweep -o %s --run 2 --threads 1", k, p.dir);
    RUN(0, "cd / && %s sweep -o %s --run 0003 --threads 1 --json -q", real, p.dir);
    EXPECT_HAS(out, "/0003\", \"steps\": 21, ");
    small_sweep_states(p.dir, "0001,waiting 0002,done 0003,done 0004,waiting ");
    same_measured();
    RUN(0, "%s train %s --run-dir %s.hand optim.lr=1e-2 train.seed=2 train.epochs=3", k, p.yaml,
        p.dir);
    arena a = {0};
    same_runs(arena_printf(&a, "%s.hand", p.dir), arena_printf(&a, "%s/0002", p.dir), 21);
    // of two parts, the second: what is done is left alone, as often as it is begun
    RUN(0, "cat %s/*/.lock", p.dir);
    char *before = strdup(out);
    RUN(0, "%s sweep -o %s --run 2/3", k, p.dir);
    EXPECT_HAS(out, "is done, after 21 steps");
    RUN(0, "cat %s/*/.lock", p.dir);
    EXPECT_STR(out, before);
    free(before);
    RUN(0, "%s sweep -o %s --run 1/3", k, p.dir);
    RUN(0, "%s sweep -o %s", k, p.dir);
    EXPECT_HAS(out, "4 of 4 runs are over already");
    static const struct {
        const char *arguments, *says;
        int status;
    } cases[] = {{"--run 5", "has 4 runs; there is no run 5", 2},
                 {"--run 0", "--run takes the number of a run, from 1", 2},
                 {"--run 3/2", "--run takes the number of a run, from 1", 2},
                 {"--run 1/", "--run takes the number of a run, from 1", 2},
                 {"--run last", "has no run 'last'; it has 4, the first is '0001'", 2},
                 {"--run 1 --jobs 2", "--jobs does not go with --run", 2},
                 {"--run 1 train.seed=3", "leave 'train.seed=3' out", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RUN(cases[i].status, "%s sweep -o %s %s", k, p.dir, cases[i].arguments);
        EXPECT_HAS(out, cases[i].says);
    }
    RUN(1, "%s sweep -o %s.none --run 1", k, p.dir);
    EXPECT_HAS(out, "holds no plan of a sweep");
    // what is new or was changed is not planned yet
    RUN(1,
        "echo '{\"run\": \"extra\", \"set\": [\"train.seed=9\"]}' >>%s/plan.jsonl; "
        "%s sweep -o %s --run extra",
        p.dir, k, p.dir);
    EXPECT_HAS(out, "the line of run extra is new or was changed, and is not planned yet; do so "
                    "by: kmidi slurm ");
    RUN(0, "%s slurm %s --overwrite -q --threads 1 && %s sweep -o %s --run extra", k, p.dir, k,
        p.dir);
    small_sweep_states(p.dir, "0001,done 0002,done 0003,done 0004,done extra,done ");
    RUN(1, "sed -i 's/seed=9/seed=8/' %s/plan.jsonl; %s slurm %s", p.dir, k, p.dir);
    EXPECT_HAS(out, "the line of run extra was changed after that run had begun");
    arena_free(&a);
}

// A failure is marked with its sentence, not repeated by a job that was only started again, and
// tried anew when it is handed in anew; a run that was ended stays so.
TEST(sweep_program_marks_single_runs)
{
    const char *out, *k = test_kmidi();
    place p = small_sweep_place();
    RUN(0, "%s slurm sweep %s train.seed=1..3 train.epochs=2 -o %s --threads 1 -q", k, p.yaml,
        p.dir);
    RUN(0, "mv %s/../songs %s/../gone", p.dir, p.dir);
    RUN(1, "SLURM_JOB_ID=41 %s sweep -o %s --run 1", k, p.dir);
    EXPECT_HAS(out, "songs/train-");
    small_sweep_states(p.dir, "0001,failed 0002,waiting 0003,waiting ");
    RUN(0, "mv %s/../gone %s/../songs", p.dir, p.dir);
    RUN(1, "SLURM_JOB_ID=41 SLURM_RESTART_COUNT=1 %s sweep -o %s --run 1/2", k, p.dir);
    EXPECT_HAS(out, "1 of this part's runs are not done; one of them: ");
    small_sweep_states(p.dir, "0001,failed 0002,waiting 0003,done ");
    RUN(0, "SLURM_JOB_ID=42 %s sweep -o %s --run 1", k, p.dir);
    RUN(0,
        "echo no good >%s/0002.why; mkdir %s/0002; : >%s/0002/.lock; mv %s/0002.why "
        "%s/0002/ENDED; %s sweep -o %s --run 2",
        p.dir, p.dir, p.dir, p.dir, p.dir, k, p.dir);
    EXPECT_HAS(out, "run 0002 was ended: no good");
    small_sweep_states(p.dir, "0001,done 0002,ended 0003,done ");
}

// A process of its own that trains the run, or that lives on with its lock.
static pid_t hold_run(const place *p, const char *epochs)
{
    char dir[1200];
    snprintf(dir, sizeof dir, "%s/0002", p->dir);
    pid_t pid = fork();
    if (pid == 0) {
        test_mortal();
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(99);
        execl(test_kmidi(), "kmidi", "train", p->yaml, "--run-dir", dir, "--resume", "auto",
              "train.seed=2", epochs, "train.save_every=0", "memory.micro_batch=8", (char *)NULL);
        _exit(98);
    }
    for (int i = 0; pid > 0 && i < 2000 && lock_look(dir, NULL) != LOCK_HELD; i++)
        usleep(5000);
    EXPECT_INT(lock_look(dir, NULL), LOCK_HELD);
    return pid;
}

static const char *holder(pid_t pid)
{
    static char text[40];
    snprintf(text, sizeof text, "(process %ld", (long)pid);
    return text;
}

// A run that another process has is named to who asks for it alone, and waited for by a sweep,
// which does all others meanwhile and begins none twice.
TEST(sweep_program_leaves_a_run_to_its_holder)
{
    const char *out, *k = test_kmidi();
    place p = small_sweep_place();
    RUN(0,
        "%s slurm sweep %s train.seed=1..3 train.epochs=3 train.save_every=0 -o %s --threads 1 -q",
        k, p.yaml, p.dir);
    pid_t pid = hold_run(&p, "train.epochs=100000");
    small_sweep_states(p.dir, "0001,waiting 0002,running 0003,waiting ");
    RUN(1, "env -u SLURM_JOB_ID %s sweep -o %s --run 2", k, p.dir);
    EXPECT_HAS(out, holder(pid));
    // a job is to come again
    RUN(75, "SLURM_JOB_ID=41 %s sweep -o %s --run 2", k, p.dir);
    EXPECT_HAS(out, holder(pid));
    RUN(75, "SLURM_JOB_ID=41 %s sweep -o %s --run 2/1000000", k, p.dir);
    RUN(2, "ls %s/0002/FAILED", p.dir);
    // its holder is asked to stop while the sweep waits for it: then the sweep goes on with it
    RUN(0,
        "( for i in $(seq 2000); do test -e %s/0001/DONE -a -e %s/0003/DONE && break; sleep 0.02; "
        "done; %s runs %s --csv "
        "-q | cut -d, -f1,2 >%s.seen; kill %ld ) & timeout 60 %s sweep -o %s --jobs 2; status=$?; "
        "wait; exit $status",
        p.dir, p.dir, k, p.dir, p.dir, (long)pid, k, p.dir);
    kill(pid, SIGTERM); // where none of this came to pass
    EXPECT_INT(small_sweep_ended(pid, true), 75);
    RUN(0, "tail -n 3 %s.seen | tr '\\n' ' '", p.dir);
    EXPECT_STR(out, "0001,done 0002,running 0003,done ");
    small_sweep_states(p.dir, "0001,done 0002,done 0003,done ");
    RUN(0, "grep -ho '\"restarts\": [0-9]*' %s/*/.lock | tr '\\n' ' '", p.dir);
    EXPECT_STR(out, "\"restarts\": 0 \"restarts\": 1 \"restarts\": 0 ");
}
