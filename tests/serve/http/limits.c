// SPDX-License-Identifier: GPL-3.0-or-later
// limits.c: a full queue, a request that takes too long, a client that goes away, a worker that is
// killed, an end while somebody waits. A language model that never answers holds a worker for as
// long as a test likes.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hw.h"
#include "tests/net/server.h"
#include "tests/serve/http/served.h"
#include "tests/test.h"

enum { LONG = 60 }; // seconds until a test gives up

static const recorded never[] = {{"/api/tags", 200, "{}", 3600, false}};
static const char sad[] =
    "{\"intent\":{\"emotional_intent\":\"grief\",\"technical\":{\"bars\":1}}}";

static bool start(const char *more)
{
    char args[300];
    snprintf(args, sizeof args, "--llm-host %s --llm-timeout 3000 %s", server_start(never, 1),
             more);
    return served_start(args);
}

static void stop(int expected)
{
    EXPECT_INT(served_stop(SIGTERM), expected);
    server_stop();
}

// A request that a worker has and will not answer.
static int hang(void)
{
    char head[300];
    int fd = served_connect();
    snprintf(head, sizeof head,
             "POST /generate HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             served_host(), sizeof sad - 1, sad);
    served_send(fd, head, strlen(head));
    return fd;
}

static long gauge(const char *name)
{
    char line[64];
    long value = -1;
    reply r = served_ask("GET", "/metrics", NULL, NULL);
    snprintf(line, sizeof line, "\nkmidi_api_%s ", name);
    const char *at = r.body.s ? strstr(r.body.s, line) : NULL;
    if (at)
        sscanf(at + strlen(line), "%ld", &value);
    reply_free(&r);
    return value;
}

static bool wait_for(const char *name, long value)
{
    struct timespec t = {.tv_nsec = 20000000};
    for (int i = 0; i < LONG * 50; i++) {
        if (gauge(name) == value)
            return true;
        nanosleep(&t, NULL);
    }
    return test_expect(false, __FILE__, __LINE__, "%s is %ld, not %ld", name, gauge(name), value);
}

// By rule, whatever the language model does.
static void expect_plays(void)
{
    reply r = served_ask("POST", "/generate", "application/json",
                         "{\"llm\":false,\"intent\":{\"emotion\":\"joy\",\"technical\":{\"bars\":"
                         "1}}}");
    EXPECT_INT(r.status, 200);
    reply_free(&r);
}

TEST(serve_has_a_queue_with_an_end)
{
    if (!start("--workers 1 --queue 1"))
        return;
    int first = hang();
    wait_for("working", 1);
    int second = hang();
    wait_for("waiting", 1);
    reply r = served_ask("POST", "/generate", "application/json", sad);
    EXPECT_INT(r.status, 429);
    EXPECT_HAS(r.head.s, "Retry-After: ");
    EXPECT_HAS(reply_detail(&r), "the queue is full");
    reply_free(&r);
    r = served_ask("GET", "/health", NULL, NULL); // is answered all the same
    EXPECT_INT(r.status, 200);
    reply_free(&r);
    // Both clients go away: their work is stopped, and the worker goes on with the next.
    close(second), close(first); // the one that waits is gone before its turn comes
    wait_for("working", 0);
    wait_for("waiting", 0);
    expect_plays();
    EXPECT_INT(gauge("workers_lost_total"), 0);
    stop(0);
    EXPECT_HAS(served_log(), "POST /generate 499");
}

static void expect_ready(void)
{
    wait_for("workers_ready", 1);
    reply r = served_ask("GET", "/ready", NULL, NULL);
    EXPECT_INT(r.status, 200);
    reply_free(&r);
}

TEST(serve_takes_no_longer_than_it_says)
{
    if (!start("--workers 1 --time-limit 0.5"))
        return;
    reply r = served_ask("POST", "/generate", "application/json", sad);
    EXPECT_INT(r.status, 504);
    EXPECT_HAS(reply_detail(&r), "took longer than 0.5 seconds");
    reply_free(&r);
    wait_for("workers_lost_total", 1);
    expect_ready();
    stop(0);
}

// A model that is silent costs a third of the time, and then the rules read the words.
TEST(serve_leaves_the_rules_their_turn)
{
    char args[200];
    unsetenv("OLLAMA_TIMEOUT");
    snprintf(args, sizeof args, "--workers 1 --time-limit 6 --llm-host %s", server_start(never, 1));
    if (!served_start(args))
        return;
    reply r = served_ask("POST", "/generate", "application/json", sad);
    EXPECT_INT(r.status, 200);
    EXPECT_STR(json_str(json_get(json_get(r.json, "result"), "by"), ""), "rules");
    EXPECT_HAS(json_str(json_at(json_get(r.json, "notes"), 0), ""), "did not answer within 2 s");
    reply_free(&r);
    stop(0);
}

static void kill_worker(const char *number)
{
    EXPECT_INT(test_shell(NULL, "kill -s %s $(pgrep -P %d)", number, served_pid()), 0);
}

// Whatever ends a worker, the next is there without being asked for.
TEST(serve_outlives_its_workers)
{
    if (!start("--workers 1"))
        return;
    int fd = hang();
    wait_for("working", 1);
    kill_worker("SEGV");
    reply r = served_read(fd);
    EXPECT_INT(r.status, 500);
    EXPECT_HAS(reply_detail(&r), "the process that worked on it ended");
    reply_free(&r);
    wait_for("workers_lost_total", 1);
    expect_ready();
    kill_worker("KILL"); // while it has nothing to do
    wait_for("workers_lost_total", 2);
    expect_ready();
    fd = hang();
    wait_for("working", 1);
    kill_worker("STOP"); // it does not obey
    close(fd);
    wait_for("workers_lost_total", 3);
    expect_ready();
    expect_plays();
    stop(0);
}

// A worker has it, or had it already where this process was slow.
static void wait_begun(void)
{
    struct timespec t = {.tv_nsec = 20000000};
    for (int i = 0; i < LONG * 50; i++) {
        if (gauge("working") == 1 || strstr(served_log(), "POST /generate"))
            return;
        nanosleep(&t, NULL);
    }
    EXPECT(!"begun");
}

// What a worker has when the end is asked for is answered, and then it is the end.
TEST(serve_finishes_what_it_began)
{
    static const recorded late[] = {{"/api/tags", 404, "{}", 1, false}};
    char args[200];
    snprintf(args, sizeof args, "--workers 1 --llm-host %s", server_start(late, 1));
    if (!served_start(args))
        return;
    int fd = hang();
    wait_begun();
    EXPECT_INT(served_kill(SIGTERM), 0);
    reply r = served_read(fd);
    EXPECT_INT(r.status, 200);
    EXPECT_STR(json_str(json_get(json_get(r.json, "result"), "by"), ""), "rules");
    reply_free(&r);
    stop(0);
}

// Refused before a body comes: the client of this test sends none, and closes nothing.
TEST(serve_takes_bodies_as_they_are)
{
    static const struct {
        const char *path, *headers;
        int status;
    } cases[] = {
        {"/generate", "Transfer-Encoding: gzip\r\n", 501},
        {"/predict", "Transfer-Encoding: gzip, chunked\r\n", 501},
        {"/predict", "Transfer-Encoding: identity\r\n", 501},
        {"/nothing", "Transfer-Encoding: gzip\r\n", 404},
        {"/generate", "Content-Encoding: gzip\r\nContent-Length: 0\r\n", 415},
    };
    if (!served_start("--workers 1 --patience 30"))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char head[300];
        snprintf(head, sizeof head,
                 "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%s\r\n",
                 cases[i].path, served_host(), cases[i].headers);
        double since = hw_seconds();
        reply r = served_raw(head, strlen(head));
        test_expect(r.status == cases[i].status, __FILE__, __LINE__, "%s: %d, expected %d",
                    cases[i].headers, r.status, cases[i].status);
        EXPECT(*reply_detail(&r) && hw_seconds() - since < 20);
        reply_free(&r);
    }
    static const char body[] = "1c\r\n{\"intent\":{\"emotion\":\"joy\"}}\r\n0\r\n\r\n";
    char head[300];
    snprintf(head, sizeof head,
             "POST /generate HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
             "Transfer-Encoding: Chunked\r\n\r\n%s",
             served_host(), body);
    reply r = served_raw(head, strlen(head));
    EXPECT_INT(r.status, 200);
    reply_free(&r);
    EXPECT_INT(served_stop(SIGTERM), 0);
}

// The log is read in terminals, which obey what a client would have them do.
TEST(serve_logs_no_bytes_of_a_client)
{
    static const char *const methods[] = {"G\x1b[31mT", "A\x01", "GET\r", "\xff\xfe"};
    if (!served_start("--workers 1"))
        return;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        char head[200];
        snprintf(head, sizeof head, "%s /predict HTTP/1.1\r\nHost: %s\r\n\r\n", methods[i],
                 served_host());
        reply r = served_raw(head, strlen(head));
        EXPECT_INT(r.status, 405);
        reply_free(&r);
    }
    EXPECT_INT(served_stop(SIGTERM), 0);
    EXPECT_HAS(served_log(), "? ? 405");
    for (const char *c = served_log(); *c; c++)
        EXPECT(*c == '\n' || (*c >= ' ' && *c < 127));
}
