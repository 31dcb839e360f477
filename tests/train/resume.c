// SPDX-License-Identifier: GPL-3.0-or-later
// resume.c (tests): a run that is killed again and again, at any instant, ends with the very bits of one that was left alone.
//
// Every step saves, so that many of the kills fall into a save. Signals that ask nicely are tested beside it.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "base/rng.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/small.h"

enum { STEPS = 40, KILLS = 16 };

// Starts the program with its output thrown away.
static pid_t start(const char *const arguments[])
{
    pid_t pid = fork();
    if (pid == 0) {
        test_mortal();
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(99);
        execv(test_kmidi(), (char *const *)(uintptr_t)arguments);
        _exit(98);
    }
    return pid;
}

// Its exit status; 128 + signal; -1 while it runs.
static int ended(pid_t pid, bool wait)
{
    int status = 0;
    if (waitpid(pid, &status, wait ? 0 : WNOHANG) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void sleep_for(double seconds)
{
    usleep((useconds_t)(seconds * 1e6));
}

typedef struct side {
    checkpoint *k;
    params *p;
    char *metrics;
} side;

static side look(const char *dir, arena *a)
{
    err e = {0};
    size_t n;
    side s = {.k = checkpoint_open(arena_printf(a, "%s/checkpoints/last.h5", dir), a, &e), .p = params_open(a)};
    EXPECT_OK(s.k != NULL, e);
    model_dims d = {.batch = 1, .time = 2, .classes = 3};
    EXPECT_OK(s.k && model_build(s.k->model, s.p, &d, a, &e) && params_allocate(s.p, 2, &e) && checkpoint_resume(s.k, s.p, NULL, &e), e);
    char *text = file_read(a, arena_printf(a, "%s/metrics.jsonl", dir), 1 << 24, &n, &e);
    EXPECT_OK(text != NULL, e);
    s.metrics = text ? small_without_clock(text) : "";
    return s;
}

// All of the state but what a clock says.
static bool same_state(checkpoint_state x, checkpoint_state y)
{
    x.seconds = y.seconds = 0;
    x.metrics_bytes = y.metrics_bytes = 0;
    return !memcmp(&x, &y, sizeof x);
}

static void expect_same(const char *one, const char *other, int64_t steps)
{
    arena a = {0};
    side x = look(one, &a), y = look(other, &a);
    if (x.k && y.k) {
        EXPECT(same_state(x.k->state, y.k->state));
        EXPECT_INT(x.k->state.step, steps);
        EXPECT(!memcmp(x.p->weights, y.p->weights, sizeof(float) * (size_t)x.p->weights_len));
        for (int m = 0; m < 2; m++)
            EXPECT(!memcmp(x.p->moment[m], y.p->moment[m], sizeof(float) * (size_t)x.p->grads_len));
        EXPECT(!strcmp(x.metrics, y.metrics));
    }
    params_release(x.p), params_release(y.p);
    checkpoint_close(x.k), checkpoint_close(y.k);
    arena_free(&a);
}

static int run_killed(const char *const fresh[], const char *const resume[], double whole)
{
    rng r = rng_stream(4711, "kills", 0);
    int kills = 0, status = -1;
    bool begun = false;
    for (int attempt = 0; status != 0 && attempt < 200; attempt++) {
        pid_t pid = start(begun ? resume : fresh);
        double delay = kills < KILLS ? whole * (double)(0.03f + 0.25f * rng_uniform(r, 0, (uint32_t)attempt)) : 60;
        for (double began = hw_seconds(); (status = ended(pid, false)) < 0 && hw_seconds() - began < delay;)
            sleep_for(0.001);
        if (status < 0) {
            kill(pid, SIGKILL);
            kills++;
            status = ended(pid, true);
        }
        EXPECT(status == 0 || status == 128 + SIGKILL || (!begun && status == 1));
        begun = file_exists(resume[3]) && test_shell(NULL, "ls %s/checkpoints/last.h5", resume[3]) == 0;
    }
    EXPECT_INT(status, 0);
    return kills;
}

// The run of `yaml` left alone, and one that is killed again and again, end with the same bits.
static void kill_and_go_on(const char *yaml, const char *epochs, const char *more, int64_t steps)
{
    char whole[1100], parts[1100];
    snprintf(whole, sizeof whole, "%s", test_path("whole"));
    snprintf(parts, sizeof parts, "%s", test_path("parts"));
    double began = hw_seconds();
    EXPECT_INT(test_shell(NULL, "%s train %s --run-dir %s --overwrite train.save_every_steps=1 train.ema=0.5 %s %s", test_kmidi(), yaml,
                          whole, epochs, more),
               0);
    double seconds = hw_seconds() - began;
    const char *fresh[] = {"kmidi",         "train", yaml, "--run-dir", parts, "--overwrite", "train.save_every_steps=1",
                           "train.ema=0.5", epochs,  more, NULL};
    const char *resume[] = {"kmidi", "train", "--resume", parts, NULL};
    EXPECT(run_killed(fresh, resume, seconds) >= 4);
    expect_same(whole, parts, steps);
    EXPECT_INT(test_shell(NULL, "test -z \"$(ls %s/checkpoints | grep tmp)\"", parts), 0);
    EXPECT_INT(test_shell(NULL, "%s verify %s/checkpoints/*.h5 || test $? = 2", test_kmidi(), parts), 0);
    // what is done stays done
    EXPECT_INT(test_shell(NULL, "%s train --resume %s", test_kmidi(), parts), 0);
    expect_same(whole, parts, steps);
}

TEST(resume_after_kill_is_bit_exact)
{
    kill_and_go_on(corpus_make(test_path("data")), "train.epochs=10", "data.balance=class_weights", STEPS);
}

TEST(resume_after_kill_is_bit_exact_on_songs)
{
    kill_and_go_on(corpus_make_songs(test_path("songs"), "harmony_predictor"), "train.epochs=3", "train.grad_accum=2", 45);
}

TEST(resume_after_signals)
{
    const char *out;
    char yaml[1100], dir[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    snprintf(dir, sizeof dir, "%s", test_path("run"));
    const char *go[] = {"kmidi", "train", yaml, "--run-dir", dir, "train.epochs=1000000", "train.save_every=0", "train.eval_every=1000000",
                        NULL};
    pid_t pid = start(go);
    for (int i = 0; i < 5000 && test_shell(NULL, "test -s %s/metrics.jsonl", dir); i++)
        sleep_for(0.002);
    EXPECT(!file_exists(test_path("run/checkpoints/last.h5")));
    kill(pid, SIGUSR1);
    for (int i = 0; i < 5000 && !file_exists(test_path("run/checkpoints/last.h5")); i++)
        sleep_for(0.002);
    EXPECT(file_exists(test_path("run/checkpoints/last.h5")));
    EXPECT_INT(test_shell(NULL, "rm %s/checkpoints/last.h5 && touch %s/SAVE", dir, dir), 0);
    for (int i = 0; i < 5000 && !file_exists(test_path("run/checkpoints/last.h5")); i++)
        sleep_for(0.002);
    EXPECT(file_exists(test_path("run/checkpoints/last.h5")) && !file_exists(test_path("run/SAVE")));
    EXPECT_INT(test_shell(&out, "%s train --resume %s", test_kmidi(), dir), 1);
    EXPECT_HAS(out, "is in use by another kmidi");
    kill(pid, SIGTERM);
    EXPECT_INT(ended(pid, true), 75);
    EXPECT(file_exists(test_path("run/STOPPED")));
    EXPECT_INT(test_shell(&out, "%s train --resume %s train.time_limit=0.5s", test_kmidi(), dir), 75);
    EXPECT_HAS(out, "the time limit is near");
    EXPECT_HAS(out, "go on with: kmidi train --resume");
    EXPECT_INT(test_shell(&out, "SLURM_JOB_END_TIME=$(($(date +%%s) - 1)) %s train --resume %s --json", test_kmidi(), dir), 75);
    EXPECT_HAS(out, "the time limit is near");
    EXPECT_HAS(out, "{\"run\": ");
    EXPECT_INT(test_shell(&out, "%s train %s --resume %s train.time_limit=0.5s", test_kmidi(), yaml, dir), 75);
    EXPECT_INT(test_shell(&out, "%s train --resume %s optim.lr=1", test_kmidi(), dir), 2);
    EXPECT_HAS(out, "'optim.lr' was 0.001 when the run began and cannot become 1 now");
}

TEST(resume_from_a_damaged_checkpoint)
{
    const char *out;
    char yaml[1100], dir[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    snprintf(dir, sizeof dir, "%s", test_path("run"));
    EXPECT_INT(test_shell(NULL, "%s train %s --run-dir %s train.epochs=2", test_kmidi(), yaml, dir), 0);
    EXPECT_INT(test_shell(NULL, "printf x | dd of=%s/checkpoints/last.h5 bs=1 seek=1000000 conv=notrunc", dir), 0);
    EXPECT_INT(test_shell(&out, "%s train --resume %s train.epochs=3", test_kmidi(), dir), 1);
    EXPECT_HAS(out, "last.h5");
    EXPECT_HAS(out, "the newest intact checkpoint beside it is");
    EXPECT_INT(test_shell(&out, "%s train --resume %s/checkpoints/previous.h5 train.epochs=3", test_kmidi(), dir), 0);
    // other data
    EXPECT_INT(test_shell(&out, "%s train --resume %s data.train=%s/val-*.h5 train.epochs=4", test_kmidi(), dir, test_path("data")), 1);
    EXPECT_HAS(out, "was trained on other data");
}
