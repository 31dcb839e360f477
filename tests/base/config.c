// SPDX-License-Identifier: GPL-3.0-or-later
// config.c (tests): types, precedence, references, and above all the sentences that mistakes earn.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "tests/test.h"

static const config_key keys[] = {
    {"model", CONFIG_TEXT, .required = true, .help = "which network"},
    {"optim", CONFIG_SECTION, .help = "The optimiser"},
    {"optim.name", CONFIG_ENUM, "adamw", .choices = "adamw|adam|sgd", .help = "update rule"},
    {"optim.lr", CONFIG_NUMBER, "1e-3", .min = 0, .max = 10, .alias = "optim.learning_rate",
     .help = "learning rate"},
    {"optim.betas", CONFIG_NUMBERS, "[0.9, 0.999]", .max = 1, .least = 2, .most = 2,
     .help = "moment decays"},
    {"optim.nesterov", CONFIG_BOOL, "false", .help = "look ahead"},
    {"train", CONFIG_SECTION, .help = "The loop"},
    {"train.batch_size", CONFIG_INT, "16", .min = 1, .max = 65536, .help = "items a step"},
    {"train.files", CONFIG_TEXTS, NULL, .help = "shards"},
    {"train.limit", CONFIG_SECONDS, NULL, .max = INFINITY, .help = "stop after"},
    {"train.early_stopping.patience", CONFIG_INT, NULL, .max = INFINITY,
     .help = "evaluations without progress"},
    {"memory.budget", CONFIG_BYTES, NULL, .max = INFINITY, .help = "bytes"},
};
static const config_table table = {
    .what = "testing", .keys = keys, .n = sizeof keys / sizeof *keys};

static arena mem;

static config *read_text(const char *text, err *e)
{
    arena_free(&mem);
    config *c = config_open(&table, &mem);
    return config_parse(c, text, strlen(text), "x.yaml", e) ? c : NULL;
}

#define REFUSED(text, part)                                                                        \
    do {                                                                                           \
        err e_ = {0};                                                                              \
        EXPECT_ERR(read_text(text, &e_) != NULL, e_, ERR_CONFIG, part);                            \
    } while (0)

TEST(config_reads_every_type)
{
    err e = {0};
    config *c = read_text(
        "model: tiny\noptim: {name: sgd, learning_rate: 3e-4, betas: [0.5, 1], nesterov: true}\n"
        "train:\n  batch_size: 3e1\n  files: one.h5\n  limit: 3h30m\n  early_stopping: {patience: "
        "5}\nmemory: {budget: 6GiB}\n",
        &e);
    EXPECT_OK(c && config_finish(c, &e), e);
    if (!c)
        return;
    EXPECT_STR(config_text(c, "optim.name"), "sgd");
    EXPECT_NEAR(config_num(c, "optim.lr"), 3e-4, 0);
    const double *nums;
    EXPECT_INT(config_nums(c, "optim.betas", &nums), 2);
    EXPECT_NEAR(nums[0], 0.5, 0);
    EXPECT(config_bool(c, "optim.nesterov"));
    EXPECT_INT(config_int(c, "train.batch_size"), 30);
    const char *const *files;
    EXPECT_INT(config_texts(c, "train.files", &files), 1);
    EXPECT_STR(files[0], "one.h5");
    EXPECT_NEAR(config_num(c, "train.limit"), 12600, 0);
    EXPECT_INT(config_bytes(c, "memory.budget"), 6LL << 30);
    EXPECT_STR(config_where(c, "optim.name"), "x.yaml:2:9");
    EXPECT_STR(config_where(c, "model"), "x.yaml:1:1");
    arena_free(&mem);
}

