// SPDX-License-Identifier: GPL-3.0-or-later
// kinds_hdf5.c: what there is to say about HDF5 files that are neither shards nor checkpoints
// (kinds.h): those of h5py, most of all.
#include <string.h>

#include "base/h5.h"
#include "base/str.h"
#include "cmd/kinds.h"

// The facts of a file, as they are gathered.
typedef struct gathering {
    h5 *f;
    json *groups, *datasets, *attributes;
    arena *a;
    err *e;
} gathering;

// As a terminal and JSON take it: valid UTF-8, no control characters.
static const char *plain(const gathering *g, const char *text)
{
    char *s = arena_strdup(g->a, str_utf8_escape(g->a, text));
    for (unsigned char *p = (unsigned char *)s; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) // those of Latin 1
            p[0] = p[1] = '?';
    return s;
}

// A single number or a text of fixed length is shown; of anything else, in brackets, what it is.
static bool put_attribute(const gathering *g, const char *object, const char *key, json *o)
{
    char *text;
    int64_t whole;
    double number;
    const char *about, *name = plain(g, key);
    if (h5_get_text(g->f, object, key, g->a, &text, NULL))
        json_set_str(o, name, plain(g, text));
    // where the library cuts larger ones
    else if (h5_get_int(g->f, object, key, &whole, NULL) && whole < INT64_MAX)
        json_set_int(o, name, whole);
    else if (h5_get_num(g->f, object, key, &number, NULL))
        json_set_num(o, name, number);
    else if (h5_about(g->f, object, key, g->a, &about, g->e))
        json_set_str(o, name, arena_printf(g->a, "(%s)", about));
    else
        return false;
    return true;
}

static bool put_attributes(const gathering *g, const char *object)
{
    char **keys;
    size_t n;
    if (!h5_attributes(g->f, object, g->a, &keys, &n, g->e))
        return false;
    json *o = n ? json_object() : NULL;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = put_attribute(g, object, keys[i], o);
    if (o)
        json_set(g->attributes, plain(g, object), o);
    return ok;
}

static bool put_group(const gathering *g, const char *group);

static bool put_object(const gathering *g, const char *name)
{
    const char *about;
    if (!h5_about(g->f, name, NULL, g->a, &about, g->e) || !put_attributes(g, name))
        return false;
    if (*about) {
        json_set_str(g->datasets, plain(g, name), about);
        return true;
    }
    json_push_str(g->groups, plain(g, name));
    return put_group(g, name);
}

static bool put_group(const gathering *g, const char *group)
{
    char **names;
    size_t n;
    bool root = !strcmp(group, "/"), ok = h5_list(g->f, group, g->a, &names, &n, g->e);
    for (size_t i = 0; ok && i < n; i++)
        ok = put_object(g, root ? names[i] : arena_printf(g->a, "%s/%s", group, names[i]));
    return ok;
}

static bool describe_h5(const char *path, json *o, arena *a, err *e)
{
    gathering g = {.f = h5_open(path, e),
                   .groups = json_array(),
                   .datasets = json_object(),
                   .attributes = json_object(),
                   .a = a,
                   .e = e};
    json_set(o, "groups", g.groups);
    json_set(o, "datasets", g.datasets);
    json_set(o, "attributes", g.attributes);
    bool ok = g.f && put_attributes(&g, "/") && put_group(&g, "/");
    h5_close(g.f);
    return ok;
}

static const char *remark_on(const h5_found *n, arena *a)
{
    if (!n->unsummed)
        return n->datasets ? NULL : "it holds no data";
    const char *some = n->unsummed < n->datasets ? arena_printf(a, "%zu of its %zu datasets have",
                                                                n->unsummed, n->datasets)
                                                 : "its datasets have";
    const char *unread =
        n->unread
            ? arena_printf(a, "; %zu of a type or a layout that is not read here were passed over",
                           n->unread)
            : "";
    return arena_printf(
        a, "%s no checksum of kmidi, so what they hold could be read but not compared%s", some,
        unread);
}

static bool examine_h5(const char *path, const char **remark, arena *a, err *e)
{
    h5_found found = {0};
    h5 *f = h5_open(path, e);
    bool ok = f && h5_survey(f, &found, e);
    h5_close(f);
    if (ok)
        *remark = remark_on(&found, a);
    return ok;
}

const file_kind kind_hdf5 = {.name = "hdf5", .describe = describe_h5, .examine = examine_h5};
