// SPDX-License-Identifier: GPL-3.0-or-later
// begin.c (tests): one command that begins a run or goes on with it, whatever a folder holds; what
// it refuses; what errors offer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "tests/test.h"
#include "tests/train/corpus.h"

static char yaml[1100], dir[1024], program[5000];

static void open_corpus(void)
{
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    snprintf(dir, sizeof dir, "%s", test_dir());
    if (!realpath(test_kmidi(), program))
        snprintf(program, sizeof program, "%s", test_kmidi());
}

static int train(const char **out, const char *arguments)
{
    return test_shell(out, "K=%s Y=%s; cd %s && $K train %s --quiet", program, yaml, dir,
                      arguments);
}

TEST(begin_or_go_on_with_one_command)
{
    const char *out, *command = "$Y --run-dir run --resume auto train.epochs=2";
    open_corpus();
    EXPECT_INT(train(&out, command), 0);
    EXPECT_INT(test_shell(NULL, "mv %s/data %s/gone; sed -i s,/data/,/gone/, %s/gone/config.yaml",
                          dir, dir, dir),
               0);
    snprintf(yaml, sizeof yaml, "%s/gone/config.yaml", dir);
    // done: at once, without its data
    EXPECT_INT(train(&out, "$Y --run-dir run --resume auto train.epochs=2 --json"), 0);
    EXPECT_HAS(out, "{\"run\": \"run\", \"steps\": 8,");
    EXPECT_INT(train(&out, "--run-dir run --resume auto"), 0);
    EXPECT_INT(test_shell(NULL, "mv %s/gone %s/data; sed -i s,/gone/,/data/, %s/data/config.yaml",
                          dir, dir, dir),
               0);
    snprintf(yaml, sizeof yaml, "%s/data/config.yaml", dir);
    EXPECT_INT(train(&out, "$Y --run-dir run --resume auto train.epochs=3 --json"), 0); // longer
    EXPECT_HAS(out, "\"steps\": 12,");
    EXPECT_INT(train(&out, "$Y --run-dir run --resume auto train.epochs=3 optim.lr=0.5"), 2);
    EXPECT_HAS(out, "'optim.lr' was 0.001");
    // killed between its last save and its mark
    EXPECT_INT(test_shell(NULL, "rm %s/run/DONE", dir), 0);
    EXPECT_INT(train(&out, "$Y --run-dir run --resume auto train.epochs=3"), 0);
    EXPECT(file_exists(test_path("run/DONE")));
}

// What a kill leaves: made of a whole run, the later things taken away.
TEST(begin_where_a_kill_left_half_a_folder)
{
    static const char *const stages[] = {
        "mkdir -p x",
        "mkdir -p x/checkpoints",
        "mkdir -p x/checkpoints; touch x/.lock",
        "mkdir -p x/checkpoints; touch x/.lock x/metrics.jsonl",
        "mkdir -p x/checkpoints; touch x/.lock x/metrics.jsonl x/log.txt x/config.yaml.tmp-h-1",
        "cp -r whole x; rm -r x/checkpoints/* x/DONE x/events* x/environment.json x/report.html "
        "x/curve.svg",
        "cp -r whole x; rm -r x/checkpoints/* x/DONE; touch "
        "x/checkpoints/last.h5.tmp-otherhost-12345",
        "cp -r whole x; rm -r x/checkpoints x/DONE",
        "cp -r whole x; rm x/.lock x/checkpoints/* x/DONE; echo mine > x/notes.txt",
    };
    const char *out;
    open_corpus();
    EXPECT_INT(train(&out, "$Y --run-dir whole train.epochs=1"), 0);
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        for (int how = i % 2 && i < 7; how < 2; how += 1 + (i < 7)) { // each way for some
            EXPECT_INT(test_shell(NULL, "cd %s; rm -rf x; %s", dir, stages[i]), 0);
            if ((i == 1 || i > 5) && !how) {
                EXPECT_INT(train(&out, "$Y --run-dir x train.epochs=1"), 2);
                EXPECT_HAS(out, "'x' already holds a run, which ended before its first checkpoint; "
                                "begin it anew by --resume auto or --overwrite");
                EXPECT_INT(train(&out, "--resume x"), 1);
                EXPECT_HAS(out, "--run-dir x --resume auto");
            }
            int rc = train(&out, how ? "$Y --run-dir x train.epochs=1 --overwrite"
                                     : "$Y --run-dir x --resume auto train.epochs=1");
            test_expect(rc == 0 && file_exists(test_path("x/DONE")), __FILE__, __LINE__, "%s: %s",
                        stages[i], out);
            EXPECT_INT(test_shell(&out,
                                  "cmp %s/x/config.yaml %s/whole/config.yaml && wc -l < "
                                  "%s/x/metrics.jsonl | grep -qx \"$(wc -l < "
                                  "%s/whole/metrics.jsonl)\"",
                                  dir, dir, dir, dir),
                       0);
        }
    EXPECT(file_exists(test_path("x/notes.txt")));
}

