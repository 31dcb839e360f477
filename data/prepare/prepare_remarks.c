// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_remarks.c: what is worth a line before the work begins, when the splits are drawn:
// classes that nothing teaches, and files that nobody can tell apart by speaker or song.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "data/prepare/prepare_internal.h"

typedef struct class
{
    uint32_t digest;
    uint64_t train, other;
    const char *name;
} class;

static int by_digest(const void *a, const void *b)
{
    const class *x = a, *y = b;
    return (x->digest > y->digest) - (x->digest < y->digest);
}

static void count_classes(const prepare *p, class *classes)
{
    for (uint64_t i = 0; i < p->n_entries; i++) {
        const prepare_entry *x = &p->entries[i];
        class *c = bsearch(&(class){.digest = x->label}, classes, p->info.n_labels, sizeof *classes,
                           by_digest);
        if (c && x->split != SPLIT_DROPPED)
            ++*(reader_split_rank(p->split[x->split].name) == 1 ? &c->train : &c->other);
    }
}

// Only where there is a training split: a folder of nothing but test data has no need of one.
static void say_untaught(const prepare *p)
{
    class *classes = base_checked(calloc(p->info.n_labels + 1, sizeof *classes),
                                  p->info.n_labels * sizeof *classes);
    bool training = false;
    for (int i = 0; i < p->n_splits; i++)
        training |= reader_split_rank(p->split[i].name) == 1 && p->split[i].items > 0;
    for (size_t i = 0; i < p->info.n_labels; i++)
        classes[i] = (class){.digest = prepare_label(p->info.labels[i]), .name = p->info.labels[i]};
    qsort(classes, p->info.n_labels, sizeof *classes, by_digest);
    count_classes(p, classes);
    for (size_t i = 0; training && i < p->info.n_labels; i++)
        if (!classes[i].train && classes[i].other)
            log_say(
                p->env->log, LOG_WARN,
                "label '%s' has no item to learn from, but %" PRIu64
                " in other splits; another split.seed may deal better, or leave it out by `labels`",
                classes[i].name, classes[i].other);
        else if (!classes[i].train)
            log_say(p->env->log, LOG_WARN,
                    "label '%s' has no item at all; leave it out of `labels`", classes[i].name);
    free(classes);
}

// Were any splits drawn?
static bool drawn(const prepare *p)
{
    static const char *const names[] = {"test", "val"};
    for (int i = 0; i < p->n_splits; i++)
        for (int k = 0; k < 2; k++)
            if (!strcmp(p->split[i].name, names[k]) && (k ? p->share_val : p->share_test) > 0)
                return true;
    return false;
}

void prepare_remarks(const prepare *p)
{
    say_untaught(p);
    if (p->reader->deals_singly && !p->grouped && drawn(p))
        log_say(p->env->log, LOG_INFO,
                "which files are of one speaker or song is not known, so each was dealt for "
                "itself; pattern='(?<speaker>...)...' tells it from "
                "their names");
}
