// SPDX-License-Identifier: GPL-3.0-or-later
// main.c: finds the command, gives it what it may use, and turns its error into a sentence and an
// exit status.
#include <stdio.h>
#include <string.h>

#include "base/comm.h"
#include "base/hw.h"
#include "base/room.h"
#include "base/slurm.h"
#include "base/version.h"
#include "cmd/cmd.h"
#include "cmd/process.h"

enum { STATUS_USAGE = 2 };

static int unknown_command(const char *name)
{
    const char *near = command_nearest(name);
    if (near)
        fprintf(stderr, "kmidi: there is no command '%s'; did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "kmidi: there is no command '%s'; see 'kmidi help'\n", name);
    return STATUS_USAGE;
}

// What cannot be written is said before the work, not behind it.
static bool outputs_ready(cmd *c, err *e)
{
    bool ok = true;
    for (int i = 0; ok && i < c->n_values; i++) {
        option_type type = c->values[i].option->type;
        if (type != OPT_OUT && type != OPT_OUT_H5)
            continue;
        ok = cmd_output(c, c->values[i].text, type == OPT_OUT_H5, e) ||
             err_trail(e, "--%s", c->values[i].option->name);
    }
    return ok;
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
    process_start(k);
    return outputs_ready(c, e) && k->run(c, e);
}

// A job that its scheduler may start again.
static void queue_again(cmd *c)
{
    err e = {0};
    if (slurm_requeue(&e))
        cmd_say(c, "this job is queued again, and will go on");
    else if (e.code)
        cmd_complain(c, "%s", e.text);
}

// What runs out of memory seldom knows that a limit, not the machine, refused it.
static void complain(cmd *c, const err *e)
{
    char hint[64] = "";
    if (e->code == ERR_MEMORY && !strstr(e->text, "ulimit"))
        room_hint(hint);
    cmd_complain(c, "%s%s", e->text, hint);
}

static int run_command(const command *k, int argc, char **argv)
{
    arena a = {.name = "command"};
    err e = {0};
    cmd *c = NEW(&a, cmd, 1);
    c->arena = &a;
    c->self = k;
    c->console = console_open(&a, k->name);
    c->env = (env){.log = console_log(c->console), .stop = process_stop};
    bool ok = perform(c, k, argc, argv, &e), speaks = comm_speaks(c->ranks);
    if (!ok && speaks)
        complain(c, &e);
    if (!ok && speaks && e.code == ERR_STOPPED && k->resumable)
        queue_again(c);
    err lost = {0};
    if (!console_flush(c->console, &lost) && ok) {
        cmd_complain(c, "%s", lost.text);
        ok = false;
        e = lost;
    }
    comm_close(c->ranks, ok ? ERR_NONE : e.code);
    threads_close(c->env.pool);
    console_close(c->console);
    arena_free(&a);
    if (!ok && e.code == ERR_STOPPED)
        process_die();
    return ok ? 0 : err_status(e.code);
}

int main(int argc, char **argv)
{
    process_begin();
    room_share_heap();
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
