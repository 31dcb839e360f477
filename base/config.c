// SPDX-License-Identifier: GPL-3.0-or-later
// config.c: layers of a configuration (defaults, parent, file, overrides), getters.
#include <stdlib.h>
#include <string.h>

#include "base/config_internal.h"
#include "base/file.h"
#include "base/shipped.h"

// ---- Files and overrides

void config_reset(config *c, int i)
{
    const config_key *k = config_at(c->t, (size_t)i);
    c->values[i] = (config_value){.where = "default"};
    if (!k->value)
        return;
    config_entries list = {0};
    err e = {0};
    bool ok = config_yaml(c, k->value, strlen(k->value), "default", k->name, &list, &e);
    CHECK(ok && list.n == 1);
    int layer = c->layer;
    c->layer = 0;
    ok = config_assign(c, &list.list[0], &e);
    CHECK(ok);
    c->layer = layer;
    c->values[i].where = "default";
}

config *config_open(const config_table *t, arena *a)
{
    config *c = NEW(a, config, 1);
    c->t = t, c->a = a;
    while (config_at(t, c->n))
        c->n++;
    c->values = NEW(a, config_value, c->n);
    for (size_t i = 0; i < c->n; i++)
        if (config_at(t, i)->type != CONFIG_SECTION)
            config_reset(c, (int)i);
    return c;
}

static bool apply(config *c, const config_entries *list, err *e)
{
    c->layer++;
    for (size_t i = 0; i < list->n; i++)
        if (list->list[i].name && !config_assign(c, &list->list[i], e))
            return false;
    return true;
}

static bool load_shipped(config *c, const shipped *s, err *e);

static bool extend(config *c, const char *path, const config_entry *entry, err *e)
{
    if (entry->list || config_is_null(&entry->items[0]))
        return err_set(e, ERR_CONFIG, "%s: 'extends' must name one file", entry->where);
    if (!path)
        return err_set(e, ERR_CONFIG, "%s: 'extends' works in files only", entry->where);
    const char *parent = path_join(c->a, path_dir(c->a, path), entry->items[0].text);
    const shipped *s = file_exists(parent) ? NULL : shipped_find(entry->items[0].text);
    if (!s && !file_exists(parent)) {
        const char *near = shipped_nearest(parent);
        return err_set(e, ERR_CONFIG, "%s: 'extends' names '%s', which is not there%s%s%s",
                       entry->where, parent, near ? "; did you mean '" : "", near ? near : "",
                       near ? "', which is shipped?" : "");
    }
    if (s ? !load_shipped(c, s, e) : !config_load(c, parent, e))
        return err_trail(e, "%s: extends", entry->where);
    return true;
}

static bool parse_layer(config *c, const char *text, size_t n, const char *name, const char *path,
                        err *e)
{
    config_entries list = {0};
    if (!config_yaml(c, text, n, name, "", &list, e))
        return false;
    for (size_t i = 0; i < list.n; i++)
        if (!list.list[i].name && !extend(c, path, &list.list[i], e))
            return false;
    return apply(c, &list, e);
}

bool config_parse(config *c, const char *text, size_t n, const char *name, err *e)
{
    return parse_layer(c, text, n, name, NULL, e);
}

// Reads a text that is known by `id`, one spelling a file, so that a cycle is seen.
static bool load_once(config *c, const char *id, const char *text, size_t n, const char *path,
                      err *e)
{
    for (int i = 0; i < c->parents; i++)
        if (!strcmp(c->parent[i], id))
            return err_set(e, ERR_CONFIG, "'%s' extends itself", path);
    if (c->parents == CONFIG_DEPTH)
        return err_set(e, ERR_CONFIG, "'%s': more than %d files extend one another", path,
                       CONFIG_DEPTH);
    c->parent[c->parents++] = id;
    bool ok = parse_layer(c, text, n, arena_strdup(c->a, path), path, e);
    c->parents--;
    return ok;
}

static bool load_shipped(config *c, const shipped *s, err *e)
{
    const char *path = arena_printf(c->a, "configs/%s.yaml (shipped)", s->name);
    return load_once(c, path, s->text, strlen(s->text), path, e);
}

