// SPDX-License-Identifier: GPL-3.0-or-later
// sampler.c: what is kept, with which probability, and what is drawn, against numbers worked out by
// hand.
#include "infer/sampler.h"

#include <math.h>
#include <string.h>

#include "tests/test.h"

static const sampler_options plain = {.temperature = 1, .top_p = 1, .penalty = 1};
// probabilities 0.5, 0.25, 0.15, 0.1 at tokens 2, 0, 3, 1
static const float four[] = {-1.3862944f, -2.3025851f, -0.6931472f, -1.8971200f};

static void expect_p(sampler_options o, const float *logits, int count, const int *history, int n,
                     const double *want)
{
    arena a = {0};
    err e = {0};
    double p[16], sum = 0;
    EXPECT_OK(sampler_distribution(sampler_open(&o, count, &a), logits, history, n, p, &e), e);
    for (int i = 0; i < count; i++) {
        EXPECT_NEAR(p[i], want[i], 1e-6);
        sum += p[i];
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    arena_free(&a);
}

TEST(sampler_plain_is_the_softmax)
{
    expect_p(plain, four, 4, NULL, 0, (double[]){0.25, 0.1, 0.5, 0.15});
}

TEST(sampler_temperature)
{
    sampler_options o = plain;
    o.temperature = 0.5; // squares
    double sum = 0.25 + 0.0625 + 0.0225 + 0.01;
    expect_p(o, four, 4, NULL, 0, (double[]){0.0625 / sum, 0.01 / sum, 0.25 / sum, 0.0225 / sum});
    o.temperature = 0;
    expect_p(o, four, 4, NULL, 0, (double[]){0, 0, 1, 0});
    expect_p(o, (const float[]){3, 7, 7}, 3, NULL, 0, (double[]){0, 1, 0});
    o.temperature = 1e-3; // nearly the same
    expect_p(o, four, 4, NULL, 0, (double[]){0, 0, 1, 0});
    o.temperature = 100; // nearly uniform
    arena a = {0};
    err e = {0};
    double p[4];
    EXPECT_OK(sampler_distribution(sampler_open(&o, 4, &a), four, NULL, 0, p, &e), e);
    for (int i = 0; i < 4; i++)
        EXPECT_NEAR(p[i], 0.25, 0.005);
    arena_free(&a);
}

TEST(sampler_top_k_keeps_the_likeliest)
{
    sampler_options o = plain;
    o.top_k = 2;
    expect_p(o, four, 4, NULL, 0, (double[]){1.0 / 3, 0, 2.0 / 3, 0});
    o.top_k = 1;
    expect_p(o, four, 4, NULL, 0, (double[]){0, 0, 1, 0});
    o.top_k = 99;
    expect_p(o, four, 4, NULL, 0, (double[]){0.25, 0.1, 0.5, 0.15});
    o.top_k = 2; // equals of the last one stay
    expect_p(o, (const float[]){1, 0, 1, 1}, 4, NULL, 0, (double[]){1.0 / 3, 0, 1.0 / 3, 1.0 / 3});
}

// Of hundreds of candidates, of which many are equal: those with fewer than k likelier ones.
TEST(sampler_top_k_finds_them_in_any_order)
{
    enum { N = 388 };
    for (int k = 1; k <= N; k += k < 4 ? 1 : 37) {
        arena a = {0};
        err e = {0};
        float logits[N];
        double p[N], sum = 0;
        sampler_options o = plain;
        o.top_k = k;
        for (int i = 0; i < N; i++)
            logits[i] = (float)(test_fill_u32((uint64_t)k, (uint32_t)i) % (k % 2 ? 1000 : 60)) / 64;
        EXPECT_OK(sampler_distribution(sampler_open(&o, N, &a), logits, NULL, 0, p, &e), e);
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i < N; i++) {
                int likelier = 0;
                for (int j = 0; j < N; j++)
                    likelier += logits[j] > logits[i];
                double own = likelier < k ? exp((double)logits[i]) : 0;
                if (pass)
                    EXPECT_NEAR(p[i], own / sum, 1e-12);
                else
                    sum += own;
            }
        arena_free(&a);
    }
}

