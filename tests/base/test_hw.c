// SPDX-License-Identifier: GPL-3.0-or-later
// Hardware facts: plausible, and in line with what this process was given; variants; log lines.
#include <stdlib.h>
#include <string.h>

#include "base/hw.h"
#include "base/log.h"
#include "base/variant.h"
#include "tests/test.h"

TEST(hw_is_plausible)
{
    hw h;
    double start = hw_seconds();
    hw_read(&h);
    EXPECT_BELOW(hw_seconds() - start, 2);
    EXPECT(h.cpu[0] && h.isa[0]);
    EXPECT_INT(h.cores, hw_cores());
    EXPECT_INT(h.memory, hw_memory());
    EXPECT(hw_load() >= 0 && hw_load() < 1000);
    EXPECT(h.cores >= 1 && h.packages >= 1 && h.numa >= 1);
    EXPECT(h.memory > (uint64_t)64 << 20 && h.memory_limit <= h.memory && h.memory_limit > 0);
    EXPECT(h.l1d == 0 || (h.l1d >= 8 << 10 && h.l1d <= 1 << 20));
    EXPECT(h.l2 == 0 || h.l2 >= h.l1d);
}

TEST(hw_memory_is_measured)
{
    uint64_t before = hw_rss(), peak = hw_peak_rss();
    EXPECT(before > 0 && peak >= before);
    size_t n = (size_t)64 << 20;
    char *p = base_pages(n);
    memset(p, 1, n);
    EXPECT(hw_rss() >= before + n / 2);
    base_pages_free(p, n);
    EXPECT(hw_peak_rss() >= before + n / 2);
    EXPECT_BELOW((double)hw_rss(), (double)before + n / 2);
}

TEST(variant_can_be_forced_down_but_not_up)
{
    unsetenv("KMIDI_ISA");
    variant best = variant_best();
    for (int v = 0; v < VARIANT_COUNT; v++) {
        setenv("KMIDI_ISA", variant_name((variant)v), 1);
        EXPECT_INT(variant_best(), v < (int)best ? v : (int)best);
        EXPECT_INT(variant_lowered(), v < (int)best);
    }
    setenv("KMIDI_ISA", "nonsense", 1);
    EXPECT_INT(variant_best(), best);
}

static void take_line(void *user, log_level level, const char *line)
{
    (void)level;
    strncat(user, line, 100);
    strcat(user, "|");
}

TEST(log_drops_what_lies_below)
{
    char text[1000] = "", longest[3000];
    log_sink s = {LOG_INFO, take_line, text};
    log_say(&s, LOG_DEBUG, "no");
    log_say(&s, LOG_INFO, "step %d", 3);
    log_say(&s, LOG_WARN, "oh");
    log_say(NULL, LOG_WARN, "nobody");
    EXPECT_STR(text, "step 3|oh|");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    log_say(&s, LOG_WARN, "%s", longest);
}
