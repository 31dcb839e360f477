// SPDX-License-Identifier: GPL-3.0-or-later
// queue.c: workers that cannot be made, and what becomes of requests when the queue is closed.
#include "serve/http/queue.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "base/hw.h"
#include "tests/cmd/recogniser.h"
#include "tests/net/server.h"
#include "tests/test.h"

static const recogniser_setup ear = {
    "ear", {{"preset", "librosa"}, {"sample_rate", "16000"}}, "60", "last", "0"};

static bool open_feature(feature *f, err *e);

// What a worker finds is what this process has when it is made.
static feature_def own;
static bool (*real_open)(feature *f, err *e);
static atomic_bool broken;
static atomic_int complaints, answered;

static bool open_feature(feature *f, err *e)
{
    if (atomic_load(&broken))
        return err_set(e, ERR_IO, "the ear is deaf today");
    return real_open(f, e);
}

static void hear_complaint(void *user, log_level level, const char *line)
{
    (void)user, (void)level;
    if (strstr(line, "the ear is deaf today"))
        atomic_fetch_add(&complaints, 1);
}

static void done(job *j)
{
    (void)j;
    atomic_fetch_add(&answered, 1);
}

static bool wait_until(const counts *c, bool ready)
{
    for (int i = 0; i < 3000 && counts_ready(c) != ready; i++)
        hw_sleep(0.01);
    return counts_ready(c) == ready;
}

TEST(serve_makes_a_worker_once_that_is_possible)
{
    arena a = {0};
    err e = {0};
    trained *d = trained_open(recogniser_checkpoint(&ear, "ear.h5", &a), &a, &e);
    EXPECT_OK(d && trained_mel(d, &e), e);
    own = *d->feature, real_open = own.open, own.open = open_feature, d->feature = &own;
    log_sink sink = {.least = LOG_WARN, .write = hear_complaint};
    env world = {.log = &sink};
    bench b = {0};
    shelf models = {.ears = {d}, .n_ears = 1};
    house h = {.models = &models, .env = &world, .bench = &b, .counts = counts_open(1, 1)};
    atomic_store(&broken, true);
    queue *q = queue_open(
        &(queue_setup){.workers = 1, .room = 1, .seconds = 30, .house = &h, .done = done}, &e);
    EXPECT_OK(q != NULL, e);
    for (int i = 0; i < 3000 && !atomic_load(&complaints); i++)
        hw_sleep(0.01);
    EXPECT(!counts_ready(h.counts));
    hw_sleep(1.5); // tried again, and not told again
    EXPECT_INT(atomic_load(&complaints), 1);
    atomic_store(&broken, false);
    EXPECT(wait_until(h.counts, true)); // though nothing is asked
    queue_close(q);
    counts_close(h.counts);
    trained_close(d);
    arena_free(&a);
}

// A generation that asks a language model which never answers ends when the queue is closed.
TEST(serve_ends_what_runs_when_it_is_closed)
{
    static const recorded never[] = {{"/api/tags", 200, "{}", 3600, false}};
    static const char body[] = "{\"intent\":{\"emotional_intent\":\"grief\"}}";
    err e = {0};
    env world = {0};
    bench b = {0};
    shelf models = {0};
    ollama_wish language = {.host = server_start(never, 1), .seconds = 3000};
    house h = {.models = &models,
               .language = &language,
               .env = &world,
               .bench = &b,
               .kept = kept_open(&e),
               .counts = counts_open(route_count(), 1)};
    char allowed[64];
    job two[2] = {{.route = route_find("POST", "/generate", allowed),
                   .query = "{}",
                   .bytes = body,
                   .n = sizeof body - 1,
                   .fd = -1}};
    two[1] = two[0];
    atomic_store(&answered, 0);
    queue *q = queue_open(
        &(queue_setup){.workers = 1, .room = 1, .seconds = 3000, .house = &h, .done = done}, &e);
    EXPECT_OK(q != NULL, e);
    EXPECT(queue_claim(q) && queue_claim(q) && !queue_claim(q));
    queue_put(q, &two[0]), queue_put(q, &two[1]);
    for (int i = 0; i < 3000 && !strstr(server_asked(), "/api/tags"); i++)
        hw_sleep(0.01);
    double since = hw_seconds();
    queue_close(q);
    EXPECT(hw_seconds() - since < 30);
    EXPECT_INT(atomic_load(&answered), 2);
    EXPECT_INT(two[1].answer.status, 503);
    EXPECT(two[0].answer.status == 503 || two[0].answer.status == 200); // by rule, without it
    answer_free(&two[0].answer), answer_free(&two[1].answer);
    counts_close(h.counts);
    kept_close(h.kept);
    server_stop();
}
