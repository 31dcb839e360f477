// SPDX-License-Identifier: GPL-3.0-or-later
// configs.c (tests): what is shipped is listed, shown and copied from any folder; names that are
// wrong lead to the right ones.
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/shipped.h"
#include "tests/test.h"
#include "train/options.h"

// The program by a path that holds in another folder, too.
static const char *program(arena *a)
{
    char *real = realpath(test_kmidi(), NULL);
    char *path = arena_strdup(a, real ? real : test_kmidi());
    free(real);
    return path;
}

// The table holds each file of configs/ to the byte.
TEST(configs_hold_the_files)
{
    arena a = {0};
    err e = {0};
    size_t total = 0, n;
    static const char *const patterns[] = {"configs/*.yaml", "configs/*/*.yaml"};
    for (int k = 0; k < 2; k++) {
        char **paths = file_glob(&a, patterns[k], &n, &e);
        for (size_t i = 0; paths && i < n; i++, total++) {
            size_t bytes;
            const char *text = file_read(&a, paths[i], 1 << 20, &bytes, &e);
            const shipped *s = shipped_find(paths[i]);
            if (test_expect(s != NULL, __FILE__, __LINE__, "%s is not compiled in", paths[i]))
                EXPECT_STR(s->text, text);
        }
    }
    int count = 0;
    while (shipped_at(count))
        EXPECT(*shipped_summary(&a, shipped_at(count++)));
    EXPECT_INT(count, total);
    arena_free(&a);
}

TEST(configs_are_found_by_their_names)
{
    static const struct {
        const char *asked, *name;
    } cases[] = {{"emotion_recognizer", "emotion_recognizer"},
                 {"emodb", "data/emodb"},
                 {"data/emodb.yaml", "data/emodb"},
                 {"../configs/data/emodb.yaml", "data/emodb"},
                 {"profiles/16gb.yaml", "profiles/16gb"},
                 {"emodbb", NULL},
                 {"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const shipped *s = shipped_find(cases[i].asked);
        EXPECT_STR(s ? s->name : NULL, cases[i].name);
    }
    EXPECT_STR(shipped_nearest("configs/emotion_recogniser.yaml"), "emotion_recognizer");
    EXPECT_STR(shipped_nearest("emodbb"), "data/emodb");
    EXPECT(!shipped_nearest("nothing_like_it"));
}

// A folder of that very name (of a run, or of the data) is in nobody's way; another folder is said
// to be one.
TEST(configs_are_found_beside_folders_of_their_name)
{
    const char *out;
    char real[4200];
    EXPECT(realpath(test_kmidi(), real) != NULL);
    EXPECT_INT(test_shell(NULL, "mkdir -p %s/dynamics_engine %s/runs/dynamics_engine", test_dir(),
                          test_dir()),
               0);
    EXPECT_INT(test_shell(&out, "cd %s && %s plan dynamics_engine", test_dir(), real), 0);
    EXPECT_INT(test_shell(&out, "cd %s && %s plan runs/dynamics_engine", test_dir(), real), 1);
    EXPECT_HAS(out, "'runs/dynamics_engine' is a folder, a file is needed here");
}

TEST(configs_are_listed_and_copied_in_any_folder)
{
    arena a = {0};
    const char *out, *k = program(&a), *dir = test_dir();
    char tree[PATH_MAX];
    EXPECT(getcwd(tree, sizeof tree) != NULL);
    EXPECT_INT(test_shell(&out, "cd %s && %s configs", dir, k), 0);
    EXPECT_HAS(out, "  data/emodb                        Berlin Database of Emotional Speech");
    EXPECT_HAS(out, "  lora_long                         The long recipe");
    EXPECT_INT(
        test_shell(&out, "cd %s && %s configs --json | grep -c '\"kind\": \"training\"'", dir, k),
        0);
    EXPECT_INT(atoi(out), 26);
    EXPECT_INT(test_shell(&out,
                          "cd %s && %s configs copy lora_long && %s configs cp emodb my.yaml && "
                          "cmp my.yaml %s/configs/data/emodb.yaml",
                          dir, k, k, tree),
               0);
    EXPECT_STR(out, "lora_long.yaml\nmy.yaml\n");
    EXPECT_INT(test_shell(&out, "cd %s && %s configs copy lora_long", dir, k), 2);
    EXPECT_HAS(
        out, "'lora_long.yaml' is there already; name another file, or replace it by --overwrite");
    EXPECT_INT(test_shell(&out, "cd %s && %s configs copy lora_long --overwrite", dir, k), 0);
    EXPECT_INT(test_shell(&out, "%s configs copy emdob x.yaml", k), 2);
    EXPECT_HAS(out, "there is no shipped configuration 'emdob'; did you mean 'data/emodb'?");
    EXPECT_INT(test_shell(&out, "%s configs cpoy emodb", k), 2);
    EXPECT_HAS(out, "there is no 'configs cpoy'; did you mean 'configs copy'?");
    EXPECT_INT(test_shell(&out, "%s configs show", k), 2);
    EXPECT_INT(test_shell(&out, "%s configs show profiles/24gb", k), 0);
    EXPECT_HAS(out, "memory: {profile: 24gb, beside_llm: false}");
    arena_free(&a);
}

// A copy that extends a shipped file is read where that file is not; and a shipped one is named
// without any file.
TEST(configs_extend_what_is_shipped)
{
    arena a = {0};
    static const char *const copied[] = {"lora_long", "emotion_midi_transformer_quick",
                                         "emopia_recognizer"};
    const char *out, *k = program(&a), *dir = test_dir();
    err e = {0};
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        const char *path = test_path(arena_printf(&a, "my_%s.yaml", copied[i]));
        EXPECT_INT(
            test_shell(&out, "cd %s && %s configs copy %s %s --quiet", dir, k, copied[i], path), 0);
        config *c = config_open(&train_table, &a), *own = config_open(&train_table, &a);
        strbuf text = {0}, was = {0};
        EXPECT_OK(config_load(c, path, &e), e);
        EXPECT_OK(config_load(own, arena_printf(&a, "configs/%s.yaml", copied[i]), &e), e);
        config_print(c, &text), config_print(own, &was);
        EXPECT_STR(text.s, was.s);
        strbuf_free(&text), strbuf_free(&was);
    }
    config *c = config_open(&train_table, &a);
    EXPECT_OK(file_write(test_path("own.yaml"), "extends: profiles/24gb.yaml\n", 28, &e), e);
    EXPECT_OK(config_load(c, test_path("own.yaml"), &e), e);
    EXPECT_STR(config_text(c, "memory.profile"), "24gb");
    EXPECT_OK(file_write(test_path("lost.yaml"), "extends: profiles/25gb.yaml\n", 28, &e), e);
    EXPECT_ERR(config_load(c, test_path("lost.yaml"), &e), e, ERR_CONFIG,
               "did you mean 'profiles/");
    EXPECT_OK(config_load(config_open(&train_table, &a), "lora_long", &e), e);
    EXPECT_INT(test_shell(&out, "cd %s && %s prepare synth --out shards synth.items=12", dir, k),
               0);
    arena_free(&a);
}

