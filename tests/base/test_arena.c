// SPDX-License-Identifier: GPL-3.0-or-later
// Arenas: zeroed, aligned, rewound, and what happens when memory runs out.
#include <setjmp.h>
#include <string.h>

#include "base/hw.h"
#include "tests/test.h"

static bool all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

TEST(arena_memory_is_zero_and_aligned_after_a_rewind)
{
    arena a = {.name = "test"};
    arena_mark start = arena_save(&a);
    static const size_t sizes[] = {1, 63, 64, 65, 1000, 20000, 100000, 3, 5000000, 17};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned char *p = arena_alloc(&a, sizes[i], 1);
            EXPECT_INT((uintptr_t)p % 64, 0);
            EXPECT(all_zero(p, sizes[i]));
            memset(p, 0xff, sizes[i]);
        }
        arena_rewind(&a, start);
        EXPECT_INT(a.used, 0);
    }
    arena_free(&a);
    EXPECT(a.last == NULL);
}

TEST(arena_rewind_keeps_what_came_before)
{
    arena a = {0};
    char *before = arena_strdup(&a, "before"), *large = arena_alloc(&a, 300000, 1);
    memset(large, 7, 300000);
    size_t used = a.used;
    arena_mark m = arena_save(&a);
    for (int i = 0; i < 100; i++) // single requests behind the newest block, new blocks before it
        memset(arena_alloc(&a, i % 3 ? 900 : 200000, 1), 0xee, i % 3 ? 900 : 200000);
    EXPECT(a.peak > 6000000);
    arena_rewind(&a, m);
    EXPECT_INT(a.used, used);
    EXPECT_STR(before, "before");
    EXPECT(large[0] == 7 && large[299999] == 7);
    EXPECT(all_zero(arena_alloc(&a, 60000, 1), 60000));
    EXPECT_STR(before, "before");
    arena_free(&a);
}

TEST(arena_counts_what_it_hands_out)
{
    arena a = {0};
    EXPECT(arena_alloc(&a, 0, 8) != NULL);
    EXPECT_INT(a.used, 64);
    (void)NEW(&a, double, 9);
    EXPECT_INT(a.used, 192);
    EXPECT_STR(arena_printf(&a, "%d-%s", 12, "x"), "12-x");
    arena_free(&a);
    arena_free(&a);
    EXPECT_INT(a.used, 0);
}

static jmp_buf escape;
static size_t wanted;

static void on_oom(const char *name, size_t bytes)
{
    EXPECT_STR(name, "small");
    wanted = bytes;
    longjmp(escape, 1);
}

static bool runs_out(size_t count, size_t size)
{
    arena a = {.name = "small"};
    if (setjmp(escape))
        return true;
    arena_alloc(&a, count, size);
    return false;
}

TEST(arena_overflow_and_exhaustion_reach_the_handler)
{
    base_on_oom(on_oom);
    EXPECT(runs_out(SIZE_MAX / 8, 16));
    EXPECT(wanted == SIZE_MAX);
    EXPECT(runs_out(SIZE_MAX - 100, 1));
    EXPECT(runs_out((size_t)1 << 60, 1));
    EXPECT_INT(wanted, (size_t)1 << 60);
    base_on_oom(NULL);
}

TEST(arena_costs_no_memory_until_it_is_used)
{
    arena a = {0};
    uint64_t before = hw_rss();
    char *p = arena_alloc(&a, (size_t)256 << 20, 1);
    EXPECT_BELOW((double)hw_rss(), (double)before + (16 << 20));
    EXPECT(p[12345678] == 0);
    arena_free(&a);
}

TEST(pages_are_zero_aligned_and_given_back)
{
    static const size_t sizes[] = {
        0, 1, 4096, ((size_t)2 << 20) - 1, (size_t)2 << 20, ((size_t)5 << 20) + 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *p = base_pages(sizes[i]);
        EXPECT(p != NULL);
        EXPECT_INT((uintptr_t)p % (sizes[i] >= (size_t)2 << 20 ? (size_t)2 << 20 : 64), 0);
        EXPECT(all_zero(p, sizes[i]));
        memset(p, 1, sizes[i]);
        base_pages_free(p, sizes[i]);
    }
    base_pages_free(NULL, 5);
    EXPECT(base_pages(SIZE_MAX - 5) == NULL);
    EXPECT(base_pages(SIZE_MAX / 2) == NULL);
}

TEST(arena_reset_keeps_a_block_and_its_zeros)
{
    arena a = {.name = "items"};
    char *first = memset(arena_alloc(&a, 1, 1000), 7, 1000);
    arena_alloc(&a, 1, 1 << 20); // a block of its own, which goes
    arena_reset(&a);
    EXPECT_INT(a.used, 0);
    char *again = arena_alloc(&a, 1, 1000);
    EXPECT(again == first);
    for (int i = 0; i < 1000; i++)
        EXPECT_INT(again[i], 0);
    arena_free(&a);
    EXPECT(a.last == NULL);
}
