// SPDX-License-Identifier: GPL-3.0-or-later
// config_yaml.c: YAML through libyaml, the one file that knows it. Events become a flat list of
// (joined name, scalars, place).
//
// A file is hostile until shown otherwise: size, depth and number of entries are bounded; anchors
// and aliases (with them a few hundred bytes can expand to gigabytes) and tags are refused, for
// `extends:` does what they would be good for.
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/config_internal.h"

typedef struct reader {
    config *c;
    yaml_parser_t parser;
    yaml_event_t event;
    bool have;        // `event` is to be deleted
    const char *name; // file, or "override ..."
    bool file;        // errors have line and column
    config_entries *out;
    strbuf sections; // "\noptim\n...": sections seen, to find duplicates
    err *e;
} reader;

static const char *place(reader *r, yaml_mark_t m)
{
    return r->file ? arena_printf(r->c->a, "%s:%zu:%zu", r->name, m.line + 1, m.column + 1)
                   : r->name;
}

static const char *here(reader *r)
{
    return place(r, r->event.start_mark);
}

static bool bad_yaml(reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        base_checked(NULL, 64);
    yaml_mark_t m = p->error == YAML_READER_ERROR ? p->mark : p->problem_mark;
    const char *hint =
        p->problem && strstr(p->problem, "start any token")
            ? " (a tab? YAML indents with spaces; quote texts that begin with @ or `)"
            : "";
    return err_set(r->e, ERR_CONFIG, "%s: not well-formed YAML: %s%s%s%s", place(r, m),
                   p->problem ? p->problem : "unreadable", p->context ? " " : "",
                   p->context ? p->context : "", hint);
}

static bool anchored(const yaml_event_t *v)
{
    return v->type == YAML_ALIAS_EVENT || (v->type == YAML_SCALAR_EVENT && v->data.scalar.anchor) ||
           (v->type == YAML_SEQUENCE_START_EVENT && v->data.sequence_start.anchor) ||
           (v->type == YAML_MAPPING_START_EVENT && v->data.mapping_start.anchor);
}

static bool tagged(const yaml_event_t *v)
{
    return (v->type == YAML_SCALAR_EVENT && v->data.scalar.tag) ||
           (v->type == YAML_SEQUENCE_START_EVENT && v->data.sequence_start.tag) ||
           (v->type == YAML_MAPPING_START_EVENT && v->data.mapping_start.tag);
}

static bool next(reader *r)
{
    if (r->have)
        yaml_event_delete(&r->event);
    r->have = false;
    if (!yaml_parser_parse(&r->parser, &r->event))
        return bad_yaml(r);
    r->have = true;
    if (anchored(&r->event))
        return err_set(r->e, ERR_CONFIG,
                       "%s: anchors and aliases are not allowed here; write the value out, or put "
                       "it into a file that others extend",
                       here(r));
    if (tagged(&r->event))
        return err_set(r->e, ERR_CONFIG,
                       "%s: tags (!...) are not allowed here; the key alone decides a value's type",
                       here(r));
    return true;
}

// ${VAR} and ${VAR:-default}; $${ is a plain ${.
static const char *expand(reader *r, const char *s)
{
    if (!strstr(s, "${"))
        return s;
    strbuf out = {0};
    strbuf_add(&out, "", 0);
    bool ok = true;
    while (ok && *s) {
        if (!strncmp(s, "$${", 3)) {
            strbuf_add(&out, "${", 2);
            s += 3;
        } else if (!strncmp(s, "${", 2)) {
            const char *end = strchr(s, '}');
            size_t n = end ? strcspn(s + 2, ":}") : 0;
            char *var = arena_printf(r->c->a, "%.*s", (int)n, s + 2);
            const char *value = n ? getenv(var) : NULL;
            const char *rest = s + 2 + n; // "}" or ":-default}"
            if (!end || !n || (*rest == ':' && rest[1] != '-'))
                ok = err_set(r->e, ERR_CONFIG,
                             "%s: '%s' is not a reference; write ${VAR} or ${VAR:-default}",
                             here(r), s);
            else if (*rest == '}' && !value)
                ok = err_set(r->e, ERR_CONFIG,
                             "%s: the environment has no %s; export it, or write ${%s:-default}",
                             here(r), var, var);
            else if (value && (*value || *rest == '}'))
                strbuf_add(&out, value, strlen(value));
            else if (*rest == ':')
                strbuf_add(&out, rest + 2, (size_t)(end - rest - 2));
            s = ok ? end + 1 : s;
        } else {
            strbuf_add(&out, s++, 1);
        }
    }
    const char *text = ok ? arena_strdup(r->c->a, out.s ? out.s : "") : NULL;
    strbuf_free(&out);
    return text;
}

static bool scalar(reader *r, config_scalar *s)
{
    const char *text = (const char *)r->event.data.scalar.value;
    if (strlen(text) != r->event.data.scalar.length)
        return err_set(r->e, ERR_CONFIG, "%s: a NUL byte in a text", here(r));
    s->plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    s->where = here(r);
    s->text = expand(r, arena_strdup(r->c->a, text));
    return s->text != NULL;
}

static config_entry *add_entry(reader *r, const char *name, const char *where)
{
    config_entries *o = r->out;
    if (o->n == o->cap) {
        config_entry *grown = NEW(r->c->a, config_entry, o->cap ? 2 * o->cap : 64);
        if (o->n)
            memcpy(grown, o->list, o->n * sizeof *grown);
        o->list = grown, o->cap = o->cap ? 2 * o->cap : 64;
    }
    config_entry *entry = &o->list[o->n++];
    *entry = (config_entry){.name = strcmp(name, "extends") ? name : NULL, .where = where};
    return entry;
}

