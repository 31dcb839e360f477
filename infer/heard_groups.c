// SPDX-License-Identifier: GPL-3.0-or-later
// heard_groups.c: answers of a model of several groups (heard.h).
#include "infer/heard.h"

#include <string.h>

enum { TOP = 3 };

// NULL: it was not trained.
static const hear_group *taught(const trained *d, const model_group *q)
{
    const hear_group *g = hear_find_group(&d->hear, q->name);
    int seen = 0;
    for (int i = 0; g && i < g->group.n; i++)
        seen += g->items[i] > 0;
    return g && g->group.n == q->size && seen > 1 ? g : NULL;
}

static int best_of(const float *p, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (p[i] > p[best])
            best = i;
    return best;
}

// The mean place of ordered classes, from `low` to 1.
static double level_of(const model_group *q, const float *p)
{
    double sum = 0;
    for (int i = 0; i < q->size; i++)
        sum += (double)p[i] * i / (q->size - 1);
    return (double)q->low + (1 - (double)q->low) * sum;
}

// ---- JSON

typedef struct place {
    json *in;
    const char *name;
} place;

// "technical.register" of `o`: the object of that name, which comes to be there, and the rest.
static place place_of(json *o, const char *says, arena *a)
{
    const char *dot = strchr(says, '.');
    if (!dot)
        return (place){o, says};
    const char *name = arena_printf(a, "%.*s", (int)(dot - says), says);
    if (!json_get(o, name))
        json_set(o, name, json_object());
    return place_of((json *)json_get(o, name), dot + 1, a);
}

// The thesaurus' id of a class: null of one that it does not have, nothing without a name for it.
static void set_id(json *o, const char *name, const char *class)
{
    char id[8];
    const char *known = class ? thesaurus_id_of(class, id) : NULL;
    if (name && known)
        json_set_str(o, name, known);
    else if (name)
        json_set(o, name, NULL);
}

static json *list_top(const model_group *q, const hear_group *g, const float *p)
{
    json *list = json_array();
    float left[LABEL_CLASSES];
    memcpy(left, p, (size_t)g->group.n * sizeof *p);
    for (int i = 0; i < TOP && i < g->group.n; i++) {
        json *one = json_object();
        int best = best_of(left, g->group.n);
        json_set_str(one, "name", g->group.classes[best]);
        set_id(one, q->id ? "id" : NULL, g->group.classes[best]);
        json_set_num(one, "confidence", (double)left[best]);
        json_push(list, one);
        left[best] = -1;
    }
    return list;
}

static void describe(json *o, const model_group *q, const hear_group *g, const float *p, arena *a)
{
    place at = place_of(o, q->says, a);
    if (!g)
        json_set(at.in, at.name, NULL);
    else if (q->level)
        json_set_num(at.in, at.name, level_of(q, p));
    else
        json_set_str(at.in, at.name, g->group.classes[best_of(p, q->size)]);
    if (q->id) {
        place id = place_of(o, q->id, a);
        set_id(id.in, id.name, g ? g->group.classes[best_of(p, q->size)] : NULL);
    }
    if (!q->confidence)
        return;
    place sure = place_of(o, q->confidence, a);
    if (g)
        json_set_num(sure.in, sure.name, (double)p[best_of(p, q->size)]);
    else
        json_set(sure.in, sure.name, NULL);
    json_set(at.in, arena_printf(a, "%s_top", at.name), g ? list_top(q, g, p) : NULL);
}

json *heard_groups_json(const trained *d, const char *file, const heard *h, arena *a)
{
    json *o = json_object(), *rest = json_array();
    if (file)
        json_set_str(o, "file", file);
    for (int k = 0; k < d->model->n_groups; k++) {
        const model_group *q = &d->model->groups[k];
        const hear_group *g = taught(d, q);
        describe(o, q, g, h->probabilities + q->offset, a);
        if (!g)
            json_push_str(rest, q->name);
    }
    json_set(o, "not_trained", rest);
    json_set_int(o, "windows", h->windows);
    return o;
}

// ---- Text

static void say_group(const model_group *q, const hear_group *g, const float *p, strbuf *out)
{
    int best = best_of(p, q->size);
    strbuf_printf(out, "%s%s ", out->len ? ", " : "", q->name);
    if (q->level)
        strbuf_printf(out, "%.2f", level_of(q, p));
    else
        strbuf_printf(out, "%s (%.0f%%)", g->group.classes[best], 100 * (double)p[best]);
}

void heard_groups_text(const trained *d, const heard *h, strbuf *out)
{
    strbuf said = {0}, rest = {0};
    for (int k = 0; k < d->model->n_groups; k++) {
        const model_group *q = &d->model->groups[k];
        const hear_group *g = taught(d, q);
        if (g)
            say_group(q, g, h->probabilities + q->offset, &said);
        else
            strbuf_printf(&rest, "%s%s", rest.len ? ", " : "", q->name);
    }
    strbuf_printf(out, "%s%s%s", said.len ? said.s : "nothing", rest.len ? "; not trained: " : "",
                  rest.len ? rest.s : "");
    strbuf_free(&said);
    strbuf_free(&rest);
}
