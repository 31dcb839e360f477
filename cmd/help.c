// SPDX-License-Identifier: GPL-3.0-or-later
// help.c: the table of commands and the texts that follow from it.
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "cmd/cmd.h"

typedef struct row {
    const char *group; // a heading, or
    const command *command;
} row;

static const row table[] = {
#define CMD_GROUP(title) {title, NULL},
#define CMD(name)        {NULL, &cmd_##name},
#include "cmd/cmds.def"
#undef CMD
#undef CMD_GROUP
};
enum { ROWS = sizeof table / sizeof *table };

const command *command_at(int i)
{
    for (int r = 0; r < ROWS; r++)
        if (table[r].command && i-- == 0)
            return table[r].command;
    return NULL;
}

const command *command_find(const char *name)
{
    for (int r = 0; r < ROWS; r++)
        if (table[r].command && !strcmp(table[r].command->name, name))
            return table[r].command;
    return NULL;
}

const char *command_nearest(const char *name)
{
    const char *names[ROWS];
    size_t n = 0;
    for (int r = 0; r < ROWS; r++)
        if (table[r].command)
            names[n++] = table[r].command->name;
    return str_nearest(name, names, n);
}

void help_overview(strbuf *out)
{
    strbuf_printf(out,
                  "kmidi %s: trains small networks of emotion and music, from raw files to "
                  "deployable models.\n\n"
                  "usage: kmidi COMMAND [ARGUMENTS]\n",
                  KMIDI_VERSION);
    for (int r = 0; r < ROWS; r++)
        if (table[r].group)
            strbuf_printf(out, "\n%s\n", table[r].group);
        else
            strbuf_printf(out, "  %-9s %s\n", table[r].command->name, table[r].command->summary);
    strbuf_printf(out, "\n'kmidi COMMAND --help' explains one and has an example, 'kmidi help KEY' "
                       "a key of a configuration.\n"
                       "Exit status: 0 done, 1 failed, 2 wrong usage, 75 stopped and resumable.\n");
}

// "{}" in a help stands for what the command tells only when it is asked.
static void help_option(const option *o, void (*told)(strbuf *out), strbuf *out)
{
    enum { LEFT = 27 };
    char letter[8] = "    ";
    const char *gap = told ? strstr(o->help, "{}") : NULL, *arg = o->arg ? o->arg : "";
    strbuf left = {0}, help = {0};
    if (o->letter)
        letter[0] = '-', letter[1] = o->letter, letter[2] = ',';
    strbuf_printf(&left, "  %s--%s%s%s%s", letter, o->name,
                  o->type == OPT_COUNT ? "[="
                  : *arg               ? " "
                                       : "",
                  arg, o->type == OPT_COUNT ? "]" : "");
    strbuf_add(&help, o->help, gap ? (size_t)(gap - o->help) : strlen(o->help));
    if (gap)
        told(&help), strbuf_printf(&help, "%s", gap + 2);
    strbuf_printf(out, "%-*s ", LEFT - 1, left.s);
    strbuf_wrap(out, help.s, left.len < LEFT ? LEFT : left.len + 1, LEFT);
    strbuf_free(&left), strbuf_free(&help);
}

static void help_options(const option *o, void (*told)(strbuf *out), strbuf *out)
{
    for (; o && o->name; o++)
        help_option(o, told, out);
}

// Every line of a text, indented.
static void help_lines(const char *text, strbuf *out)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        strbuf_printf(out, "  %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

void help_command(const command *k, strbuf *out)
{
    strbuf_printf(out, "usage: ");
    strbuf usage = {0};
    strbuf_printf(&usage, "kmidi %s%s%s", k->name, *k->usage ? " " : "", k->usage);
    strbuf_wrap(out, usage.s, strlen("usage: "), strlen("usage: kmidi "));
    strbuf_free(&usage);
    strbuf_printf(out, "\n%s.\n", k->summary);
    if (k->details)
        strbuf_wrap(out, k->details, 0, 0);
    strbuf_printf(out, "\nOptions\n");
    help_options(k->options, k->told, out);
    help_options(options_common, NULL, out);
    if (k->more)
        strbuf_printf(out, "\n"), k->more(out);
    strbuf_printf(out, "\nExample\n");
    help_lines(k->example, out);
}

// ---- kmidi help

static void tell_json(cmd *c)
{
    for (int i = 0; command_at(i); i++) {
        const command *k = command_at(i);
        json *j = json_object();
        json_set_str(j, "name", k->name);
        json_set_str(j, "summary", k->summary);
        json_set_str(j, "usage", k->usage);
        cmd_json(c, j);
    }
}

static bool run(cmd *c, err *e)
{
    const command *k = c->n_args ? command_find(c->args[0]) : NULL;
    if (c->n_args && !k)
        return help_key(c, c->args[0], e);
    if (c->json) {
        tell_json(c);
        return true;
    }
    strbuf out = {0};
    if (k)
        help_command(k, &out);
    else
        help_overview(&out);
    cmd_text(c, out.s, out.len);
    strbuf_free(&out);
    return true;
}

const command cmd_help = {
    .name = "help",
    .summary = "Lists the commands, or explains one, or a key of a configuration",
    .usage = "[COMMAND | KEY]",
    .args_max = 1,
    .example = "kmidi help export\nkmidi help optim.lr\nkmidi help mel",
    .run = run,
};