// A file that is not there: what was meant may lie beside it, or be shipped.
static bool fail_missing(config *c, const char *path, err *e)
{
    size_t n;
    const char *dir = path_dir(c->a, path);
    char **list = file_list(c->a, dir, "*.y*ml", &n);
    const char **names = NEW(c->a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = path_base(list[i]);
    const char *near = str_nearest(path_base(path), names, n);
    if (near)
        return err_set(e, ERR_MISSING, "there is no configuration '%s'; did you mean '%s'?", path,
                       strchr(path, '/') ? path_join(c->a, dir, near) : near);
    const shipped *s = shipped_find(path);
    near = s ? s->name : shipped_nearest(path);
    if (near)
        return err_set(
            e, ERR_MISSING,
            "there is no configuration '%s'; did you mean '%s', which is shipped (kmidi configs)?",
            path, near);
    return err_set(e, ERR_MISSING,
                   "there is no configuration '%s'; name a YAML file, or one of those that `kmidi "
                   "configs` lists",
                   path);
}

bool config_load(config *c, const char *path, err *e)
{
    bool there = file_exists(path);
    const shipped *s = str_ends(path, ".yaml") ? NULL : shipped_find(path);
    // a folder of that very name, of a run or of data, is not meant
    if (s && (!there || (file_is_folder(path) && !strcmp(s->name, path))))
        return load_shipped(c, s, e);
    if (!there)
        return fail_missing(c, path, e);
    char *real = realpath(path, NULL);
    const char *id = arena_strdup(c->a, real ? real : path);
    free(real);
    size_t n;
    char *text = file_read(c->a, path, CONFIG_FILE_LIMIT, &n, e);
    return text && load_once(c, id, text, n, path, e);
}

bool config_is_override(const char *arg)
{
    if (*arg == '~' || *arg == '+')
        return true;
    size_t n = strcspn(arg, "=");
    return n && arg[n] == '=' &&
           strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n &&
           *arg != '-';
}

bool config_override(config *c, const char *arg, err *e)
{
    const char *where = arena_printf(c->a, "override '%s'", arg);
    bool reset = *arg == '~';
    if (*arg == '~' || *arg == '+')
        arg++;
    size_t n = strcspn(arg, "=");
    char *name = arena_printf(c->a, "%.*s", (int)n, arg);
    if (!reset && arg[n] != '=')
        return err_set(e, ERR_CONFIG, "%s: write it as key=value", where);
    if (config_find(c->t, name) < 0 && !config_is_group(c->t, name))
        return config_unknown(c->t, name, where, e);
    config_entries list = {0};
    const char *value = reset ? "" : arg + n + 1;
    return config_yaml(c, value, strlen(value), where, name, &list, e) && apply(c, &list, e);
}

bool config_finish(config *c, err *e)
{
    for (size_t i = 0; i < c->n; i++) {
        const config_key *k = config_at(c->t, i);
        if (k->required && !c->values[i].given)
            return err_set(
                e, ERR_CONFIG,
                "'%s' is not set: %s; write it into the file, or %s=... on the command line",
                k->name, k->help, k->name);
    }
    return true;
}

// ---- Getters

static const config_value *value_of(const config *c, const char *name, unsigned types)
{
    int i = config_find(c->t, name);
    CHECK(i >= 0 && (types >> config_at(c->t, (size_t)i)->type & 1));
    return &c->values[i];
}

#define TYPE(t) (1u << CONFIG_##t)
bool config_given(const config *c, const char *name)
{
    return value_of(c, name, ~0u)->given;
}
bool config_bool(const config *c, const char *name)
{
    return value_of(c, name, TYPE(BOOL))->is.b;
}
int64_t config_int(const config *c, const char *name)
{
    return value_of(c, name, TYPE(INT))->is.i;
}
const char *config_text(const config *c, const char *name)
{
    return value_of(c, name, TYPE(TEXT) | TYPE(ENUM))->is.s;
}
uint64_t config_bytes(const config *c, const char *name)
{
    return value_of(c, name, TYPE(BYTES))->is.u;
}
const char *config_where(const config *c, const char *name)
{
    return value_of(c, name, ~0u)->where;
}

double config_num(const config *c, const char *name)
{
    const config_value *v = value_of(c, name, TYPE(NUMBER) | TYPE(SECONDS) | TYPE(INT));
    return config_key_of(c->t, name)->type == CONFIG_INT ? (double)v->is.i : v->is.d;
}

size_t config_texts(const config *c, const char *name, const char *const **list)
{
    const config_value *v = value_of(c, name, TYPE(TEXTS));
    *list = v->is.texts;
    return v->is.n;
}

size_t config_nums(const config *c, const char *name, const double **list)
{
    const config_value *v = value_of(c, name, TYPE(NUMBERS));
    *list = v->is.nums;
    return v->is.n;
}

// What a range's own row asks for.
static bool in_order(const config_key *k, const config_value *v, err *e)
{
    const double *at = v->is.nums;
    return !k->range || at[0] <= at[1] ||
           err_set(e, ERR_CONFIG, "%s: '%s' is [lowest, highest], not [%g, %g]", v->where, k->name,
                   at[0], at[1]);
}

bool config_fill(const config *c, const config_key *keys, size_t n, void *s, err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i].field == FIELD_NONE)
            continue;
        const config_value *v = value_of(c, keys[i].name, ~0u);
        if (!v->given)
            continue;
        if (!in_order(&keys[i], v, e))
            return false;
        key_store(&keys[i], &v->is, s);
    }
    return true;
}
