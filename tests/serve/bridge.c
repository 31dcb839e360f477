// SPDX-License-Identifier: GPL-3.0-or-later
// bridge.c: nothing is lost or waited for between the audio thread and the worker: answers come in
// order, with the place that they are of, when they are due; a request that finds no place is
// refused and counted; and the rings hold under ThreadSanitizer.
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/hw.h"
#include "include/kmidi.h"
#include "serve/ring.h"
#include "tests/cmd/recogniser.h"
#include "tests/test.h"

enum { BLOCK = 64, RATE = 16000, LOOKAHEAD = 320 };

typedef struct pair {
    kmidi_model *m;
    kmidi_session *alone, *behind;
    kmidi_bridge *b;
} pair;

static pair open_pair(int requests, arena *a)
{
    pair p = {0};
    char why[KMIDI_TEXT];
    EXPECT_INT(kmidi_open(recogniser_checkpoint(&recogniser_ear, "c.h5", a), NULL, &p.m, why),
               KMIDI_OK);
    const kmidi_setup setup = {RATE, BLOCK, 0};
    EXPECT_INT(kmidi_session_open(p.m, &setup, &p.alone, why), KMIDI_OK);
    EXPECT_INT(kmidi_session_open(p.m, &setup, &p.behind, why), KMIDI_OK);
    EXPECT_INT(kmidi_bridge_open(p.behind, requests, LOOKAHEAD, &p.b), KMIDI_OK);
    return p;
}

static void close_pair(pair *p)
{
    kmidi_bridge_close(p->b);
    kmidi_session_close(p->alone);
    kmidi_session_close(p->behind);
    kmidi_close(p->m);
}

static void nap(void)
{
    nanosleep(&(struct timespec){0, 300000}, NULL);
}

// Blocks in their own time, or about it: the answers are those of a session without a bridge, each
// when it is due.
TEST(bridge_gives_each_answer_when_it_is_due)
{
    enum { BLOCKS = 400 };
    arena a = {0};
    pair p = open_pair(64, &a);
    int width = kmidi_width(p.alone), room = kmidi_room(p.alone), made = 0, taken = 0;
    float x[BLOCK], *want = NEW(&a, float, (size_t)(BLOCKS * width + room)),
                    *out = NEW(&a, float, (size_t)width);
    int64_t *ends = NEW(&a, int64_t, BLOCKS), at;
    EXPECT_INT(kmidi_bridge_latency(p.b), 256 + LOOKAHEAD);
    for (int i = 0; i < BLOCKS; i++) {
        recogniser_sound(x, BLOCK, (uint32_t)i);
        int k = kmidi_process(p.alone, x, BLOCK, want + made * width, room);
        for (int j = 0; j < k; j++)
            ends[made++] = (int64_t)(i + 1) * BLOCK;
        EXPECT_INT(kmidi_bridge_ask(p.b, x, BLOCK, (int64_t)i * BLOCK), KMIDI_OK);
        double until = hw_seconds() + 10;
        // the machine may be busy elsewhere: the worker has its time
        while ((i % 32 == 31 || i == BLOCKS - 1) && !kmidi_bridge_idle(p.b) && hw_seconds() < until)
            nap();
        int64_t now = (int64_t)(i + 1) * BLOCK;
        while (kmidi_bridge_take(p.b, now, out, width, &at) > 0) {
            EXPECT(taken < made && !memcmp(out, want + taken * width, (size_t)width * sizeof *out));
            EXPECT_INT(at, ends[taken] - 256);
            EXPECT(at + kmidi_bridge_latency(p.b) <= now);
            taken++;
        }
    }
    kmidi_counts c = kmidi_bridge_counts(p.b);
    EXPECT_INT(c.asked, BLOCKS);
    EXPECT_INT(c.answered, taken);
    EXPECT_INT(c.refused + c.failed, 0);
    // all but those that are not due yet
    EXPECT(taken >= made - 1 - LOOKAHEAD / 160 && taken < made);
    close_pair(&p);
    arena_free(&a);
}

