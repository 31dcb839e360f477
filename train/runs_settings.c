// SPDX-License-Identifier: GPL-3.0-or-later
// runs_settings.c: the keys by which runs differ.
//
// Each config.yaml is read line by line and held against that of the first run.
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "train/config_lines.h"
#include "train/runs.h"

enum { KEYS = 512, KEY = CONFIG_LINE_KEY };

// ---- The first run's keys

static int key_at(runs *r, const char *name, int guess, bool add)
{
    if (guess < r->n_keys && !strcmp(r->keys[guess], name))
        return guess;
    for (int i = 0; i < r->n_keys; i++)
        if (!strcmp(r->keys[i], name))
            return i;
    if (!add || r->n_keys == KEYS)
        return -1;
    if (!r->keys) {
        r->keys = NEW(r->a, const char *, KEYS);
        r->values = NEW(r->a, const char *, KEYS);
        r->differs = NEW(r->a, bool, KEYS);
    }
    r->keys[r->n_keys] = arena_strdup(r->a, name);
    r->values[r->n_keys] = "";
    return r->n_keys++;
}

// ---- A run against it

typedef struct found {
    bool seen[KEYS];
    run_setting list[KEYS];
    int n;
} found;

static void put(runs *r, found *f, int key, const char *value, size_t n)
{
    int i = 0;
    const char *first = r->values[key];
    while (i < f->n && f->list[i].key != key)
        i++;
    f->seen[key] = true;
    if (i == f->n && strlen(first) == n && !memcmp(first, value, n))
        return;
    f->list[i] = (run_setting){key, arena_printf(r->a, "%.*s", (int)n, value)};
    f->n += i == f->n;
    r->differs[key] = true;
}

static void compare_yaml(runs *r, found *f, const char *yaml)
{
    config_lines l = {.at = yaml};
    const char *value;
    size_t n;
    bool first = !r->n_keys;
    for (int at = 0; config_lines_next(&l, &value, &n); at++) {
        int key = key_at(r, l.name, at, true);
        if (key < 0)
            continue;
        at = key;
        if (first)
            r->values[key] = arena_printf(r->a, "%.*s", (int)n, value);
        put(r, f, key, value, n);
    }
}

void runs_compare(runs *r, run_info *run, const char *yaml, const char *const *over, size_t n_over)
{
    found f;
    memset(f.seen, 0, sizeof f.seen), f.n = 0;
    compare_yaml(r, &f, yaml);
    for (size_t i = 0; i < n_over; i++) {
        const char *equals = strchr(over[i], '=');
        char name[KEY];
        snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - over[i]) : 0, over[i]);
        int key = equals ? key_at(r, name, 0, true) : -1;
        if (key >= 0)
            put(r, &f, key, equals + 1, strlen(equals + 1));
    }
    for (int i = 0; i < r->n_keys; i++) // of another version, which does not know it
        if (!f.seen[i])
            put(r, &f, i, "", 0);
    run->settings = NEW(r->a, run_setting, (size_t)f.n + 1);
    memcpy(run->settings, f.list, sizeof *f.list * (size_t)f.n);
    run->n_settings = f.n;
    run->configured = true;
}

void runs_recount(runs *r)
{
    for (int k = 0; k < r->n_keys; k++) {
        bool was = r->differs[k];
        const char *first = NULL;
        r->differs[k] = false;
        for (size_t i = 0; was && i < r->n && !r->differs[k]; i++)
            if (r->list[i].configured && !first)
                first = runs_value(r, i, k);
            else if (r->list[i].configured)
                r->differs[k] = strcmp(first, runs_value(r, i, k)) != 0;
    }
}

const char *runs_value(const runs *r, size_t i, int key)
{
    const run_info *run = &r->list[i];
    for (int k = 0; k < run->n_settings; k++)
        if (run->settings[k].key == key)
            return run->settings[k].value;
    return run->configured ? r->values[key] : "";
}

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

const char *runs_short_name(const runs *r, int key)
{
    const char *name = last_part(r->keys[key]);
    for (int k = 0; k < r->n_keys; k++)
        if (k != key && r->differs[k] && !strcmp(name, last_part(r->keys[k])))
            return r->keys[key];
    return name;
}

int runs_key(const runs *r, const char *name)
{
    int found_at = -1;
    for (int i = 0; i < r->n_keys; i++)
        if (!strcmp(r->keys[i], name))
            return i;
    for (int i = 0; i < r->n_keys; i++) {
        size_t n = strlen(r->keys[i]), m = strlen(name);
        if (n > m && r->keys[i][n - m - 1] == '.' && !strcmp(r->keys[i] + n - m, name)) {
            if (found_at >= 0)
                return -1;
            found_at = i;
        }
    }
    return found_at;
}
