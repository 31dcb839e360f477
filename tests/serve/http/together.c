// SPDX-License-Identifier: GPL-3.0-or-later
// together.c: sounds of several requests that a worker hears together: each request has the answer
// that it has alone, and what is wrong with one harms no other.
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "serve/http/queue.h"
#include "tests/cmd/recogniser.h"
#include "tests/test.h"

// The kinds of requests, and what becomes of them.
enum { GOOD, GARBAGE, EMPTY, LONG, OTHER, GONE, CRASH, SLOW, KINDS };
static const int statuses[KINDS] = {200, 422, 422, 200, 409, 499, 500, 504};
enum { JOBS = 12, RATE = 16000 };
static const int kinds[JOBS] = {GOOD, GARBAGE, GOOD, EMPTY, LONG, GOOD,
                                GONE, OTHER,   GOOD, GOOD,  GOOD, GOOD};
static const int with_crash[JOBS] = {GOOD, GOOD, CRASH, GOOD, GOOD, GARBAGE,
                                     GOOD, GOOD, GOOD,  LONG, GOOD, GOOD};
static const int with_slow[JOBS] = {GOOD, SLOW, GOOD, GARBAGE, GOOD, GOOD,
                                    GOOD, GOOD, GOOD, GOOD,    GOOD, GOOD};

typedef struct sound {
    char *bytes;
    size_t n;
} sound;

typedef struct fixture {
    arena a;
    trained *d;
    env world;
    bench bench;
    shelf models;
    house house;
    sound good[JOBS], bad[KINDS];
    job jobs[JOBS];
    int hung_up; // a connection that its client has closed
} fixture;

static atomic_int answered;

// A decoder with a fault, or one that never ends, stands for all that may happen to a process.
static feature_def own;
static void (*real_frames)(const feature *f, const float *x, int64_t n, float *out, void *scratch);
static const float FATAL = -0.875f, ENDLESS = -0.9375f;

static void frames_or_crash(const feature *f, const float *x, int64_t n, float *out, void *scratch)
{
    for (int64_t i = 0; i < f->span; i++)
        if (x[i] == FATAL)
            raise(SIGSEGV);
        else if (x[i] == ENDLESS)
            hw_sleep(600);
    real_frames(f, x, n, out, scratch);
}

static void done(job *j)
{
    (void)j;
    atomic_fetch_add(&answered, 1);
}

static sound make_sound(fixture *f, float *wave, int64_t n)
{
    err e = {0};
    sound s = {0};
    EXPECT_OK(clip_write_wav(test_path("x.wav"), wave, n, RATE, &e), e);
    s.bytes = file_read(&f->a, test_path("x.wav"), 1 << 24, &s.n, &e);
    EXPECT_OK(s.bytes != NULL, e);
    return s;
}

static void make_sounds(fixture *f)
{
    enum { MOST = 14 * RATE };
    float *wave = NEW(&f->a, float, MOST);
    for (int i = 0; i < JOBS; i++) {
        recogniser_sound(wave, RATE, 7 + (uint32_t)i);
        f->good[i] = make_sound(f, wave, RATE / 2 + 500 * i);
    }
    recogniser_sound(wave, MOST, 3);
    f->bad[LONG] = make_sound(f, wave, MOST);
    wave[10] = FATAL;
    f->bad[CRASH] = make_sound(f, wave, RATE);
    wave[10] = ENDLESS;
    f->bad[SLOW] = make_sound(f, wave, RATE);
    f->bad[GARBAGE] = (sound){memset(NEW(&f->a, char, 999), 'x', 999), 999};
    f->bad[EMPTY] = (sound){NEW(&f->a, char, 1), 0};
    f->bad[OTHER] = f->bad[GONE] = f->bad[GOOD] = f->good[0];
}

static void open_fixture(fixture *f)
{
    err e = {0};
    int pair[2];
    *f = (fixture){.hung_up = -1};
    f->d = trained_open(recogniser_checkpoint(&recogniser_ear, "ear.h5", &f->a), &f->a, &e);
    EXPECT_OK(f->d && trained_mel(f->d, &e), e);
    own = *f->d->feature, real_frames = own.frames, own.frames = frames_or_crash;
    f->d->feature = &own;
    f->models = (shelf){.ears = {f->d}, .n_ears = 1};
    f->house = (house){.models = &f->models, .env = &f->world, .bench = &f->bench};
    make_sounds(f);
    EXPECT_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    f->hung_up = pair[0];
}