TEST(begin_never_in_a_folder_that_is_no_run)
{
    static const char *const foreign[] = {
        "echo x > x/photo.jpg",
        "echo 'a: 1' > x/config.yaml; echo x > x/log.txt; echo y > x/report.html",
        "mkdir x/checkpoints; echo x > x/checkpoints/model.h5",
        "mkdir x/checkpoints; touch x/checkpoints/model.pt",
        "touch x/.lock; echo x > x/log.txt",
        "touch x/notes.txt",
        "mkdir x/data; touch x/config.yaml",
        "echo '{\"name\": \"other\"}' > x/environment.json; echo x > x/metrics.jsonl",
        "ln -s /etc x/checkpoints",
    };
    const char *out, *before;
    char listed[4000];
    open_corpus();
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        EXPECT_INT(test_shell(&before,
                              "cd %s; rm -rf x; mkdir x; %s; find x -type f -exec cksum {} +", dir,
                              foreign[i]),
                   0);
        snprintf(listed, sizeof listed, "%s", before);
        EXPECT_INT(train(&out, "$Y --run-dir x --overwrite"), 2);
        EXPECT_HAS(out, "'x' holds files that are no run's");
        EXPECT_INT(train(&out, "$Y --run-dir x --resume auto"), 2);
        EXPECT_INT(train(&out, "--resume x"), 1);
        EXPECT_INT(test_shell(&out, "cd %s; find x -type f -exec cksum {} +", dir), 0);
        EXPECT_STR(out, listed);
    }
}

TEST(begin_usage_names_the_way)
{
    const char *out;
    open_corpus();
    EXPECT_INT(train(&out, "$Y --resume auto"), 2);
    EXPECT_HAS(out, "--run-dir DIR");
    EXPECT_INT(train(&out, "--resume auto --run-dir nowhere"), 2);
    EXPECT_HAS(out, "name a configuration");
    EXPECT_INT(train(&out, "$Y --resume auto --run-dir x --overwrite"), 2);
    EXPECT_INT(train(&out, "$Y --run-dir x train.epochs=1"), 0);
    EXPECT_INT(train(&out, "$Y --run-dir x"), 2);
    EXPECT_HAS(out,
               "'x' already holds a run; go on with it by --resume x, replace it by --overwrite");
    EXPECT_INT(train(&out, "--resume nowhere"), 1);
    EXPECT_HAS(out, "'nowhere' is neither a checkpoint nor a run folder");
}

// An edited configuration: what a run may change is taken; else the run's own goes on, and this is
// said.
TEST(begin_again_with_an_edited_configuration)
{
    const char *out;
    open_corpus();
    EXPECT_INT(train(&out, "$Y --run-dir x --resume auto train.epochs=1"), 0);
    EXPECT_INT(test_shell(NULL, "sed -i 's/epochs: [0-9]*/epochs: 2/' %s; grep -q 'epochs: 2' %s",
                          yaml, yaml),
               0);
    EXPECT_INT(train(&out, "$Y --run-dir x --resume auto --json"), 0);
    EXPECT_HAS(out, "\"steps\": 8,");
    EXPECT_INT(test_shell(NULL, "sed -i 's/epochs: 2/epochs: 2, ema: 0.5/' %s", yaml), 0);
    EXPECT_INT(
        test_shell(&out, "cd %s && %s train %s --run-dir x --resume auto", dir, program, yaml), 0);
    EXPECT_HAS(out, "the run goes on with its own configuration");
}

TEST(begin_after_damage_offers_what_is_whole)
{
    const char *out;
    open_corpus();
    EXPECT_INT(train(&out, "$Y --run-dir x --resume auto train.epochs=2"), 0);
    EXPECT_INT(test_shell(NULL,
                          "cd %s/x; rm DONE; printf x | dd of=checkpoints/last.h5 bs=1 "
                          "seek=1000000 conv=notrunc; rm checkpoints/best.h5 "
                          "checkpoints/epoch*",
                          dir),
               0);
    EXPECT_INT(train(&out, "$Y --run-dir x --resume auto train.epochs=4"), 1);
    EXPECT_HAS(out, "the newest intact checkpoint beside it is 'x/checkpoints/previous.h5'");
    // killed as soon as it went on: what it went on from is still there
    EXPECT_INT(test_shell(NULL, "cd %s; cp -r x y; cksum < x/checkpoints/previous.h5 > sum", dir),
               0);
    EXPECT_INT(test_shell(NULL,
                          "cd %s; (ulimit -f 600; trap '' XFSZ; exec %s train --resume "
                          "x/checkpoints/previous.h5 train.epochs=4)",
                          dir, program),
               1);
    EXPECT_INT(test_shell(NULL, "cd %s; cksum < x/checkpoints/previous.h5 | cmp - sum", dir), 0);
    EXPECT_INT(train(&out, "--resume y/checkpoints/previous.h5 train.epochs=4"), 0);
    EXPECT_INT(test_shell(NULL, "%s verify %s/y/checkpoints/*.h5", program, dir), 0);
    EXPECT_INT(test_shell(NULL, "rm %s/y/checkpoints/last.h5", dir), 0);
    // never from the beginning where there are checkpoints
    EXPECT_INT(train(&out, "$Y --run-dir y --resume auto train.epochs=5"), 1);
    EXPECT_HAS(out, "previous.h5");
}

