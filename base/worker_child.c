// SPDX-License-Identifier: GPL-3.0-or-later
// worker_child.c: what a worker process does (worker.h): an item in, its result out, until the
// caller is gone.
//
// Running out of memory must not look like a crash, but libraries abort over it. So a worker that
// is about to be killed by a signal looks whether there is any memory left.
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/worker_internal.h"

enum { LITTLE = 16 << 20 }; // less address space than this left means that memory was the reason

static void exhausted(const char *name, size_t bytes)
{
    (void)name, (void)bytes;
    _exit(WORKER_EXHAUSTED);
}

static void dying(int number)
{
    if (proc_exhausted(LITTLE))
        _exit(WORKER_EXHAUSTED);
    raise(number); // by its default action now: SA_RESETHAND
}

static void set_signals(void)
{
    static const int deadly[] = {SIGABRT, SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    struct sigaction last = {.sa_handler = dying, .sa_flags = SA_RESETHAND | SA_NODEFER};
    sigemptyset(&last.sa_mask);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        sigaction(deadly[i], &last, NULL);
    // ^C goes to all of the terminal's processes, a scheduler's signals to all of a job's: the
    // caller decides what becomes of them. A worker that ended by itself would have its item
    // blamed.
    static const int callers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE};
    for (size_t i = 0; i < sizeof callers / sizeof *callers; i++)
        signal(callers[i], SIG_IGN);
    signal(SIGALRM, SIG_DFL);
    signal(SIGXCPU, SIG_DFL);
}

static bool read_all(int fd, void *bytes, size_t n)
{
    for (char *p = bytes; n > 0;) {
        ssize_t k = read(fd, p, n);
        if (k == 0 || (k < 0 && errno != EINTR))
            return false;
        p += k > 0 ? k : 0, n -= k > 0 ? (size_t)k : 0;
    }
    return true;
}

static bool write_all(int fd, const void *bytes, size_t n)
{
    for (const char *p = bytes; n > 0;) {
        ssize_t k = proc_send(fd, p, n);
        if (k < 0 && errno != EINTR)
            return false;
        p += k > 0 ? k : 0, n -= k > 0 ? (size_t)k : 0;
    }
    return true;
}

static bool answer(int fd, bool ok, const err *e, const strbuf *out)
{
    size_t n = 0;
    while (!ok && e->text[n])
        n++;
    worker_head head = {.magic = WORKER_MAGIC,
                        .code = ok        ? ERR_NONE
                                : e->code ? (int32_t)e->code
                                          : ERR_INTERNAL,
                        .n = ok ? out->len : n};
    return write_all(fd, &head, sizeof head) &&
           write_all(fd, ok ? out->s : e->text, (size_t)head.n);
}

// The alarm is for a caller that was killed while this loops for ever (where systems do not see to
// it), or that does not listen just now; else the caller is quicker.
_Noreturn void worker_child(const worker_options *o, int fd)
{
    char item[WORKER_ITEM + 1];
    worker_head head;
    set_signals();
    proc_alone(fd);
    proc_limit(o->memory);
    proc_keep_memory(); // a third more piano pieces a second
    base_on_oom(exhausted);
    while (read_all(fd, &head, sizeof head) && head.n <= WORKER_ITEM &&
           read_all(fd, item, (size_t)head.n)) {
        err e = {0};
        strbuf out = {0};
        item[head.n] = 0;
        alarm((unsigned)ceil(o->seconds) + 1);
        bool ok = o->fn(o->user, item, (size_t)head.n, &out, &e);
        alarm(0);
        if (!answer(fd, ok, &e, &out))
            break;
        strbuf_free(&out);
    }
    _exit(0);
}
