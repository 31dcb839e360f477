// SPDX-License-Identifier: GPL-3.0-or-later
// The pool: every part once, many runs in a row, sleeping workers, runs inside runs.
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/hw.h"
#include "base/threads.h"
#include "tests/test.h"

typedef struct tally {
    // not atomic on purpose: each index has its own, and a race detector would see any overlap
    int part[16];
    int count;
} tally;

static void count_part(void *arg, int index, int count)
{
    tally *t = arg;
    t->part[index]++;
    if (index == 0)
        t->count = count;
}

TEST(threads_run_every_part_once)
{
    err e = {0};
    for (int threads_n = 1; threads_n <= 6; threads_n++) {
        threads *pool = threads_open(threads_n, &e);
        EXPECT_INT(threads_count(pool), threads_n);
        for (int count = 1; count <= threads_n; count++) {
            tally t = {0};
            for (int k = 0; k < 300; k++)
                threads_run(pool, count, count_part, &t);
            EXPECT_INT(t.count, count);
            for (int i = 0; i < 16; i++)
                EXPECT_INT(t.part[i], i < count ? 300 : 0);
        }
        threads_close(pool);
    }
}

TEST(threads_wake_after_sleep)
{
    err e = {0};
    threads *pool = threads_open(3, &e);
    tally t = {0};
    for (int k = 0; k < 30; k++) {
        threads_run(pool, k % 3 + 1, count_part, &t);
        // about as long as a worker spins: some are caught falling asleep
        usleep(k % 5 == 0 ? 2000 : 60);
    }
    EXPECT_INT(t.part[0], 30);
    EXPECT_INT(t.part[1], 20);
    EXPECT_INT(t.part[2], 10);
    threads_close(pool);
}

typedef struct nested {
    threads *pool;
    tally inner[2];
} nested;

static void run_inner(void *arg, int index, int count)
{
    nested *n = arg;
    (void)count;
    threads_run(n->pool, 2, count_part, &n->inner[index]);
}

TEST(threads_run_inside_a_run_in_turn)
{
    err e = {0};
    nested n = {threads_open(2, &e), {{{0}, 0}}};
    for (int k = 0; k < 50; k++)
        threads_run(n.pool, 2, run_inner, &n);
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(n.inner[i].part[0], 50);
        EXPECT_INT(n.inner[i].part[1], 50);
    }
    threads_close(n.pool);
}

static void *run_beside(void *arg)
{
    nested *n = arg;
    for (int k = 0; k < 500; k++)
        threads_run(n->pool, 2, count_part, &n->inner[1]);
    return NULL;
}

TEST(threads_pool_may_be_used_from_two_threads)
{
    err e = {0};
    nested n = {threads_open(2, &e), {{{0}, 0}}};
    pthread_t other;
    CHECK(pthread_create(&other, NULL, run_beside, &n) == 0);
    for (int k = 0; k < 500; k++)
        threads_run(n.pool, 2, count_part, &n.inner[0]);
    pthread_join(other, NULL);
    for (int i = 0; i < 2; i++)
        EXPECT_INT(n.inner[i].part[0] + n.inner[i].part[1], 1000);
    threads_close(n.pool);
}

typedef struct shared {
    unsigned char times[1000]; // each element is one thread's alone: a race detector would see two
    int of[4];                 // elements by thread
    int64_t grain, n;
    bool ragged, slow;
} shared;

static void count_elements(void *arg, int index, int64_t lo, int64_t hi)
{
    shared *s = arg;
    if (lo % s->grain || (hi % s->grain && hi != s->n))
        s->ragged = true;
    for (int64_t i = lo; i < hi; i++)
        s->times[i]++;
    s->of[index] += (int)(hi - lo);
    if (s->slow && index == 0)
        usleep(20000);
}

