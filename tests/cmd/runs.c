// SPDX-License-Identifier: GPL-3.0-or-later
// runs.c (tests): `kmidi runs` tells how runs stand at every moment, and what differs.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/small.h"
#include "train/folder.h"
#include "train/runs.h"

// Run `name` among the lines that --json prints.
static json *line_of(const char *out, const char *name)
{
    arena a = {0};
    const char *want = arena_printf(&a, "{\"run\": \"%s\",", name);
    const char *at = strstr(out, want);
    json *j = at ? json_parse(at, strcspn(at, "\n"), NULL) : NULL;
    test_expect(j != NULL, __FILE__, __LINE__, "no run %s in: %s", name, out);
    arena_free(&a);
    return j;
}

static void expect_state(const char *dir, const char *name, const char *state, const char *why)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "%s runs %s --json -q", test_kmidi(), dir), 0);
    json *j = line_of(out, name);
    EXPECT_STR(json_str(json_get(j, "state"), ""), state);
    if (why)
        EXPECT_HAS(json_str(json_get(j, "why"), ""), why);
    json_free(j);
}

// A run that goes on for ever, once it has evaluated more often than before.
static pid_t start(const char *yaml, const char *dir)
{
    arena a = {0};
    const char *out;
    (void)test_shell(&out, "grep -c eval %s/metrics.jsonl", dir);
    int before = atoi(out);
    pid_t pid = fork();
    if (pid == 0) {
        test_mortal();
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(99);
        execl(test_kmidi(), "kmidi", "train", yaml, "--run-dir", dir, "--resume", "auto",
              "train.epochs=1000000", "train.save_every=5", "train.seed=3", (char *)NULL);
        _exit(98);
    }
    const char *watch = arena_printf(
        &a, "grep -q '\"pid\": %d,' %s/.lock && test $(grep -c eval %s/metrics.jsonl) -gt %d",
        (int)pid, dir, dir, before);
    for (int i = 0; i < 5000 && test_shell(NULL, "%s", watch); i++)
        usleep(2000);
    arena_free(&a);
    return pid;
}

static void end(pid_t pid, int number)
{
    kill(pid, number);
    waitpid(pid, NULL, 0);
}

TEST(runs_program_tells_the_truth_at_every_moment)
{
    const char *out, *k = test_kmidi();
    char yaml[1100], dir[1100], live[1200];
    err e = {0};
    snprintf(yaml, sizeof yaml, "%s", corpus_make_songs(test_path("songs"), "dynamics_engine"));
    snprintf(dir, sizeof dir, "%s", test_path("runs"));
    snprintf(live, sizeof live, "%s/deep/live", dir);
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/done optim.lr=0.01", k, yaml, dir), 0);
    pid_t pid = start(yaml, live);
    expect_state(dir, "deep/live", "running", NULL);
    end(pid, SIGKILL);
    expect_state(dir, "deep/live", "stopped", "killed, or its machine went down: process");
    pid = start(yaml, live);
    expect_state(dir, "deep/live", "running", NULL);
    end(pid, SIGTERM);
    expect_state(dir, "deep/live", "stopped", "asked to stop");
    EXPECT_OK(folder_fail(test_path("runs/never"), "no such data", &e), e);
    expect_state(dir, "never", "failed", "no such data");
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/never --resume auto", k, yaml, dir), 0);
    expect_state(dir, "never", "done", "all steps");
    EXPECT_INT(test_shell(&out, "%s runs %s --json -q --filter run=deep/live", k, dir), 0);
    json *j = line_of(out, "deep/live");
    EXPECT_INT(json_int(json_get(j, "restarts"), -1), 1);
    EXPECT(json_int(json_get(j, "step"), 0) > 0);
    EXPECT_INT(json_int(json_get(j, "steps"), 0) % 1000000, 0);
    json_free(j);
}

