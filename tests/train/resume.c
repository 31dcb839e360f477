// SPDX-License-Identifier: GPL-3.0-or-later
// resume.c (tests): a run that is killed again and again, at any instant, ends with the very bits
// of one that was left alone.
//
// Every step saves, so that many of the kills fall into a save. Signals that ask nicely are tested
// beside it.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/h5.h"
#include "base/hw.h"
#include "base/rng.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/same.h"
#include "tests/train/small.h"

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

// A way of training, and the command that begins it and goes on with it alike.
typedef struct way {
    const char *name, *model; // of songs; NULL: the small corpus of sounds
    const char *more[6];
    int64_t steps;
} way;

static const way ways[] = {
    {"plain", NULL, {"train.epochs=10", "data.balance=class_weights"}, 40},
    {"ema",
     "harmony_predictor",
     {"train.epochs=3", "train.grad_accum=2", "train.ema=0.9", "optim.name=muon",
      "optim.row_beta=0.9"},
     45},
    {"lora",
     NULL,
     {"train.epochs=10", "lora.r=2", "lora.target_modules=[fc1]", "train.ema=0.5"},
     40},
    {"augmented",
     "melody_transformer",
     {"train.epochs=3", "data.augment.transpose=[-3, 3]", "data.augment.stretch=[0.9, 1.1]",
      "data.augment.drop=0.1", "train.condition_dropout=0.3"},
     0},
};

enum { SAVES = 5 }; // place in the command

typedef struct trial {
    char yaml[1100], whole[1100], parts[1100], base[1200];
    const char *command[20];
    int64_t steps;
    double seconds; // of the whole
    rng draws;
    uint32_t drawn;
} trial;

static void put(trial *t, const char *argument)
{
    size_t n = 0;
    while (t->command[n])
        n++;
    t->command[n] = argument;
}

// The run that is left alone, and the command for the other.
static void trial_open(trial *t, const way *w)
{
    strbuf line = {0};
    arena a = {0};
    *t = (trial){.draws = rng_stream(4711, w->name, 0)};
    const char *data = test_path(arena_printf(&a, "%s-data", w->name));
    snprintf(t->yaml, sizeof t->yaml, "%s",
             w->model ? corpus_make_songs(data, w->model) : corpus_make(data));
    snprintf(t->whole, sizeof t->whole, "%s-whole", test_path(w->name));
    snprintf(t->parts, sizeof t->parts, "%s-parts", test_path(w->name));
    put(t, "kmidi"), put(t, "train"), put(t, t->yaml), put(t, "--resume"), put(t, "auto"),
        put(t, "train.save_every_steps=1");
    // one that is killed before its first checkpoint chooses anew, by what it measures
    put(t, "memory.micro_batch=8");
    for (int i = 0; i < 6 && w->more[i]; i++)
        put(t, w->more[i]);
    if (!strcmp(w->name, "lora")) {
        EXPECT_INT(test_shell(NULL, "%s train %s --run-dir %s/base train.epochs=1", test_kmidi(),
                              t->yaml, test_dir()),
                   0);
        snprintf(t->base, sizeof t->base, "lora.base=%s/base", test_dir());
        put(t, t->base);
    }
    for (int i = 1; t->command[i]; i++)
        strbuf_printf(&line, " '%s'", t->command[i]);
    double began = hw_seconds();
    EXPECT_INT(test_shell(NULL, "%s%s --run-dir %s", test_kmidi(), line.s, t->whole), 0);
    same_measured();
    t->seconds = hw_seconds() - began;
    t->steps = same_step(t->whole, &a);
    EXPECT(!w->steps || t->steps == w->steps);
    put(t, "--run-dir"), put(t, t->parts);
    strbuf_free(&line);
    arena_free(&a);
}

static double draw(trial *t)
{
    return (double)rng_uniform(t->draws, 0, t->drawn++);
}

// Killed at any instant until it is done, again from the beginning when that was too soon: ends
// with the same bits every time.
static int kill_at_random(trial *t, int most)
{
    int kills = 0;
    while (kills < most) {
        int status = -1;
        EXPECT_INT(test_shell(NULL, "rm -rf %s", t->parts), 0);
        while (status != 0) {
            pid_t pid = start(t->command);
            double delay = kills < most ? t->seconds * (0.03 + 0.25 * draw(t)) : 60;
            for (double began = hw_seconds();
                 (status = ended(pid, false)) < 0 && hw_seconds() - began < delay;)
                sleep_for(0.001);
            if (status < 0) {
                kill(pid, SIGKILL);
                kills++;
                status = ended(pid, true);
            }
            if (!EXPECT(status == 0 || status == 128 + SIGKILL))
                return kills;
        }
        same_runs(t->whole, t->parts, t->steps);
    }
    EXPECT_INT(test_shell(NULL, "%s verify %s/checkpoints/*.h5", test_kmidi(), t->parts), 0);
    return kills;
}

// What was computed is saved: the last line of metrics.jsonl is of the checkpoint's step.
static void expect_nothing_lost(trial *t)
{
    arena a = {0};
    const char *text = same_metrics(t->parts, &a), *last = text;
    for (const char *p = text; p && (p = strstr(p, "\"step\": "));)
        last = p += strlen("\"step\": ");
    if (text && *text)
        EXPECT_INT(same_step(t->parts, &a), atoll(last));
    arena_free(&a);
}

