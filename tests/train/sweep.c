// SPDX-License-Identifier: GPL-3.0-or-later
// sweep.c (tests): spaces as runs by number, plans as files, and the median rule.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "tests/test.h"
#include "train/sweep_median.h"
#include "train/sweep_plan.h"

// Every run of a space on a line of its own.
static char *spelt(const sweep_spaces *s, arena *a)
{
    strbuf out = {0};
    const char *set[SWEEP_AXES];
    for (uint64_t i = 0; i < sweep_spaces_count(s); i++) {
        int n = sweep_spaces_at(s, i, set, a);
        for (int k = 0; k < n; k++)
            strbuf_printf(&out, "%s%s", k ? " " : "", set[k]);
        strbuf_printf(&out, "\n");
    }
    return strbuf_keep(&out, a);
}

TEST(sweep_space_is_a_product_in_order)
{
    static const char *const args[] = {"optim.learning_rate=1e-3,3e-4", "train.seed=1..3",
                                       "optim.betas=[0.9, 0.99],[0.8, 0.9]", "train.epochs=4"};
    arena a = {0};
    err e = {0};
    sweep_spaces s;
    EXPECT_OK(sweep_spaces_open(&s, args, 4, NULL, 0, 1, &a, &e), e);
    EXPECT_INT(sweep_spaces_count(&s), 12);
    EXPECT_INT(s.n_fixed, 1);
    EXPECT_STR(s.fixed[0], "train.epochs=4");
    EXPECT_STR(sweep_spaces_describe(&s, &a), "optim.lr 2 x train.seed 3 x optim.betas 2");
    const char *text = spelt(&s, &a);
    EXPECT(str_starts(text, "optim.lr=1e-3 train.seed=1 optim.betas=[0.9, 0.99]\n"
                            "optim.lr=1e-3 train.seed=1 optim.betas=[0.8, 0.9]\n"
                            "optim.lr=1e-3 train.seed=2 "));
    EXPECT(str_ends(text, "optim.lr=3e-4 train.seed=3 optim.betas=[0.8, 0.9]\n"));
    static const char *const steps[] = {"train.label_smoothing=0..0.3:0.1", "train.seed=7..9:2"};
    EXPECT_OK(sweep_spaces_open(&s, steps, 2, NULL, 0, 1, &a, &e), e);
    EXPECT_INT(sweep_spaces_count(&s), 8);
    EXPECT_HAS(spelt(&s, &a),
               "train.label_smoothing=0.3 train.seed=9\n"); // not 0.30000000000000004
    arena_free(&a);
}

TEST(sweep_space_takes_sets)
{
    static const char *const args[] = {"train.seed=1,2"};
    static const char yaml[] =
        "grid: [train.epochs=3]\nsets:\n  - optim.name=sgd optim.lr=0.1,0.03\n"
        "  - optim.name=adamw optim.betas=[0.9, 0.99]\n";
    arena a = {0};
    err e = {0};
    sweep_spaces s;
    const char *path = test_path("sets.yaml");
    EXPECT_OK(file_write(path, yaml, sizeof yaml - 1, &e), e);
    EXPECT_OK(sweep_spaces_open(&s, args, 1, path, 0, 1, &a, &e), e);
    EXPECT_STR(spelt(&s, &a), "train.seed=1 optim.name=sgd optim.lr=0.1\n"
                              "train.seed=1 optim.name=sgd optim.lr=0.03\n"
                              "train.seed=2 optim.name=sgd optim.lr=0.1\n"
                              "train.seed=2 optim.name=sgd optim.lr=0.03\n"
                              "train.seed=1 optim.name=adamw optim.betas=[0.9, 0.99]\n"
                              "train.seed=2 optim.name=adamw optim.betas=[0.9, 0.99]\n");
    static const char *const twice[] = {"optim.name=sgd"};
    EXPECT_ERR(sweep_spaces_open(&s, twice, 1, path, 0, 1, &a, &e), e, ERR_USAGE,
               "sets.yaml:2:1: set 1: 'optim.name' is given twice");
    EXPECT_OK(file_write(path, "sets: [a]\n", 10, &e), e);
    EXPECT_ERR(sweep_spaces_open(&s, args, 1, path, 0, 1, &a, &e), e, ERR_USAGE,
               "is no key=values");
    EXPECT_OK(file_write(path, "set: [a=1]\n", 11, &e), e);
    EXPECT_ERR(sweep_spaces_open(&s, args, 1, path, 0, 1, &a, &e), e, ERR_CONFIG, "'sets'");
    arena_free(&a);
}

