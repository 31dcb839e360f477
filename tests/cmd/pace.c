// SPDX-License-Identifier: GPL-3.0-or-later
// pace.c (tests): the time left, by a clock that is made up.
#include "cmd/pace.h"

#include "tests/test.h"

TEST(pace_tells_the_time_left)
{
    pace p = pace_start(100, 0);
    EXPECT(pace_left(&p, 100, 0, 50) < 0);
    EXPECT_NEAR(pace_left(&p, 110, 10, 50), 40, 1e-12);
    p = pace_start(100, 30); // goes on from 30
    EXPECT_NEAR(pace_left(&p, 110, 40, 50), 10, 1e-12);
    EXPECT(pace_left(&p, 110, 60, 50) < 0);
}

// Told ten times a second, of a job whose first 30,000 items are done already.
TEST(pace_forgets_what_was_done_before)
{
    pace p = pace_start(0, 0);
    for (int i = 1; i <= 3000; i++) {
        double now = 0.1 * i;
        uint64_t done = now < 0.5 ? 10000 * (uint64_t)i : 30000 + (uint64_t)(100 * now);
        pace_tell(&p, now, done);
        if (i >= 50) {
            double left = (176000.0 - (double)done) / 100;
            EXPECT_NEAR(pace_left(&p, now, done, 176000), left, 0.01 * left);
        }
    }
}
