// SPDX-License-Identifier: GPL-3.0-or-later
// Workers: what happens in them costs one item and nothing else.
#include "base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/hw.h"
#include "base/proc.h"
#include "tests/test.h"

// An item says what to do.
static bool obey(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    const char *s = item;
    volatile bool forever = true;
    (void)user, (void)n;
    if (!strcmp(s, "abort"))
        abort();
    if (!strcmp(s, "kill"))
        raise(SIGKILL);
    if (!strcmp(s, "leave"))
        _exit(3);
    while (!strcmp(s, "loop") && forever)
        ;
    if (!strcmp(s, "eat")) {
        arena a = {0};
        for (;;)
            memset(arena_alloc(&a, 16 << 20, 1), 1, 16 << 20);
    }
    if (!strcmp(s, "eat and abort")) // as GLib does
        for (void *p; (p = malloc(16 << 20)) || (abort(), 0);)
            memset(p, 1, 16 << 20);
    if (!strcmp(s, "refuse"))
        return err_set(e, ERR_DAMAGED, "it does not like this");
    if (!strcmp(s, "slow"))
        usleep(700 * 1000);
    if (!strcmp(s, "big"))
        for (int i = 0; i < 1 << 20; i++)
            strbuf_add(out, "0123456789", 10);
    strbuf_printf(out, "did %s", s);
    return true;
}

static workers *open_pool(int count, double seconds)
{
    err e = {0};
    workers *w = workers_open(
        &(worker_options){.count = count, .seconds = seconds, .memory = 256 << 20, .fn = obey}, &e);
    EXPECT_OK(w != NULL, e);
    return w;
}

static void put(workers *w, const char *item)
{
    err e = {0};
    EXPECT_OK(workers_put(w, item, strlen(item) + 1, &e), e);
}

static void expect_next(workers *w, err_code code, const char *part)
{
    err e = {0};
    worker_result r = {0};
    EXPECT_OK(workers_take(w, &r, &e), e);
    EXPECT_INT(r.e.code, code);
    EXPECT_INT(r.ok, code == ERR_NONE);
    EXPECT_INT(r.lost, code == ERR_CRASH || code == ERR_TIMEOUT || code == ERR_MEMORY);
    EXPECT_HAS(r.ok ? r.bytes : r.e.text, part);
}