TEST(configs_that_are_not_there_have_suggestions)
{
    arena a = {0};
    const char *out, *k = program(&a), *dir = test_dir();
    EXPECT_INT(test_shell(&out, "%s train configs/emotion_recogniser.yaml", k), 1);
    EXPECT_HAS(out, "there is no configuration 'configs/emotion_recogniser.yaml'; did you mean "
                    "'configs/emotion_recognizer.yaml'?");
    EXPECT_INT(test_shell(&out, "cd %s && %s plan emotion_recogniser", dir, k), 1);
    EXPECT_HAS(out, "did you mean 'emotion_recognizer', which is shipped (kmidi configs)?");
    EXPECT_INT(test_shell(&out, "cd %s && %s prepare configs/data/emodb.yaml --out x", dir, k), 1);
    EXPECT_HAS(out, "did you mean 'data/emodb', which is shipped");
    EXPECT_INT(
        test_shell(&out, "cd %s && echo 'model: x' > mine.yaml && %s train mien.yaml", dir, k), 1);
    EXPECT_HAS(out, "did you mean 'mine.yaml'?");
    EXPECT_INT(test_shell(&out, "cd %s && %s train nothing_like_it.yaml", dir, k), 1);
    EXPECT_HAS(out, "there is no configuration 'nothing_like_it.yaml'; name a YAML file");
    EXPECT_INT(test_shell(&out, "%s bench emotion_recogniser", k), 2);
    EXPECT_HAS(out, "there is no model 'emotion_recogniser'; did you mean 'emotion_recognizer'?");
    arena_free(&a);
}