TEST(sampler_top_p_keeps_the_fewest_that_reach_it)
{
    sampler_options o = plain;
    o.top_p = 0.49;
    expect_p(o, four, 4, NULL, 0, (double[]){0, 0, 1, 0});
    o.top_p = 0.51;
    expect_p(o, four, 4, NULL, 0, (double[]){1.0 / 3, 0, 2.0 / 3, 0});
    o.top_p = 0.89;
    expect_p(o, four, 4, NULL, 0, (double[]){0.25 / 0.9, 0, 0.5 / 0.9, 0.15 / 0.9});
    o.top_p = 0.91;
    expect_p(o, four, 4, NULL, 0, (double[]){0.25, 0.1, 0.5, 0.15});
    o.top_p = 0.6, o.top_k = 3; // of what top-k left: 5/9, 5/18, 1/6
    expect_p(o, four, 4, NULL, 0, (double[]){1.0 / 3, 0, 2.0 / 3, 0});
}

TEST(sampler_penalty_of_what_was_heard)
{
    sampler_options o = plain;
    o.penalty = 2;
    const float logits[] = {1, -1, 0.5f};
    double a = exp(0.5), b = exp(-2), c = exp(0.5), sum = a + b + c;
    expect_p(o, logits, 3, (const int[]){0, 1, 0}, 3, (double[]){a / sum, b / sum, c / sum});
    o.memory = 1; // the last one alone
    a = exp(1), b = exp(-1), c = exp(0.25), sum = a + b + c;
    expect_p(o, logits, 3, (const int[]){0, 1, 2}, 3, (double[]){a / sum, b / sum, c / sum});
}

TEST(sampler_never_draws_what_is_forbidden)
{
    arena a = {0};
    err e = {0};
    sampler_options o = plain;
    sampler *s = sampler_open(&o, 3, &a);
    for (int i = 0; i < 200; i++) {
        int token = -1;
        EXPECT_OK(sampler_draw(s, (const float[]){0, -INFINITY, 0}, NULL, 0, &token, &e), e);
        EXPECT(token == 0 || token == 2);
    }
    int token;
    EXPECT_ERR(
        sampler_draw(s, (const float[]){-INFINITY, -INFINITY, -INFINITY}, NULL, 0, &token, &e), e,
        ERR_NUMERIC, "no token");
    EXPECT_ERR(sampler_draw(s, (const float[]){0, NAN, 0}, NULL, 0, &token, &e), e, ERR_NUMERIC,
               "not finite");
    arena_free(&a);
}

// 40,000 draws come as often as they should (four deviations), the same for the same seed, others
// for another.
TEST(sampler_draws_as_it_says_and_the_same_again)
{
    enum { DRAWS = 40000 };
    static int drawn[3][DRAWS];
    arena a = {0};
    err e = {0};
    int count[4] = {0}, same = 0;
    for (int k = 0; k < 3; k++) {
        sampler_options o = plain;
        o.seed = k == 2 ? 8 : 7;
        sampler *s = sampler_open(&o, 4, &a);
        for (int i = 0; i < DRAWS; i++)
            EXPECT_OK(sampler_draw(s, four, NULL, 0, &drawn[k][i], &e), e);
    }
    for (int i = 0; i < DRAWS; i++)
        count[drawn[0][i]]++, same += drawn[0][i] == drawn[2][i];
    const double want[] = {0.25, 0.1, 0.5, 0.15};
    for (int i = 0; i < 4; i++)
        EXPECT_NEAR(count[i], DRAWS * want[i], 4 * sqrt(DRAWS * want[i] * (1 - want[i])));
    EXPECT(memcmp(drawn[0], drawn[1], sizeof drawn[0]) == 0);
    EXPECT_BELOW(same, 0.4 * DRAWS);
    arena_free(&a);
}

TEST(sampler_refuses_settings_out_of_range)
{
    err e = {0};
    sampler_options o = plain;
    EXPECT_OK(sampler_check(&o, &e), e);
    o.temperature = -1;
    EXPECT_ERR(sampler_check(&o, &e), e, ERR_USAGE, "temperature");
    o.temperature = NAN;
    EXPECT_ERR(sampler_check(&o, &e), e, ERR_USAGE, "temperature");
    o = plain, o.top_p = 0;
    EXPECT_ERR(sampler_check(&o, &e), e, ERR_USAGE, "top-p");
    o = plain, o.top_k = -1;
    EXPECT_ERR(sampler_check(&o, &e), e, ERR_USAGE, "top-k");
    o = plain, o.penalty = 0;
    EXPECT_ERR(sampler_check(&o, &e), e, ERR_USAGE, "penalty");
}
