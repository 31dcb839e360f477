// SPDX-License-Identifier: GPL-3.0-or-later
// labels.c: the table of sets, and what an index answers by a question's name (labels.h).
#include "data/labels/labels.h"

#include <string.h>

#include "base/names.h"

#define SET(name) extern const label_set label_set_##name;
#include "data/labels/sets.def"
#undef SET

static const label_set *const sets[] = {
#define SET(name) &label_set_##name,
#include "data/labels/sets.def"
#undef SET
};
enum { SETS = sizeof sets / sizeof *sets };

const label_set *label_set_at(size_t i)
{
    return i < SETS ? sets[i] : NULL;
}

const label_set *label_set_find(const char *name, err *e)
{
    const char *names[SETS];
    for (size_t i = 0; i < SETS; i++) {
        names[i] = sets[i]->name;
        if (!strcmp(name, names[i]))
            return sets[i];
    }
    (void)name_unknown(e, "set of targets", name, names, SETS);
    return NULL;
}

int label_class(const label_group *g, const char *name)
{
    for (int i = 0; i < g->n; i++)
        if (!strcmp(g->classes[i], name))
            return i;
    return -1;
}

json *label_group_json(const label_group *g)
{
    json *o = json_object(), *classes = json_array();
    for (int i = 0; i < g->n; i++)
        json_push_str(classes, g->classes[i]);
    json_set_str(o, "name", g->name);
    json_set(o, "classes", classes);
    return o;
}

bool label_group_read(const json *j, arena *a, label_group *g)
{
    const json *classes = json_get(j, "classes");
    const char *name = json_str(json_get(j, "name"), NULL);
    size_t n = json_len(classes);
    if (!name || json_type(classes) != JSON_ARRAY || n < 1 || n > LABEL_CLASSES)
        return false;
    const char **names = NEW(a, const char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *one = json_str(json_at(classes, i), NULL);
        if (!one)
            return false;
        names[i] = arena_strdup(a, one);
    }
    *g = (label_group){arena_strdup(a, name), names, (int)n};
    return true;
}

static bool answer(const label_group *g, const json *v, int32_t *class, err *e)
{
    const char *name = json_str(v, NULL);
    int64_t number = name ? label_class(g, name) : json_int(v, -1);
    *class = (int32_t)number;
    if (number >= 0 && number < g->n)
        return true;
    if (!name)
        return err_set(e, ERR_VALUE, "'%s' is a class from 0 to %d, or its name", g->name,
                       g->n - 1);
    char guess[NAME_GUESS];
    return err_set(e, ERR_VALUE, "'%s' has no class '%s'%s", g->name, name,
                   name_guess(guess, name, g->classes, (size_t)g->n));
}

bool label_set_tell(const label_set *s, const label_item *item, int32_t *classes, err *e)
{
    for (int k = 0; k < s->n_groups; k++)
        classes[k] = -1;
    if (s->tell && !s->tell(item, classes, e))
        return false;
    for (int k = 0; k < s->n_groups; k++) {
        const json *v = json_get(item->attributes, s->groups[k].name);
        if (json_type(v) != JSON_NONE && json_type(v) != JSON_NULL &&
            !answer(&s->groups[k], v, &classes[k], e))
            return false;
    }
    return true;
}