// The values of a list, or names and values of a map in turn.
static bool read_items(reader *r, config_entry *entry)
{
    size_t cap = 0;
    const char *what = entry->map ? "map" : "list";
    while (true) {
        if (!next(r))
            return false;
        if (r->event.type == YAML_SEQUENCE_END_EVENT || r->event.type == YAML_MAPPING_END_EVENT)
            return true;
        if (r->event.type != YAML_SCALAR_EVENT)
            return err_set(r->e, ERR_CONFIG, "%s: a %s here holds plain values only", here(r),
                           what);
        if (entry->n == CONFIG_ENTRIES)
            return err_set(r->e, ERR_CONFIG, "%s: a %s of more than %d values", here(r), what,
                           CONFIG_ENTRIES);
        if (entry->n == cap) {
            config_scalar *grown = NEW(r->c->a, config_scalar, cap ? 2 * cap : 8);
            if (cap)
                memcpy(grown, entry->items, cap * sizeof *grown);
            entry->items = grown, cap = cap ? 2 * cap : 8;
        }
        if (!scalar(r, &entry->items[entry->n++]))
            return false;
    }
}

static bool read_map(reader *r, const char *prefix, int depth);

// What stands behind "name:".
static bool read_value(reader *r, const char *name, const char *where, int depth)
{
    int key = config_find(r->c->t, name);
    bool map = r->event.type == YAML_MAPPING_START_EVENT && key >= 0 &&
               config_is_map(config_at(r->c->t, (size_t)key));
    if (r->event.type == YAML_MAPPING_START_EVENT && !map) {
        if (*name && !config_is_group(r->c->t, name))
            return key < 0 ? config_unknown(r->c->t, name, where, r->e)
                           : err_set(r->e, ERR_CONFIG,
                                     "%s: '%s' takes a value, not keys of its own", where, name);
        if (depth == CONFIG_DEPTH)
            return err_set(r->e, ERR_CONFIG, "%s: nested deeper than %d", where, CONFIG_DEPTH);
        return read_map(r, name, depth + 1);
    }
    if (r->out->n == CONFIG_ENTRIES)
        return err_set(r->e, ERR_CONFIG, "%s: more than %d keys", where, CONFIG_ENTRIES);
    config_entry *entry = add_entry(r, name, where);
    entry->map = map;
    entry->list = r->event.type == YAML_SEQUENCE_START_EVENT;
    if (entry->map || entry->list)
        return read_items(r, entry);
    entry->items = NEW(r->c->a, config_scalar, 1);
    entry->n = 1;
    return scalar(r, entry->items);
}

static bool seen(reader *r, const char *name)
{
    const char *mark = arena_printf(r->c->a, "\n%s\n", name);
    if (r->sections.s && strstr(r->sections.s, mark))
        return true;
    strbuf_printf(&r->sections, "%s", mark);
    return false;
}

static bool read_map(reader *r, const char *prefix, int depth)
{
    while (true) {
        if (!next(r))
            return false;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return true;
        if (r->event.type != YAML_SCALAR_EVENT)
            return err_set(r->e, ERR_CONFIG, "%s: a key must be a plain name", here(r));
        const char *key = (const char *)r->event.data.scalar.value, *where = here(r);
        if (strlen(key) != r->event.data.scalar.length || !*key)
            return err_set(r->e, ERR_CONFIG, "%s: a key must be a plain name", where);
        const char *name =
            *prefix ? arena_printf(r->c->a, "%s.%s", prefix, key) : arena_strdup(r->c->a, key);
        if (!next(r))
            return false;
        if (config_find(r->c->t, name) < 0 && !config_is_group(r->c->t, name) &&
            strcmp(name, "extends"))
            return config_unknown(r->c->t, name, where, r->e);
        if (seen(r, name))
            return err_set(r->e, ERR_CONFIG, "%s: '%s' is given twice in this file; keep one",
                           where, name);
        if (!read_value(r, name, where, depth))
            return false;
    }
}

static bool read_document(reader *r, const char *prefix)
{
    if (!next(r) || !next(r)) // stream start, then a document or the end
        return false;
    if (r->event.type == YAML_STREAM_END_EVENT) {
        if (*prefix) { // "key=": an empty value
            config_entry *entry = add_entry(r, prefix, r->name);
            entry->items = NEW(r->c->a, config_scalar, 1);
            entry->items[0] = (config_scalar){"", true, r->name};
            entry->n = 1;
        }
        return true;
    }
    if (!next(r))
        return false;
    bool empty = r->event.type == YAML_SCALAR_EVENT && !*prefix && !r->event.data.scalar.length;
    if (!*prefix && r->event.type != YAML_MAPPING_START_EVENT && !empty)
        return err_set(r->e, ERR_CONFIG,
                       "%s: a configuration is a map of keys ('optim: ...'), not a %s", here(r),
                       r->event.type == YAML_SCALAR_EVENT ? "single value" : "list");
    if (!empty && !read_value(r, prefix, *prefix ? r->name : here(r), 0))
        return false;
    if (!next(r) || !next(r))
        return false;
    return r->event.type == YAML_STREAM_END_EVENT ||
           err_set(r->e, ERR_CONFIG, "%s: a second document in one file", here(r));
}

bool config_yaml(config *c, const char *text, size_t n, const char *name, const char *prefix,
                 config_entries *out, err *e)
{
    reader r = {.c = c, .name = name, .file = !*prefix, .out = out, .e = e};
    // nothing else can be wrong
    base_checked(yaml_parser_initialize(&r.parser) ? &r : NULL, sizeof r);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    bool ok = read_document(&r, prefix);
    if (r.have)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    strbuf_free(&r.sections);
    return ok;
}

const char *config_library(void)
{
    return yaml_get_version_string();
}
