// SPDX-License-Identifier: GPL-3.0-or-later
// config_internal.h: what config.c (values), config_yaml.c (files) and config_doc.c (help) share.
#ifndef KMIDI_BASE_CONFIG_INTERNAL_H
#define KMIDI_BASE_CONFIG_INTERNAL_H

#include "base/config.h"

enum { CONFIG_DEPTH = 8, CONFIG_ENTRIES = 4096, CONFIG_FILE_LIMIT = 1 << 20 };

typedef struct config_value {
    bool given;
    const char *where;
    int layer; // the file or override that set it: twice in one is a duplicate
    key_value is;
} config_value;

struct config {
    const config_table *t;
    size_t n; // rows of the table
    arena *a;
    config_value *values; // by index of the table
    int layer;
    int parents; // depth of `extends:` now
    const char *parent[CONFIG_DEPTH];
};

// One value as written: scalars as text, before their type is known.
typedef struct config_scalar {
    const char *text;
    bool plain;        // not quoted: may be null
    const char *where; // "configs/x.yaml:7:3"
} config_scalar;

typedef struct config_entry {
    const char *name;  // full name as written; NULL for the value of `extends:`
    const char *where; // of the name
    bool list, map;
    size_t n;
    config_scalar *items; // of a map: name, value, name, value ...
} config_entry;

typedef struct config_entries {
    config_entry *list;
    size_t n, cap;
} config_entries;

// Index of a key by name or alias; -1 when there is none. Sections are keys too.
int config_find(const config_table *t, const char *name);
// True where `name` is a section or a prefix of keys.
bool config_is_group(const config_table *t, const char *name);
// always false: says what would be right
bool config_unknown(const config_table *t, const char *name, const char *where, err *e);
bool config_assign(config *c, const config_entry *entry, err *e) MUST_CHECK;
// Parses `text` into entries; names get `prefix` in front. `name` for errors: "configs/x.yaml"
// (then with line and column) or "override '...'".
bool config_yaml(config *c, const char *text, size_t n, const char *name, const char *prefix,
                 config_entries *out, err *e) MUST_CHECK;
void config_reset(config *c, int i); // puts key i back to its default
bool config_is_null(const config_scalar *s);

static inline bool config_is_map(const config_key *k)
{
    return k->type == CONFIG_MAP || k->type == CONFIG_NAMES;
}

#endif