// Nobody takes answers: requests fill up, are refused and counted, and what was taken in is there.
TEST(bridge_refuses_what_finds_no_place)
{
    arena a = {0};
    pair p = open_pair(16, &a);
    float x[BLOCK] = {0}, *out = NEW(&a, float, (size_t)kmidi_width(p.alone));
    long refused = 0, asked = 0;
    double began = hw_seconds(), longest = 0;
    for (int i = 0; i < 4000; i++) {
        double t = hw_seconds();
        kmidi_status s = kmidi_bridge_ask(p.b, x, BLOCK, (int64_t)i * BLOCK);
        longest = larger(hw_seconds() - t, longest);
        EXPECT(s == KMIDI_OK || s == KMIDI_FULL);
        refused += s == KMIDI_FULL, asked += s == KMIDI_OK;
        if (i % 50 == 0)
            nap();
    }
    EXPECT(refused > 0 && hw_seconds() - began < 60);
    int taken = 0, k = 0;
    for (double end = hw_seconds() + 20; hw_seconds() < end; nap()) {
        while ((k = kmidi_bridge_take(p.b, INT64_MAX, out, kmidi_width(p.alone), NULL)) > 0)
            taken++;
        if (kmidi_bridge_idle(p.b))
            break;
    }
    kmidi_counts c = kmidi_bridge_counts(p.b);
    EXPECT_INT(c.refused, refused);
    EXPECT_INT(c.asked, asked);
    EXPECT_INT(c.answered, taken);
    // the first waits for twice half a span; then one for each 160 samples that were taken in
    EXPECT_INT(taken, (asked * BLOCK - 256) / 160 + 1);
    close_pair(&p);
    arena_free(&a);
}

TEST(bridge_says_what_cannot_be)
{
    arena a = {0};
    pair p = open_pair(4, &a);
    kmidi_bridge *b;
    float x[BLOCK + 1] = {0}, out[256];
    EXPECT_INT(kmidi_bridge_open(NULL, 4, 0, &b), KMIDI_NOTHING);
    EXPECT_INT(kmidi_bridge_open(p.alone, 0, 0, &b), KMIDI_SETUP);
    EXPECT_INT(kmidi_bridge_open(p.alone, 4, -1, &b), KMIDI_SETUP);
    EXPECT_INT(kmidi_bridge_ask(NULL, x, BLOCK, 0), KMIDI_NOTHING);
    EXPECT_INT(kmidi_bridge_ask(p.b, NULL, BLOCK, 0), KMIDI_NOTHING);
    EXPECT_INT(kmidi_bridge_ask(p.b, x, BLOCK + 1, 0), KMIDI_COUNT);
    EXPECT_INT(kmidi_bridge_take(p.b, 0, out, 3, NULL), KMIDI_ROOM);
    EXPECT_INT(kmidi_bridge_take(p.b, 0, NULL, 256, NULL), KMIDI_NOTHING);
    x[0] = NAN;
    EXPECT_INT(kmidi_bridge_ask(p.b, x, BLOCK, 0), KMIDI_OK);
    for (double end = hw_seconds() + 20; !kmidi_bridge_idle(p.b) && hw_seconds() < end;)
        nap();
    EXPECT_INT(kmidi_bridge_counts(p.b).failed, 1);
    kmidi_bridge_close(NULL);
    EXPECT_INT(kmidi_session_close(p.alone), KMIDI_OK);
    EXPECT_INT(kmidi_bridge_open(p.alone, 4, 0, &b), KMIDI_CLOSED);
    EXPECT(b == NULL);
    close_pair(&p);
    arena_free(&a);
}

TEST(bridge_rings_hold_under_thread_sanitizer)
{
    const char *out, *program = test_path("rings");
    if (test_shell(NULL, "command -v gcc >/dev/null") ||
        test_shell(&out,
                   "gcc -std=gnu17 -O1 -g -fsanitize=thread -I. -o '%s' "
                   "tests/serve/watch/rings.c -pthread",
                   program)) {
        test_skip("needs gcc with ThreadSanitizer");
        return;
    }
    // (where addresses lie at random, an older sanitizer finds no room)
    EXPECT_INT(test_shell(&out, "setarch -R '%s' 300000 || '%s' 300000", program, program), 0);
    EXPECT_HAS(out, "300000 items in order");
}
