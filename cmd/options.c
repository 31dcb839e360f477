// SPDX-License-Identifier: GPL-3.0-or-later
// options.c: command lines from tables, after git's parse-options.
//
// Understood: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, flags, positionals in any order,
// key=value overrides, and "--" behind which all is positional. The next argument is an option's
// value whatever it looks like ("--emotion -0.8,0.9"), unless it is itself one of the command's
// options: then the value was forgotten.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"

enum { COUNT_MOST = 1000000 };

const option options_common[] = {
    {"json", 0, OPT_FLAG, NULL, "one JSON object a line on stdout, for scripts", false},
    {"quiet", 'q', OPT_FLAG, NULL, "no progress and no notes on stderr", false},
    {"threads", 't', OPT_INT, "N",
     "threads to compute with (default: the cores this process may use)", false},
    {"help", 'h', OPT_FLAG, NULL, "this text", false},
    {0},
};

// ---- Finding ----

static const option *find_in(const option *table, const char *name, size_t n, char letter)
{
    for (const option *o = table; o && o->name; o++)
        if (letter ? o->letter == letter : strlen(o->name) == n && !memcmp(o->name, name, n))
            return o;
    return NULL;
}

static const option *find_option(const command *k, const char *name, size_t n, char letter)
{
    const option *o = find_in(k->options, name, n, letter);
    return o ? o : find_in(options_common, name, n, letter);
}

// The option that an argument such as "--out=x" or "-o" spells, with the value written onto it, if
// any.
static const option *spelled(const command *k, const char *arg, const char **attached)
{
    *attached = NULL;
    if (arg[0] != '-' || !arg[1])
        return NULL;
    if (arg[1] != '-') {
        if (arg[2])
            *attached = arg + 2;
        return find_option(k, NULL, 0, arg[1]);
    }
    const char *name = arg + 2, *equals = strchr(name, '=');
    if (equals)
        *attached = equals + 1;
    return find_option(k, name, equals ? (size_t)(equals - name) : strlen(name), 0);
}

static const char *nearest_option(const command *k, const char *name)
{
    const char *names[2 * CMD_OPTIONS];
    size_t n = 0;
    for (const option *o = k->options; o && o->name && n < CMD_OPTIONS; o++)
        names[n++] = o->name;
    for (const option *o = options_common; o->name; o++)
        names[n++] = o->name;
    return str_nearest(name, names, n);
}

// The key that is called so, here or elsewhere; NULL where the command has no keys or none of that
// name.
static const char *key_called(const cmd *c, const char *name, bool near)
{
    return c->self->keys ? config_meant(c->self->keys(c->arena), name, near, 0) : NULL;
}

// "--epochs 5" means train.epochs=5: the key that `name` is, with the value that was given.
static bool fail_key(const char *arg, const char *key, const char *value, err *e)
{
    if (str_starts(key, "--"))
        return err_set(e, ERR_USAGE, "there is no option '%s'; did you mean '%s'?", arg, key);
    return err_set(e, ERR_USAGE,
                   "there is no option '%s'; '%s' is a key of the configuration: write %s=%s", arg,
                   key, key, value ? value : "VALUE");
}

static bool fail_unknown(const cmd *c, const char *arg, const char *next, err *e)
{
    const char *text = arg + strspn(arg, "-"), *equals = strchr(text, '=');
    const char *name = equals ? arena_printf(c->arena, "%.*s", (int)(equals - text), text) : text;
    const char *value = equals                                                ? equals + 1
                        : next && next[0] != '-' && !config_is_override(next) ? next
                                                                              : NULL;
    const char *near = nearest_option(c->self, name),
               *key = name[0] && name[1] ? key_called(c, name, false) : NULL;
    if (!near && !key && name[0] && name[1])
        key = key_called(c, name, true);
    if (key)
        return fail_key(arg, key, value, e);
    if (near)
        return err_set(e, ERR_USAGE, "there is no option '%s'; did you mean '--%s'?", arg, near);
    return err_set(e, ERR_USAGE, "there is no option '%s'; see 'kmidi %s --help'", arg,
                   c->self->name);
}

// ---- Values ----

static bool value_int(option_value *v, err *e)
{
    char *end;
    errno = 0;
    long long i = strtoll(v->text, &end, 10);
    if (end == v->text || *end || errno)
        return err_set(e, ERR_USAGE, "--%s takes a whole number, not '%s'", v->option->name,
                       v->text);
    v->i = i;
    v->num = (double)i;
    return true;
}

static bool value_count(option_value *v, err *e)
{
    if (!*v->text)
        return true;
    return value_int(v, e) && ((v->i >= 1 && v->i <= COUNT_MOST) ||
                               err_set(e, ERR_USAGE, "--%s takes a number from 1 to %d, not %s",
                                       v->option->name, COUNT_MOST, v->text));
}

static bool value_num(option_value *v, err *e)
{
    char *end;
    v->num = strtod(v->text, &end);
    if (end == v->text || *end || !isfinite(v->num))
        return err_set(e, ERR_USAGE, "--%s takes a number, not '%s'", v->option->name, v->text);
    v->i = (int64_t)v->num;
    return true;
}

static bool value_bytes(option_value *v, err *e)
{
    uint64_t bytes;
    if (!str_bytes(v->text, &bytes) || bytes > INT64_MAX)
        return err_set(e, ERR_USAGE, "--%s takes a size such as 6GiB or 512MB, not '%s'",
                       v->option->name, v->text);
    v->i = (int64_t)bytes;
    v->num = (double)bytes;
    return true;
}

