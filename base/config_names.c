// SPDX-License-Identifier: GPL-3.0-or-later
// config_names.c: keys by name, and what was meant by a name that is none.
#include <ctype.h>
#include <string.h>

#include "base/config_internal.h"

const config_key *config_at(const config_table *t, size_t i)
{
    config_rows r = {t->keys, t->n};
    for (size_t part = 0; i >= r.n; part++) {
        i -= r.n;
        if (!t->more || !t->more(part, &r))
            return NULL;
    }
    return &r.keys[i];
}

int config_find(const config_table *t, const char *name)
{
    const config_key *k;
    for (size_t i = 0; (k = config_at(t, i)); i++)
        if (!strcmp(k->name, name) || (k->alias && !strcmp(k->alias, name)))
            return (int)i;
    return -1;
}

const config_key *config_key_of(const config_table *t, const char *name)
{
    int i = config_find(t, name);
    return i < 0 ? NULL : config_at(t, (size_t)i);
}

bool config_is_group(const config_table *t, const char *name)
{
    const config_key *k;
    for (size_t i = 0; (k = config_at(t, i)); i++)
        if (k->type == CONFIG_SECTION ? !strcmp(k->name, name) : key_within(k, name))
            return true;
    return false;
}

bool config_resumable(const config_table *t, const config_key *k)
{
    const config_key *q;
    for (size_t i = 0; (q = config_at(t, i)); i++)
        if (q->resumable && (q == k || (q->type == CONFIG_SECTION && key_within(k, q->name))))
            return true;
    return false;
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
    return same(key_leaf(k->name), last) || (k->alias && same(key_leaf(k->alias), last));
}

// Known by this very name: in full, elsewhere, or by its last part.
static const char *known(const config_table *t, const char *name, int at)
{
    const char *last = key_leaf(name);
    const config_key *k;
    for (size_t i = 0; (k = config_at(t, i)); i++)
        if (same(k->name, name) && at-- == 0)
            return k->name;
    for (size_t i = 0; (k = config_at(t, i)); i++)
        if (has_leaf(k, last) && !same(k->name, name) && at-- == 0)
            return k->name;
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
    size_t extra = 0, n = 0;
    for (const config_other *o = t->others; o && o->name; o++)
        extra++;
    while (config_at(t, n))
        n++;
    name_list full = names_open(a, 2 * n), last = names_open(a, 2 * n + extra);
    for (size_t i = 0; i < n; i++) {
        const config_key *k = config_at(t, i);
        add_name(&full, k->name, k->name);
        add_name(&last, key_leaf(k->name), k->name);
        if (k->alias)
            add_name(&full, k->alias, k->name), add_name(&last, key_leaf(k->alias), k->name);
    }
    for (size_t i = 0; i < extra; i++)
        add_name(&last, t->others[i].name, t->others[i].here);
    const char *best = nearest(&full, name);
    return best ? best : nearest(&last, key_leaf(name));
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
    const config_key *k;
    for (size_t i = 0; (k = config_at(t, i)); i++)
        if (!strncmp(k->name, name, len) && !strchr(k->name + len, '.'))
            strbuf_printf(names, "%s%s", names->len ? ", " : "", k->name + len);
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