TEST(config_defaults_and_null)
{
    err e = {0};
    config *c = read_text("optim: null\ntrain: {batch_size: ~, limit: 01:30:00}\n", &e);
    EXPECT_OK(c != NULL, e);
    EXPECT_NEAR(config_num(c, "optim.lr"), 1e-3, 0);
    EXPECT_INT(config_int(c, "train.batch_size"), 16);
    EXPECT_NEAR(config_num(c, "train.limit"), 5400, 0);
    EXPECT(!config_given(c, "train.early_stopping.patience"));
    EXPECT_ERR(config_finish(c, &e), e, ERR_CONFIG, "'model' is not set: which network");
    EXPECT_OK(config_override(c, "optim.lr=2e-4", &e) &&
                  config_override(c, "optim.betas=[0.8, 0.9]", &e),
              e);
    EXPECT_NEAR(config_num(c, "optim.lr"), 2e-4, 0);
    EXPECT_OK(config_override(c, "~optim.lr", &e) && config_override(c, "optim.betas=", &e), e);
    EXPECT_NEAR(config_num(c, "optim.lr"), 1e-3, 0);
    EXPECT_OK(config_override(c, "train={batch_size: 4}", &e), e);
    EXPECT_INT(config_int(c, "train.batch_size"), 4);
    arena_free(&mem);
}

TEST(config_mistakes_are_named)
{
    REFUSED("optim:\n  lrr: 1\n", "x.yaml:2:3: unknown key 'optim.lrr'; did you mean 'optim.lr'?");
    REFUSED("optimm:\n  lr: 1\n", "x.yaml:1:1: unknown key 'optimm'; did you mean 'optim'?");
    REFUSED("lr: 1\n", "did you mean 'optim.lr'?");
    REFUSED("optim:\n  zzzzzzzz: 1\n", "the keys of optim are name, lr, betas, nesterov");
    REFUSED("optim:\n  lr: fast\n",
            "x.yaml:2:7: 'optim.lr' must be a number from 0 to 10, not 'fast'");
    REFUSED("optim: {lr: 11}\n", "from 0 to 10, not '11'");
    REFUSED("optim: {lr: nan}\n", "not 'nan'");
    REFUSED("optim: {name: adamx}\n",
            "must be one of adamw, adam, sgd, not 'adamx'; did you mean 'adam");
    REFUSED("optim: {nesterov: yes}\n", "'yes' means neither here, write true");
    REFUSED("optim: {nesterov: off}\n", "write false");
    REFUSED("optim: {betas: [0.1]}\n", "must be a list of 2 numbers");
    REFUSED("optim: {betas: [0.1, x]}\n", "x.yaml:1:22: 'optim.betas'");
    REFUSED("train: {batch_size: 1.5}\n", "a whole number from 1 to 65536, not '1.5'");
    REFUSED("train: {batch_size: [1]}\n", "not a list");
    REFUSED("train: 3\n", "'train' is a section");
    REFUSED("model: {a: 1}\n", "takes a value");
    REFUSED("train: {limit: -5}\n", "a time such as");
    REFUSED("memory: {budget: big}\n", "a size such as 6GiB");
    REFUSED("model: a\nmodel: b\n", "x.yaml:2:1: 'model' is given twice");
    REFUSED("optim: {lr: 1}\noptim: {name: sgd}\n", "'optim' is given twice");
    REFUSED("optim: {lr: 1, learning_rate: 2}\n", "given twice");
}

TEST(config_hostile_files)
{
    REFUSED("model: &a x\ntrain: {files: [*a]}\n", "anchors and aliases");
    REFUSED("model: !!python/object:os.system x\n", "tags");
    REFUSED("- a\n- b\n", "a map of keys");
    REFUSED("model\n", "a map of keys");
    REFUSED("model: [a, [b]]\n", "plain values only");
    REFUSED("model: \"a\\0b\"\n", "NUL");
    REFUSED("model: a\n---\nmodel: b\n", "second document");
    REFUSED("\tmodel: a\n", "x.yaml:1:1: not well-formed YAML");
    REFUSED("model: \xff\xfe\n", "not well-formed YAML");
    REFUSED("[a]: b\n", "plain name");
    char deep[4096];
    memset(deep, '[', sizeof deep), deep[4095] = 0;
    REFUSED(deep, "map of keys");
    err e = {0};
    EXPECT(read_text("", &e) && read_text("# nothing\n", &e));
    arena_free(&mem);
}

