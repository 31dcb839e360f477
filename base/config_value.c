// SPDX-License-Identifier: GPL-3.0-or-later
// config_value.c: from text to a typed value in range, or a sentence that says what was expected.
//
// YAML's own typing is not used at all: a scalar stays text until its key's row says what it must
// be. That is why 3e-4 is a number here and `no` is never a boolean by accident.
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_internal.h"

bool config_is_null(const config_scalar *s)
{
    return s->plain && (!*s->text || !strcmp(s->text, "~") || !strcmp(s->text, "null") ||
                        !strcmp(s->text, "Null") || !strcmp(s->text, "NULL"));
}

static bool bounded(const config_key *k)
{
    return k->min < k->max;
}

const char *config_describe(const config_key *k, char out[256])
{
    static const char *const what[CONFIG_TYPES] = {
        [CONFIG_SECTION] = "a section with keys of its own",
        [CONFIG_BOOL] = "true or false",
        [CONFIG_INT] = "a whole number",
        [CONFIG_NUMBER] = "a number",
        [CONFIG_TEXT] = "a text",
        [CONFIG_ENUM] = "one of",
        [CONFIG_BYTES] = "a size such as 6GiB",
        [CONFIG_SECONDS] = "a time such as 90s, 30m or 3h30m",
        [CONFIG_TEXTS] = "a list of texts",
        [CONFIG_NUMBERS] = "a list of numbers",
        [CONFIG_MAP] = "a map of names to numbers",
        [CONFIG_NAMES] = "a map of names to texts"};
    int n = snprintf(out, 256, "%s", what[k->type]);
    if (k->type == CONFIG_TEXTS && k->choices)
        n = snprintf(out, 256, "a list of");
    if (k->most && k->least == k->most)
        n = snprintf(out, 256, "a list of %d %s", k->most,
                     k->type == CONFIG_TEXTS ? "texts" : "numbers");
    if (k->choices) {
        n += snprintf(out + n, (size_t)(256 - n), " ");
        for (const char *p = k->choices; *p && n < 250; p++)
            n += snprintf(out + n, (size_t)(256 - n), *p == '|' ? ", " : "%c", *p);
    }
    if (bounded(k) && isinf(k->max))
        snprintf(out + n, (size_t)(256 - n), " of at least %.9g", k->min);
    else if (bounded(k))
        snprintf(out + n, (size_t)(256 - n), " from %.9g to %.9g", k->min, k->max);
    return out;
}

static bool to_number(const char *s, double *d)
{
    if (!*s || strspn(s, "0123456789+-.eE") != strlen(s))
        return false;
    char *end;
    errno = 0;
    *d = strtod(s, &end);
    return !*end && isfinite(*d);
}

static bool to_int(const char *s, int64_t *v)
{
    char *end;
    errno = 0;
    *v = strtoll(s, &end, 10);
    if (*s && !isspace((unsigned char)*s) && !*end && !errno)
        return true;
    double d;
    if (!to_number(s, &d) || d != floor(d) || fabs(d) > 9007199254740992.0)
        return false;
    *v = (int64_t)d;
    return true;
}

// "90", "90s", "30m", "3h30m", "2d", "01:30:00" -> seconds
static bool to_seconds(const char *s, double *out)
{
    double total = 0, part;
    if (strchr(s, ':')) {
        int h, m, sec, used = 0;
        if (sscanf(s, "%d:%2d:%2d%n", &h, &m, &sec, &used) != 3 || s[used] || h < 0 || m < 0 ||
            m > 59 || sec < 0 || sec > 59)
            return false;
        *out = h * 3600.0 + m * 60.0 + sec;
        return true;
    }
    if (to_number(s, out))
        return *out >= 0;
    while (*s) {
        size_t digits = strspn(s, "0123456789.");
        char number[32];
        static const char units[] = "smhd";
        static const double seconds[] = {1, 60, 3600, 86400};
        const char *unit =
            digits && digits < sizeof number && s[digits] ? strchr(units, s[digits]) : NULL;
        if (!unit)
            return false;
        memcpy(number, s, digits), number[digits] = 0;
        if (!to_number(number, &part))
            return false;
        total += part * seconds[unit - units];
        s += digits + 1;
    }
    *out = total;
    return true;
}

static const char *choice_meant(const char *choices, const char *s, arena *a)
{
    const char *list[64];
    size_t n = 0;
    char *copy = arena_strdup(a, choices);
    for (char *save = NULL, *p = strtok_r(copy, "|", &save); p && n < 64;
         p = strtok_r(NULL, "|", &save))
        list[n++] = p;
    return str_nearest(s, list, n);
}

static bool in_range(const config_key *k, double v)
{
    return !bounded(k) || (v >= k->min && v <= k->max);
}

static bool wrong(const config_key *k, const config_scalar *s, arena *a, err *e)
{
    char text[256];
    config_describe(k, text);
    static const char *const yaml11[] = {"yes", "no",  "on",  "off", "y",  "n",   "Yes",  "No",
                                         "On",  "Off", "YES", "NO",  "ON", "OFF", "True", "False"};
    if (k->type == CONFIG_BOOL)
        for (size_t i = 0; i < sizeof yaml11 / sizeof *yaml11; i++)
            if (!strcmp(s->text, yaml11[i]))
                return err_set(e, ERR_CONFIG,
                               "%s: '%s' must be true or false; '%s' means neither here, write %s",
                               s->where, k->name, s->text,
                               strchr("yYtT", *s->text) || !strcasecmp(s->text, "on") ? "true"
                                                                                      : "false");
    const char *best = k->choices ? choice_meant(k->choices, s->text, a) : NULL;
    if (best)
        return err_set(e, ERR_CONFIG, "%s: '%s' must be %s, not '%s'; did you mean '%s'?", s->where,
                       k->name, text, s->text, best);
    return err_set(e, ERR_CONFIG, "%s: '%s' must be %s, not '%s'", s->where, k->name, text,
                   s->text);
}

