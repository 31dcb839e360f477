// SPDX-License-Identifier: GPL-3.0-or-later
// feature_text.c: a feature's settings in configs, in JSON and as a line (feature.h).
#include <stdio.h>
#include <string.h>

#include "data/features/feature.h"

enum { NAME_MOST = 128 };

void *feature_settings(const feature_def *d, arena *a)
{
    return arena_alloc(a, 1, d->settings_size);
}

size_t feature_settings_count(const feature_def *d)
{
    return d->table_n ? *d->table_n : 0;
}

static bool set(const feature_def *d, void *settings, const char *name, const char *value, err *e)
{
    if (d->set)
        return d->set(settings, name, value, e);
    if (!feature_settings_count(d))
        return err_set(e, ERR_CONFIG, "there is no setting '%s'; %s has none", name, d->name);
    const config_key *s = setting_find(d->table, *d->table_n, name, e);
    return s && setting_parse(s, settings, value, e);
}

bool feature_set(const feature_def *d, void *settings, const char *name, const char *value, err *e)
{
    return set(d, settings, name, value, e) || err_trail(e, "%s", d->name);
}

bool feature_resolve(const feature_def *d, void *settings, err *e)
{
    return !d->resolve || d->resolve(settings, e) || err_trail(e, "%s", d->name);
}

// As a config reads it: numbers with a word for zero are text there; setting_parse checks them.
static config_key key_of(const config_key *s)
{
    config_key k = *s;
    if (s->zero)
        k.type = CONFIG_TEXT, k.min = k.max = 0;
    return k;
}

size_t feature_keys(const feature_def *d, arena *a, config_key **keys)
{
    size_t n = feature_settings_count(d);
    *keys = NEW(a, config_key, n + 1);
    (*keys)[0] = (config_key){.name = d->name, .type = CONFIG_SECTION, .help = d->help};
    for (size_t i = 0; i < n; i++)
        (*keys)[i + 1] = key_of(&d->table[i]);
    return n + 1;
}

static void value_text(const config_key *s, const config *c, char text[NAME_MOST])
{
    if (s->zero || s->type == CONFIG_ENUM)
        snprintf(text, NAME_MOST, "%s", config_text(c, s->name));
    else if (s->type == CONFIG_BOOL)
        snprintf(text, NAME_MOST, "%s", config_bool(c, s->name) ? "true" : "false");
    else
        snprintf(text, NAME_MOST, "%.17g", config_num(c, s->name));
}

bool feature_configure(const feature_def *d, void *settings, const config *c, err *e)
{
    for (size_t i = 0; i < feature_settings_count(d); i++) {
        const config_key *s = &d->table[i];
        char text[NAME_MOST];
        if (!config_given(c, s->name))
            continue;
        value_text(s, c, text);
        if (!set(d, settings, key_leaf(s->name), text, e))
            return err_trail(e, "%s", config_where(c, s->name));
    }
    return feature_resolve(d, settings, e);
}

static void json_put(json *j, const config_key *s, const void *settings, const char *text)
{
    const char *name = key_leaf(s->name);
    const void *at = (const char *)settings + s->at;
    if (s->type == CONFIG_INT)
        json_set_int(j, name, setting_int(s, settings));
    else if (s->type == CONFIG_NUMBER)
        json_set_num(j, name, *(const double *)at);
    else if (s->type == CONFIG_BOOL)
        json_set_bool(j, name, *(const bool *)at);
    else
        json_set_str(j, name, text);
}

// A preset is resolved into the other rows, and is no setting by itself.
static size_t first_row(const feature_def *d)
{
    return feature_settings_count(d) && !strcmp(key_leaf(d->table[0].name), "preset");
}

json *feature_json(const feature_def *d, const void *settings)
{
    json *j = json_object();
    strbuf text = {0};
    for (size_t i = first_row(d); i < feature_settings_count(d); i++) {
        if (setting_is_unsaid(&d->table[i], settings))
            continue;
        text.len = 0;
        setting_print(&d->table[i], settings, &text);
        json_put(j, &d->table[i], settings, text.s);
    }
    strbuf_free(&text);
    return j;
}

// The word for 0 where the setting `name` has one: what follows from other settings is stored as
// the number.
static const char *word_for_zero(const feature_def *d, const char *name)
{
    for (size_t i = 0; i < feature_settings_count(d); i++)
        if (!strcmp(key_leaf(d->table[i].name), name))
            return d->table[i].zero;
    return NULL;
}

static void json_text(const feature_def *d, const char *name, const json *v, char text[NAME_MOST])
{
    const char *word =
        json_type(v) == JSON_NUMBER && json_num(v, 1) == 0 ? word_for_zero(d, name) : NULL;
    if (word)
        snprintf(text, NAME_MOST, "%s", word);
    else if (json_type(v) == JSON_BOOL)
        snprintf(text, NAME_MOST, "%s", json_bool(v, false) ? "true" : "false");
    else if (json_type(v) == JSON_NUMBER)
        snprintf(text, NAME_MOST, "%.17g", json_num(v, 0));
    else
        snprintf(text, NAME_MOST, "%s", json_str(v, "?"));
}

bool feature_from_json(const feature_def *d, void *settings, const json *j, err *e)
{
    for (void *it = json_first(j); it; it = json_next(j, it)) {
        char text[NAME_MOST];
        json_text(d, json_key(it), json_value(it), text);
        if (!feature_set(d, settings, json_key(it), text, e))
            return false;
    }
    return feature_resolve(d, settings, e);
}
