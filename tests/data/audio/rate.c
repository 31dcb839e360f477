// SPDX-License-Identifier: GPL-3.0-or-later
// rate.c: tones come through another rate as they are, tones beyond it do not, and blocks of any
// size make the same bits.
#include "data/audio/rate.h"

#include <math.h>
#include <string.h>

#include "tests/test.h"

enum { N = 8000, MOST = 60000 };

// The output of a tone in blocks; how much.
static int64_t run(rate *r, double hz, int64_t from, int64_t block, float *out, int64_t *heard)
{
    float x[RATE_BLOCK], some[2 * RATE_BLOCK * 8 + 2];
    int64_t made = 0;
    rate_reset(r);
    for (int64_t i = 0; i < N; i += block) {
        for (int64_t k = 0; k < block; k++)
            x[k] = (float)sin(2 * M_PI * hz * (double)(i + k) / (double)from);
        int64_t n = rate_run(r, x, block, some);
        EXPECT(n <= rate_most(r));
        memcpy(out + made, some, (size_t)n * sizeof *out);
        made += n, *heard = i + block;
    }
    return made;
}

TEST(rate_keeps_tones_and_drops_what_is_beyond)
{
    static const int64_t rates[][2] = {{48000, 16000}, {44100, 16000}, {16000, 48000},
                                       {44100, 48000}, {24001, 16000}, {8000, 44100}};
    arena a = {0};
    float *out = NEW(&a, float, MOST), *other = NEW(&a, float, MOST);
    for (int i = 0; i < 6; i++) {
        int64_t from = rates[i][0], to = rates[i][1], heard;
        double lower = (double)(from < to ? from : to);
        rate *r = rate_open(from, to, &a);
        for (int h = 1; h <= 8; h++) {
            double hz = 0.05 * h * lower, worst = 0;
            int64_t made = run(r, hz, from, 250, out, &heard);
            EXPECT_NEAR((double)made, ((double)heard - rate_delay(r)) * (double)to / (double)from,
                        2);
            for (int64_t k = made / 4; k < made; k++) // behind the first, which silence precedes
                worst = larger(worst,
                               fabs((double)out[k] - sin(2 * M_PI * hz * (double)k / (double)to)));
            test_expect(worst < 1e-4, __FILE__, __LINE__, "%lld to %lld, %g Hz: %g",
                        (long long)from, (long long)to, hz, worst);
        }
        if (to < from) {
            double worst = 0;
            int64_t made = run(r, 0.51 * (double)to, from, 250, out, &heard);
            for (int64_t k = made / 4; k < made; k++)
                worst = larger(worst, fabs((double)out[k]));
            test_expect(worst < 1e-3, __FILE__, __LINE__, "%lld to %lld, beyond: %g",
                        (long long)from, (long long)to, worst);
        }
        int64_t made = run(r, 440, from, 250, out, &heard),
                again = run(r, 440, from, 1, other, &heard);
        EXPECT_INT(made, again);
        EXPECT(!memcmp(out, other, (size_t)made * sizeof *out));
    }
    arena_free(&a);
}
