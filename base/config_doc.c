// SPDX-License-Identifier: GPL-3.0-or-later
// config_doc.c: a configuration written out: resolved values as YAML, the table as Markdown and as
// help text.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_internal.h"

// Shortest decimal that reads back to the same double.
static void print_number(strbuf *out, double d)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    strbuf_printf(out, "%s", text);
}

static bool needs_quotes(const char *s)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    if (!*s ||
        strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+-") !=
            strlen(s) ||
        strspn(s, "0123456789.+-") || !strncmp(s, "-", 1))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(s, words[i]))
            return true;
    return false;
}

static void print_text(strbuf *out, const char *s)
{
    if (!needs_quotes(s)) {
        strbuf_printf(out, "%s", s);
        return;
    }
    strbuf_add(out, "\"", 1);
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        if (ch == '"' || ch == '\\')
            strbuf_printf(out, "\\%c", ch);
        else if (ch < 32 || ch == 127)
            strbuf_printf(out, "\\x%02x", ch);
        else if (ch == '$' && s[1] == '{')
            strbuf_add(out, "$$", 2);
        else
            strbuf_add(out, s, 1);
    }
    strbuf_add(out, "\"", 1);
}

static void print_value(strbuf *out, const config_key *k, const config_value *of)
{
    const key_value *v = &of->is;
    bool numbers = k->type == CONFIG_NUMBERS;
    if (!of->given)
        strbuf_add(out, "null", 4);
    else if (k->type == CONFIG_BOOL)
        strbuf_printf(out, "%s", v->b ? "true" : "false");
    else if (k->type == CONFIG_INT)
        strbuf_printf(out, "%lld", (long long)v->i);
    else if (k->type == CONFIG_BYTES)
        strbuf_printf(out, "%llu", (unsigned long long)v->u);
    else if (k->type == CONFIG_NUMBER || k->type == CONFIG_SECONDS)
        print_number(out, v->d);
    else if (config_is_map(k)) {
        strbuf_add(out, "{", 1);
        for (size_t i = 0; i < v->n; i++) {
            strbuf_add(out, ", ", i ? 2 : 0);
            print_text(out, v->texts[i]);
            strbuf_add(out, ": ", 2);
            k->type == CONFIG_MAP ? print_number(out, v->nums[i]) : print_text(out, v->words[i]);
        }
        strbuf_add(out, "}", 1);
    } else if (k->type == CONFIG_TEXTS && !v->list) {
        print_text(out, v->texts[0]);
    } else if (k->type == CONFIG_TEXTS || numbers) {
        strbuf_add(out, "[", 1);
        for (size_t i = 0; i < v->n; i++) {
            strbuf_add(out, ", ", i ? 2 : 0);
            numbers ? print_number(out, v->nums[i]) : print_text(out, v->texts[i]);
        }
        strbuf_add(out, "]", 1);
    } else
        print_text(out, v->s);
}

// Opens the sections of `name` that `last` was not in: "train.early_stopping.patience" behind
// "train.seed" prints "  early_stopping:".
static int open_sections(strbuf *out, const char *name, const char *last)
{
    int depth = 0;
    bool same = true;
    for (const char *p = name, *dot; (dot = strchr(p, '.')); p = dot + 1, depth++) {
        size_t upto = (size_t)(dot - name) + 1;
        same = same && last && !strncmp(name, last, upto);
        if (!same)
            strbuf_printf(out, "%*s%.*s:\n", 2 * depth, "", (int)(dot - p), p);
    }
    return depth;
}

void config_print(const config *c, strbuf *out)
{
    const char *last = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const config_key *k = config_at(c->t, i);
        if (k->type == CONFIG_SECTION)
            continue;
        int depth = open_sections(out, k->name, last);
        strbuf_printf(out, "%*s%s: ", 2 * depth, "", key_leaf(k->name));
        print_value(out, k, &c->values[i]);
        strbuf_add(out, "\n", 1);
        last = k->name;
    }
}