static bool value_any(option_value *v, err *e)
{
    (void)v, (void)e;
    return true;
}

static bool (*const value_of[OPT_TYPES])(option_value *v, err *e) = {
    [OPT_FLAG] = value_any,    [OPT_TEXT] = value_any,    [OPT_TEXTS] = value_any,
    [OPT_INT] = value_int,     [OPT_COUNT] = value_count, [OPT_NUM] = value_num,
    [OPT_BYTES] = value_bytes, [OPT_OUT] = value_any,     [OPT_OUT_H5] = value_any};

// A later value replaces an earlier one, unless the option takes several.
static bool add_value(cmd *c, const option *o, const char *text, err *e)
{
    int at = 0;
    while (at < c->n_values && (c->values[at].option != o || o->type == OPT_TEXTS))
        at++;
    if (at == CMD_OPTIONS)
        return err_set(e, ERR_USAGE, "--%s is given too often", o->name);
    option_value *v = &c->values[at];
    *v = (option_value){.option = o, .text = text};
    if (at == c->n_values)
        c->n_values++;
    return value_of[o->type](v, e);
}

static bool take_option(cmd *c, int argc, char **argv, int *i, err *e)
{
    const char *attached, *ignored;
    const option *o = spelled(c->self, argv[*i], &attached);
    if (!o)
        return fail_unknown(c, argv[*i], *i + 1 < argc ? argv[*i + 1] : NULL, e);
    if (o->type == OPT_FLAG)
        return attached ? err_set(e, ERR_USAGE, "--%s takes no value, but '%s' gives it one",
                                  o->name, argv[*i])
                        : add_value(c, o, "", e);
    if (o->type == OPT_COUNT)
        return add_value(c, o, attached ? attached : "", e);
    if (!attached && *i + 1 < argc && !spelled(c->self, argv[*i + 1], &ignored))
        attached = argv[++*i];
    if (!attached)
        return err_set(e, ERR_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
    return add_value(c, o, attached, e);
}

// ---- The whole line ----

static bool check_complete(const cmd *c, err *e)
{
    const command *k = c->self;
    for (const option *o = k->options; o && o->name; o++)
        if (o->required && !option_given(c, o->name))
            return err_set(e, ERR_USAGE, "--%s %s is missing; usage: kmidi %s %s", o->name, o->arg,
                           k->name, k->usage);
    if (c->n_args < k->args_min)
        return err_set(e, ERR_USAGE, "too few arguments; usage: kmidi %s %s", k->name, k->usage);
    const char *extra = k->args_max >= 0 && c->n_args > k->args_max ? c->args[k->args_max] : NULL,
               *key;
    if (extra && (key = key_called(c, extra, false)) && !str_starts(key, "--"))
        return err_set(e, ERR_USAGE,
                       "'%s' is one argument too many; to set the key '%s' write %s=%s", extra, key,
                       key, c->n_args > k->args_max + 1 ? c->args[k->args_max + 1] : "VALUE");
    if (extra)
        return err_set(e, ERR_USAGE, "'%s' is one argument too many; usage: kmidi %s %s", extra,
                       k->name, k->usage);
    return true;
}

bool options_parse(cmd *c, const command *self, int argc, char **argv, err *e)
{
    c->self = self;
    c->args = NEW(c->arena, const char *, (size_t)argc + 1);
    c->overrides = NEW(c->arena, const char *, (size_t)argc + 1);
    bool only_args = false;
    for (int i = 0; i < argc; i++) {
        if (!only_args && !strcmp(argv[i], "--"))
            only_args = true;
        else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
            if (!take_option(c, argc, argv, &i, e))
                return false;
        } else if (!only_args && self->keys && config_is_override(argv[i]))
            c->overrides[c->n_overrides++] = argv[i];
        else
            c->args[c->n_args++] = argv[i];
    }
    c->json = option_given(c, "json");
    c->quiet = option_given(c, "quiet");
    return option_given(c, "help") || check_complete(c, e);
}

// ---- Asking ----

static const option_value *value_find(const cmd *c, const char *name)
{
    for (int i = 0; i < c->n_values; i++)
        if (!strcmp(c->values[i].option->name, name))
            return &c->values[i];
    return NULL;
}

bool option_given(const cmd *c, const char *name)
{
    return value_find(c, name) != NULL;
}

const char *option_text(const cmd *c, const char *name, const char *fallback)
{
    const option_value *v = value_find(c, name);
    return v ? v->text : fallback;
}

int64_t option_int(const cmd *c, const char *name, int64_t fallback)
{
    const option_value *v = value_find(c, name);
    return v ? v->i : fallback;
}

int option_count(const cmd *c, const char *name, int fallback)
{
    const option_value *v = value_find(c, name);
    return !v ? 0 : v->i ? (int)v->i : fallback;
}

double option_num(const cmd *c, const char *name, double fallback)
{
    const option_value *v = value_find(c, name);
    return v ? v->num : fallback;
}

const char *option_each(const cmd *c, const char *name, int i)
{
    for (int k = 0; k < c->n_values; k++)
        if (!strcmp(c->values[k].option->name, name) && i-- == 0)
            return c->values[k].text;
    return NULL;
}
