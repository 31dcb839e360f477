// SPDX-License-Identifier: GPL-3.0-or-later
// Answers kept between two readings: what was put is taken, of the same version, in the same order.
#include "data/prepare/spill.h"

#include <string.h>

#include "tests/test.h"

static void put(spill *s, uint64_t number, const char *text)
{
    spill_put(s, number, 100 + number,
              &(worker_result){.ok = true, .bytes = text, .n = strlen(text)});
}

static bool has(spill *s, uint64_t number, uint64_t stamp, const char *text)
{
    arena a = {0};
    worker_result r;
    bool found = spill_take(s, number, stamp, &a, &r) && r.ok && r.n == strlen(text) &&
                 !memcmp(r.bytes, text, r.n);
    arena_free(&a);
    return found;
}

TEST(spill_gives_back_what_was_put)
{
    const char *out;
    arena a = {0};
    worker_result r = {.lost = true}, back;
    spill *s = spill_open(test_dir());
    EXPECT(s != NULL);
    EXPECT_INT(test_shell(&out, "ls -A %s", test_dir()), 0);
    EXPECT_STR(out, ""); // it has no name
    put(s, 1, "one"), put(s, 3, ""), put(s, 4, "four");
    err_set(&r.e, ERR_CRASH, "it crashed");
    spill_put(s, 6, 106, &r);
    put(s, 7, "seven");
    EXPECT(!has(s, 0, 100, "")); // never put
    EXPECT(has(s, 1, 101, "one"));
    EXPECT(has(s, 3, 103, ""));
    EXPECT(!has(s, 4, 999, "four")); // another version
    EXPECT(!has(s, 5, 105, ""));
    EXPECT(spill_take(s, 6, 106, &a, &back));
    EXPECT(!back.ok && back.lost);
    EXPECT_INT(back.e.code, ERR_CRASH);
    EXPECT_STR(back.e.text, "it crashed");
    EXPECT(has(s, 7, 107, "seven"));
    EXPECT(!has(s, 8, 108, ""));
    spill_close(s);
    arena_free(&a);
}

TEST(spill_may_be_missing)
{
    EXPECT(spill_open(test_path("no such folder")) == NULL);
    spill_put(NULL, 1, 1, &(worker_result){.ok = true});
    EXPECT(!has(NULL, 1, 101, ""));
    spill_close(NULL);
}