void config_show(const config *c, const char *name, char *out, size_t size)
{
    strbuf text = {0};
    int i = config_find(c->t, name);
    CHECK(i >= 0);
    print_value(&text, config_at(c->t, (size_t)i), &c->values[i]);
    snprintf(out, size, "%s", text.s);
    strbuf_free(&text);
}

const char *config_default(const config_key *k)
{
    return k->required ? "(must be set)" : k->value ? k->value : "null";
}

// `|` would end a table cell.
static void markdown_cell(strbuf *out, const char *s)
{
    for (; *s; s++)
        strbuf_printf(out, *s == '|' ? "\\%c" : "%c", *s);
}

void config_markdown(const config_table *t, strbuf *out)
{
    static const char head[] = "| key | value | default | meaning |\n|---|---|---|---|\n";
    char text[256];
    const config_key *k = config_at(t, 0);
    if (k && k->type != CONFIG_SECTION)
        strbuf_printf(out, "%s", head);
    for (size_t i = 0; (k = config_at(t, i)); i++) {
        if (k->type == CONFIG_SECTION) {
            strbuf_printf(out, "\n## %s\n\n%s.\n\n%s", k->name, k->help, head);
            continue;
        }
        strbuf_printf(out, "| `%s` | ", k->name);
        markdown_cell(out, config_describe(k, text));
        strbuf_printf(out, " | %s", k->required ? "must be set" : "`");
        if (!k->required)
            strbuf_printf(out, "%s`", config_default(k));
        strbuf_printf(out, " | ");
        markdown_cell(out, k->help);
        if (k->alias)
            strbuf_printf(out, " (also `%s`)", k->alias);
        strbuf_printf(out, " |\n");
    }
}

void config_help(const config_table *t, strbuf *out)
{
    enum { LEFT = 41 };
    char text[256], what[320];
    const config_key *k;
    for (size_t i = 0; (k = config_at(t, i)); i++) {
        if (k->type == CONFIG_SECTION) {
            strbuf_printf(out, "\n%s: ", k->name);
            strbuf_wrap(out, k->help, strlen(k->name) + 2, 4);
            continue;
        }
        snprintf(what, sizeof what, "%s [%s]", config_describe(k, text), config_default(k));
        strbuf_printf(out, "  %-38s ", k->name);
        strbuf_wrap(out, what, LEFT, LEFT);
        strbuf_printf(out, "%*s", LEFT, "");
        strbuf_wrap(out, k->help, LEFT, LEFT);
    }
}

// ---- One key, or a section

static void explain_row(const char *what, const char *text, strbuf *out)
{
    strbuf_printf(out, "  %-9s ", what);
    strbuf_wrap(out, text, 12, 12);
}

// As it stands in a file: a line for each section, then the key.
static void explain_yaml(const config_key *k, strbuf *out)
{
    strbuf_printf(out, "\nIn a file\n");
    int depth = 0;
    for (const char *p = k->name, *end; (end = strchr(p, '.')); p = end + 1)
        strbuf_printf(out, "  %*s%.*s:\n", 2 * depth++, "", (int)(end - p), p);
    strbuf_printf(out, "  %*s%s: %s\n", 2 * depth, "", key_leaf(k->name),
                  k->value ? k->value : "...");
}

void config_explain(const config_table *t, const config_key *k, strbuf *out)
{
    char text[256];
    strbuf_printf(out, "%s: %s\n", k->name, k->help);
    if (k->type == CONFIG_SECTION) {
        strbuf_printf(out, "\n");
        const config_key *q;
        for (size_t i = 0; (q = config_at(t, i)); i++)
            if (key_within(q, k->name))
                strbuf_printf(out, "  %-34s %s [%s]\n", q->name, q->help, config_default(q));
        return;
    }
    explain_row("value", config_describe(k, text), out);
    explain_row("default", config_default(k), out);
    if (k->alias)
        explain_row("also", k->alias, out);
    for (const config_other *o = t->others; o && o->name; o++)
        if (!strcmp(o->here, k->name))
            explain_row("elsewhere", o->name, out);
    explain_yaml(k, out);
    strbuf_printf(out, "On the command line\n  %s=%s\n", k->name, k->value ? k->value : "...");
}
