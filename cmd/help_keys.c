// SPDX-License-Identifier: GPL-3.0-or-later
// help_keys.c: one key of a configuration, or a section of it, explained (`kmidi help optim.lr`).
#include <string.h>

#include "cmd/cmd.h"

typedef struct found {
    const config_table *table;
    const config_key *key;
    const command *of; // the first command that has it
} found;

// The key that is called so in the tables of all commands: by its very name, else as it is known
// elsewhere or by its last part.
static bool find(cmd *c, const char *name, bool exact, found *f)
{
    const char *meant;
    for (int i = 0; (f->of = command_at(i)); i++) {
        if (!f->of->keys)
            continue;
        f->table = f->of->keys(c->arena);
        f->key = config_key_of(f->table, name);
        if (!f->key && !exact && (meant = config_meant(f->table, name, false, 0)))
            f->key = config_key_of(f->table, meant);
        if (f->key)
            return true;
    }
    return false;
}

static const char *nearest(cmd *c, const char *name)
{
    const char *near = command_nearest(name), *key = NULL;
    for (int i = 0; !near && !key && command_at(i); i++)
        if (command_at(i)->keys)
            key = config_meant(command_at(i)->keys(c->arena), name, true, 0);
    return near ? near : key;
}

// "kmidi train, kmidi plan"
static const char *commands_with(cmd *c, const char *key)
{
    strbuf s = {0};
    for (int i = 0; command_at(i); i++)
        if (command_at(i)->keys && config_key_of(command_at(i)->keys(c->arena), key))
            strbuf_printf(&s, "%skmidi %s", s.len ? ", " : "", command_at(i)->name);
    return strbuf_keep(&s, c->arena);
}

static json *key_json(const config_key *k, const char *commands)
{
    char text[256];
    json *j = json_object();
    json_set_str(j, "key", k->name);
    json_set_str(j, "help", k->help);
    if (k->type != CONFIG_SECTION) {
        json_set_str(j, "value", config_describe(k, text));
        json_set_str(j, "default", config_default(k));
    }
    if (k->alias)
        json_set_str(j, "alias", k->alias);
    json_set_str(j, "commands", commands);
    return j;
}

static void tell_json(cmd *c, const found *f, const char *commands)
{
    const config_key *k;
    cmd_json(c, key_json(f->key, commands));
    for (size_t i = 0; f->key->type == CONFIG_SECTION && (k = config_at(f->table, i)); i++)
        if (key_within(k, f->key->name))
            cmd_json(c, key_json(k, commands));
}

bool help_key(cmd *c, const char *name, err *e)
{
    found f;
    if (!find(c, name, true, &f) && !find(c, name, false, &f)) {
        const char *near = nearest(c, name);
        return err_set(e, ERR_USAGE, "there is no command and no key '%s'%s%s%s", name,
                       near ? "; did you mean '" : "; see 'kmidi help'", near ? near : "",
                       near ? "'?" : "");
    }
    const char *commands = commands_with(c, f.key->name);
    strbuf out = {0};
    config_explain(f.table, f.key, &out);
    strbuf_printf(&out, "\nA key of %s.\n", commands);
    if (c->json)
        tell_json(c, &f, commands);
    else
        cmd_text(c, out.s, out.len);
    strbuf_free(&out);
    return true;
}
