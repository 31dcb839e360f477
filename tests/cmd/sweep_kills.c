// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_kills.c (tests): sweeps, and runs of a sweep begun one by one as tasks of an array, killed
// at any instant and begun again: they end as one that was left alone, with the same bits, and no
// run that was done ran again. KMIDI_KILLS says how often each is killed.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "base/rng.h"
#include "tests/cmd/small_sweep.h"
#include "tests/test.h"
#include "tests/train/same.h"
#include "train/lock.h"

enum { RUNS = 6, STEPS = 70, SLOTS = 2, FOUND_TAKEN = 75 };

#define SPACE                                                                                      \
    "optim.lr=1e-2,1e-3", "train.seed=1..3", "train.epochs=10", "train.save_every_steps=10"

// A sweep that is killed, one that is not, and what was drawn so far.
typedef struct trial {
    place whole, parts;
    double seconds; // that the whole one took
    rng draws;
    uint32_t drawn;
    int most, kills;
    char taken[RUNS][32]; // when the lock of a run was taken that is done
} trial;

static uint32_t draw(trial *t, uint32_t below)
{
    return rng_below(t->draws, 0, t->drawn++, below);
}

// `kmidi ARGUMENTS`, in a group of its own, silent.
static pid_t start(const char *const *arguments)
{
    pid_t pid = fork();
    if (pid == 0) {
        test_mortal();
        setpgid(0, 0);
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(99);
        execv(test_kmidi(), (char *const *)(size_t)arguments);
        _exit(98);
    }
    return pid;
}

static pid_t start_sweep(const place *p, const char *jobs)
{
    return start((const char *const[]){"kmidi", "sweep", p->yaml, SPACE, "-o", p->dir, "--jobs",
                                       jobs, NULL});
}

static trial begin(const char *name)
{
    const char *asked = getenv("KMIDI_KILLS");
    trial t = {.most = asked ? atoi(asked) : 3, .draws = rng_stream(33, name, 0)};
    t.whole = t.parts = small_sweep_place();
    snprintf(t.parts.dir, sizeof t.parts.dir, "%s", test_path("sweep.parts"));
    double began = hw_seconds();
    EXPECT_INT(small_sweep_ended(start_sweep(&t.whole, "2"), true), 0);
    same_measured();
    t.seconds = hw_seconds() - began;
    return t;
}

// A run that is begun again takes its lock anew; one that is done is not begun again.
static void note_done(trial *t)
{
    arena a = {0};
    for (int i = 0; i < RUNS; i++) {
        lock_owner o;
        const char *run = arena_printf(&a, "%s/%04d", t->parts.dir, i + 1);
        if (!file_exists(arena_printf(&a, "%s/DONE", run)) || lock_look(run, &o) == LOCK_NONE)
            continue;
        char now[64];
        snprintf(now, sizeof now, "%.20s %lld", o.taken, (long long)o.pid);
        if (*t->taken[i])
            EXPECT_STR(now, t->taken[i]);
        snprintf(t->taken[i], sizeof t->taken[i], "%.31s", now);
    }
    arena_free(&a);
}

static void once_more(trial *t)
{
    EXPECT_INT(test_shell(NULL, "rm -r %s", t->parts.dir), 0);
    memset(t->taken, 0, sizeof t->taken);
}

static void expect_same(trial *t, const char *what)
{
    const char *out;
    arena a = {0};
    for (int i = 1; i <= RUNS; i++)
        same_runs(arena_printf(&a, "%s/%04d", t->whole.dir, i),
                  arena_printf(&a, "%s/%04d", t->parts.dir, i), STEPS);
    EXPECT_INT(test_shell(&out, "find %s -name '*.tmp-*'", t->parts.dir), 0);
    EXPECT_STR(out, "");
    EXPECT_INT(
        test_shell(&out, "%s verify $(ls %s/*/checkpoints/last.h5)", test_kmidi(), t->parts.dir),
        0);
    if (getenv("KMIDI_KILLS"))
        printf("%s: %d times killed, the same bits\n", what, t->kills);
    arena_free(&a);
}

// The sweep alone, or with all that it has started, or asked to stop.
static int kill_sweep(trial *t, pid_t pid)
{
    int how = t->kills++ % 4;
    kill(how == 1 ? -pid : pid, how == 3 ? SIGTERM : SIGKILL);
    int status = small_sweep_ended(pid, true);
    EXPECT(status == 75 || status == 128 + SIGKILL);
    return status;
}

