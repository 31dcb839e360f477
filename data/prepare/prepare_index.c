// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_index.c: what there is (prepare.h, stage 1). The label names are the only thing kept by
// name, and they are few.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "data/prepare/prepare_internal.h"

enum { SAMPLE = 4096 };

// ---- Label names: a sorted list that grows, or the one that the config gives

typedef struct names {
    const char **name;
    size_t n, room;
    bool fixed;
} names;

static size_t lower_bound(const names *l, const char *name, bool *there)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(l->name[mid], name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *there = lo < l->n && !strcmp(l->name[lo], name);
    return lo;
}

static bool add_name(prepare *p, names *l, const char *name, err *e)
{
    bool there;
    size_t at = lower_bound(l, name, &there);
    if (there || l->fixed)
        return true; // a name outside a fixed list is refused item by item, when shards are made
    if (l->n == SHARD_MAX_LABELS)
        return err_set(e, ERR_VALUE,
                       "there are more than %d label names (the last: '%s'); if these are "
                       "transcripts and not labels, rename their key",
                       SHARD_MAX_LABELS, name);
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 64;
        l->name =
            base_checked(realloc(l->name, l->room * sizeof *l->name), l->room * sizeof *l->name);
    }
    memmove(l->name + at + 1, l->name + at, (l->n - at) * sizeof *l->name);
    l->name[at] = arena_strdup(&p->memory, name);
    l->n++;
    return true;
}

// The first that a pattern matches; all that were made together have the same names.
static shard *first_shard(prepare *p, const char *pattern, err *e)
{
    size_t n;
    char **paths = file_glob(&p->memory, pattern, &n, e);
    return paths ? shard_peek(paths[0], e) : NULL;
}

// `labels: [a, b]`, or `labels_from: other shards`.
static bool given_names(prepare *p, names *l, err *e)
{
    const char *from = p->labels_from;
    size_t n = p->labels.n;
    if (n && from)
        return err_set(e, ERR_CONFIG, "%s: give labels or labels_from, not both",
                       config_where(p->config, "labels"));
    shard *s = from ? first_shard(p, from, e) : NULL;
    if (from && !s)
        return err_trail(e, "%s", config_where(p->config, "labels_from"));
    bool ok = true;
    for (size_t i = 0; ok && i < (s ? s->info.n_labels : n); i++)
        ok = add_name(p, l, s ? s->info.labels[i] : p->labels.list[i], e);
    l->fixed = s || n;
    shard_close(s);
    return ok;
}

// ---- Entries

uint64_t prepare_hash(uint64_t seed, const void *bytes, size_t n)
{
    char hex[65], word[17] = "";
    digest *d = digest_open();
    digest_add(d, &seed, sizeof seed);
    digest_add(d, bytes, n);
    digest_close(d, hex);
    memcpy(word, hex, 16);
    return strtoull(word, NULL, 16);
}

uint32_t prepare_label(const char *label)
{
    return (uint32_t)prepare_hash(8, label, strlen(label)) | 1;
}

static bool find_split(prepare *p, const char *name, uint8_t *split, err *e)
{
    int i = 0;
    while (i < p->n_splits && strcmp(p->split[i].name, name) != 0)
        i++;
    if (i == PREPARE_SPLITS)
        return err_set(e, ERR_VALUE,
                       "there are more than %d splits (the last: '%s'); correct the index",
                       PREPARE_SPLITS, name);
    if (i == p->n_splits)
        p->split[p->n_splits++].name = arena_strdup(&p->memory, name);
    *split = (uint8_t)i;
    return true;
}

const char *prepare_item_file(const prepare *p, const reader_item *item)
{
    return prepare_of_midi(p) ? item->midi : reader_item_file(item);
}

static uint64_t size_of(const prepare *p, const reader_item *item)
{
    struct stat st;
    const char *file = prepare_item_file(p, item);
    return file && stat(file, &st) == 0 ? (uint64_t)st.st_size : UINT64_MAX;
}

// Two entries may hold the same content only if these are equal. What is no file, or is not there,
// is like nothing else.
static uint64_t content_of_size(const prepare *p, const reader_item *item)
{
    uint64_t size = size_of(p, item), part[4] = {size, size == UINT64_MAX ? item->number : 0};
    memcpy(part + 2, &item->offset, 8);
    memcpy(part + 3, &item->duration, 8);
    return prepare_hash(1, part, sizeof part);
}