// Drawn evenly in the logarithm; the same seed draws the same; no run of a finite space twice.
TEST(sweep_space_draws)
{
    enum { N = 4000 };
    static const char *const args[] = {"optim.lr=1e-5..1e-1:log", "optim.name=sgd,adamw"};
    static const char *const finite[] = {"optim.lr=0.1,0.2,0.3", "train.seed=1..50"};
    arena a = {0};
    err e = {0};
    sweep_spaces s;
    const char *set[SWEEP_AXES];
    int sgd = 0, decade[4] = {0};
    EXPECT_OK(sweep_spaces_open(&s, args, 2, NULL, N, 7, &a, &e), e);
    EXPECT_INT(sweep_spaces_count(&s), N);
    for (uint64_t i = 0; i < N; i++) {
        EXPECT_INT(sweep_spaces_at(&s, i, set, &a), 2);
        double lr = atof(strchr(set[0], '=') + 1);
        EXPECT(lr >= 1e-5 && lr <= 1e-1);
        decade[(int)fmin(3, floor(log10(lr) + 5 + 1e-9))]++;
        sgd += !strcmp(set[1], "optim.name=sgd");
    }
    for (int i = 0; i < 4; i++) // a binomial of 4000 and 1/4: 27 is one deviation
        EXPECT(abs(decade[i] - N / 4) < 5 * 28);
    EXPECT(abs(sgd - N / 2) < 5 * 32);
    EXPECT_OK(sweep_spaces_open(&s, finite, 2, NULL, 150, 7, &a, &e), e);
    bool seen[4][51] = {{false}};
    for (uint64_t i = 0; i < 150; i++) {
        sweep_spaces_at(&s, i, set, &a);
        bool *at =
            &seen[(int)lround(10 * atof(strchr(set[0], '=') + 1))][atoi(strchr(set[1], '=') + 1)];
        EXPECT(!*at);
        *at = true;
    }
    EXPECT_ERR(sweep_spaces_open(&s, finite, 2, NULL, 151, 7, &a, &e), e, ERR_USAGE,
               "there are only 150 different runs");
    arena_free(&a);
}

TEST(sweep_space_refuses_nonsense)
{
    static const struct {
        const char *arg, *says;
    } cases[] = {{"optim.lr=", "a value is missing"},
                 {"optim.lr=1,,2", "a value is missing"},
                 {"optim.lr=0.0..1", "give a step behind it"},
                 {"optim.lr=1e-5..1e-2:log", "add --random N"},
                 {"train.seed=5..1", "from the less to the more"},
                 {"train.seed=1..5:-1", "a step above 0"},
                 {"train.seed=0..1e18:1", "at most 10000000 values"},
                 {"optim.lr", "is no key=values"}};
    arena a = {0};
    err e = {0};
    sweep_spaces s;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT_ERR(sweep_spaces_open(&s, &cases[i].arg, 1, NULL, 0, 1, &a, &e), e, ERR_USAGE,
                   cases[i].says);
    static const char *const huge[] = {"train.seed=1..9999999", "train.epochs=1..9999999",
                                       "train.max_steps=1..9999999", "train.min_epochs=1..9999999"};
    EXPECT_OK(sweep_spaces_open(&s, huge, 4, NULL, 0, 1, &a, &e), e);
    EXPECT(sweep_spaces_count(&s) == UINT64_MAX);
    EXPECT_ERR(
        sweep_spaces_open(&s, (const char *const[]){"optim.lr=-1..1:log"}, 1, NULL, 3, 1, &a, &e),
        e, ERR_USAGE, "begins above 0");
    arena_free(&a);
}

// ---- Plans

static bool make(sweep_plan *p, arena *a, int values, err *e)
{
    const char *args[] = {"optim.lr=1e-3,3e-4", arena_printf(a, "train.seed=1..%d", values),
                          "data.train=x.h5"};
    sweep_spaces *s = NEW(a, sweep_spaces, 1);
    return sweep_spaces_open(s, args, 3, NULL, 0, 1, a, e) &&
           sweep_plan_make(p, test_path("sweep"), "dynamics_engine", s, a, e);
}

