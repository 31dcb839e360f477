// SPDX-License-Identifier: GPL-3.0-or-later
// Random numbers: the paper's vectors, moments, independence of streams, bijections.
#include <math.h>
#include <string.h>

#include "base/philox.h"
#include "base/rng.h"
#include "tests/test.h"

// The kat_vectors file of Random123 1.14 (D. E. Shaw Research), philox4x32 with 10 rounds.
TEST(rng_philox_matches_the_paper)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        philox4x32(known[i].counter, known[i].key, out);
        EXPECT(memcmp(out, known[i].out, sizeof out) == 0);
    }
}

// A saved run must find its numbers again: these may never change.
TEST(rng_numbers_stay_what_they_are)
{
    rng r = rng_stream(42, "dropout", 3);
    EXPECT_INT(rng_u32(r, 0, 0), 2580683105);
    EXPECT_INT(rng_u32(r, (uint64_t)1 << 40, 77), 3003591209);
    EXPECT_INT(rng_below(r, 5, 6, 1000), 60);
    EXPECT_INT(rng_permute(r, 2, 10, 1000), 372);
    EXPECT_NEAR(rng_normal(r, 1, 1), -0.676064124, 1e-9);
}

TEST(rng_fill_agrees_with_single_numbers)
{
    rng r = rng_stream(1, "x", 0);
    for (uint32_t first = 0; first < 9; first++)
        for (uint32_t blocks = 0; blocks < 5; blocks++) {
            uint32_t n = 4 * blocks, out[20];
            out[n] = 123;
            rng_fill_blocks(r, 7, first, out, blocks);
            for (uint32_t i = 0; i < n; i++)
                EXPECT_INT(out[i], rng_u32(r, 7, 4 * first + i));
            EXPECT_INT(out[n], 123);
        }
}

TEST(rng_streams_do_not_meet)
{
    enum { N = 6, COUNT = 2000 };
    const rng streams[N] = {rng_stream(1, "a", 0), rng_stream(1, "b", 0),  rng_stream(2, "a", 0),
                            rng_stream(1, "a", 1), rng_stream(1, "aa", 0), rng_stream(1, "", 0)};
    for (int a = 0; a < N; a++)
        for (int b = a + 1; b < N; b++) {
            int same = 0;
            double product = 0;
            for (uint32_t i = 0; i < COUNT; i++) {
                same += rng_u32(streams[a], 0, i) == rng_u32(streams[b], 0, i);
                product += (rng_uniform(streams[a], 0, i) - 0.5) *
                           (rng_uniform(streams[b], 0, i) - 0.5) * 12;
            }
            EXPECT_INT(same, 0);
            EXPECT_NEAR(product / COUNT, 0, 4.5 / sqrt(COUNT));
        }
}

TEST(rng_has_the_moments_of_its_distributions)
{
    enum { N = 200000 };
    rng r = rng_stream(7, "moments", 0);
    double u = 0, u2 = 0, g = 0, g2 = 0, g4 = 0, least = 1, most = 0;
    int counts[10] = {0};
    for (uint32_t i = 0; i < N; i++) {
        double x = rng_uniform(r, 3, i), z = rng_normal(r, 3, i);
        u += x, u2 += x * x, g += z, g2 += z * z, g4 += z * z * z * z;
        least = x < least ? x : least, most = x > most ? x : most;
        counts[rng_below(r, 3, i, 10)]++;
    }
    EXPECT(least >= 0 && most < 1);
    EXPECT_NEAR(u / N, 0.5, 0.003);
    EXPECT_NEAR(u2 / N, 1.0 / 3, 0.003);
    EXPECT_NEAR(g / N, 0, 0.01);
    EXPECT_NEAR(g2 / N, 1, 0.015);
    EXPECT_NEAR(g4 / N, 3, 0.1);
    for (int k = 0; k < 10; k++)
        EXPECT_NEAR(counts[k], N / 10, 5 * sqrt(N * 0.09));
    EXPECT_INT(rng_below(r, 0, 0, 1), 0);
    EXPECT(rng_below(r, 0, 0, UINT32_MAX) < UINT32_MAX);
}

TEST(rng_permute_is_a_bijection)
{
    static const uint64_t sizes[] = {1, 2, 3, 10, 255, 256, 257, 1000, 4096, 5000};
    static unsigned char seen[5000];
    rng r = rng_stream(3, "shuffle", 0);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            memset(seen, 0, sizeof seen);
            for (uint64_t i = 0; i < sizes[k]; i++) {
                uint64_t to = rng_permute(r, epoch, i, sizes[k]);
                if (EXPECT(to < sizes[k]))
                    seen[to]++;
            }
            for (uint64_t i = 0; i < sizes[k]; i++)
                EXPECT_INT(seen[i], 1);
        }
    EXPECT(rng_permute(r, 0, 5, UINT64_MAX) < UINT64_MAX);
}

TEST(rng_permute_reaches_every_order)
{
    enum { EPOCHS = 6000 };
    int counts[27] = {0}, orders = 0, fixed = 0;
    rng r = rng_stream(5, "orders", 0);
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        uint64_t a = rng_permute(r, epoch, 0, 3), b = rng_permute(r, epoch, 1, 3),
                 c = rng_permute(r, epoch, 2, 3);
        counts[a * 9 + b * 3 + c]++;
        fixed += rng_permute(r, epoch, 123, 1000) == 123;
    }
    for (int k = 0; k < 27; k++)
        if (counts[k]) {
            orders++;
            EXPECT_NEAR(counts[k], EPOCHS / 6, 5 * sqrt(EPOCHS / 6.0));
        }
    EXPECT_INT(orders, 6);
    EXPECT_BELOW(fixed, 20);
}
