// SPDX-License-Identifier: GPL-3.0-or-later
// hparams.c (tests): TensorBoard's HPARAMS page of runs and of a sweep: keys, types, ends; an end
// goes when the run goes on. With PEERS_PYTHON it is read back by TensorBoard's own plugin.
#include "train/hparams.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/train/corpus.h"

static const char yaml[] =
    "model: emotion_recognizer\nrun_name: null\noptim:\n  lr: 0.001\n  name: "
    "\"adamw\"\nlogging:\n  tensorboard: true\n";

TEST(hparams_are_numbers_texts_and_truths)
{
    arena a = {0};
    hparam *list;
    EXPECT_INT(hparams_of(yaml, &list, &a), 4);
    EXPECT_STR(list[0].name, "model");
    EXPECT_STR(list[1].name, "optim.lr");
    EXPECT_STR(list[1].value, "0.001");
    EXPECT_STR(list[2].value, "adamw");
    EXPECT_STR(list[3].name, "logging.tensorboard");
    EXPECT_INT(hparams_of("", &list, &a), 0);
    arena_free(&a);
}

static size_t count_files(const char *dir, const char *pattern)
{
    arena a = {0};
    size_t n;
    file_list(&a, dir, pattern, &n);
    arena_free(&a);
    return n;
}

// The content of a session's end as the message has it: status, and a time.
static void expect_end(const char *dir, int status)
{
    arena a = {0};
    err e = {0};
    size_t n, files;
    char **list = file_list(&a, dir, "*.end", &files);
    EXPECT_INT(files, 1);
    const char *bytes = files ? file_read(&a, list[0], 1 << 16, &n, &e) : NULL;
    const uint8_t want[] = {0x12, 0x0d, 0x22, 0x0b, 0x08, (uint8_t)status, 0x11};
    EXPECT(bytes && memmem(bytes, n, "_hparams_/session_end_info", 26));
    EXPECT(bytes && memmem(bytes, n, want, sizeof want));
    arena_free(&a);
}

TEST(hparams_end_when_a_run_does)
{
    arena a = {0};
    err e = {0};
    hparam *list;
    size_t n = hparams_of(yaml, &list, &a);
    const char *dir = test_dir();
    EXPECT_OK(hparams_end(dir, false, &e), e);
    EXPECT_INT(count_files(dir, "*"), 0); // no events, no end
    events *v = events_open(dir, -1, &a, &e);
    EXPECT_OK(v && hparams_start(v, list, n, &e) && events_scalar(v, 3, "val/loss", 0.5, &e), e);
    events_close(v);
    EXPECT_OK(hparams_end(dir, true, &e), e);
    EXPECT_OK(hparams_end(dir, true, &e), e); // once
    expect_end(dir, 2);
    char **names = file_list(&a, dir, "events.out.tfevents.*", &n);
    EXPECT(n == 2 && str_ends(names[1], ".end")); // behind the other
    v = events_open(dir, 3, &a, &e);
    EXPECT_OK(v != NULL, e);
    events_close(v);
    EXPECT_INT(count_files(dir, "*.end"), 0);
    EXPECT_OK(hparams_end(dir, false, &e), e);
    expect_end(dir, 1);
    arena_free(&a);
}

// The program: a sweep of two keys, and TensorBoard's page of it.
TEST(hparams_of_a_sweep)
{
    const char *out, *peers = getenv("PEERS_PYTHON"), *k = test_kmidi(), *dir = test_path("sweep");
    const char *songs = corpus_make_songs(test_path("songs"), "dynamics_engine");
    EXPECT_INT(
        test_shell(&out, "%s sweep %s optim.lr=1e-3,0.1 train.seed=1,2 --out %s -q", k, songs, dir),
        0);
    EXPECT_INT(count_files(dir, "events.out.tfevents.*.sweep"), 1);
    expect_end(test_path("sweep/0001"), 1);
    expect_end(test_path("sweep/0004"), 1);
    if (!peers)
        return;
    EXPECT_INT(test_shell(&out, "%s tests/peers/hparams_check.py %s 2>/dev/null", peers, dir), 0);
    EXPECT_HAS(out, "key optim.lr 3 [0.001, 0.1] True\nkey train.seed 3 [1.0, 2.0] True\n"
                    "figures ['val/loss', 'train/loss']\n");
    EXPECT_HAS(out, "session 0001 {'optim.lr': 0.001, 'train.seed': 1.0} [1] {'val/loss': ");
    EXPECT_HAS(out, "session 0004 {'optim.lr': 0.1, 'train.seed': 2.0} [1] {");
    // without an experiment TensorBoard makes one of the sessions, with all of their keys
    EXPECT_INT(test_shell(&out,
                          "rm %s/events.out.tfevents.*.sweep; %s tests/peers/hparams_check.py "
                          "%s 2>/dev/null",
                          dir, peers, dir),
               0);
    EXPECT_HAS(out, "key optim.lr 3 [] True\n");
    EXPECT_HAS(out, "key model 1 ['dynamics_engine'] False\n");
    EXPECT_HAS(out, "key logging.tensorboard 2 [True] False\n");
}
