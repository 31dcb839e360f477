// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_merge.c: a set whose parts were made by several jobs: that none is missing, and
// summary.json, which says of what the whole set is. It is the same whoever made the parts, and
// stands in the folder only while the set is whole.
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "data/prepare/prepare_internal.h"

enum { NAMED = 5 }; // of what is missing

// "3, 5 of 8": the parts that `missing` shards are of; "" where nobody says how many there are.
static const char *parts_of(const prepare *p, arena *a)
{
    const char *all = "";
    int parts = p->job->merge_parts, named = 0;
    for (int k = 0; k < parts; k++) {
        bool lacks = false;
        for (uint64_t i = (uint64_t)k; i < p->n_shards; i += (uint64_t)parts)
            lacks = lacks || p->shards[i].make;
        if (lacks && ++named <= NAMED)
            all = arena_printf(a, "%s%s%d/%d", all, *all ? ", " : "", k + 1, parts);
    }
    return named > NAMED ? arena_printf(a, "%s and %d more", all, named - NAMED) : all;
}

bool prepare_merge_check(const prepare *p, err *e)
{
    arena a = {.name = "merge"};
    uint64_t missing = 0;
    const char *names = "";
    for (uint64_t i = 0; i < p->n_shards; i++)
        if (p->shards[i].make && missing++ < NAMED)
            names = arena_printf(&a, "%s%s%s", names, *names ? ", " : "",
                                 path_base(prepare_shard_path(p, &a, i)));
    const char *parts = parts_of(p, &a);
    bool ok =
        !missing ||
        err_set(e, ERR_MISSING,
                "'%s' lacks %" PRIu64 " of %" PRIu64 " shards of this set: %s%s; %s%s%s",
                p->job->out, missing, p->n_shards, names, missing > NAMED ? " and more" : "",
                *parts ? "make the parts --shard " : "the same command without --merge makes them",
                parts, *parts ? " and merge again" : "");
    arena_free(&a);
    return ok;
}

// ---- The summary

static void put_key(const prepare *p, json *j)
{
    char hex[65];
    digest *d = digest_open();
    for (uint64_t i = 0; i < p->n_shards; i++)
        digest_add_str(d, p->shards[i].key);
    digest_close(d, hex);
    json_set_str(j, "key", hex);
}

static void put_splits(const prepare *p, json *j)
{
    json *all = json_object();
    for (int i = 0; i < p->n_splits; i++) {
        json *one = json_object();
        json_set_int(one, "entries", (int64_t)p->split[i].items);
        json_set_int(one, "shards", (int64_t)p->split[i].shards);
        json_set(all, p->split[i].name, one);
    }
    json_set(j, "splits", all);
}

static const char *summary_path(const prepare *p, arena *a)
{
    return path_join(a, p->job->out, "summary.json");
}

bool prepare_summary_write(const prepare *p, err *e)
{
    arena a = {.name = "summary"};
    strbuf text = {0};
    json *j = json_object(), *labels = json_array();
    for (size_t i = 0; i < p->info.n_labels; i++)
        json_push_str(labels, p->info.labels[i]);
    json_set_str(j, "dataset", p->info.dataset);
    prepare_counts(p->report, j);
    json_set_int(j, "duplicates", (int64_t)p->report->duplicates);
    json_set_int(j, "shards", (int64_t)p->report->shards);
    put_splits(p, j);
    json_set(j, "labels", labels);
    json_set(j, "features", json_parse(p->info.settings, strlen(p->info.settings), NULL));
    put_key(p, j);
    json_dump(j, 2, &text);
    strbuf_printf(&text, "\n");
    bool ok = file_write(summary_path(p, &a), text.s, text.len, e);
    strbuf_free(&text);
    json_free(j);
    arena_free(&a);
    return ok;
}

bool prepare_summary_remove(const prepare *p, err *e)
{
    arena a = {.name = "summary"};
    const char *path = summary_path(p, &a);
    bool ok = unlink(path) == 0 || errno == ENOENT ||
              err_errno(e, "'%s', of an earlier set, cannot be removed", path);
    arena_free(&a);
    return ok;
}
