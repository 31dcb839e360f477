// SPDX-License-Identifier: GPL-3.0-or-later
// ranks.c: one run in several processes, from outside: the numbers of one process, the same bits
// each time and over kills, and to rounding for another number of them. Only for a program made
// with MPI=1 (make check-mpi).
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/same.h"
#include "tests/train/several.h"

enum { LINES_MOST = 128 };

// What a run wrote down: the figures of its lines, in their order.
typedef struct curve {
    int n;
    double value[LINES_MOST], norm[LINES_MOST];
} curve;

static curve curve_of(const char *run)
{
    size_t n;
    arena a = {.name = "curve"};
    curve c = {0};
    char *text = file_read(&a, arena_printf(&a, "%s/metrics.jsonl", run), 1 << 20, &n, NULL);
    EXPECT(text != NULL);
    for (char *line = text ? strtok(text, "\n") : NULL; line && c.n < LINES_MOST;
         line = strtok(NULL, "\n")) {
        json *j = json_parse(line, strlen(line), NULL);
        c.value[c.n] = json_num(json_get(j, "loss"), NAN);
        c.norm[c.n++] = json_num(json_get(j, "grad_norm"), 1);
        json_free(j);
    }
    arena_free(&a);
    return c;
}

static void expect_near(const char *run, const char *one, double bound)
{
    double most = 0;
    curve a = curve_of(run), b = curve_of(one);
    test_expect(a.n == b.n && a.n > 3, __FILE__, __LINE__, "%s: %d and %d lines", run, a.n, b.n);
    for (int i = 0; i < a.n && i < b.n; i++) {
        most = larger(most, fabs(a.value[i] - b.value[i]) / fabs(b.value[i]));
        most = larger(most, fabs(a.norm[i] - b.norm[i]) / fabs(b.norm[i]) / 10);
    }
    test_expect(most < bound, __FILE__, __LINE__, "%s: curves differ by %g", run, most);
}

// A way of training: its runs are in `one` (a process), `two`, `four`, `parts` (ranks).
typedef struct trial {
    char one[1100], two[1100], four[1100], parts[1100];
    char more[4000];
} trial;

static void place(trial *t, const char *yaml, const char *more)
{
    snprintf(t->one, sizeof t->one, "%s/one", test_dir());
    snprintf(t->two, sizeof t->two, "%s/two", test_dir());
    snprintf(t->four, sizeof t->four, "%s/four", test_dir());
    snprintf(t->parts, sizeof t->parts, "%s/parts", test_dir());
    snprintf(t->more, sizeof t->more,
             "%s --resume auto memory.micro_batch=2 train.save_every_steps=1 %s", yaml, more);
    setenv("KMIDI_GEMM", "openblas", 1); // whatever this machine knows
}

static void train(const trial *t, const char *starter, const char *run, const char *more)
{
    const char *out;
    int status = test_shell(&out, "%s %s train %s --run-dir %s %s -q </dev/null", starter,
                            test_kmidi(), t->more, run, more);
    test_expect(status == 0, __FILE__, __LINE__, "%s: %d: %s", run, status, out);
}

// Killed so often, at any instant, one rank or both, and gone on with: ends with the bits of the
// run that was left alone.
static int kill_at_random(const trial *t, const char *name, int most)
{
    rng draws = rng_stream(815, name, 0);
    uint32_t drawn = 0;
    int kills = 0;
    while (kills < most) {
        int status = -1;
        EXPECT_INT(test_shell(NULL, "rm -rf %s", t->parts), 0);
        while (status != 0) {
            several s = several_start(2, t->parts, t->more);
            if (kills < most) {
                several_await(&s, (int)rng_below(draws, 0, drawn++, 9));
                usleep(rng_below(draws, 0, drawn++, 60000));
                uint32_t which = rng_below(draws, 0, drawn++, 3);
                kills += kill(s.rank[which % 2], SIGKILL) == 0;
                if (which == 2)
                    kill(s.rank[1], SIGKILL);
            }
            status = several_end(&s, 60);
            if (!test_expect(status == 0 || status == 128 + SIGKILL, __FILE__, __LINE__, "%d: %s",
                             status, several_said(&s)))
                return kills;
        }
        arena a = {.name = "parts"};
        same_runs(t->two, t->parts, same_step(t->two, &a));
        arena_free(&a);
    }
    EXPECT_INT(test_shell(NULL, "%s verify %s/checkpoints/*.h5", test_kmidi(), t->parts), 0);
    return kills;
}

// One process, 2 ranks, those killed and gone on with; 4 ranks that go on where 2 were killed.
// KMIDI_KILLS=60 is the figure of the documents.
static void try_way(const char *name, const char *yaml, const char *more, double bound)
{
    trial t;
    const char *text = getenv("KMIDI_KILLS");
    place(&t, yaml, more);
    train(&t, "", t.one, "");
    train(&t, several_starter(2), t.two, "");
    expect_near(t.two, t.one, bound);
    int kills = kill_at_random(&t, name, text ? (atoi(text) + 3) / 4 : 1);
    if (text)
        printf("%s: %d times killed, the same bits\n", name, kills);
    several s = several_start(2, t.four, t.more);
    several_await(&s, 5);
    kill(s.rank[0], SIGKILL);
    EXPECT_INT(several_end(&s, 60), 128 + SIGKILL);
    train(&t, several_starter(4), t.four, "memory.micro_batch=1");
    expect_near(t.four, t.one, bound);
}

TEST(ranks_make_the_curve_of_one_process)
{
    if (several_can_run())
        try_way("augmented", corpus_make(test_path("data")),
                "train.epochs=2 train.grad_clip=0.5 train.ema=0.9 data.balance=class_weights",
                2e-5);
}

TEST(ranks_make_the_curve_of_one_process_with_accumulation)
{
    if (several_can_run())
        try_way("accumulated", corpus_make_songs(test_path("data"), "harmony_predictor"),
                "train.batch_size=4 train.grad_accum=2 optim.name=muon train.epochs=1", 1e-4);
}

TEST(ranks_make_the_curve_of_one_process_of_adapters)
{
    const char *out;
    char yaml[1100], more[1300];
    if (!several_can_run())
        return;
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    int status = test_shell(&out, "%s train %s --run-dir %s/base train.epochs=1 -q", test_kmidi(),
                            yaml, test_dir());
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    snprintf(more, sizeof more,
             "train.epochs=2 lora.r=2 lora.target_modules=[fc1] lora.base=%s/base", test_dir());
    try_way("adapters", yaml, more, 2e-5);
}

TEST(ranks_make_the_curve_of_one_process_of_tokens)
{
    if (several_can_run())
        try_way("tokens", corpus_make_songs(test_path("data"), "melody_transformer"),
                "data.augment.transpose=[-3,3] data.augment.drop=0.1 train.epochs=1", 1e-4);
}