TEST(threads_share_every_element_once)
{
    err e = {0};
    threads *pool = threads_open(4, &e);
    for (int64_t n = 0; n < 1000; n = 2 * n + 1)
        for (int64_t grain = 1; grain <= 64; grain *= 8)
            for (int count = 1; count <= 4; count++)
                for (int k = 0; k < 30; k++) {
                    shared s = {.grain = grain, .n = n};
                    threads_share(pool, count, n, grain, count_elements, &s);
                    int once = 0, more = 0;
                    for (int i = 0; i < 1000; i++)
                        once += s.times[i] == 1, more += s.times[i] > 1;
                    EXPECT_INT(once, n);
                    EXPECT_INT(more, 0);
                    EXPECT(!s.ragged);
                }
    threads_close(pool);
}

// A thread that gets on slowly is left little of its own half.
TEST(threads_share_takes_from_the_slow)
{
    err e = {0};
    threads *pool = threads_open(2, &e);
    shared s = {.grain = 1, .n = 200, .slow = true};
    threads_share(pool, 2, 200, 1, count_elements, &s);
    EXPECT_INT(s.of[0] + s.of[1], 200);
    EXPECT(s.of[0] < 100);
    threads_close(pool);
}

TEST(threads_watched_leave_a_span_for_each_run)
{
    err e = {0};
    threads *pool = threads_open(3, &e);
    threads_span spans[10] = {0};
    tally t = {0};
    double began = hw_seconds();
    threads_run(pool, 3, count_part, &t); // not watched yet
    threads_watch(pool, spans, 9);
    threads_run(pool, 3, count_part, &t);
    threads_run(pool, 1, count_part, &t); // alone
    threads_run(pool, 2, count_part, &t);
    EXPECT_INT(threads_watched(pool), 5);
    int seen[3] = {0};
    for (int i = 0; i < 5; i++) {
        seen[spans[i].index]++;
        EXPECT(spans[i].begin >= began && spans[i].end >= spans[i].begin &&
               spans[i].end <= hw_seconds());
    }
    EXPECT_INT(seen[0], 2);
    EXPECT_INT(seen[1], 2);
    EXPECT_INT(seen[2], 1);
    for (int i = 0; i < 4; i++)
        threads_run(pool, 3, count_part, &t);
    EXPECT_INT(threads_watched(pool), 9); // no more than there is room for
    EXPECT_NEAR(spans[9].end, 0, 0);
    threads_watch(pool, NULL, 0);
    threads_run(pool, 3, count_part, &t);
    EXPECT_INT(threads_watched(pool), 0);
    EXPECT_INT(threads_watched(NULL), 0);
    threads_close(pool);
}

TEST(threads_null_is_one_thread)
{
    tally t = {0};
    EXPECT_INT(threads_count(NULL), 1);
    threads_run(NULL, 1, count_part, &t);
    EXPECT_INT(t.part[0], 1);
    threads_close(NULL);
    err e = {0};
    EXPECT_ERR(threads_open(0, &e) != NULL, e, ERR_VALUE, "use 1 to 1024");
}

TEST(threads_part_covers_everything_once)
{
    for (int64_t n = 0; n < 200; n += 7)
        for (int64_t grain = 1; grain <= 16; grain *= 4)
            for (int count = 1; count <= 5; count++) {
                int64_t at = 0;
                for (int i = 0; i < count; i++) {
                    int64_t lo, hi;
                    threads_part(n, grain, i, count, &lo, &hi);
                    EXPECT_INT(lo, at);
                    EXPECT(lo % grain == 0 || lo == n);
                    at = hi;
                }
                EXPECT_INT(at, n);
            }
}

static void touch_denormal(void *arg, int index, int count)
{
    volatile float *results = arg, tiny = 1e-39f;
    (void)count;
    results[index] = tiny * 1.0f;
}

TEST(threads_flush_denormals)
{
    err e = {0};
    float results[4] = {1, 1, 1, 1};
    threads *pool = threads_open(4, &e);
    threads_run(pool, 4, touch_denormal, results);
    for (int i = 0; i < 4; i++)
        EXPECT(results[i] == 0);
    threads_close(pool);
}