TEST(runs_program_marks_a_run_that_fails_as_it_begins)
{
    const char *out, *k = test_kmidi();
    char yaml[1100], dir[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make_songs(test_path("songs"), "dynamics_engine"));
    snprintf(dir, sizeof dir, "%s", test_path("runs"));
    // a limit of file sizes is a disk that is full
    EXPECT_INT(
        test_shell(&out, "mkdir %s; ulimit -f 1; %s train %s --run-dir %s/full", dir, k, yaml, dir),
        1);
    expect_state(dir, "full", "failed", "raise the limit of file sizes");
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/full --resume auto", k, yaml, dir), 0);
}

// Best and last as the record has them; keys that differ, sorted, filtered, as a table with commas.
TEST(runs_program_compares)
{
    const char *out, *k = test_kmidi();
    char yaml[1100], dir[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make_songs(test_path("songs"), "dynamics_engine"));
    snprintf(dir, sizeof dir, "%s", test_path("runs"));
    static const char *const rates[] = {"0.1", "0.003", "1e-05"};
    for (int i = 0; i < 3; i++)
        EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/r%d train.epochs=3 optim.lr=%s", k,
                              yaml, dir, 9 + i, rates[i]),
                   0);
    EXPECT_INT(test_shell(&out, "%s runs %s -q", k, dir), 0);
    EXPECT_HAS(out, "run  state  steps");
    EXPECT_HAS(out, "  lr\nr9 ");
    EXPECT(strstr(out, "r9 ") < strstr(out, "r10") && strstr(out, "r10") < strstr(out, "r11"));
    EXPECT(!strstr(out, "seed"));
    EXPECT_INT(test_shell(&out, "%s runs %s -q --csv --sort optim.lr", k, dir), 0);
    EXPECT_HAS(out, "restarts,why,optim.lr\nr11,done,21,21,loss,");
    EXPECT_INT(
        test_shell(&out, "%s runs %s -q --csv -s lr -r -f 'lr>1e-4' -f state!=failed", k, dir), 0);
    EXPECT(strstr(out, "\nr9,") && strstr(out, "\nr9,") < strstr(out, "\nr10,"));
    EXPECT(!strstr(out, "r11"));
    EXPECT_INT(test_shell(&out, "%s runs %s -q --json --sort best", k, dir), 0);
    double before = -1;
    for (const char *p = out; (p = strstr(p, "\"best\": ")); p++) {
        EXPECT(atof(p + 8) >= before);
        before = atof(p + 8);
    }
    json *j = line_of(out, "r10");
    EXPECT_STR(json_str(json_get(json_get(j, "differs"), "optim.lr"), ""), "0.003");
    const char *grep;
    EXPECT_INT(test_shell(&grep,
                          "grep '\"best\": true' %s/r10/metrics.jsonl | tail -1 | sed "
                          "'s/.*\"loss\": \\([^,]*\\), \"mse.*/\\1/'",
                          dir),
               0);
    EXPECT_NEAR(json_num(json_get(j, "best"), 0), atof(grep), 1e-12);
    json_free(j);
    // a record of an older version, whose last line does not tell
    EXPECT_INT(
        test_shell(NULL, "sed -i 's/, \"best_value.*best_step\": [0-9]*//' %s/r9/*.jsonl", dir), 0);
    EXPECT_INT(test_shell(&grep, "%s runs %s -q --json --sort best", k, dir), 0);
    EXPECT_INT(test_shell(&out, "%s runs %s --filter best", k, dir), 2);
    EXPECT_HAS(out, "like best>0.8, not 'best'");
    EXPECT_INT(test_shell(&out, "%s runs %s --sort optim.lrr", k, dir), 2);
    EXPECT_HAS(out, "did you mean 'optim.lr'?");
    EXPECT_INT(test_shell(&out, "%s runs %s/none", k, dir), 1);
    EXPECT_HAS(out, "is no folder");
}

