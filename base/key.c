// SPDX-License-Identifier: GPL-3.0-or-later
// key.c: where values go, and the names of a row (key.h).
#include "base/key.h"

#include <string.h>

#include "base/err.h"

static void store_int(key_field field, void *at, int64_t v)
{
    switch (field) {
    case FIELD_INT:
        *(int *)at = (int)v;
        break;
    case FIELD_INT64:
        *(int64_t *)at = v;
        break;
    case FIELD_UINT64:
        *(uint64_t *)at = (uint64_t)v;
        break;
    case FIELD_DOUBLE:
        *(double *)at = (double)v;
        break;
    default:
        CHECK(!"a field that takes whole numbers");
    }
}

// Number i of an array.
static void store_number(key_field field, void *at, size_t i, double v)
{
    switch (field) {
    case FIELD_INT:
        ((int *)at)[i] = (int)v;
        break;
    case FIELD_FLOAT:
        ((float *)at)[i] = (float)v;
        break;
    case FIELD_DOUBLE:
        ((double *)at)[i] = v;
        break;
    case FIELD_INT64:
        *(int64_t *)at |= (int64_t)1 << (int)v;
        break;
    default:
        CHECK(!"a field that takes numbers");
    }
}

static void store_numbers(const config_key *k, const key_value *v, void *at)
{
    if (k->field == FIELD_INT64)
        *(int64_t *)at = 0;
    CHECK(k->field == FIELD_INT64 || v->n <= (size_t)k->most);
    for (size_t i = 0; i < v->n; i++)
        store_number(k->field, at, i, v->nums[i]);
}

static void store_texts(const config_key *k, const key_value *v, void *at)
{
    key_texts all = {v->texts, v->n};
    if (k->field == FIELD_TEXTS)
        *(key_texts *)at = all;
    else if (v->n && !v->list)
        *(key_choice *)at = (key_choice){.regex = v->texts[0], .names.list = v->texts};
    else
        *(key_choice *)at = (key_choice){.names = all};
}

// An ENUM's word, or its index.
static void store_text(const config_key *k, const char *s, void *at)
{
    if (k->field == FIELD_INT)
        *(int *)at = key_choice_index(k->choices, s);
    else
        *(const char **)at = s;
}

void key_store(const config_key *k, const key_value *v, void *s)
{
    void *at = (char *)s + k->at;
    switch (k->field == FIELD_NONE ? CONFIG_SECTION : k->type) {
    case CONFIG_BOOL:
        *(bool *)at = v->b;
        break;
    case CONFIG_INT:
        store_int(k->field, at, v->i);
        break;
    case CONFIG_NUMBER:
    case CONFIG_SECONDS:
        store_number(k->field, at, 0, v->d);
        break;
    case CONFIG_BYTES:
        *(uint64_t *)at = v->u;
        break;
    case CONFIG_ENUM:
    case CONFIG_TEXT:
        store_text(k, v->s, at);
        break;
    case CONFIG_TEXTS:
        store_texts(k, v, at);
        break;
    case CONFIG_NUMBERS:
        store_numbers(k, v, at);
        break;
    case CONFIG_MAP:
        *(key_map *)at = (key_map){v->texts, v->nums, v->n};
        break;
    case CONFIG_NAMES:
        *(key_names *)at = (key_names){v->texts, v->words, v->n};
        break;
    default:
        break;
    }
}

const char *key_leaf(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

bool key_within(const config_key *k, const char *section)
{
    size_t n = strlen(section);
    return !strncmp(k->name, section, n) && k->name[n] == '.';
}

const char *key_choice_at(const char *choices, int i, int *n)
{
    for (; i > 0 && *choices; i--) {
        choices += strcspn(choices, "|");
        choices += *choices == '|';
    }
    *n = (int)strcspn(choices, "|");
    return choices;
}

int key_choices(const char *choices)
{
    int n = 1;
    for (; *choices; choices++)
        n += *choices == '|';
    return n;
}

int key_choice_index(const char *choices, const char *s)
{
    int n;
    for (int i = 0, all = key_choices(choices); i < all; i++) {
        const char *word = key_choice_at(choices, i, &n);
        if (!strncmp(word, s, (size_t)n) && !s[n])
            return i;
    }
    return -1;
}
