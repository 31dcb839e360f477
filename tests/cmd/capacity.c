// SPDX-License-Identifier: GPL-3.0-or-later
// capacity.c (tests): `kmidi info --capacity` says what `kmidi plan` says of the same budget: the
// largest batch fits and twice as much does not.
#include <string.h>

#include "tests/test.h"

static json *surveyed(const char *words)
{
    const char *out;
    err e = {0};
    EXPECT_INT(
        test_shell(&out, "%s info --capacity --json -q -t 1 %s 2>/dev/null", test_kmidi(), words),
        0);
    json *j = json_parse(out, strlen(out), &e);
    test_expect(j != NULL, __FILE__, __LINE__, "%s: %s", words, out);
    return j;
}

static long long whole(const json *j, const char *key)
{
    return json_int(json_get(j, key), -1);
}

static double rate(const json *fit)
{
    return json_num(json_get(fit, "steps_per_s"), 0);
}

// What `kmidi plan` answers for so many at once: its peak, -1 where it refuses.
static long long peak_of(const char *model, long long batch, long long budget)
{
    const char *out;
    err e = {0};
    int status = test_shell(&out,
                            "%s plan %s data.train=none.h5 data.val=none.h5 train.batch_size=%lld "
                            "memory.micro_batch=%lld --budget %lld -t 1 --json 2>/dev/null",
                            test_kmidi(), model, batch, batch, budget);
    json *j = status ? NULL : json_parse(out, strlen(out), &e);
    long long peak = j ? whole(j, "peak_bytes") : -1;
    json_free(j);
    return peak;
}

TEST(capacity_is_what_a_plan_says)
{
    static const struct {
        const char *profile;
        bool beside;
        long long gib;
    } shares[] = {{"16gb", false, 12}, {"16gb", true, 7},   {"24gb", false, 18},
                  {"24gb", true, 7},   {"48gb", false, 40}, {"48gb", true, 2}};
    enum { SHARES = sizeof shares / sizeof *shares };
    json *j = surveyed("melody_transformer");
    const json *fits = json_get(j, "fits");
    EXPECT_STR(json_str(json_get(j, "model"), ""), "melody_transformer");
    EXPECT(whole(j, "parameters") == 641664 && whole(j, "trainable") == 641664);
    EXPECT(whole(j, "batch") == 16 && whole(j, "lora") == 0);
    EXPECT_INT(json_len(fits), SHARES);
    for (size_t i = 0; i < SHARES; i++) {
        const json *f = json_at(fits, i);
        long long n = whole(f, "largest_batch"), budget = whole(f, "budget_bytes");
        EXPECT_STR(json_str(json_get(f, "profile"), ""), shares[i].profile);
        EXPECT(json_bool(json_get(f, "beside_llm"), false) == shares[i].beside);
        EXPECT_INT(budget, shares[i].gib << 30);
        EXPECT(n >= 256 && (n & (n - 1)) == 0);
        EXPECT_NEAR((double)peak_of("melody_transformer", n, budget) /
                        (double)whole(f, "largest_peak_bytes"),
                    1, 0.02);
        EXPECT_INT(peak_of("melody_transformer", 2 * n, budget), -1);
        EXPECT_NEAR((double)whole(f, "peak_bytes") /
                        (double)peak_of("melody_transformer", 16, budget),
                    1, 0.05);
        EXPECT(rate(f) > 0 && rate(f) > json_num(json_get(f, "largest_steps_per_s"), 0) * 4);
    }
    json_free(j);
}

// Neither the run that they adapt nor data are there. Keys hold for all that is named.
TEST(capacity_of_adapters_needs_no_base)
{
    json *j = surveyed("lora_dynamics train.batch_size=24 data.train=none.h5");
    EXPECT_STR(json_str(json_get(j, "model"), ""), "dynamics_engine");
    EXPECT(whole(j, "trainable") == 3456 && whole(j, "lora") == 8 && whole(j, "batch") == 24);
    EXPECT_INT(whole(json_at(json_get(j, "fits"), 0), "largest_batch"), 65536);
    json_free(j);
}

// 128 windows at once are over 2 GiB where all is kept: there parts are computed twice, in more
// time, or it does not fit.
TEST(capacity_tells_where_a_batch_is_slower)
{
    static const char at_once[] =
        "emotion_midi_transformer_small train.batch_size=128 memory.micro_batch=128";
    const char *out;
    json *j = surveyed(at_once);
    const json *much = json_at(json_get(j, "fits"), 4), *little = json_at(json_get(j, "fits"), 5);
    EXPECT(whole(much, "micro_batch") == 128 && whole(little, "micro_batch") == 128);
    EXPECT_INT(whole(much, "recomputed"), 0);
    EXPECT(whole(little, "recomputed") > 0 && rate(little) < rate(much));
    EXPECT(whole(little, "peak_bytes") <= (long long)2 << 30 &&
           whole(much, "peak_bytes") > (long long)2 << 30);
    json_free(j);
    EXPECT_INT(test_shell(&out, "%s info --capacity -q -t 1 %s", test_kmidi(), at_once), 0);
    EXPECT_HAS(out, "    128*\n");
    EXPECT_INT(test_shell(&out, "%s info --capacity -q -t 1 %s memory.recompute=none", test_kmidi(),
                          at_once),
               0);
    EXPECT_HAS(out, "      -\n");
}

// 100 GiB of weights: nothing of it is allocated, and no time is made up.
TEST(capacity_measures_nothing_that_is_too_large)
{
    const char *out;
    test_shell(&out,
               "%s info --capacity --json -t 1 emotion_midi_transformer transformer.dim=8192 "
               "transformer.ffn=32768 transformer.heads=64 transformer.layers=8",
               test_kmidi());
    EXPECT_HAS(out, "a step is too large to be measured on this machine: times are estimates");
    EXPECT_HAS(out, "\"fits\": false");
    EXPECT_HAS(out, "\"largest_batch\": 0");
    EXPECT(!strstr(out, "steps_per_s"));
}

TEST(capacity_refuses_what_it_cannot_plan)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "%s info melody_transformer", test_kmidi()), 2);
    EXPECT_HAS(out, "'melody_transformer' goes with --capacity");
    EXPECT_INT(test_shell(&out, "%s info --capacity melody", test_kmidi()), 1);
    EXPECT_HAS(out, "kmidi info: melody: there is no configuration 'melody'");
    EXPECT_INT(
        test_shell(&out, "%s info --capacity melody_transformer train.bach_size=8", test_kmidi()),
        2);
    EXPECT_HAS(out, "did you mean 'train.batch_size'");
}
