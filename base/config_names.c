// SPDX-License-Identifier: GPL-3.0-or-later
// config_names.c: keys by name, and what was meant by a name that is none.
#include <ctype.h>
#include <string.h>

#include "base/config_internal.h"

int config_find(const config_table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (!strcmp(t->keys[i].name, name) || (t->keys[i].alias && !strcmp(t->keys[i].alias, name)))
            return (int)i;
    return -1;
}

const config_key *config_key_of(const config_table *t, const char *name)
{
    int i = config_find(t, name);
    return i < 0 ? NULL : &t->keys[i];
}

bool config_is_group(const config_table *t, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < t->n; i++)
        if (t->keys[i].type == CONFIG_SECTION
                ? !strcmp(t->keys[i].name, name)
                : !strncmp(t->keys[i].name, name, len) && t->keys[i].name[len] == '.')
            return true;
    return false;
}

static const char *leaf(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

// "Batch-Size", "batch_size" and "batchsize" are one.
static bool same(const char *a, const char *b)
{
    while (true) {
        a += strspn(a, "-_"), b += strspn(b, "-_");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
        a++, b++;
    }
}

static bool has_leaf(const config_key *k, const char *last)
{
    return same(leaf(k->name), last) || (k->alias && same(leaf(k->alias), last));
}

// Known by this very name: in full, elsewhere, or by its last part.
static const char *known(const config_table *t, const char *name, int at)
{
    const char *last = leaf(name);
    for (size_t i = 0; i < t->n; i++)
        if (same(t->keys[i].name, name) && at-- == 0)
            return t->keys[i].name;
    for (size_t i = 0; i < t->n; i++)
        if (has_leaf(&t->keys[i], last) && !same(t->keys[i].name, name) && at-- == 0)
            return t->keys[i].name;
    for (const config_other *o = t->others; o && o->name; o++)
        if ((same(o->name, name) || same(o->name, last)) && at-- == 0)
            return o->here;
    return NULL;
}

typedef struct name_list {
    const char **name, **key; // what it may be called, and the key's own name
    size_t n;
} name_list;

static void add_name(name_list *l, const char *name, const char *key)
{
    l->name[l->n] = name, l->key[l->n++] = key;
}

static const char *nearest(const name_list *l, const char *name)
{
    const char *best = str_nearest(name, l->name, l->n);
    for (size_t i = 0; best && i < l->n; i++)
        if (l->name[i] == best)
            return l->key[i];
    return NULL;
}

static name_list names_open(arena *a, size_t most)
{
    return (name_list){.name = NEW(a, const char *, most), .key = NEW(a, const char *, most)};
}

// Spelt nearly like a key, the last part of one, or a name from elsewhere.
static const char *close_to(const config_table *t, const char *name, arena *a)
{
    size_t extra = 0;
    for (const config_other *o = t->others; o && o->name; o++)
        extra++;
    name_list full = names_open(a, 2 * t->n), last = names_open(a, 2 * t->n + extra);
    for (size_t i = 0; i < t->n; i++) {
        const config_key *k = &t->keys[i];
        add_name(&full, k->name, k->name);
        add_name(&last, leaf(k->name), k->name);
        if (k->alias)
            add_name(&full, k->alias, k->name), add_name(&last, leaf(k->alias), k->name);
    }
    for (size_t i = 0; i < extra; i++)
        add_name(&last, t->others[i].name, t->others[i].here);
    const char *best = nearest(&full, name);
    return best ? best : nearest(&last, leaf(name));
}

const char *config_meant(const config_table *t, const char *name, bool near, int at)
{
    const char *found = known(t, name, at);
    if (found || !near || at)
        return found;
    arena a = {.name = "config names"};
    found = close_to(t, name, &a);
    arena_free(&a);
    return found;
}

// The keys of the same section, or the top ones.
static void list_keys(const config_table *t, const char *name, size_t len, strbuf *names)
{
    for (size_t i = 0; i < t->n; i++)
        if (!strncmp(t->keys[i].name, name, len) && !strchr(t->keys[i].name + len, '.'))
            strbuf_printf(names, "%s%s", names->len ? ", " : "", t->keys[i].name + len);
}

bool config_unknown(const config_table *t, const char *name, const char *where, err *e)
{
    enum { SHOWN = 4 };
    for (const config_nothing *o = t->nothing; o && o->name; o++)
        if (!strcmp(o->name, name))
            return err_set(e, ERR_CONFIG, "%s: '%s' is no key here: %s", where, name, o->why);
    strbuf names = {0};
    const char *meant;
    for (int i = 0; i < SHOWN && (meant = config_meant(t, name, true, i)); i++)
        strbuf_printf(&names, "%s'%s'", i ? " or " : "", meant);
    if (names.len) {
        (void)err_set(e, ERR_CONFIG, "%s: unknown key '%s'; did you mean %s?", where, name,
                      names.s);
    } else {
        arena a = {.name = "config names"};
        const char *dot = strrchr(name, '.');
        size_t len = dot ? (size_t)(dot - name) + 1 : 0;
        if (len && !config_is_group(t, arena_printf(&a, "%.*s", (int)len - 1, name)))
            len = 0;
        list_keys(t, name, len, &names);
        (void)err_set(e, ERR_CONFIG, "%s: unknown key '%s'; the keys %s%.*s are %s", where, name,
                      len ? "of " : "here", len ? (int)len - 1 : 0, name,
                      names.s ? names.s : "none");
        arena_free(&a);
    }
    strbuf_free(&names);
    return false;
}
