// SPDX-License-Identifier: GPL-3.0-or-later
// setting.c: structs of named settings as text, by a table (setting.h).
#include "base/setting.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { MOST_NAMES = 64, BITS = 63 };

// "a, b or c"
static void list_names(const char *const *names, size_t n, strbuf *out)
{
    for (size_t i = 0; i < n; i++)
        strbuf_printf(out, "%s%s", names[i], i + 2 < n ? ", " : i + 1 < n ? " or " : "");
}

const config_key *setting_find(const config_key *table, size_t n, const char *name, err *e)
{
    const char *names[MOST_NAMES] = {NULL};
    CHECK(n <= MOST_NAMES);
    for (size_t i = 0; i < n; i++) {
        names[i] = key_leaf(table[i].name);
        if (!strcmp(names[i], name))
            return &table[i];
    }
    const char *near = str_nearest(name, names, n);
    strbuf all = {0};
    list_names(names, n, &all);
    err_set(e, ERR_CONFIG, "unknown setting '%s'%s%s%s; it may be %s", name,
            near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "",
            all.s ? all.s : "none");
    strbuf_free(&all);
    return NULL;
}

static bool parse_choice(const config_key *k, const char *text, err *e)
{
    const char *names[MOST_NAMES] = {NULL};
    int n = key_choices(k->choices), length;
    arena a = {.name = "choices"};
    if (key_choice_index(k->choices, text) >= 0)
        return true;
    CHECK(n <= MOST_NAMES);
    for (int i = 0; i < n; i++) {
        const char *word = key_choice_at(k->choices, i, &length);
        names[i] = arena_printf(&a, "%.*s", length, word);
    }
    const char *near = str_nearest(text, names, (size_t)n);
    strbuf all = {0};
    list_names(names, (size_t)n, &all);
    err_set(e, ERR_CONFIG, "%s: '%s'%s%s%s; it may be %s", key_leaf(k->name), text,
            near ? ", did you mean '" : " is not one of its values", near ? near : "",
            near ? "'?" : "", all.s);
    strbuf_free(&all);
    arena_free(&a);
    return false;
}

static bool parse_number(const config_key *k, double *v, const char *text, err *e)
{
    if (k->zero && !strcmp(text, k->zero)) {
        *v = 0;
        return true;
    }
    char *end = NULL;
    double x = strtod(text, &end);
    bool whole = k->type != CONFIG_INT || x == floor(x);
    bool word_only = k->zero && x == 0 && k->min <= 0; // 0 itself stands for the word
    if (end == text || *end || !whole || !isfinite(x) || ((x < k->min || x > k->max) && !word_only))
        return err_set(e, ERR_CONFIG, "%s: '%s' is not a%s number from %g to %g%s%s",
                       key_leaf(k->name), text, k->type == CONFIG_INT ? " whole" : "", k->min,
                       k->max, k->zero ? " or " : "", k->zero ? k->zero : "");
    *v = x;
    return true;
}

static bool parse_bits(const config_key *k, key_value *v, const char *text, err *e)
{
    const char *at = text;
    bool ok = true;
    for (v->n = 0; ok && *at; v->n++) {
        char *end = NULL;
        ok = v->n < BITS && (!v->n || *at++ == ',') && isdigit((unsigned char)*at);
        long bit = ok ? strtol(at, &end, 10) : -1;
        ok = ok && bit >= (long)k->min && bit <= (long)k->max;
        if (ok)
            v->nums[v->n] = (double)bit, at = end;
    }
    return ok || err_set(e, ERR_CONFIG, "%s: '%s' is not numbers from %g to %g with commas",
                         key_leaf(k->name), text, k->min, k->max);
}

bool setting_parse(const config_key *k, void *s, const char *text, err *e)
{
    double nums[BITS];
    key_value v = {.s = text, .b = text[0] == 't', .nums = nums};
    bool ok = true;
    if (k->type == CONFIG_ENUM)
        ok = parse_choice(k, text, e);
    else if (k->type == CONFIG_NUMBERS)
        ok = parse_bits(k, &v, text, e);
    else if (k->type != CONFIG_BOOL)
        ok = parse_number(k, &v.d, text, e);
    else if (strcmp(text, "true") && strcmp(text, "false"))
        return err_set(e, ERR_CONFIG, "%s: '%s' is neither true nor false", key_leaf(k->name),
                       text);
    v.i = ok && k->type == CONFIG_INT ? (int64_t)v.d : 0;
    if (ok)
        key_store(k, &v, s);
    return ok;
}

int64_t setting_int(const config_key *k, const void *s)
{
    const void *at = (const char *)s + k->at;
    return k->field == FIELD_INT64 ? *(const int64_t *)at : *(const int *)at;
}

// The shortest decimal that reads back as the same double (17 digits always do); settings are
// finite and below 10^20.
static void print_number(double v, strbuf *out)
{
    char text[40];
    snprintf(text, sizeof text, "%.0f", v);
    for (int digits = 1; strtod(text, NULL) != v; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
    }
    strbuf_printf(out, "%s", text);
}

static void print_bits(int64_t bits, strbuf *out)
{
    const char *comma = "";
    for (int i = 0; i < BITS; i++)
        if (bits >> i & 1)
            strbuf_printf(out, "%s%d", comma, i), comma = ",";
}

void setting_print(const config_key *k, const void *s, strbuf *out)
{
    const void *at = (const char *)s + k->at;
    if (k->type == CONFIG_ENUM) {
        int n;
        const char *word = key_choice_at(k->choices, *(const int *)at, &n);
        strbuf_add(out, word, (size_t)n);
    } else if (k->type == CONFIG_BOOL) {
        strbuf_printf(out, "%s", *(const bool *)at ? "true" : "false");
    } else if (k->type == CONFIG_NUMBERS) {
        print_bits(setting_int(k, s), out);
    } else {
        double v = k->type == CONFIG_INT ? (double)setting_int(k, s) : *(const double *)at;
        if (v == 0 && k->zero)
            strbuf_printf(out, "%s", k->zero);
        else
            print_number(v, out);
    }
}

bool setting_is_unsaid(const config_key *k, const void *s)
{
    strbuf text = {0};
    if (k->unsaid)
        setting_print(k, s, &text);
    bool is = k->unsaid && !strcmp(text.s, k->unsaid);
    strbuf_free(&text);
    return is;
}

static void line(const config_key *table, size_t n, const void *s, bool whole, strbuf *out)
{
    const char *space = "";
    for (size_t i = 0; i < n; i++) {
        if (!whole && setting_is_unsaid(&table[i], s))
            continue;
        strbuf_printf(out, "%s%s=", space, key_leaf(table[i].name));
        setting_print(&table[i], s, out);
        space = " ";
    }
}

void setting_line(const config_key *table, size_t n, const void *s, strbuf *out)
{
    line(table, n, s, false, out);
}

void setting_line_whole(const config_key *table, size_t n, const void *s, strbuf *out)
{
    line(table, n, s, true, out);
}
