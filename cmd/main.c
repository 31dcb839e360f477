// SPDX-License-Identifier: GPL-3.0-or-later
// main.c: finds the command, gives it what it may use, and turns its error into a sentence and an exit status.
//
// Signals: a command that polls env_stop is asked once to finish and save (SIGINT, SIGTERM, SIGHUP); the second time the process leaves at
// once. Other commands keep the system's behaviour. SIGUSR1 asks for a save. The handlers only set flags: all work is done by
// whoever polls them.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hw.h"
#include "base/version.h"
#include "cmd/cmd.h"

enum { STATUS_USAGE = 2, STATUS_STOPPED = 75 };

// The process's own: signal handlers and the out-of-memory handler get no argument through which these could come.
static volatile sig_atomic_t stop_asked, save_asked;
static const char *command_name = "";

static void on_stop(int number)
{
    (void)number;
    if (stop_asked)
        _exit(STATUS_STOPPED);
    stop_asked = 1;
}

static void on_save(int number)
{
    (void)number;
    save_asked = 1;
}

static bool stop_poll(void *user)
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

static void handle(int number, void (*handler)(int))
{
    struct sigaction old, now = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&now.sa_mask);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN) // nohup and background jobs stay as they were set up
        sigaction(number, &now, NULL);
}

static void signals_install(const command *k)
{
    signal(SIGPIPE, SIG_IGN);
    if (!k->polls_stop)
        return;
    handle(SIGINT, on_stop);
    handle(SIGTERM, on_stop);
    handle(SIGHUP, on_stop);
    handle(SIGUSR1, on_save);
}

static void on_oom(const char *owner, size_t bytes)
{
    char text[256];
    int n = snprintf(text, sizeof text,
                     "kmidi %s: out of memory: %zu more bytes for '%s' were refused; lower the batch size or the memory budget, or close "
                     "other programs\n",
                     command_name, bytes, owner ? owner : "buffers");
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(err_status(ERR_MEMORY));
    _exit(err_status(ERR_MEMORY));
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

static int unknown_command(const char *name)
{
    const char *near = command_nearest(name);
    if (near)
        fprintf(stderr, "kmidi: there is no command '%s'; did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "kmidi: there is no command '%s'; see 'kmidi help'\n", name);
    return STATUS_USAGE;
}

// Prints help where asked, else runs; false with the error.
static bool perform(cmd *c, const command *k, int argc, char **argv, err *e)
{
    if (!options_parse(c, k, argc, argv, e))
        return false;
    console_set(c->console, c->json, c->quiet);
    if (option_given(c, "help")) {
        strbuf out = {0};
        help_command(k, &out);
        cmd_text(c, out.s, out.len);
        strbuf_free(&out);
        return true;
    }
    signals_install(k);
    return k->run(c, e);
}

static int run_command(const command *k, int argc, char **argv)
{
    arena a = {.name = "command"};
    err e = {0};
    command_name = k->name;
    base_on_oom(on_oom);
    cmd *c = NEW(&a, cmd, 1);
    c->arena = &a;
    c->self = k;
    c->console = console_open(&a, k->name);
    c->env = (env){.log = console_log(c->console), .stop = stop_poll};
    bool ok = perform(c, k, argc, argv, &e);
    if (!ok)
        cmd_complain(c, "%s", e.text);
    err lost = {0};
    if (!console_flush(c->console, &lost) && ok) {
        cmd_complain(c, "%s", lost.text);
        ok = false;
        e = lost;
    }
    threads_close(c->env.pool);
    console_close(c->console);
    arena_free(&a);
    return ok ? 0 : err_status(e.code);
}

int main(int argc, char **argv)
{
    hw_flush_denormals();
    if (argc < 2) {
        strbuf out = {0};
        help_overview(&out);
        fputs(out.s, stderr);
        strbuf_free(&out);
        return STATUS_USAGE;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
        return printf("kmidi %s (%s)\n", KMIDI_VERSION, version_revision()) < 0;
    const char *name = !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ? "help" : argv[1];
    const command *k = command_find(name);
    return k ? run_command(k, argc - 2, argv + 2) : unknown_command(name);
}
