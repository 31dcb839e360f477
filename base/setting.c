// SPDX-License-Identifier: GPL-3.0-or-later
// setting.c: structs of named settings as text, by a table (setting.h).
#include "base/setting.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 64 };

static void *field(const setting_def *d, void *s)
{
    return (char *)s + d->at;
}
static const void *field_const(const setting_def *d, const void *s)
{
    return (const char *)s + d->at;
}

// "a, b or c"
static void list_names(const char *const *names, size_t n, strbuf *out)
{
    for (size_t i = 0; i < n; i++)
        strbuf_printf(out, "%s%s", names[i], i + 2 < n ? ", " : i + 1 < n ? " or " : "");
}

const setting_def *setting_find(const setting_def *table, size_t n, const char *name, err *e)
{
    const char *names[MOST_NAMES] = {NULL};
    CHECK(n <= MOST_NAMES);
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(table[i].name, name))
            return &table[i];
        names[i] = table[i].name;
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

static bool parse_choice(const setting_def *d, int *v, const char *text, err *e)
{
    size_t n = 0;
    for (; d->choices[n]; n++)
        if (!strcmp(d->choices[n], text)) {
            *v = (int)n;
            return true;
        }
    const char *near = str_nearest(text, d->choices, n);
    strbuf all = {0};
    list_names(d->choices, n, &all);
    err_set(e, ERR_CONFIG, "%s: '%s'%s%s%s; it may be %s", d->name, text,
            near ? ", did you mean '" : " is not one of its values", near ? near : "",
            near ? "'?" : "", all.s);
    strbuf_free(&all);
    return false;
}

static bool parse_number(const setting_def *d, double *v, const char *text, err *e)
{
    if (d->zero && !strcmp(text, d->zero)) {
        *v = 0;
        return true;
    }
    char *end = NULL;
    double x = strtod(text, &end);
    bool whole = d->kind != SETTING_INT || x == floor(x);
    bool word_only = d->zero && x == 0 && d->least <= 0; // 0 itself stands for the word
    if (end == text || *end || !whole || !isfinite(x) ||
        ((x < d->least || x > d->most) && !word_only))
        return err_set(e, ERR_CONFIG, "%s: '%s' is not a%s number from %g to %g%s%s", d->name, text,
                       d->kind == SETTING_INT ? " whole" : "", d->least, d->most,
                       d->zero ? " or " : "", d->zero ? d->zero : "");
    *v = x;
    return true;
}

bool setting_parse(const setting_def *d, void *s, const char *text, err *e)
{
    void *at = field(d, s);
    double v = 0;
    if (d->kind == SETTING_CHOICE)
        return parse_choice(d, at, text, e);
    if (d->kind == SETTING_BOOL) {
        if (strcmp(text, "true") && strcmp(text, "false"))
            return err_set(e, ERR_CONFIG, "%s: '%s' is neither true nor false", d->name, text);
        *(bool *)at = text[0] == 't';
        return true;
    }
    if (!parse_number(d, &v, text, e))
        return false;
    if (d->kind == SETTING_INT)
        *(int *)at = (int)v;
    else
        *(double *)at = v;
    return true;
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

void setting_print(const setting_def *d, const void *s, strbuf *out)
{
    const void *at = field_const(d, s);
    if (d->kind == SETTING_CHOICE) {
        strbuf_printf(out, "%s", d->choices[*(const int *)at]);
    } else if (d->kind == SETTING_BOOL) {
        strbuf_printf(out, "%s", *(const bool *)at ? "true" : "false");
    } else {
        double v = d->kind == SETTING_INT ? *(const int *)at : *(const double *)at;
        if (v == 0 && d->zero)
            strbuf_printf(out, "%s", d->zero);
        else
            print_number(v, out);
    }
}

void setting_line(const setting_def *table, size_t n, const void *s, strbuf *out)
{
    for (size_t i = 0; i < n; i++) {
        strbuf_printf(out, "%s%s=", i ? " " : "", table[i].name);
        setting_print(&table[i], s, out);
    }
}