static void close_fixture(fixture *f)
{
    close(f->hung_up);
    trained_close(f->d);
    arena_free(&f->a);
}

static job make_job(const fixture *f, int kind, int i)
{
    char allowed[64];
    const sound *s = kind == GOOD ? &f->good[i] : &f->bad[kind];
    job j = {.route = route_find("POST", "/predict", allowed),
             .query = kind == OTHER ? "{\"model\":\"nobody\"}" : "{}",
             .bytes = s->bytes,
             .n = s->n,
             .fd = kind == GONE ? f->hung_up : -1};
    snprintf(j.id, sizeof j.id, "%08u", (unsigned)i % 100000000u);
    return j;
}

// Asks all of them, one after the other or before the worker is ready for the first. How many
// workers were lost.
static long ask(fixture *f, const int kind[JOBS], double seconds, bool at_once)
{
    err e = {0};
    f->house.counts = counts_open(route_count(), 1);
    queue_setup s = {
        .workers = 1, .room = JOBS, .seconds = seconds, .house = &f->house, .done = done};
    queue *q = queue_open(&s, &e);
    EXPECT_OK(q != NULL, e);
    atomic_store(&answered, 0);
    for (int i = 0; i < JOBS; i++) {
        f->jobs[i] = make_job(f, kind[i], i);
        EXPECT(queue_claim(q));
        queue_put(q, &f->jobs[i]);
        for (int k = 0; k < 6000 && atomic_load(&answered) <= i && !at_once; k++)
            hw_sleep(0.01);
    }
    for (int k = 0; k < 6000 && atomic_load(&answered) < JOBS; k++)
        hw_sleep(0.01);
    EXPECT_INT(atomic_load(&answered), JOBS);
    EXPECT_INT(counts_of(f->house.counts, COUNTS_WORKING), 0);
    EXPECT_INT(counts_of(f->house.counts, COUNTS_WAITING), 0);
    long lost = (long)counts_of(f->house.counts, COUNTS_LOST);
    EXPECT(queue_claim(q)); // every place is free again
    queue_close(q);
    counts_close(f->house.counts);
    return lost;
}

static void check(const int kind[JOBS], job alone[JOBS], const job together[JOBS])
{
    char id[32];
    for (int i = 0; i < JOBS; i++) {
        const answer *a = &alone[i].answer, *b = &together[i].answer;
        test_expect(b->status == statuses[kind[i]] && a->status == b->status, __FILE__, __LINE__,
                    "request %d: %d, alone %d, expected %d", i, b->status, a->status,
                    statuses[kind[i]]);
        snprintf(id, sizeof id, "\"request_id\": \"%08d\"", i);
        if (kind[i] != GONE) {
            EXPECT_HAS(b->body.s, id);
            EXPECT(a->body.len == b->body.len && !memcmp(a->body.s, b->body.s, a->body.len));
        }
        EXPECT(!b->body.s || !strstr(b->body.s, "/proc/"));
    }
}

static void free_answers(job jobs[JOBS])
{
    for (int i = 0; i < JOBS; i++)
        answer_free(&jobs[i].answer);
}

// Within `seconds` each.
static void check_kinds(const int kind[JOBS], double seconds, long lost_alone, long lost_together)
{
    fixture f;
    job alone[JOBS];
    open_fixture(&f);
    EXPECT_INT(ask(&f, kind, seconds, false), lost_alone);
    memcpy(alone, f.jobs, sizeof alone);
    EXPECT_INT(ask(&f, kind, seconds, true), lost_together);
    check(kind, alone, f.jobs);
    free_answers(alone), free_answers(f.jobs);
    close_fixture(&f);
}

TEST(serve_answers_together_as_alone)
{
    check_kinds(kinds, 60, 0, 0);
}

// A worker that ends costs all that it had. Asked alone then, the guilty one ends another.
TEST(serve_together_blames_whom_it_must)
{
    check_kinds(with_crash, 60, 1, 2);
}

// What one lets run into the limit is asked for alone, each with the whole of it.
TEST(serve_together_waits_for_none_but_one)
{
    check_kinds(with_slow, 2, 1, 2);
}
