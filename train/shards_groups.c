// SPDX-License-Identifier: GPL-3.0-or-later
// shards_groups.c: the groups of a model and those of a data set, found by their names (shards.h).
#include <string.h>

#include "train/shards_internal.h"

// The set of questions that asks what the model learns; NULL where no set does.
static const label_set *set_for(const model_def *m)
{
    const label_set *s;
    for (size_t i = 0; (s = label_set_at(i)); i++)
        for (int k = 0; k < s->n_groups; k++)
            if (!strcmp(s->groups[k].name, m->groups[0].name))
                return s;
    return NULL;
}

static bool has_none(const dataset *d, const model_def *m, err *e)
{
    const label_set *s = set_for(m);
    strbuf names = {0};
    for (int k = 0; k < m->n_groups && k < 3; k++)
        strbuf_printf(&names, "%s'%s'", k ? ", " : "", m->groups[k].name);
    err_set(e, ERR_MISMATCH,
            "'%s' has no classes of %s%s, which %s learns; prepare it with targets.set=%s",
            d->paths[0], names.s, m->n_groups > 3 ? " ..." : "", m->name, s ? s->name : "NAME");
    strbuf_free(&names);
    return false;
}

bool shards_map_groups(const dataset *d, const model_def *m, arena *a, const int **groups, err *e)
{
    int *of = NEW(a, int, (size_t)m->n_groups + 1), found = 0;
    *groups = of;
    for (int k = 0; k < m->n_groups; k++) {
        const model_group *q = &m->groups[k];
        of[k] = dataset_find_group(d, q->name);
        found += of[k] >= 0;
        if (of[k] >= 0 && d->groups[of[k]].n != q->size)
            return err_set(e, ERR_MISMATCH,
                           "'%s' has %d classes of '%s' where %s tells %d apart; prepare it again",
                           d->paths[0], d->groups[of[k]].n, q->name, m->name, q->size);
    }
    return found || !m->n_groups || has_none(d, m, e);
}

void shards_describe_groups(const shards *s, const model_def *m, arena *a, hear_rule *h)
{
    const dataset *d = s->train;
    hear_group *list = NEW(a, hear_group, (size_t)m->n_groups + 1);
    for (int k = 0; k < m->n_groups; k++)
        if (s->groups[k] >= 0)
            list[h->n_groups++] = (hear_group){.group = d->groups[s->groups[k]],
                                               .items = dataset_class_count(d, s->groups[k])};
    h->groups = list;
}

bool shards_same_groups(const dataset *d, const hear_rule *h, const char *whose, err *e)
{
    for (int k = 0; k < h->n_groups; k++) {
        int own = dataset_find_group(d, h->groups[k].group.name);
        if (own >= 0 && !dataset_same_group(d, &d->groups[own], &h->groups[k].group, whose, e))
            return false;
    }
    return true;
}
