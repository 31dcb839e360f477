// SPDX-License-Identifier: GPL-3.0-or-later
// meta.c: two arrays that double; a few dozen keys are searched from the front.
#include "base/meta.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

void meta_set(model_meta *m, const char *key, const char *value)
{
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->keys[i], key)) {
            m->values[i] = arena_strdup(m->arena, value);
            return;
        }
    if (m->n == m->cap) {
        int cap = m->cap ? 2 * m->cap : 32;
        char **keys = NEW(m->arena, char *, (size_t)cap),
             **values = NEW(m->arena, char *, (size_t)cap);
        for (int i = 0; i < m->n; i++)
            keys[i] = m->keys[i], values[i] = m->values[i];
        m->keys = keys, m->values = values, m->cap = cap;
    }
    m->keys[m->n] = arena_strdup(m->arena, key);
    m->values[m->n++] = arena_strdup(m->arena, value);
}

const char *meta_get(const model_meta *m, const char *key)
{
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->keys[i], key))
            return m->values[i];
    return NULL;
}

// ---- Numbers and lists

void meta_set_int(model_meta *m, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    meta_set(m, key, text);
}

static void set_json(model_meta *m, const char *key, json *list)
{
    strbuf out = {0};
    json_dump(list, 0, &out);
    meta_set(m, key, out.s);
    strbuf_free(&out);
    json_free(list);
}

void meta_set_texts(model_meta *m, const char *key, const char *const *list, size_t n)
{
    json *j = json_array();
    for (size_t i = 0; i < n; i++)
        json_push_str(j, list[i]);
    set_json(m, key, j);
}

void meta_set_floats(model_meta *m, const char *key, const float *list, size_t n)
{
    json *j = json_array();
    for (size_t i = 0; i < n; i++)
        json_push_num(j, (double)list[i]);
    set_json(m, key, j);
}

bool meta_int(const model_meta *m, const char *key, int64_t missing, int64_t least, int64_t most,
              int64_t *out, err *e)
{
    const char *text = meta_get(m, key);
    char *end = NULL;
    long long v = text ? strtoll(text, &end, 10) : missing;
    *out = v;
    if (!text || (end != text && !*end && v >= least && v <= most))
        return true;
    return err_set(e, ERR_DAMAGED, "its '%s' is '%.40s', not a whole number from %lld to %lld", key,
                   text, (long long)least, (long long)most);
}

// The list under a key, parsed; NULL where there is none, or (*ok false) where it is no list.
static json *get_list(const model_meta *m, const char *key, bool *ok)
{
    const char *text = meta_get(m, key);
    json *j = text ? json_parse(text, strlen(text), NULL) : NULL;
    *ok = !text || json_type(j) == JSON_ARRAY;
    return j;
}

bool meta_texts(const model_meta *m, const char *key, arena *a, const char ***list, size_t *n,
                err *e)
{
    bool ok;
    json *j = get_list(m, key, &ok);
    *n = ok ? json_len(j) : 0;
    *list = j ? NEW(a, const char *, *n + 1) : NULL;
    for (size_t i = 0; ok && i < *n; i++) {
        const char *text = json_str(json_at(j, i), NULL);
        ok = text != NULL;
        (*list)[i] = arena_strdup(a, text ? text : "");
    }
    json_free(j);
    return ok || err_set(e, ERR_DAMAGED, "its '%s' is not a list of texts", key);
}

bool meta_floats(const model_meta *m, const char *key, arena *a, float **list, size_t *n, err *e)
{
    bool ok;
    json *j = get_list(m, key, &ok);
    *n = ok ? json_len(j) : 0;
    *list = j ? NEW(a, float, *n + 1) : NULL;
    for (size_t i = 0; ok && i < *n; i++) {
        double v = json_num(json_at(j, i), NAN);
        ok = isfinite(v) && fabs(v) < 1e30;
        (*list)[i] = (float)v;
    }
    json_free(j);
    return ok || err_set(e, ERR_DAMAGED, "its '%s' is not a list of finite numbers", key);
}