// A best that an older record has to be searched for is that of the newer's last line.
TEST(runs_read_the_same_of_older_records)
{
    const char *out, *k = test_kmidi();
    char yaml[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    EXPECT_INT(test_shell(&out,
                          "%s train %s --run-dir %s/r train.epochs=6 optim.lr=0.05 "
                          "train.early_stopping.monitor=accuracy",
                          k, yaml, test_dir()),
               0);
    arena a = {0};
    run_info now, old;
    EXPECT(run_read(&now, test_path("r"), "accuracy", &a));
    EXPECT_INT(test_shell(NULL,
                          "sed -i 's/, \"best_value\": [^,]*, \"best_step\": [0-9]*//' "
                          "%s/r/metrics.jsonl && ! grep -q best_value %s/r/metrics.jsonl",
                          test_dir(), test_dir()),
               0);
    EXPECT(run_read(&old, test_path("r"), "accuracy", &a));
    EXPECT_INT(old.best_step, now.best_step);
    EXPECT_NEAR(old.best, now.best, 1e-9);
    EXPECT(now.best > 0.3 && run_higher(&now));
    arena_free(&a);
}

// Whatever stands in a run's files: no crash, no endless loop, and the others are still there.
TEST(runs_leave_out_what_is_damaged)
{
    static const char *const texts[] = {
        "",
        "\n",
        "{",
        "a: b\n  c: d\n          e: f\n:\n: :\n",
        "{\"kind\": \"eval\", \"step\": \"x\"}\n",
        "{\"kind\": \"train\", \"step\": 1e300}\n{\"kind\": \"eval\"",
        "{\"kind\": \"eval\", \"best_step\": 3}\n",
        "\xff\xfe\n\n\n"};
    arena a = {0};
    runs r;
    err e = {0};
    const size_t n = sizeof texts / sizeof *texts;
    for (size_t i = 0; i < n; i++) {
        const char *dir = arena_printf(&a, "%s/d%zu", test_dir(), i);
        EXPECT_OK(file_make_dirs(dir, &e), e);
        static const char *const files[] = {"metrics.jsonl", "config.yaml", "environment.json",
                                            "DONE"};
        for (size_t f = 0; f < 4; f++)
            EXPECT_OK(file_write(arena_printf(&a, "%s/%s", dir, files[f]), texts[i],
                                 strlen(texts[i]), &e),
                      e);
    }
    EXPECT_OK(runs_open(&r, test_dir(), &a, &e), e);
    EXPECT_INT(r.n, n);
    for (size_t i = 0; i < r.n; i++)
        EXPECT_INT(r.list[i].state, RUN_DONE);
    arena_free(&a);
}

// DIR/r0's record as that of another run.
static void copy_record(const char *dir, int number)
{
    static const char *const files[] = {".lock", "DONE", "environment.json", "metrics.jsonl",
                                        "config.yaml"};
    arena a = {0};
    size_t n;
    EXPECT(mkdir(arena_printf(&a, "%s/r%d", dir, number), 0777) == 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *text = file_read(&a, arena_printf(&a, "%s/r0/%s", dir, files[i]), 1 << 20, &n, NULL);
        FILE *f = fopen(arena_printf(&a, "%s/r%d/%s", dir, number, files[i]), "w");
        EXPECT(f && text && fwrite(text, 1, n, f) == n && fclose(f) == 0);
    }
    arena_free(&a);
}

// Five hundred folders; ten thousand take twenty times as long.
TEST(runs_of_five_hundred_folders_are_listed)
{
    const char *out, *k = test_kmidi();
    char yaml[1100], dir[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make_songs(test_path("songs"), "dynamics_engine"));
    snprintf(dir, sizeof dir, "%s", test_path("runs"));
    EXPECT_INT(test_shell(&out, "%s train %s --run-dir %s/r0 train.epochs=9", k, yaml, dir), 0);
    for (int i = 1; i < 500; i++)
        copy_record(dir, i);
    EXPECT_INT(test_shell(&out, "%s runs %s --sort best | wc -l", k, dir), 0);
    EXPECT_HAS(out, "500 runs: 500 done");
}