static bool no_children(void)
{
    return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

TEST(worker_results_come_in_order)
{
    workers *w = open_pool(2, 0);
    char text[32];
    int put_so_far = 0;
    for (int i = 0; i < 1000; i++) {
        for (; put_so_far < 1000 && workers_room(w); put_so_far++) {
            snprintf(text, sizeof text, "item %d", put_so_far);
            put(w, text);
        }
        snprintf(text, sizeof text, "did item %d", i);
        expect_next(w, ERR_NONE, text);
    }
    EXPECT_INT(workers_under_way(w), 0);
    workers_close(w);
    EXPECT(no_children());
}

TEST(worker_that_is_no_more_is_seen)
{
    workers *w = open_pool(2, 0);
    EXPECT(workers_whole(w));
    put(w, "kill");
    expect_next(w, ERR_CRASH, "crashed");
    EXPECT(!workers_whole(w));
    for (int i = 0; i < 4; i++)
        put(w, "a"), put(w, "b"), expect_next(w, ERR_NONE, "did a"), expect_next(w, ERR_NONE, "b");
    EXPECT(workers_whole(w));
    workers_close(w);
}

TEST(worker_crashes_cost_their_item)
{
    static const char *const items[] = {"a",     "abort", "b",     "kill",  "refuse",
                                        "leave", "c",     "abort", "abort", "d"};
    static const err_code codes[] = {0,         ERR_CRASH, 0,         ERR_CRASH, ERR_DAMAGED,
                                     ERR_CRASH, 0,         ERR_CRASH, ERR_CRASH, 0};
    for (int count = 1; count <= 3; count++) {
        workers *w = open_pool(count, 0);
        for (int i = 0; i < 10; i++)
            put(w, items[i]);
        for (int i = 0; i < 10; i++)
            expect_next(w, codes[i],
                        codes[i] == ERR_CRASH ? "leave it out"
                        : codes[i]            ? "does not like"
                                              : items[i]);
        workers_close(w);
    }
    EXPECT(no_children());
}

TEST(worker_that_loops_is_stopped)
{
    workers *w = open_pool(2, 0.2);
    put(w, "loop"), put(w, "a"), put(w, "b"), put(w, "loop"), put(w, "c");
    expect_next(w, ERR_TIMEOUT, "longer than 0.2 seconds");
    expect_next(w, ERR_NONE, "did a");
    expect_next(w, ERR_NONE, "did b");
    expect_next(w, ERR_TIMEOUT, "was stopped");
    expect_next(w, ERR_NONE, "did c");
    put(w, "loop"); // closing does not wait for it
    workers_close(w);
    EXPECT(no_children());
}

TEST(worker_that_takes_all_memory_is_named)
{
    if (!proc_limits()) {
        test_skip("no limit of address space here");
        return;
    }
    workers *w = open_pool(1, 0);
    put(w, "eat"), put(w, "a"), put(w, "eat and abort"), put(w, "b");
    expect_next(w, ERR_MEMORY, "more memory");
    expect_next(w, ERR_NONE, "did a");
    expect_next(w, ERR_MEMORY, "more memory");
    expect_next(w, ERR_NONE, "did b");
    workers_close(w);
}

TEST(worker_results_may_be_large)
{
    workers *w = open_pool(2, 0);
    for (int i = 0; i < 4; i++)
        put(w, i == 2 ? "small" : "big");
    for (int i = 0; i < 4; i++) {
        err e = {0};
        worker_result r = {0};
        EXPECT_OK(workers_take(w, &r, &e), e);
        EXPECT_INT(r.n, i == 2 ? 9 : (10 << 20) + 7);
        EXPECT(r.ok && !strcmp(r.bytes + r.n - 3, i == 2 ? "all" : "big"));
    }
    workers_close(w);
}

static bool asked(void *user)
{
    return ++*(int *)user > 1;
}

TEST(worker_waiting_can_be_stopped)
{
    err e = {0};
    int times = 0;
    const env v = {.stop = asked, .user = &times};
    workers *w = workers_open(&(worker_options){.fn = obey, .env = &v}, &e);
    worker_result r;
    put(w, "loop");
    EXPECT_ERR(workers_take(w, &r, &e), e, ERR_STOPPED, "stopped with 1 item");
    workers_close(w);
    EXPECT(no_children());
}

// The open files of the caller, which may be locked, are not a worker's.
static bool count_files(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    int open = 0;
    (void)user, (void)item, (void)n, (void)e;
    for (int fd = 3; fd < 256; fd++)
        open += fcntl(fd, F_GETFD) >= 0;
    strbuf_printf(out, "%d", open);
    return true;
}

TEST(worker_holds_no_files_of_others)
{
    err e = {0};
    strbuf out = {0};
    int fd = open("/dev/null", O_RDONLY);
    EXPECT_OK(worker_run(&(worker_options){.fn = count_files}, "files", "", 1, &out, &e), e);
    EXPECT_STR(out.s, "1");
    EXPECT_ERR(worker_run(&(worker_options){.fn = obey}, "a.mid", "abort", 6, &out, &e), e,
               ERR_CRASH, "'a.mid': the process");
    EXPECT_ERR(worker_run(&(worker_options){.fn = obey}, "a.mid", "refuse", 7, &out, &e), e,
               ERR_DAMAGED, "it does not like this");
    strbuf_free(&out);
    close(fd);
}

// Results that wait behind a slow item stay in their workers: the caller does not grow with them.
TEST(worker_results_do_not_pile_up)
{
    enum { BIG = 40 };
    if (!proc_limits()) {
        test_skip("memory cannot be told here");
        return;
    }
    workers *w = open_pool(2, 0);
    worker_result r = {0};
    err e = {0};
    put(w, "slow");
    for (int i = 0; i < BIG; i++)
        put(w, "big");
    uint64_t before = hw_rss(), most = 0;
    for (int i = 0; i <= BIG; i++) {
        EXPECT_OK(workers_take(w, &r, &e), e);
        EXPECT(r.ok && !strcmp(r.bytes + r.n - 4, i ? " big" : "slow"));
        most = hw_rss() > most ? hw_rss() : most;
    }
    EXPECT_BELOW((double)(most - before), 80e6); // of 420 MB
    workers_close(w);
}

// A caller that is killed: its workers go too, elsewhere than on Linux the one that loops at its
// time limit. Each holds a FIFO open, whose end tells that they are gone.
static bool hold(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    int fd = open(user, O_WRONLY);
    volatile bool forever = !strcmp(item, "loop");
    (void)n, (void)out, (void)e;
    if (write(fd, "x", 1) != 1)
        _exit(1);
    while (forever)
        ;
    return true;
}

#ifdef __linux__
#define HELD_SECONDS 60
#else
#define HELD_SECONDS 0.2
#endif

static _Noreturn void be_killed(const char *fifo)
{
    err e = {0};
    workers *w = workers_open(
        &(worker_options){.count = 2, .seconds = HELD_SECONDS, .fn = hold, .user = (void *)fifo},
        &e);
    if (!w || !workers_put(w, "loop", 5, &e) || !workers_put(w, "wait", 5, &e))
        _exit(1);
    for (;;)
        pause();
}

TEST(worker_does_not_outlive_its_caller)
{
    char bytes[2];
    const char *fifo = test_path("fifo");
    EXPECT_INT(mkfifo(fifo, 0600), 0);
    pid_t caller = fork();
    if (caller == 0)
        be_killed(fifo);
    int fd = open(fifo, O_RDONLY);
    EXPECT_INT(read(fd, bytes, 1), 1);
    EXPECT_INT(read(fd, bytes, 1), 1);
    kill(caller, SIGKILL);
    waitpid(caller, NULL, 0);
    EXPECT_INT(read(fd, bytes, 1), 0);
    close(fd);
}
