// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_hparams.c: what TensorBoard's HPARAMS page is told of a sweep (hparams.h): the keys that it
// sets, with their values, and the figures by which its runs are judged.
#include <string.h>

#include "base/str.h"
#include "train/config_lines.h"
#include "train/hparams.h"
#include "train/sweep_internal.h"

// Keys of a sweep at most; values of one that a page can offer to choose among.
enum { KEYS = 64, VALUES = 200 };

typedef struct collection {
    hparam_info keys[KEYS];
    size_t n;
} collection;

static hparam_info *key_of(collection *c, const char *name, size_t n, arena *a)
{
    for (size_t i = 0; i < c->n; i++)
        if (!strncmp(c->keys[i].name, name, n) && !c->keys[i].name[n])
            return &c->keys[i];
    if (c->n == KEYS)
        return NULL;
    c->keys[c->n] = (hparam_info){.name = arena_printf(a, "%.*s", (int)n, name),
                                  .values = NEW(a, const char *, VALUES)};
    return &c->keys[c->n++];
}

static void add(collection *c, const char *set, arena *a)
{
    size_t n = strcspn(set, "=");
    hparam_info *k = set[n] ? key_of(c, set, n, a) : NULL;
    if (!k || k->many)
        return;
    const char *value = hparam_plain(set + n + 1, strlen(set + n + 1), a);
    for (size_t i = 0; i < k->n; i++)
        if (!strcmp(k->values[i], value))
            return;
    if (k->n == VALUES)
        k->many = true;
    else
        k->values[k->n++] = value;
}

void sweep_hparams(const sweep_plan *p)
{
    arena a = {.name = "hparams"};
    collection *c = NEW(&a, collection, 1);
    for (size_t i = 0; i < p->n; i++)
        for (int k = 0; k < p->runs[i].n_set; k++)
            add(c, p->runs[i].set[k], &a);
    const char *monitor = p->n ? sweep_monitor(p, &p->runs[0]) : "loss",
               *tags[] = {arena_printf(&a, "val/%s", monitor), "train/loss", "val/loss"};
    hparam_experiment x = {.description = arena_printf(&a, "kmidi sweep %s", p->config),
                           .keys = c->keys,
                           .n_keys = c->n,
                           .tags = tags,
                           .n_tags = strcmp(monitor, "loss") ? 3 : 2};
    const char *wanted = config_lines_value(p->config_text, "logging.tensorboard", "true", &a);
    bool written = !strcmp(wanted, "true") && hparams_experiment(p->dir, &x, NULL);
    (void)written;
    arena_free(&a);
}