static int stop_by_pairs(trial *t, int most)
{
    int pairs = 0;
    while (pairs < most) {
        int status = -1;
        EXPECT_INT(test_shell(NULL, "rm -rf %s", t->parts), 0);
        while (status != 0) {
            pid_t pid = start(t->command);
            double delay = pairs < most ? t->seconds * (0.1 + 0.5 * draw(t)) : 60,
                   gap = 0.05 * draw(t);
            for (double began = hw_seconds();
                 (status = ended(pid, false)) < 0 && hw_seconds() - began < delay;)
                sleep_for(0.001);
            if (status < 0) {
                kill(pid, SIGTERM);
                sleep_for(gap);
                kill(pid, SIGTERM);
                pairs++;
                status = ended(pid, true);
                expect_nothing_lost(t);
            }
            // the last: before main had begun
            if (!EXPECT(status == 0 || status == 75 || status == 128 + SIGTERM))
                return pairs;
        }
        same_runs(t->whole, t->parts, t->steps);
    }
    return pairs;
}

// KMIDI_KILLS=300 and KMIDI_PAIRS=100 are the figures of the documents.
static int asked(const char *name, int usual)
{
    const char *text = getenv(name);
    return text ? (atoi(text) + 3) / 4 : usual;
}

static void try_way(int i)
{
    trial t;
    trial_open(&t, &ways[i]);
    int kills = kill_at_random(&t, asked("KMIDI_KILLS", 4));
    t.command[SAVES] = "train.save_every=0"; // then a stop is what saves
    int pairs = stop_by_pairs(&t, asked("KMIDI_PAIRS", 2));
    if (getenv("KMIDI_KILLS"))
        printf("%s: %d times killed, %d pairs of SIGTERM: the same bits\n", ways[i].name, kills,
               pairs);
}

TEST(resume_after_kills_and_pairs_plain)
{
    try_way(0);
}

TEST(resume_after_kills_and_pairs_with_averages)
{
    try_way(1);
}

TEST(resume_after_kills_and_pairs_of_adapters)
{
    try_way(2);
}

TEST(resume_after_kills_and_pairs_with_augmentation)
{
    try_way(3);
}

TEST(resume_after_signals)
{
    const char *out;
    char yaml[1100], dir[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    snprintf(dir, sizeof dir, "%s", test_path("run"));
    const char *go[] = {"kmidi",
                        "train",
                        yaml,
                        "--run-dir",
                        dir,
                        "train.epochs=1000000",
                        "train.save_every=0",
                        "train.eval_every=1000000",
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
    EXPECT(file_exists(test_path("run/checkpoints/last.h5")) &&
           !file_exists(test_path("run/SAVE")));
    EXPECT_INT(test_shell(&out, "%s train --resume %s", test_kmidi(), dir), 1);
    EXPECT_HAS(out, "is in use by another kmidi");
    kill(pid, SIGTERM);
    EXPECT_INT(ended(pid, true), 75);
    EXPECT(file_exists(test_path("run/STOPPED")));
    EXPECT_INT(test_shell(&out, "%s train --resume %s train.time_limit=0.5s", test_kmidi(), dir),
               75);
    EXPECT_HAS(out, "the time limit is near");
    EXPECT_HAS(out, "go on with: kmidi train --resume");
    EXPECT_INT(test_shell(&out,
                          "SLURM_JOB_END_TIME=$(($(date +%%s) - 1)) %s train --resume %s --json",
                          test_kmidi(), dir),
               75);
    EXPECT_HAS(out, "the time limit is near");
    EXPECT_HAS(out, "{\"run\": ");
    EXPECT_INT(
        test_shell(&out, "%s train %s --resume %s train.time_limit=0.5s", test_kmidi(), yaml, dir),
        75);
    EXPECT_INT(test_shell(&out, "%s train --resume %s optim.lr=1", test_kmidi(), dir), 2);
    EXPECT_HAS(out, "'optim.lr' was 0.001 when the run began and cannot become 1 now");
}

TEST(resume_from_a_damaged_checkpoint)
{
    const char *out;
    char yaml[1100], dir[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    snprintf(dir, sizeof dir, "%s", test_path("run"));
    EXPECT_INT(test_shell(NULL, "%s train %s --run-dir %s train.epochs=2", test_kmidi(), yaml, dir),
               0);
    EXPECT_INT(test_shell(NULL,
                          "printf x | dd of=%s/checkpoints/last.h5 bs=1 seek=1000000 conv=notrunc",
                          dir),
               0);
    EXPECT_INT(test_shell(&out, "%s train --resume %s train.epochs=3", test_kmidi(), dir), 1);
    EXPECT_HAS(out, "last.h5");
    EXPECT_HAS(out, "the newest intact checkpoint beside it is");
    EXPECT_INT(test_shell(&out, "%s train --resume %s/checkpoints/previous.h5 train.epochs=3",
                          test_kmidi(), dir),
               0);
    // other data
    EXPECT_INT(test_shell(&out, "%s train --resume %s data.train=%s/val-*.h5 train.epochs=4",
                          test_kmidi(), dir, test_path("data")),
               1);
    EXPECT_HAS(out, "was trained on other data");
}
