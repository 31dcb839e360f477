// SPDX-License-Identifier: GPL-3.0-or-later
// meta.c: two arrays that double; a few dozen keys are searched from the front.
#include "base/meta.h"

#include <string.h>

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