static bool add_entry(prepare *p, const reader_item *item, names *l, err *e)
{
    if (p->n_entries == p->room) {
        p->room = p->room ? 2 * p->room : 1024;
        p->entries = base_checked(realloc(p->entries, p->room * sizeof *p->entries),
                                  p->room * sizeof *p->entries);
    }
    prepare_entry *x = &p->entries[p->n_entries++];
    const char *group = item->group ? item->group : item->path;
    *x = (prepare_entry){.split = SPLIT_OPEN, .content = content_of_size(p, item)};
    x->group = prepare_hash(item->group ? 2 : 3, group, strlen(group));
    x->item = prepare_hash(prepare_hash(7, item->path, strlen(item->path)),
                           (double[]){item->offset, item->duration}, 2 * sizeof(double));
    x->label = item->label ? prepare_label(item->label) : 0;
    p->grouped += item->group != NULL;
    p->info.synthetic |= item->synthetic;
    return (!item->label || add_name(p, l, item->label, e)) &&
           (!item->split || find_split(p, item->split, &x->split, e));
}

static bool first_pass(prepare *p, names *l, err *e)
{
    reader_item item;
    pull step;
    reader *r = reader_open(p->reader, &p->options, e);
    bool ok = r != NULL;
    while (ok && (step = reader_next(r, &item, e)) != PULL_END) {
        if (step == PULL_ONE)
            ok = add_entry(p, &item, l, e);
        else if (!p->bad_lines++)
            p->first_reject = *e;
        ok = ok && prepare_goes_on(p, "read the index", p->n_entries + p->bad_lines, 0, e);
    }
    // then what was wrong with those says more
    ok = ok && (e->code == ERR_NONE || (e->code == ERR_EMPTY && p->bad_lines));
    reader_close(r);
    if (ok && p->n_entries == 0)
        return p->bad_lines
                   ? err_set(e, ERR_EMPTY, "none of the %llu entries can be used; the first: %s",
                             (unsigned long long)p->bad_lines, p->first_reject.text)
                   : err_set(e, ERR_EMPTY,
                             "no entries of the layout '%s' were found in '%s'; check `root` and "
                             "`index`",
                             p->reader->name, p->options.root ? p->options.root : "");
    return ok;
}

// ---- Equal content: by size, then by three samples, then by all bytes; each time only where the
// level before could not tell two apart

static uint64_t content_of_file(const char *file, bool whole, uint64_t seed)
{
    char block[1 << 16];
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int64_t n;
    uint64_t h = seed;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        h = prepare_hash(seed, file, strlen(file));
    else if (whole)
        for (int64_t at = 0; (n = file_read_at(fd, block, sizeof block, at)) > 0; at += n)
            h = prepare_hash(h, block, (size_t)n);
    else
        for (int i = 0; i < 3; i++)
            if ((n = file_read_at(
                     fd, block, SAMPLE,
                     (int64_t)((double)i / 2 *
                               (double)(st.st_size > SAMPLE ? st.st_size - SAMPLE : 0)))) > 0)
                h = prepare_hash(h, block, (size_t)n);
    if (fd >= 0)
        close(fd);
    return h;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// Those content digests that occur more than once, sorted, at the front of a new array.
static uint64_t *repeated(const prepare *p, uint64_t *count)
{
    uint64_t *all = base_checked(malloc(p->n_entries * sizeof *all), p->n_entries * sizeof *all);
    for (uint64_t i = 0; i < p->n_entries; i++)
        all[i] = p->entries[i].content;
    qsort(all, p->n_entries, sizeof *all, by_number);
    *count = 0;
    for (uint64_t i = 1; i < p->n_entries; i++)
        if (all[i] == all[i - 1] && (*count == 0 || all[*count - 1] != all[i]))
            all[(*count)++] = all[i];
    return all;
}

static bool refine(prepare *p, bool whole, bool *done, err *e)
{
    uint64_t count;
    uint64_t *twins = repeated(p, &count);
    reader_item item;
    pull step;
    *done = count == 0 || p->reader->clip;
    reader *r = *done ? NULL : reader_open(p->reader, &p->options, e);
    bool ok = *done || r;
    while (ok && !*done && (step = reader_next(r, &item, e)) != PULL_END) {
        if (step == PULL_BAD)
            continue;
        if (item.number >= p->n_entries)
            break;
        uint64_t *c = &p->entries[item.number].content;
        if (bsearch(c, twins, count, sizeof *twins, by_number))
            *c = content_of_file(reader_item_file(&item), whole, *c);
        ok = prepare_goes_on(p, "compare the files", item.number, p->n_entries, e);
    }
    free(twins);
    reader_close(r);
    return ok;
}

bool prepare_scan(prepare *p, err *e)
{
    names l = {0};
    bool done = false;
    bool ok = given_names(p, &l, e) && first_pass(p, &l, e);
    if (ok) {
        const char **copy = NEW(&p->memory, const char *, l.n + 1);
        for (size_t i = 0; i < l.n; i++)
            copy[i] = l.name[i];
        p->info.labels = copy;
        p->info.n_labels = p->report->labels = l.n;
    }
    free(l.name);
    if (ok && prepare_of_midi(p))
        return prepare_notes_compare(p, e);
    ok = ok && refine(p, false, &done, e);
    return ok && (done || refine(p, true, &done, e));
}
