// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_report.c: rejected.jsonl, counts, and old shards (prepare.h, stage 5).
//
// The report is made from the index and from all shards that are there, so it is the same whoever
// makes it. Jobs that share a folder may end at the same moment: who finds more shards after
// writing than before writes again, so the last report is complete.
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "data/prepare/prepare_internal.h"

const char *prepare_reject_line(arena *a, const char *path, int64_t line, const char *reason,
                                const char *message)
{
    strbuf out = {0};
    json *j = json_object();
    json_set(j, "path", NULL);
    if (path)
        json_set_str(j, "path", path);
    json_set_int(j, "line", line);
    json_set_str(j, "reason", reason);
    json_set_str(j, "message", message);
    json_dump(j, 0, &out);
    const char *text = strbuf_keep(&out, a);
    json_free(j);
    return text;
}

static void count_reason(prepare *p, const char *line)
{
    json *j = json_parse(line, strlen(line), NULL);
    const char *reason = json_str(json_get(j, "reason"), "");
    int code = 0;
    while (code < ERR_INTERNAL && strcmp(reason, err_name((err_code)code)) != 0)
        code++;
    p->report->reasons[code]++;
    if (!p->first_reject.code)
        err_set(&p->first_reject, ERR_VALUE, "%s", json_str(json_get(j, "message"), "?"));
    json_free(j);
}

static void put_line(file_out *out, const char *line)
{
    file_put(out, line, strlen(line));
    file_put(out, "\n", 1);
}

// Entries of the index that are no items, or not used.
static bool put_index(prepare *p, file_out *out, err *e)
{
    reader_item item;
    pull step;
    err bad;
    reader *r = reader_open(p->reader, &p->options, e);
    if (!r)
        return false;
    while ((step = reader_next(r, &item, &bad)) != PULL_END) {
        const char *line = NULL;
        if (step == PULL_BAD) {
            line =
                prepare_reject_line(&r->item, item.path, item.line, err_name(bad.code), bad.text);
            p->report->reasons[bad.code]++;
        } else if (item.number < p->n_entries && p->entries[item.number].two_labels) {
            const char *why =
                arena_printf(&r->item, "'%s' has two labels, '%s' here; keep the right one",
                             item.path, item.label ? item.label : "none");
            line = prepare_reject_line(&r->item, item.path, item.line, err_name(ERR_VALUE), why);
            count_reason(p, line);
        } else if (item.number < p->n_entries && p->entries[item.number].split == SPLIT_DROPPED) {
            line = prepare_reject_line(
                &r->item, item.path, item.line, "duplicate",
                "the same content is in another split; it was left out of this one");
        }
        if (line)
            put_line(out, line);
    }
    reader_close(r);
    return true;
}

// A shard that is not there, or not of this set, belongs to another job: it is not counted.
static bool put_shard(prepare *p, uint64_t ordinal, file_out *out, uint64_t *found)
{
    arena a = {.name = "report"};
    const char *path = prepare_shard_path(p, &a, ordinal);
    char **lines;
    size_t n = 0;
    shard *s = shard_is(path, p->shards[ordinal].key) ? shard_peek(path, NULL) : NULL;
    bool ours = s && shard_rejected(path, &a, &lines, &n, NULL);
    if (ours) {
        ++*found;
        uint64_t each = 1 + (uint64_t)prepare_copies(p, s->info.split),
                 items = (uint64_t)s->items / each;
        p->report->prepared += items;
        p->report->copies += (uint64_t)s->items - items;
        p->report->rejected += n;
        for (size_t i = 0; i < n; i++) {
            count_reason(p, lines[i]);
            put_line(out, lines[i]);
        }
    }
    shard_close(s);
    arena_free(&a);
    return ours;
}

static bool write_report(prepare *p, uint64_t *found, err *e)
{
    arena a = {.name = "report"};
    file_out *out = file_create(path_join(&a, p->job->out, "rejected.jsonl"), e);
    p->report->prepared = p->report->copies = 0;
    p->report->rejected = p->bad_lines + p->contradicted;
    memset(p->report->reasons, 0, sizeof p->report->reasons);
    *found = 0;
    bool ok = out && put_index(p, out, e);
    for (uint64_t i = 0; ok && i < p->n_shards; i++)
        put_shard(p, i, out, found);
    if (ok)
        ok = file_finish(out, e);
    else
        file_abandon(out);
    arena_free(&a);
    return ok;
}

static uint64_t count_shards(const prepare *p)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < p->n_shards; i++) {
        arena a = {.name = "report"};
        n += shard_is(prepare_shard_path(p, &a, i), p->shards[i].key);
        arena_free(&a);
    }
    return n;
}

// "SPLIT-00000.h5", of a split and a number that this set has? `ours`: a name that shards have.
static bool belongs(const prepare *p, const char *name, bool *ours)
{
    const char *dash = strrchr(name, '-');
    char *end = NULL;
    uint64_t number = dash && dash[1] >= '0' && dash[1] <= '9' ? strtoull(dash + 1, &end, 10) : 0;
    *ours = end && end - dash >= 6 && !strcmp(end, ".h5");
    for (int i = 0; *ours && i < p->n_splits; i++)
        if (!strncmp(p->split[i].name, name, (size_t)(dash - name)) &&
            !p->split[i].name[dash - name])
            return number < p->split[i].shards;
    return false;
}

// Shards of an earlier run of other data or settings would be trained on by the same pattern.
static void remove_old(const prepare *p)
{
    DIR *dir = opendir(p->job->out);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        arena a = {.name = "report"};
        char key[65], *path = path_join(&a, p->job->out, d->d_name);
        bool ours;
        if (!belongs(p, d->d_name, &ours) && ours && shard_key(path, key) && unlink(path) == 0) {
            p->report->shards_removed++;
            log_say(p->env->log, LOG_INFO,
                    "removed '%s', a shard of an earlier run that is no part of this set", path);
        }
        arena_free(&a);
    }
    if (dir)
        closedir(dir);
}

static bool judge(const prepare *p, err *e)
{
    const prepare_report *r = p->report;
    uint64_t all = r->prepared + r->rejected;
    double ratio = all ? (double)r->rejected / (double)all : 0;
    if (r->rejected && ratio > p->max_reject_ratio)
        return err_set(
            e, ERR_VALUE,
            "%" PRIu64 " of %" PRIu64 " items (%.1f%%) cannot be used, more than max_reject_ratio "
            "= %g allows; '%s/rejected.jsonl' names "
            "them; the first: %s",
            r->rejected, all, 100 * ratio, p->max_reject_ratio, p->job->out, p->first_reject.text);
    return true;
}

bool prepare_finish(prepare *p, err *e)
{
    uint64_t found, now = 0, before;
    do {
        before = now;
        if (!write_report(p, &found, e))
            return false;
        now = count_shards(p);
    } while (now > found && now > before);
    p->report->shards_missing = p->n_shards - found;
    remove_old(p);
    return judge(p, e);
}

void prepare_counts(const prepare_report *report, json *o)
{
    json *reasons = json_object();
    for (int i = 0; i < ERR_CODES; i++)
        if (report->reasons[i])
            json_set_int(reasons, err_name((err_code)i), (int64_t)report->reasons[i]);
    json_set_int(o, "prepared", (int64_t)report->prepared);
    json_set_int(o, "copies", (int64_t)report->copies);
    json_set_int(o, "rejected", (int64_t)report->rejected);
    json_set(o, "reasons", reasons);
}
