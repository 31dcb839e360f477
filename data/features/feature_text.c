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
    const setting_def *s = setting_find(d->table, *d->table_n, name, e);
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

static const char *joined(arena *a, const char *const *choices)
{
    strbuf b = {0};
    for (size_t i = 0; choices[i]; i++)
        strbuf_printf(&b, "%s%s", i ? "|" : "", choices[i]);
    const char *s = arena_strdup(a, b.s);
    strbuf_free(&b);
    return s;
}

// Numbers with a word for zero are text to the config; setting_parse checks them.
static config_key key_of(const feature_def *d, const setting_def *s, arena *a)
{
    static const config_type types[] = {[SETTING_INT] = CONFIG_INT,
                                        [SETTING_NUM] = CONFIG_NUMBER,
                                        [SETTING_BOOL] = CONFIG_BOOL,
                                        [SETTING_CHOICE] = CONFIG_ENUM};
    config_key k = {.name = arena_printf(a, "%s.%s", d->name, s->name),
                    .type = s->zero ? CONFIG_TEXT : types[s->kind],
                    .help = s->help};
    if (k.type == CONFIG_INT || k.type == CONFIG_NUMBER)
        k.min = s->least, k.max = s->most;
    if (s->kind == SETTING_CHOICE)
        k.choices = joined(a, s->choices);
    return k;
}

size_t feature_keys(const feature_def *d, arena *a, config_key **keys)
{
    size_t n = feature_settings_count(d);
    *keys = NEW(a, config_key, n + 1);
    (*keys)[0] = (config_key){.name = d->name, .type = CONFIG_SECTION, .help = d->help};
    for (size_t i = 0; i < n; i++)
        (*keys)[i + 1] = key_of(d, &d->table[i], a);
    return n + 1;
}

static void value_text(const setting_def *s, const config *c, const char *name,
                       char text[NAME_MOST])
{
    if (s->zero || s->kind == SETTING_CHOICE)
        snprintf(text, NAME_MOST, "%s", config_text(c, name));
    else if (s->kind == SETTING_BOOL)
        snprintf(text, NAME_MOST, "%s", config_bool(c, name) ? "true" : "false");
    else
        snprintf(text, NAME_MOST, "%.17g", config_num(c, name));
}

bool feature_configure(const feature_def *d, void *settings, const config *c, err *e)
{
    for (size_t i = 0; i < feature_settings_count(d); i++) {
        char name[NAME_MOST], text[NAME_MOST];
        snprintf(name, sizeof name, "%s.%s", d->name, d->table[i].name);
        if (!config_given(c, name))
            continue;
        value_text(&d->table[i], c, name, text);
        if (!set(d, settings, d->table[i].name, text, e))
            return err_trail(e, "%s", config_where(c, name));
    }
    return feature_resolve(d, settings, e);
}

static void json_put(json *j, const setting_def *d, const void *settings, const char *text)
{
    const char *at = (const char *)settings + d->at;
    if (d->kind == SETTING_INT)
        json_set_int(j, d->name, *(const int *)(const void *)at);
    else if (d->kind == SETTING_NUM)
        json_set_num(j, d->name, *(const double *)(const void *)at);
    else if (d->kind == SETTING_BOOL)
        json_set_bool(j, d->name, *(const bool *)at);
    else
        json_set_str(j, d->name, text);
}

// A preset is resolved into the other rows, and is no setting by itself.
static size_t first_row(const feature_def *d)
{
    return feature_settings_count(d) && !strcmp(d->table[0].name, "preset");
}

json *feature_json(const feature_def *d, const void *settings)
{
    json *j = json_object();
    strbuf text = {0};
    for (size_t i = first_row(d); i < feature_settings_count(d); i++) {
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
        if (!strcmp(d->table[i].name, name))
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

void feature_line(const feature_def *d, const void *settings, strbuf *out)
{
    setting_line(d->table + first_row(d), feature_settings_count(d) - first_row(d), settings, out);
}