TEST(sweep_plan_survives_its_file)
{
    arena a = {0};
    err e = {0};
    sweep_plan p, q;
    EXPECT_OK(make(&p, &a, 3, &e), e);
    EXPECT_INT(p.n, 6);
    EXPECT_STR(p.runs[5].name, "0006");
    EXPECT_STR(sweep_run_describe(&p.runs[5], &a), "optim.lr=0.0003 train.seed=3");
    EXPECT_HAS(p.config_text, "train: x.h5\n");
    EXPECT(!sweep_plan_there(p.dir));
    p.runs[2].micro_batch = 32, p.runs[2].peak = 12345678, p.runs[2].seconds = 1.5;
    EXPECT_OK(sweep_plan_write(&p, &e) && sweep_plan_read(&q, p.dir, &a, &e), e);
    EXPECT(sweep_plan_there(p.dir) && sweep_plan_same(&p, &q) && !q.config_edited);
    EXPECT_INT(q.runs[2].micro_batch, 32);
    EXPECT_INT(q.runs[2].peak, 12345678);
    for (size_t i = 0; i < q.n; i++)
        EXPECT(!q.runs[i].edited);
    arena_free(&a);
}

// A line that a person changed is noticed, and so is what it may not be.
TEST(sweep_plan_notices_what_was_changed)
{
    static const struct {
        const char *sed, *says;
        int line; // that is seen as changed; 0: refused
    } cases[] = {{"3s/seed=2/seed=9/", NULL, 2},
                 {"3s/, .check.*/}/", NULL, 2},
                 {"3s/seed=2/sed=9/", "run '0002': override 'train.sed=9': unknown key", 0},
                 {"3s/0.001/11/", "run '0002': override 'optim.lr=11': 'optim.lr' must be", 0},
                 {"3s/0002/..\\/x/", "plan.jsonl:3: a run has a name of letters", 0},
                 {"3s/0002/0001/", "has two runs '0001'", 0},
                 {"3s/.set.: /\"st\": /", "plan.jsonl:3: a run has a name", 0},
                 {"3s/.$//", "plan.jsonl:3: ", 0},
                 {"1d", "plan.jsonl:1: this is no plan of a sweep", 0},
                 {"1i\\\\n", "begins with an empty line", 0},
                 {"3s/seed/s\\x00eed/", "has a byte of 0", 0},
                 {"1,$d", "is empty", 0}};
    arena a = {0};
    err e = {0};
    sweep_plan p, q;
    EXPECT_OK(make(&p, &a, 3, &e), e);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT_OK(sweep_plan_write(&p, &e), e);
        EXPECT_INT(test_shell(NULL, "sed -i '%s' %s/plan.jsonl", cases[i].sed, p.dir), 0);
        e = (err){0};
        bool ok = sweep_plan_read(&q, p.dir, &a, &e) && sweep_plan_check(&q, &a, &e);
        if (!cases[i].line)
            test_expect(!ok && test_has(e.text, cases[i].says), __FILE__, __LINE__, "%s: %s",
                        cases[i].sed, e.text);
        else if (EXPECT_OK(ok, e))
            for (size_t k = 0; k < q.n; k++)
                EXPECT_INT(q.runs[k].edited, (int)k + 1 == cases[i].line);
    }
    EXPECT_OK(sweep_plan_write(&p, &e), e);
    EXPECT_INT(test_shell(NULL, "sed -i 's/epochs: .*/epochs: 3/' %s/config.yaml", p.dir), 0);
    EXPECT_OK(sweep_plan_read(&q, p.dir, &a, &e), e);
    EXPECT(q.config_edited);
    arena_free(&a);
}

TEST(sweep_plan_of_a_thousand)
{
    arena a = {0};
    err e = {0};
    sweep_plan p;
    EXPECT_OK(make(&p, &a, 500, &e) && sweep_plan_write(&p, &e), e);
    EXPECT_INT(p.n, 1000);
    arena_free(&a);
}

// ---- The median rule