// What other trainers call it leads to what it is here: every row of the table, and the usual
// slips.
TEST(configs_names_from_elsewhere_lead_home)
{
    for (const config_other *o = train_others; o->name; o++) {
        const char *meant = config_meant(&train_table, o->name, false, 0);
        EXPECT_STR(meant, o->here);
        EXPECT(str_starts(o->here, "--") || config_key_of(&train_table, o->here));
    }
    static const struct {
        const char *name, *key;
    } cases[] = {{"lr", "optim.lr"},
                 {"learning_rate", "optim.lr"},
                 {"optimizer.lr", "optim.lr"},
                 {"Learning-Rate", "optim.lr"},
                 {"batch_size", "train.batch_size"},
                 {"batchsize", "train.batch_size"},
                 {"TrainingArguments.per_device_train_batch_size", "train.batch_size"},
                 {"gradient_accumulation_steps", "train.grad_accum"},
                 {"weight_decay", "optim.weight_decay"},
                 {"warmup_steps", "schedule.warmup_steps"},
                 {"trainer.max_epochs", "train.epochs"},
                 {"lora_alpha", "lora.alpha"},
                 {"seed", "train.seed"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT_STR(config_meant(&train_table, cases[i].name, false, 0), cases[i].key);
    EXPECT(!config_meant(&train_table, "lerning_rate", false, 0));
    EXPECT_STR(config_meant(&train_table, "lerning_rate", true, 0), "optim.lr");
    EXPECT_STR(config_meant(&train_table, "num_train_epoch", true, 0), "train.epochs");
    const char *out;
    EXPECT_INT(test_shell(&out, "%s train emotion_recognizer learning_rate=3e-4", test_kmidi()), 2);
    EXPECT_HAS(out, "unknown key 'learning_rate'; did you mean 'optim.lr'?");
    EXPECT_INT(test_shell(&out, "%s train emotion_recognizer name=adam", test_kmidi()), 2);
    EXPECT_HAS(out, "did you mean 'optim.name' or 'schedule.name'?");
    EXPECT_INT(test_shell(&out, "%s train emotion_recognizer --epochs 5", test_kmidi()), 2);
    EXPECT_HAS(out, "write train.epochs=5");
    EXPECT_INT(
        test_shell(&out, "%s train emotion_recognizer --lr 1e-4 --output_dir x", test_kmidi()), 2);
    EXPECT_HAS(out, "write optim.lr=1e-4");
    EXPECT_INT(test_shell(&out, "%s prepare synth --out x --sr 16000", test_kmidi()), 2);
    EXPECT_HAS(out, "write mel.");
}

TEST(help_explains_keys)
{
    const char *out, *k = test_kmidi();
    EXPECT_INT(test_shell(&out, "%s help optim.lr", k), 0);
    EXPECT_HAS(out, "optim.lr: learning rate at the top of the schedule\n");
    EXPECT_HAS(
        out,
        "  value     a number from 0 to 10\n  default   1e-3\n  also      optim.learning_rate\n");
    EXPECT_HAS(out, "In a file\n  optim:\n    lr: 1e-3\n");
    EXPECT_HAS(
        out,
        "A key of kmidi info, kmidi doctor, kmidi plan, kmidi train, kmidi sweep, kmidi slurm.");
    EXPECT_INT(test_shell(&out, "%s help optim", k), 0);
    EXPECT_HAS(out, "  optim.betas");
    EXPECT_HAS(out, "[[0.9, 0.999]]");
    EXPECT_INT(test_shell(&out, "%s help mel.n_mels", k), 0);
    EXPECT_HAS(out, "A key of kmidi prepare.");
    EXPECT_INT(test_shell(&out, "%s help num_train_epochs", k), 0);
    EXPECT_HAS(out, "train.epochs: passes over the training data");
    EXPECT_INT(test_shell(&out, "%s help train", k), 0); // a command, which lists its keys
    EXPECT_HAS(out, "usage: kmidi train");
    EXPECT_INT(test_shell(&out, "%s help optim.lrr", k), 2);
    EXPECT_HAS(out, "there is no command and no key 'optim.lrr'; did you mean 'optim.lr'?");
    EXPECT_INT(test_shell(&out, "%s help optim.lr --json", k), 0);
    EXPECT_STR(
        out, "{\"key\": \"optim.lr\", \"help\": \"learning rate at the top of the "
             "schedule\", \"value\": \"a number from 0 to 10\", "
             "\"default\": \"1e-3\", \"alias\": \"optim.learning_rate\", \"commands\": "
             "\"kmidi info, kmidi doctor, kmidi plan, kmidi train, kmidi sweep, kmidi slurm\"}\n");
}
