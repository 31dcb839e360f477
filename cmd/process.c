// SPDX-License-Identifier: GPL-3.0-or-later
// process.c: what belongs to the whole process: signals, the end of memory, threads.
//
// A command that polls env_stop is asked once to finish and save (SIGINT, SIGTERM, SIGHUP); the second time the process leaves at once.
// Other commands keep the system's behaviour. SIGUSR1 asks for a save. The handlers only set flags: all work is done by whoever polls
// them.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hw.h"
#include "cmd/cmd.h"

// The process's own: handlers get no argument through which these could come.
static volatile sig_atomic_t stop_asked, save_asked;
static const char *command_name = "";

static void on_stop(int number)
{
    (void)number;
    if (stop_asked)
        _exit(err_status(ERR_STOPPED));
    stop_asked = 1;
}

static void on_save(int number)
{
    (void)number;
    save_asked = 1;
}

bool process_stop(void *user)
{
    (void)user;
    return stop_asked;
}

bool cmd_take_save(void)
{
    bool asked = save_asked;
    save_asked = 0;
    return asked;
}

// Handlers get a stack of their own: under repeated signals oneDNN 2.6.3 corrupted the heap in 8 of 20 runs, OpenBLAS in none, and with
// this in none of 39. The likely cause, inferred from the cure alone: generated kernels use the stack pointer as one more register.
static bool own_stack(void)
{
    static char stack[1 << 16]; // a frame holds all vector registers: 11 KiB with AMX
    return sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL) == 0;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | (own_stack() ? SA_ONSTACK : 0)};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

// A shell script starts its background jobs with SIGINT ignored; who sends one to such a job means it. Only nohup is respected.
static bool is_ignored(int number)
{
    struct sigaction old;
    return sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
}

static void on_oom(const char *owner, size_t bytes)
{
    char text[300];
    int n = snprintf(text, sizeof text,
                     "kmidi %s: out of memory: %zu more bytes for '%s' were refused; lower the batch size or the memory budget, or close "
                     "other programs\n",
                     command_name, bytes, owner ? owner : "buffers");
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(err_status(ERR_MEMORY));
    _exit(err_status(ERR_MEMORY));
}

void process_start(const command *k)
{
    command_name = k->name;
    base_on_oom(on_oom);
    signal(SIGPIPE, SIG_IGN);
    if (!k->polls_stop)
        return;
    handle(SIGINT, on_stop);
    handle(SIGTERM, on_stop);
    if (!is_ignored(SIGHUP))
        handle(SIGHUP, on_stop);
    handle(SIGUSR1, on_save);
}

bool cmd_narrow(cmd *c, const char *name, precision *p, err *e)
{
    const char *text = option_text(c, name, "fp32");
    return (precision_find(text, p) && *p != PRECISION_BF16X3) || err_set(e, ERR_USAGE, "--%s takes fp32 or bf16, not '%s'", name, text);
}

bool cmd_threads(cmd *c, int count, err *e)
{
    int64_t n = option_int(c, "threads", count > 0 ? count : hw_cores());
    if (n < 1 || n > 1024)
        return err_set(e, ERR_USAGE, "--threads takes a number from 1 to 1024, not %lld", (long long)n);
    threads_close(c->env.pool);
    c->env.pool = threads_open((int)n, e);
    return c->env.pool != NULL;
}
