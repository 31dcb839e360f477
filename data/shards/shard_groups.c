// SPDX-License-Identifier: GPL-3.0-or-later
// shard_groups.c: classes of groups in a shard (shard.h): which groups there are, and each item's
// class of each. The names of groups and classes stand in the file, so that it needs nobody to know
// them.
#include <string.h>

#include "base/json.h"
#include "data/shards/shard_internal.h"

int64_t shard_class_total(const shard_info *i)
{
    int64_t n = 0;
    for (int k = 0; k < i->n_groups; k++)
        n += i->groups[k].n;
    return n;
}

// ---- Writing

static bool write_names(h5 *f, const shard_info *i, err *e)
{
    json *list = json_array();
    strbuf text = {0};
    for (int k = 0; k < i->n_groups; k++)
        json_push(list, label_group_json(&i->groups[k]));
    json_dump(list, 0, &text);
    bool ok = h5_set_text(f, "/", "groups", text.s, e);
    strbuf_free(&text);
    json_free(list);
    return ok;
}

bool shard_groups_write(h5 *f, const shard_info *i, int64_t items, const void *classes,
                        const int64_t *count, err *e)
{
    if (!i->n_groups)
        return true;
    h5_shape rows = {H5_I32, 2, {(uint64_t)items, (uint64_t)i->n_groups}},
             total = {H5_I64, 1, {(uint64_t)shard_class_total(i)}};
    return write_names(f, i, e) && h5_write(f, "classes", rows, classes, e) &&
           h5_write(f, "class_count", total, count, e);
}

// ---- Reading

static bool read_names(shard *s, const char *text, err *e)
{
    json *j = json_parse(text, strlen(text), NULL);
    size_t n = json_len(j);
    bool ok = json_type(j) == JSON_ARRAY && n >= 1 && n <= LABEL_GROUPS;
    label_group *groups = ok ? NEW(&s->file->memory, label_group, n) : NULL;
    for (size_t k = 0; ok && k < n; k++)
        ok = label_group_read(json_at(j, k), &s->file->memory, &groups[k]);
    json_free(j);
    s->info.groups = groups, s->info.n_groups = ok ? (int)n : 0;
    return ok || shard_damaged(s, e, "attribute 'groups' is not a list of names and classes");
}

bool shard_groups_find(shard *s, err *e)
{
    char *text;
    if (!h5_has(s->file->h5, "classes"))
        return !h5_lost(s->file->h5, e);
    if (!h5_get_text(s->file->h5, "/", "groups", &s->file->memory, &text, e) ||
        !read_names(s, text, e))
        return false;
    int64_t n = shard_class_total(&s->info);
    s->class_count = shard_table(s, "class_count", H5_I64, sizeof(int64_t), n, 0, e);
    for (int64_t i = 0; s->class_count && i < n; i++)
        if (s->class_count[i] < 0 || s->class_count[i] > s->items)
            return shard_damaged(s, e, "dataset 'class_count' does not fit the items");
    return s->class_count != NULL;
}

// Counts a group's classes of all items; false: one is no class of it.
static bool count_group(const shard *s, int k, int64_t *count)
{
    for (int64_t i = 0; i < s->items; i++) {
        int32_t class = s->classes[i * s->info.n_groups + k];
        if (class < -1 || class >= s->info.groups[k].n)
            return false;
        if (class >= 0)
            count[class]++;
    }
    return true;
}

bool shard_groups_items(shard *s, err *e)
{
    if (!s->info.n_groups)
        return true;
    size_t n = (size_t)shard_class_total(&s->info), at = 0;
    s->classes = shard_table(s, "classes", H5_I32, sizeof(int32_t), s->items, s->info.n_groups, e);
    if (!s->classes)
        return false;
    int64_t *count = NEW(&s->file->memory, int64_t, n);
    for (int k = 0; k < s->info.n_groups; at += (size_t)s->info.groups[k++].n)
        if (!count_group(s, k, count + at))
            return shard_damaged(s, e, "classes do not fit their groups");
    return !memcmp(count, s->class_count, n * sizeof *count) ||
           shard_damaged(s, e, "dataset 'class_count' does not fit the classes");
}
