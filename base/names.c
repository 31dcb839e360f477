// SPDX-License-Identifier: GPL-3.0-or-later
// names.c: open addressing with FNV-1a.
#include "base/names.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static size_t hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

// The slot that holds `name`, or the empty one where it belongs.
static const char **slot(const name_set *s, const char *name)
{
    size_t at = hash(name) & (s->cap - 1);
    while (s->slots[at] && strcmp(s->slots[at], name))
        at = (at + 1) & (s->cap - 1);
    return &s->slots[at];
}

bool name_set_has(const name_set *s, const char *name)
{
    return s->cap && *slot(s, name);
}

static void widen(name_set *s)
{
    name_set wide = {.arena = s->arena, .n = s->n, .cap = s->cap ? 2 * s->cap : 256};
    wide.slots = NEW(s->arena, const char *, wide.cap);
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i])
            *slot(&wide, s->slots[i]) = s->slots[i];
    *s = wide;
}

bool name_set_add(name_set *s, const char *name)
{
    if (2 * s->n >= s->cap)
        widen(s);
    const char **at = slot(s, name);
    if (*at)
        return false;
    *at = name;
    s->n++;
    return true;
}

const char *name_guess(char out[NAME_GUESS], const char *name, const char *const *names, size_t n)
{
    const char *near = str_nearest(name, names, n);
    out[0] = 0;
    if (near)
        snprintf(out, NAME_GUESS, "; did you mean '%s'?", near);
    return out;
}

bool name_unknown(err *e, const char *what, const char *name, const char *const *names, size_t n)
{
    const char *near = str_nearest(name, names, n);
    strbuf all = {0};
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    err_set(e, ERR_CONFIG, "unknown %s '%s'%s%s%s; there are: %s", what, name,
            near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "", all.s);
    strbuf_free(&all);
    return false;
}