TEST(begin_from_another_model_says_which)
{
    const char *out;
    char songs[1100];
    open_corpus();
    snprintf(songs, sizeof songs, "%s", corpus_make_songs(test_path("songs"), "harmony_predictor"));
    EXPECT_INT(
        test_shell(NULL, "cd %s; %s train %s --run-dir h train.epochs=1", dir, program, songs), 0);
    EXPECT_INT(train(&out, "$Y --run-dir a init_from=h"), 1);
    EXPECT_HAS(out, "init_from: 'h/checkpoints/best.h5' holds a model harmony_predictor, and the "
                    "configuration says emotion_recognizer; "
                    "set model: harmony_predictor");
    EXPECT_INT(train(&out, "$Y --run-dir a lora.r=2 lora.target_modules=[fc1] lora.base=h"), 1);
    EXPECT_HAS(out, "lora.base: 'h/checkpoints/best.h5' holds a model harmony_predictor, and the "
                    "configuration says emotion_recognizer");
    EXPECT(!file_exists(test_path("a")));
}

// A model whose sizes are options: a run that adopted them goes on with them.
TEST(begin_from_a_model_of_other_sizes)
{
    const char *out;
    char songs[1100];
    open_corpus();
    snprintf(songs, sizeof songs, "%s",
             corpus_make_songs(test_path("songs"), "emotion_midi_transformer"));
    const char *sizes =
        "transformer.layers=1 transformer.dim=32 transformer.heads=2 train.epochs=1";
    EXPECT_INT(test_shell(&out, "cd %s; %s train %s --run-dir t %s", dir, program, songs, sizes),
               0);
    EXPECT_INT(test_shell(&out, "cd %s; %s train %s --run-dir u init_from=t train.epochs=1", dir,
                          program, songs),
               0);
    EXPECT_INT(test_shell(&out, "cd %s; %s train --resume u train.epochs=2", dir, program), 0);
    EXPECT_INT(
        test_shell(&out,
                   "cd %s; %s train %s --run-dir v init_from=t transformer.layers=2 train.epochs=1",
                   dir, program, songs),
        1);
    EXPECT_HAS(out, "layers=1");
    EXPECT_HAS(out, "layers=2");
    EXPECT_HAS(out, "qk_norm=0"); // what files leave unsaid, too
}

// Rewrites the run's last checkpoint with another state, checksums and all.
static void forge(const char *run, const checkpoint_state *state)
{
    arena a = {0};
    err e = {0};
    const char *path = arena_printf(&a, "%s/checkpoints/last.h5", test_path(run));
    checkpoint *k = checkpoint_open(path, &a, &e);
    params *p = params_open(&a);
    model_dims d = {.batch = 1, .time = 2, .classes = 3};
    EXPECT_OK(k && model_build(k->model, p, &d, &a, &e) && params_allocate(p, 2, &e) &&
                  checkpoint_resume(k, p, NULL, &e),
              e);
    checkpoint_content c = {k->model, k->config, &k->meta, p, state, NULL};
    checkpoint_close(k);
    EXPECT_OK(checkpoint_save(path, &c, &e), e);
    params_release(p);
    arena_free(&a);
}

static checkpoint_state state_of(const char *run)
{
    arena a = {0};
    err e = {0};
    checkpoint *k =
        checkpoint_open(arena_printf(&a, "%s/checkpoints/last.h5", test_path(run)), &a, &e);
    EXPECT_OK(k != NULL, e);
    checkpoint_state s = k ? k->state : (checkpoint_state){0};
    checkpoint_close(k);
    arena_free(&a);
    return s;
}

TEST(begin_never_from_a_forged_state)
{
    const char *out;
    open_corpus();
    EXPECT_INT(train(&out, "$Y --run-dir x train.epochs=1"), 0);
    checkpoint_state good = state_of("x"), s = good;
    s.micro_batch = 5000000;
    forge("x", &s);
    EXPECT_INT(train(&out, "--resume x train.epochs=2"), 1);
    EXPECT_HAS(out, "'state/micro_batch' is 5000000, which does not divide the 8 items of a step");
    EXPECT_INT(train(&out, "--resume x train.epochs=2 memory.micro_batch=4"), 1);
    EXPECT_HAS(out, "does not divide");
    s = good, s.batch = 2000000000;
    forge("x", &s);
    EXPECT_INT(train(&out, "--resume x train.epochs=2"), 1);
    EXPECT_HAS(out, "they are not the same");
    s = good, s.seed++;
    forge("x", &s);
    EXPECT_INT(train(&out, "--resume x train.epochs=2"), 1);
    EXPECT_HAS(out, "is of seed 12, and its configuration says 11");
    s = good, s.metrics_bytes = INT64_C(1) << 40; // longer than the file: said, and gone on
    forge("x", &s);
    EXPECT_INT(train(&out, "--resume x train.epochs=2"), 0);
}