static median_curve curve(arena *a, int n, const double *values)
{
    median_curve c = {NEW(a, int64_t, 16), NEW(a, double, 16), (size_t)n};
    for (int i = 0; i < n; i++)
        c.step[i] = 10 * (i + 1), c.value[i] = values[i];
    return c;
}

TEST(sweep_median_rule_by_hand)
{
    arena a = {0};
    double median;
    const median_curve done[] = {curve(&a, 3, (double[]){5, 4, 3}),
                                 curve(&a, 3, (double[]){6, 3, 2}), curve(&a, 2, (double[]){7, 8}),
                                 curve(&a, 3, (double[]){4, 6, NAN})};
    const median_rule low = {.least = 4}, high = {.least = 4, .higher = true};
    median_curve own = curve(&a, 2, (double[]){9, 5.5});
    EXPECT(median_is_bad(&low, &own, done, 4, &median)); // 8 6 4 3: 5
    EXPECT_NEAR(median, 5, 0);
    own.value[0] = 4.5; // its best so far counts, not its last
    EXPECT(!median_is_bad(&low, &own, done, 4, &median));
    EXPECT(
        median_is_bad(&high, &(median_curve){own.step, (double[]){1, 4.9}, 2}, done, 4, &median));
    EXPECT(
        !median_is_bad(&high, &(median_curve){own.step, (double[]){1, 5.0}, 2}, done, 4, &median));
    EXPECT(!median_is_bad(&(median_rule){.least = 5}, &own, done, 4, &median));
    own.value[0] = 9;
    EXPECT(!median_is_bad(&(median_rule){.least = 1, .from = 21}, &own, done, 4, &median));
    EXPECT(median_is_bad(&(median_rule){.least = 1, .from = 20}, &own, done, 4, &median));
    own.step[1] = 15; // a step that no other has
    EXPECT(!median_is_bad(&low, &own, done, 4, &median));
    own.step[1] = 20, own.value[0] = own.value[1] = NAN;
    EXPECT(median_is_bad(&low, &own, done, 4, &median));
    EXPECT(!median_is_bad(&(median_rule){0}, &own, done, 0, &median));
    own.n = 0;
    EXPECT(!median_is_bad(&low, &own, done, 4, &median));
    arena_free(&a);
}

// A hundred thousand judgements of Optuna's MedianPruner are in nobody's way: the same ones are
// made by tests/peers/median.py over these very draws.
TEST(sweep_median_rule_is_that_of_optuna)
{
    const char *out, *python = getenv("PEERS_PYTHON");
    if (!python || test_shell(NULL, "%s -c 'import optuna'", python)) {
        test_skip("PEERS_PYTHON names no Python with optuna");
        return;
    }
    enum { CASES = 300, RUNS = 7, STEPS = 6 };
    arena a = {0};
    FILE *f = fopen(test_path("cases.txt"), "w");
    for (uint32_t i = 0; f && i < CASES; i++) {
        rng r = rng_stream(5, "median", i);
        median_curve done[RUNS], own;
        double v[STEPS], median;
        int least = (int)rng_below(r, 9, 0, 8), from = 10 * (int)rng_below(r, 9, 1, 5),
            higher = (int)rng_below(r, 9, 2, 2), n = (int)rng_below(r, 9, 3, RUNS + 1);
        fprintf(f, "%d %d %d %d", least, from, higher, n);
        for (int k = 0; k <= n; k++) {
            int length = 1 + (int)rng_below(r, 8, (uint32_t)k, STEPS);
            for (int j = 0; j < length; j++) {
                uint32_t x = rng_below(r, (uint64_t)k, (uint32_t)j, 12);
                v[j] = x == 11 ? NAN : x;
            }
            median_curve c = curve(&a, length, v);
            *(k < n ? &done[k] : &own) = c;
            fprintf(f, " %d", length);
            for (int j = 0; j < length; j++)
                fprintf(f, " %g", v[j]);
        }
        const median_rule rule = {(size_t)least, from, higher != 0};
        fprintf(f, " %d\n", median_is_bad(&rule, &own, done, (size_t)n, &median));
    }
    EXPECT(f && fclose(f) == 0);
    EXPECT_INT(test_shell(&out, "%s tests/peers/median.py %s", python, test_path("cases.txt")), 0);
    EXPECT_HAS(out, "300 alike");
    arena_free(&a);
}