TEST(sweep_program_survives_kills)
{
    trial t = begin("sweep");
    for (int status = -1; status != 0;) {
        pid_t pid = start_sweep(&t.parts, t.kills % 3 ? "2" : "3");
        double delay = t.seconds * (0.05 + 0.0003 * draw(&t, 1000)), began = hw_seconds();
        while ((status = small_sweep_ended(pid, false)) < 0 &&
               (t.kills >= t.most || hw_seconds() - began < delay))
            usleep(1000);
        if (status < 0)
            status = kill_sweep(&t, pid);
        else if (!EXPECT(status == 0))
            break;
        note_done(&t);
        if (status == 0 && t.kills < t.most) // too fast
            once_more(&t), status = -1;
    }
    expect_same(&t, "a sweep");
}

// ---- Tasks of an array: a scheduler of two nodes, which begins runs in no order, some that are
// done already, some twice at a time (as where a node was lost and its processes live on).

typedef struct task {
    pid_t pid; // 0: the node is free
    int run;
} task;

static void start_task(const trial *t, task *k, int run)
{
    arena a = {0};
    k->run = run;
    setenv("SLURM_JOB_ID", arena_printf(&a, "%d", 100 + run), 1);
    setenv("SLURM_RESTART_COUNT", arena_printf(&a, "%d", t->kills), 1);
    setenv("SLURM_JOB_END_TIME", "4000000000", 1);
    k->pid = start((const char *const[]){"kmidi", "sweep", "-o", t->parts.dir, "--run",
                                         arena_printf(&a, "%d", run), "--threads", "1", NULL});
    unsetenv("SLURM_JOB_ID"), unsetenv("SLURM_RESTART_COUNT"), unsetenv("SLURM_JOB_END_TIME");
    arena_free(&a);
}

// SIGTERM ends a process that is not yet so far as to take it for a question.
static void reap(trial *t, task *k, bool over[RUNS + 1], bool wait)
{
    int status = k->pid ? small_sweep_ended(k->pid, wait) : -1;
    if (status < 0)
        return;
    test_expect(status == 0 || status == FOUND_TAKEN || status == 128 + SIGKILL ||
                    status == 128 + SIGTERM,
                __FILE__, __LINE__, "run %d: %d", k->run, status);
    over[k->run] = over[k->run] || status == 0;
    k->pid = 0;
    note_done(t);
}

static int plan_array(trial *t)
{
    return test_shell(NULL,
                      "PATH=/bin:/usr/bin %s slurm sweep %s optim.lr=1e-2,1e-3 train.seed=1..3 "
                      "train.epochs=10 train.save_every_steps=10 -o %s --threads 1 -q",
                      test_kmidi(), t->parts.yaml, t->parts.dir);
}

static bool all_over(const bool over[RUNS + 1])
{
    int n = 0;
    for (int i = 1; i <= RUNS; i++)
        n += over[i];
    return n == RUNS;
}

// Until all runs are over; one task in two is killed, by -9 or asked to stop.
static void run_array(trial *t)
{
    bool over[RUNS + 1] = {false};
    task nodes[SLOTS] = {{0}};
    EXPECT_INT(plan_array(t), 0);
    for (double began = hw_seconds(); !all_over(over) && hw_seconds() - began < 600;) {
        task *k = &nodes[draw(t, SLOTS)];
        reap(t, k, over, false);
        if (!k->pid)
            start_task(t, k, 1 + (int)draw(t, RUNS));
        usleep(draw(t, 1 + (uint32_t)(t->seconds * 2e5)));
        if (t->kills < t->most && draw(t, 2)) {
            t->kills++;
            kill(k->pid, draw(t, 4) ? SIGKILL : SIGTERM);
        }
    }
    for (int i = 0; i < SLOTS; i++)
        reap(t, &nodes[i], over, true);
    EXPECT(all_over(over));
}

TEST(sweep_program_survives_killed_tasks_of_an_array)
{
    trial t = begin("array");
    run_array(&t);
    while (t.kills < t.most) {
        once_more(&t);
        run_array(&t);
    }
    expect_same(&t, "an array");
    const char *out;
    EXPECT_INT(test_shell(&out, "%s sweep -o %s", test_kmidi(), t.parts.dir), 0);
    EXPECT_HAS(out, "6 of 6 runs are over already");
}
