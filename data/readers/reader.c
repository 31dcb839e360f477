// SPDX-License-Identifier: GPL-3.0-or-later
// reader.c: the table of dataset readers and what they share (reader.h).
#include "data/readers/reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"

#define READER(name) extern const reader_def reader_##name;
#include "data/readers/readers.def"
#undef READER

static const reader_def *const rows[] = {
#define READER(name) &reader_##name,
#include "data/readers/readers.def"
#undef READER
};
enum { ROWS = sizeof rows / sizeof *rows };

size_t reader_count(void)
{
    return ROWS;
}

const reader_def *reader_at(size_t i)
{
    return rows[i];
}

const reader_def *reader_find(const char *name, err *e)
{
    const char *names[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        if (!strcmp(rows[i]->name, name))
            return rows[i];
        names[i] = rows[i]->name;
    }
    (void)name_unknown(e, "dataset", name, names, ROWS);
    return NULL;
}

const reader_def *reader_guess(const char *root)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i]->probe(root))
            return rows[i];
    return NULL;
}

reader *reader_open(const reader_def *d, const reader_options *o, err *e)
{
    if (d->needs_root && !o->root) {
        err_set(e, ERR_CONFIG, "dataset %s needs its folder: give root=/my/data", d->name);
        return NULL;
    }
    reader *r = base_checked(calloc(1, sizeof *r), sizeof *r);
    r->def = d;
    r->options = *o;
    r->item.name = "item";
    r->memory.name = "reader";
    if (d->open(r, e))
        return r;
    reader_close(r);
    return NULL;
}

pull reader_next(reader *r, reader_item *item, err *e)
{
    arena_reset(&r->item);
    *item = (reader_item){.valence = NAN, .arousal = NAN, .intensity = NAN, .number = r->entries};
    e->code = ERR_NONE;
    pull step = r->def->next(r, item, e);
    r->line = item->line;
    if (step == PULL_ONE && item->label)
        item->label = str_utf8_escape(&r->item, item->label); // a name of a class is text
    r->entries += step == PULL_ONE;
    return step;
}

void reader_close(reader *r)
{
    if (!r)
        return;
    r->def->close(r);
    arena_free(&r->item);
    arena_free(&r->memory);
    free(r);
}

int reader_split_rank(const char *split)
{
    static const struct {
        const char *name;
        int rank;
    } names[] = {{"train", 1}, {"training", 1}, {"val", 2},  {"valid", 2},  {"validation", 2},
                 {"dev", 2},   {"test", 3},     {"eval", 3}, {"testing", 3}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i].name, split))
            return names[i].rank;
    return 0;
}

const char *reader_item_file(const reader_item *item)
{
    return item->file ? item->file : item->midi;
}

bool reader_split_ok(const char *split)
{
    size_t n = strspn(split, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && n <= READER_SPLIT && split[n] == 0;
}

// Does a relative path step above where it starts?
static bool climbs(const char *path)
{
    int depth = 0;
    for (const char *p = path; *p && depth >= 0;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            depth--;
        else if (n > 0 && !(n == 1 && p[0] == '.'))
            depth++;
        p += n + (p[n] == '/');
    }
    return depth < 0;
}

const char *reader_resolve(arena *a, const char *root, const char *path, bool outside, err *e)
{
    if (!outside && climbs(path)) {
        err_set(e, ERR_VALUE,
                "path '%s' leaves the dataset's folder '%s'; correct it, or set outside=true where "
                "that is meant",
                path, root);
        return NULL;
    }
    return path_join(a, root, path);
}
