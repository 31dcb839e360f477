// SPDX-License-Identifier: GPL-3.0-or-later
// process.c: what belongs to the whole process: signals, the end of memory, threads.
//
// A command that polls env_stop is asked to finish and save by SIGINT, SIGTERM, SIGHUP and SIGXCPU,
// however many of them come: schedulers send several at once, to a job and to its steps. "At once"
// is meant only by a second SIGINT that no machine sent, which is to say not in the same instant.
// Asking is for work that could be lost, so a command that has not come to its first poll just
// ends; and one that does not come to its next (a library loops, a disk hangs) ends after a time.
// Other commands keep the system's behaviour. SIGUSR1 asks for a save. Handlers restart what they
// interrupt (SA_RESTART): libraries take EINTR for a failure, and the clock ends what waits.
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "base/room.h"
#include "cmd/cmd.h"
#include "cmd/process.h"

#define SECOND INT64_C(1000000000)
enum { HUMAN_LEAST = 4 }; // two SIGINTs within 1/4 of a second are one
// Nanoseconds without a poll after which a stop no longer waits for one: where work could be lost
// (or thrice the longest time between two polls, a step, if that is more), and where none could.
#define PATIENCE_WORK (30 * SECOND)
#define PATIENCE_NONE (3 * SECOND)

// The process's own: handlers get no argument through which these could come.
static struct {
    const command *running;
    volatile sig_atomic_t stop_signal, stop_seen, save_asked;
    atomic_llong asked_at, interrupted_at, polled_at, longest; // nanoseconds; 0: not yet
    atomic_int polls;
    // of handlers, aligned as sanitizers ask; a frame holds all vector registers: 11 KiB with AMX
    _Alignas(64) char stack[1 << 16];
} own;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

// Called by handlers.
static void say(const char *text)
{
    char line[300] = "kmidi ";
    strncat(line, own.running->name, 30);
    strncat(line, ": ", 3);
    strncat(line, text, 200);
    strncat(line, "\n", 2);
    if (write(STDERR_FILENO, line, strlen(line)) < 0)
        return;
}

_Noreturn void process_die(void)
{
    int number = own.stop_signal;
    sigset_t one;
    file_discard_all();
    if (own.running->resumable || !number)
        _exit(err_status(ERR_STOPPED));
    sigemptyset(&one);
    sigaddset(&one, number);
    signal(number, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(number);
    _exit(128 + number);
}

static void on_stop(int number)
{
    int64_t t = now(), first = atomic_load(&own.interrupted_at);
    if (!own.stop_signal) {
        own.stop_signal = number;
        atomic_store(&own.asked_at, t);
        alarm(1);
    }
    if (!atomic_load(&own.polls)) {
        if (own.running->resumable)
            say("stopped before it began; the same command begins again");
        process_die();
    }
    if (number != SIGINT)
        return;
    if (!first)
        atomic_store(&own.interrupted_at, t);
    else if (t - first > SECOND / HUMAN_LEAST)
        process_die();
}

// Before the second poll nothing was done yet that a stop could save.
static int64_t patience(void)
{
    int64_t most = 3 * atomic_load(&own.longest);
    if (!own.running->resumable || atomic_load(&own.polls) < 2)
        return PATIENCE_NONE;
    return most > PATIENCE_WORK ? most : PATIENCE_WORK;
}

static void on_clock(int number)
{
    (void)number;
    if (own.stop_seen)
        return;
    if (now() - atomic_load(&own.asked_at) > patience()) {
        say("stopped while it waited for what did not end; what was saved before is whole");
        process_die();
    }
    alarm(1);
}

static void on_save(int number)
{
    (void)number;
    own.save_asked = 1;
}

bool process_stop(void *user)
{
    int64_t t = now(), before = atomic_exchange(&own.polled_at, t);
    (void)user;
    if (before && t - before > atomic_load(&own.longest))
        atomic_store(&own.longest, t - before);
    atomic_fetch_add(&own.polls, 1);
    if (own.stop_signal)
        own.stop_seen = 1;
    return own.stop_signal;
}

bool cmd_take_save(void)
{
    bool asked = own.save_asked;
    own.save_asked = 0;
    return asked;
}

// Handlers get a stack of their own: under repeated signals oneDNN 2.6.3 corrupted the heap in 8 of
// 20 runs, OpenBLAS in none, and with this in none of 39. The likely cause, inferred from the cure
// alone: generated kernels use the stack pointer as one more register.
static bool own_stack(void)
{
    return sigaltstack(&(stack_t){.ss_sp = own.stack, .ss_size = sizeof own.stack}, NULL) == 0;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler,
                               .sa_flags = SA_RESTART | (own_stack() ? SA_ONSTACK : 0)};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

// A shell script starts its background jobs with SIGINT ignored; who sends one to such a job means
// it. Only nohup is respected.
static bool is_ignored(int number)
{
    struct sigaction old;
    return sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
}

static void on_oom(const char *owner, size_t bytes)
{
    file_discard_all();
    char text[400], hint[64];
    int n = snprintf(text, sizeof text,
                     "kmidi%s%s: out of memory: %zu more bytes for '%s' were refused%s; lower the "
                     "batch size or the memory budget, or close "
                     "other programs\n",
                     own.running ? " " : "", own.running ? own.running->name : "", bytes,
                     owner ? owner : "buffers", room_hint(hint));
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(err_status(ERR_MEMORY));
    _exit(err_status(ERR_MEMORY));
}

// A program that was started with a standard descriptor closed would get that number for the next
// file that it opens, and write its log there. A pipe without a reader and a file beyond its limit
// (ulimit -f) are errors of a write like others.
void process_begin(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            break;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    base_on_oom(on_oom);
}

void process_start(const command *k)
{
    own.running = k;
    if (!k->polls_stop)
        return;
    handle(SIGINT, on_stop);
    handle(SIGTERM, on_stop);
    handle(SIGXCPU, on_stop);
    handle(SIGALRM, on_clock);
    if (!is_ignored(SIGHUP))
        handle(SIGHUP, on_stop);
    handle(SIGUSR1, on_save);
}

static bool is_stdout(const char *path)
{
    struct stat a, b;
    return file_special(path) && stat(path, &a) == 0 && fstat(STDOUT_FILENO, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino && !isatty(STDOUT_FILENO);
}

bool cmd_output(cmd *c, const char *path, bool seek, err *e)
{
    if (!file_ready(path, seek, e))
        return false;
    if (is_stdout(path))
        console_cede(c->console);
    return true;
}

bool cmd_narrow(cmd *c, const char *name, bool weights, precision *p, err *e)
{
    const char *text = option_text(c, name, "fp32");
    bool known = precision_find(text, p) && *p != PRECISION_BF16X3;
    return (known && (weights || *p != PRECISION_INT8)) ||
           err_set(e, ERR_USAGE, "--%s takes %s, not '%s'", name,
                   weights ? "fp32, bf16 or int8" : "fp32 or bf16", text);
}

bool cmd_threads(cmd *c, int count, err *e)
{
    int64_t n = option_int(c, "threads", count > 0 ? count : hw_cores());
    if (n < 1 || n > 1024)
        return err_set(e, ERR_USAGE, "--threads takes a number from 1 to 1024, not %lld",
                       (long long)n);
    threads_close(c->env.pool);
    c->env.pool = threads_open((int)n, e);
    return c->env.pool != NULL;
}
