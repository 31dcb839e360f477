// SPDX-License-Identifier: GPL-3.0-or-later
// options.c: command lines as people write them, and what is said about those that are wrong.
#include <string.h>

#include "cmd/cmd.h"
#include "tests/test.h"

static const option table[] = {
    {"out", 'o', OPT_TEXT, "DIR", "where", true},
    {"jobs", 'j', OPT_INT, "N", "how many", false},
    {"rate", 0, OPT_NUM, "R", "how fast", false},
    {"budget", 0, OPT_BYTES, "SIZE", "how much", false},
    {"force", 'f', OPT_FLAG, NULL, "whether", false},
    {"again", 0, OPT_COUNT, "N", "how often", false},
    {0},
};
static const config_key keys[] = {
    {"model", CONFIG_TEXT, NULL, .help = "which"},
    {"train", CONFIG_SECTION, .help = "the loop"},
    {"train.epochs", CONFIG_INT, "10", .help = "passes"},
    {"train.batch_size", CONFIG_INT, "16", .help = "items"},
    {"optim.lr", CONFIG_NUMBER, "1e-3", .alias = "optim.learning_rate", .help = "rate"},
    {"optim.name", CONFIG_TEXT, "sgd", .help = "rule"},
    {"schedule.name", CONFIG_TEXT, "flat", .help = "curve"},
};
static const config_other others[] = {
    {"num_train_epochs", "train.epochs"}, {"output_dir", "--out"}, {NULL, NULL}};
static const config_table key_table = {
    .what = "testing", .keys = keys, .n = sizeof keys / sizeof *keys, .others = others};

static const config_table *keys_of(arena *a)
{
    (void)a;
    return &key_table;
}

static const command self = {.name = "test",
                             .usage = "A [B] --out DIR",
                             .options = table,
                             .args_min = 1,
                             .args_max = 2,
                             .keys = keys_of};

// Parses a line split at blanks.
static bool parse(cmd *c, arena *a, const char *line, err *e)
{
    char *argv[32], *text = arena_strdup(a, line);
    int argc = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    *c = (cmd){.arena = a};
    return options_parse(c, &self, argc, argv, e);
}

TEST(options_understand_every_spelling)
{
    static const char *const lines[] = {"a --out d", "--out d a",      "--out=d a", "-o d a",
                                        "-od a",     "a -o x --out d", "-f a -o d", "a -o d --"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        arena a = {0};
        err e = {0};
        cmd c;
        EXPECT_OK(parse(&c, &a, lines[i], &e), e);
        EXPECT_STR(option_text(&c, "out", NULL), "d");
        EXPECT_INT(c.n_args, 1);
        EXPECT_STR(c.args[0], "a");
        arena_free(&a);
    }
}

TEST(options_have_types_and_fallbacks)
{
    arena a = {0};
    err e = {0};
    cmd c;
    EXPECT_OK(
        parse(
            &c, &a,
            "a -o d -j 12 --rate -0.5e1 --budget 6GiB --force x.lr=3e-4 data.train=[a=b,c] --json",
            &e),
        e);
    EXPECT_INT(option_int(&c, "jobs", 0), 12);
    EXPECT_NEAR(option_num(&c, "rate", 0), -5, 0);
    EXPECT_INT(option_int(&c, "budget", 0), 6LL << 30);
    EXPECT(option_given(&c, "force") && c.json && !c.quiet);
    EXPECT_INT(c.n_overrides, 2);
    EXPECT_STR(c.overrides[1], "data.train=[a=b,c]");
    EXPECT_OK(parse(&c, &a, "a -o d", &e), e);
    EXPECT_INT(option_int(&c, "jobs", 7), 7);
    EXPECT_INT(option_count(&c, "again", 10), 0);
    EXPECT_OK(parse(&c, &a, "--again a -o d", &e), e); // only what "=" joins to it is its value
    EXPECT_INT(option_count(&c, "again", 10), 10);
    EXPECT_OK(parse(&c, &a, "--again=20 a -o d", &e), e);
    EXPECT_INT(option_count(&c, "again", 10), 20);
    EXPECT_OK(parse(&c, &a, "a -o d -- --x=1", &e), e); // behind "--" all is positional
    EXPECT_INT(c.n_args, 2);
    EXPECT_OK(parse(&c, &a, "--help", &e), e); // asks for help: nothing else is required
    arena_free(&a);
}

TEST(options_say_what_is_wrong)
{
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"a", "--out DIR is missing; usage: kmidi test A [B] --out DIR"},
        {"-o d", "too few arguments"},
        {"a b c -o d", "'c' is one argument too many"},
        {"a --uot d", "did you mean '--out'?"},
        {"a --jsob -o d", "did you mean '--json'?"},
        {"a --zzzzzzzz -o d", "see 'kmidi test --help'"},
        {"a -z -o d", "no option '-z'"},
        {"a -o", "--out needs a value: --out DIR"},
        {"a -o --force", "--out needs a value"},
        {"a -o d -j x", "--jobs takes a whole number, not 'x'"},
        {"a -o d -j 1.5", "--jobs takes a whole number, not '1.5'"},
        {"a -o d -j 99999999999999999999", "--jobs takes a whole number"},
        {"a -o d --again=0", "--again takes a number from 1 to 1000000, not 0"},
        {"a -o d --again=x", "--again takes a whole number, not 'x'"},
        {"a -o d --rate nan", "--rate takes a number, not 'nan'"},
        {"a -o d --budget many", "--budget takes a size such as 6GiB or 512MB, not 'many'"},
        {"a -o d --force=yes", "--force takes no value"},
        {"a -o d --epochs 5", "there is no option '--epochs'; 'train.epochs' is a key of the "
                              "configuration: write train.epochs=5"},
        {"a -o d --epochs", "write train.epochs=VALUE"},
        {"a -o d --epochs model=x", "write train.epochs=VALUE"},
        {"a -o d --batch-size=8", "write train.batch_size=8"},
        {"a -o d --learning_rate 3e-4", "write optim.lr=3e-4"},
        {"a -o d --train.epochs 5", "write train.epochs=5"},
        {"a -o d --num_train_epochs 5", "write train.epochs=5"},
        {"a -o d --output_dir x", "there is no option '--output_dir'; did you mean '--out'?"},
        {"a -o d --epohcs 5", "write train.epochs=5"},
        {"a b epochs 5 -o d",
         "'epochs' is one argument too many; to set the key 'train.epochs' write train.epochs=5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        err e = {0};
        cmd c;
        EXPECT_ERR(parse(&c, &a, cases[i].line, &e), e, ERR_USAGE, cases[i].part);
        arena_free(&a);
    }
}
