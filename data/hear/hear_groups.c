// SPDX-License-Identifier: GPL-3.0-or-later
// hear_groups.c: the key `groups` of hear.h. The file may come from anywhere: every name and number
// is checked.
#include <string.h>

#include "base/json.h"
#include "data/hear/hear_internal.h"

const hear_group *hear_find_group(const hear_rule *h, const char *name)
{
    for (int k = 0; k < h->n_groups; k++)
        if (!strcmp(h->groups[k].group.name, name))
            return &h->groups[k];
    return NULL;
}

void hear_write_groups(const hear_rule *h, model_meta *meta)
{
    strbuf text = {0};
    json *list = json_array();
    for (int k = 0; k < h->n_groups; k++) {
        const hear_group *g = &h->groups[k];
        json *one = label_group_json(&g->group), *items = json_array();
        for (int i = 0; i < g->group.n; i++)
            json_push_int(items, g->items[i]);
        json_set(one, "items", items);
        json_push(list, one);
    }
    json_dump(list, 0, &text);
    meta_set(meta, "groups", text.s);
    json_free(list);
    strbuf_free(&text);
}

static bool read_group(const json *j, arena *a, hear_group *g)
{
    const json *items = json_get(j, "items");
    *g = (hear_group){.trained = 0};
    if (!label_group_read(j, a, &g->group) || json_type(items) != JSON_ARRAY ||
        json_len(items) != (size_t)g->group.n)
        return false;
    int64_t *counts = NEW(a, int64_t, (size_t)g->group.n);
    g->items = counts;
    for (int i = 0; i < g->group.n; i++) {
        counts[i] = json_int(json_at(items, (size_t)i), -1);
        if (counts[i] < 0 || counts[i] > INT32_MAX)
            return false;
        g->trained += counts[i];
    }
    return true;
}

bool hear_read_groups(const model_meta *meta, arena *a, hear_rule *h, err *e)
{
    const char *text = meta_get(meta, "groups");
    json *j = text ? json_parse(text, strlen(text), NULL) : NULL;
    size_t n = json_len(j);
    bool ok = !text || (json_type(j) == JSON_ARRAY && n <= LABEL_GROUPS);
    hear_group *groups = NEW(a, hear_group, n + 1);
    for (size_t k = 0; ok && k < n; k++)
        ok = read_group(json_at(j, k), a, &groups[k]);
    json_free(j);
    h->groups = groups, h->n_groups = (int)n;
    return ok || err_set(e, ERR_DAMAGED, "its 'groups' are not names with classes and items");
}