TEST(config_environment)
{
    err e = {0};
    setenv("KMIDI_TEST_VAR", "0.5", 1), unsetenv("KMIDI_TEST_NONE");
    config *c =
        read_text("optim: {lr: \"${KMIDI_TEST_VAR}\"}\nmodel: a${KMIDI_TEST_NONE:-b}c$${x}\n", &e);
    EXPECT_OK(c != NULL, e);
    EXPECT_NEAR(config_num(c, "optim.lr"), 0.5, 0);
    EXPECT_STR(config_text(c, "model"), "abc${x}");
    strbuf out = {0};
    config_print(c, &out);
    char *printed = arena_strdup(&mem, out.s);
    strbuf_free(&out);
    arena other = {0};
    config *again = config_open(&table, &other);
    EXPECT_OK(config_parse(again, printed, strlen(printed), "printed", &e), e);
    config_print(again, &out);
    EXPECT_STR(out.s, printed);
    strbuf_free(&out);
    arena_free(&other);
    REFUSED("model: ${KMIDI_TEST_NONE}\n",
            "x.yaml:1:8: the environment has no KMIDI_TEST_NONE; export it");
    REFUSED("model: ${broken\n", "is not a reference");
    REFUSED("model: ${}\n", "is not a reference");
    arena_free(&mem);
}

static void put(const char *name, const char *text)
{
    err e = {0};
    EXPECT_OK(file_write(test_path(name), text, strlen(text), &e), e);
}

TEST(config_extends)
{
    err e = {0};
    put("parent.yaml", "model: p\noptim: {lr: 0.5, name: sgd}\n");
    put("child.yaml", "optim: {lr: 0.25}\nextends: parent.yaml\n");
    put("a.yaml", "extends: b.yaml\n"), put("b.yaml", "extends: a.yaml\n");
    put("lost.yaml", "extends: nowhere.yaml\n"), put("bad.yaml", "extends: worse.yaml\n"),
        put("worse.yaml", "optim: {lr: x}\n");
    config *c = config_open(&table, &mem);
    EXPECT_OK(config_load(c, test_path("child.yaml"), &e), e);
    EXPECT_NEAR(config_num(c, "optim.lr"), 0.25, 0);
    EXPECT_STR(config_text(c, "optim.name"), "sgd");
    EXPECT_STR(config_text(c, "model"), "p");
    EXPECT_ERR(config_load(c, test_path("a.yaml"), &e), e, ERR_CONFIG, "extends itself");
    EXPECT_ERR(config_load(c, test_path("lost.yaml"), &e), e, ERR_CONFIG,
               "nowhere.yaml', which is not there");
    EXPECT_ERR(config_load(c, test_path("bad.yaml"), &e), e, ERR_CONFIG,
               "worse.yaml:1:13: 'optim.lr'");
    EXPECT_ERR(config_load(c, test_path("none.yaml"), &e), e, ERR_MISSING, "none.yaml");
    EXPECT_ERR(config_override(c, "optim.lrr=1", &e), e, ERR_CONFIG,
               "override 'optim.lrr=1': unknown key 'optim.lrr'; did you mean 'optim.lr'?");
    EXPECT_ERR(config_override(c, "optim.lr=x", &e), e, ERR_CONFIG,
               "override 'optim.lr=x': 'optim.lr' must be");
    EXPECT_ERR(config_override(c, "optim.lr=[", &e), e, ERR_CONFIG,
               "override 'optim.lr=[': not well-formed YAML");
    EXPECT(config_is_override("optim.lr=3") && config_is_override("~optim.lr") &&
           !config_is_override("--json") && !config_is_override("a/b.yaml"));
    arena_free(&mem);
}

TEST(config_documents_itself)
{
    strbuf out = {0};
    config_markdown(&table, &out);
    EXPECT_HAS(out.s, "| `optim.lr` | a number from 0 to 10 | `1e-3` | learning rate (also "
                      "`optim.learning_rate`) |");
    EXPECT_HAS(out.s, "## optim");
    strbuf_free(&out);
    config_help(&table, &out);
    EXPECT_HAS(out.s, "optim.name");
    strbuf_free(&out);
}
