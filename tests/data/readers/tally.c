// SPDX-License-Identifier: GPL-3.0-or-later
// tally.c: a dataset read from end to end, counted (tally.h).
#include "tests/data/readers/tally.h"

#include <stdio.h>

#include "base/file.h"
#include "data/readers/reader.h"
#include "tests/test.h"

static void count_item(tally *t, const reader_item *i)
{
    int rank = i->split ? reader_split_rank(i->split) : 0;
    if (!t->items++) {
        snprintf(t->first_path, sizeof t->first_path, "%s", i->path);
        snprintf(t->first_group, sizeof t->first_group, "%s", i->group ? i->group : "");
    }
    if (rank)
        t->split[rank - 1]++;
    else
        t->other += i->split != NULL;
    t->grouped += i->group != NULL;
    t->labelled += i->label != NULL;
    t->midi += i->midi && file_exists(i->midi);
    t->audio += i->file && file_exists(i->file);
    t->vectors += i->emotion != NULL;
    t->attributes += i->attributes != NULL;
    for (const char *p = i->path; *p; p++)
        t->order = t->order * 31 + (unsigned char)*p;
}

tally tally_run(const char *name, const char *root, const char *index)
{
    err e = {0};
    tally t = {0};
    reader_item item;
    reader_options o = {.root = root, .index = index};
    reader *r = reader_open(reader_find(name, &e), &o, &e);
    for (pull s; r && (s = reader_next(r, &item, &e)) != PULL_END;) {
        if (s == PULL_ONE)
            count_item(&t, &item);
        else if (!t.bad++)
            snprintf(t.first_bad, sizeof t.first_bad, "%s", e.text);
    }
    if (e.code)
        snprintf(t.end, sizeof t.end, "%s", e.text);
    reader_close(r);
    return t;
}

bool tally_no_shared(void)
{
    if (file_exists(SHARED))
        return false;
    test_skip(SHARED " is not there");
    return true;
}
