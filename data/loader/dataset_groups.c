// SPDX-License-Identifier: GPL-3.0-or-later
// dataset_groups.c: classes of groups in the shards of a set (dataset.h): the same questions in
// all, and how often each answer comes.
#include <string.h>

#include "data/loader/dataset_internal.h"

int dataset_find_group(const dataset *d, const char *name)
{
    for (int k = 0; k < d->n_groups; k++)
        if (!strcmp(d->groups[k].name, name))
            return k;
    return -1;
}

static int64_t classes_before(const dataset *d, int k)
{
    int64_t n = 0;
    for (int i = 0; i < k; i++)
        n += d->groups[i].n;
    return n;
}

const int64_t *dataset_class_count(const dataset *d, int k)
{
    return d->class_count + classes_before(d, k);
}

bool dataset_same_group(const dataset *d, const label_group *a, const label_group *b,
                        const char *whose, err *e)
{
    bool same = a->n == b->n && !strcmp(a->name, b->name);
    for (int i = 0; same && i < a->n; i++)
        same = !strcmp(a->classes[i], b->classes[i]);
    return same || err_set(e, ERR_MISMATCH,
                           "'%s' has other classes of '%s' than %s; prepare both with the same "
                           "targets",
                           d->paths[0], a->name, whose);
}

int64_t *dataset_groups_begin(dataset *d, const shard *s)
{
    arena *a = &d->memory;
    label_group *groups = NEW(a, label_group, (size_t)s->info.n_groups + 1);
    d->groups = groups, d->n_groups = s->info.n_groups;
    for (int k = 0; k < d->n_groups; k++) {
        const label_group *g = &s->info.groups[k];
        const char **names = NEW(a, const char *, (size_t)g->n);
        for (int i = 0; i < g->n; i++)
            names[i] = arena_strdup(a, g->classes[i]);
        groups[k] = (label_group){arena_strdup(a, g->name), names, g->n};
    }
    return NEW(a, int64_t, (size_t)classes_before(d, d->n_groups) + 1);
}

bool dataset_groups_compare(const dataset *d, const shard *s, err *e)
{
    if (d->n_groups != s->info.n_groups)
        return err_set(e, ERR_MISMATCH,
                       "'%s' has %d groups of classes, '%s' %d; prepare both with the same targets",
                       s->path, s->info.n_groups, d->paths[0], d->n_groups);
    for (int k = 0; k < d->n_groups; k++)
        if (!dataset_same_group(d, &d->groups[k], &s->info.groups[k], s->path, e))
            return false;
    return true;
}

void dataset_groups_count(const dataset *d, const shard *s, int64_t *count)
{
    for (int64_t i = 0; s->class_count && i < classes_before(d, d->n_groups); i++)
        count[i] += s->class_count[i];
}