static bool set_scalar(const config_key *k, key_value *v, const config_scalar *s, arena *a, err *e)
{
    bool ok = true;
    switch (k->type) {
    case CONFIG_BOOL:
        ok = !strcmp(s->text, "true") || !strcmp(s->text, "false");
        v->b = !strcmp(s->text, "true");
        break;
    case CONFIG_INT:
        ok = to_int(s->text, &v->i) && in_range(k, (double)v->i);
        break;
    case CONFIG_NUMBER:
        ok = to_number(s->text, &v->d) && in_range(k, v->d);
        break;
    case CONFIG_SECONDS:
        ok = to_seconds(s->text, &v->d) && in_range(k, v->d);
        break;
    case CONFIG_BYTES:
        ok = str_bytes(s->text, &v->u) && in_range(k, (double)v->u);
        break;
    case CONFIG_ENUM:
        ok = key_choice_index(k->choices, s->text) >= 0;
        v->s = s->text;
        break;
    default:
        v->s = s->text;
    }
    return ok || wrong(k, s, a, e);
}

static bool set_list(const config_key *k, key_value *v, const config_entry *entry, arena *a, err *e)
{
    char text[256];
    if (k->most && (entry->n < (size_t)k->least || entry->n > (size_t)k->most))
        return err_set(e, ERR_CONFIG, "%s: '%s' must be %s, not a list of %zu", entry->where,
                       k->name, config_describe(k, text), entry->n);
    v->n = entry->n;
    v->list = entry->list;
    v->texts = NEW(a, const char *, entry->n + 1);
    v->nums = NEW(a, double, entry->n + 1);
    for (size_t i = 0; i < entry->n; i++) {
        const config_scalar *s = &entry->items[i];
        v->texts[i] = s->text;
        if (k->type == CONFIG_NUMBERS
                ? !to_number(s->text, &v->nums[i]) || !in_range(k, v->nums[i])
                : config_is_null(s) || (k->choices && key_choice_index(k->choices, s->text) < 0))
            return wrong(k, s, a, e);
    }
    return true;
}

// Names are kept in order: the first that fits may be the one that counts.
static bool set_map(const config_key *k, key_value *v, const config_entry *entry, arena *a, err *e)
{
    v->n = entry->n / 2;
    v->texts = NEW(a, const char *, v->n + 1);
    v->nums = NEW(a, double, v->n + 1);
    v->words = NEW(a, const char *, v->n + 1);
    for (size_t i = 0; i < v->n; i++) {
        const config_scalar *s = &entry->items[2 * i + 1];
        v->texts[i] = entry->items[2 * i].text;
        v->words[i] = s->text;
        for (size_t j = 0; j < i; j++)
            if (!strcmp(v->texts[j], v->texts[i]))
                return err_set(e, ERR_CONFIG, "%s: '%s' is given twice in '%s'; keep one", s->where,
                               v->texts[i], k->name);
        if (k->type == CONFIG_NAMES ? config_is_null(s)
                                    : !to_number(s->text, &v->nums[i]) || !in_range(k, v->nums[i]))
            return wrong(k, s, a, e);
    }
    return true;
}

static bool set_value(const config_key *k, key_value *v, const config_entry *entry, arena *a,
                      err *e)
{
    char text[256];
    bool takes_list = k->type == CONFIG_TEXTS || k->type == CONFIG_NUMBERS;
    if (entry->list && !takes_list)
        return err_set(e, ERR_CONFIG, "%s: '%s' must be %s, not a list", entry->where, k->name,
                       config_describe(k, text));
    if (config_is_map(k))
        return entry->map ? set_map(k, v, entry, a, e) : wrong(k, &entry->items[0], a, e);
    return takes_list ? set_list(k, v, entry, a, e) : set_scalar(k, v, &entry->items[0], a, e);
}

static void reset_group(config *c, const char *name, const char *where)
{
    for (size_t i = 0; i < c->n; i++)
        if (key_within(config_at(c->t, i), name)) {
            config_reset(c, (int)i);
            c->values[i].where = where;
        }
}

bool config_assign(config *c, const config_entry *entry, err *e)
{
    int i = config_find(c->t, entry->name);
    bool null = !entry->list && !entry->map && config_is_null(&entry->items[0]);
    if (config_is_group(c->t, entry->name)) {
        if (!null)
            return err_set(e, ERR_CONFIG,
                           "%s: '%s' is a section: it holds keys, not a value of its own",
                           entry->where, entry->name);
        reset_group(c, entry->name, entry->where);
        return true;
    }
    if (i < 0)
        return config_unknown(c->t, entry->name, entry->where, e);
    const config_key *k = config_at(c->t, (size_t)i);
    config_value *v = &c->values[i];
    if (c->layer && v->layer == c->layer)
        return err_set(e, ERR_CONFIG, "%s: '%s' is given twice, first at %s; keep one",
                       entry->where, k->name, v->where);
    if (null) {
        config_reset(c, i);
    } else {
        if (!set_value(k, &v->is, entry, c->a, e))
            return false;
        v->given = true;
    }
    v->where = entry->where;
    v->layer = c->layer;
    return true;
}
