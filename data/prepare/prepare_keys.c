// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_keys.c: what each shard is made from, and whether it is there already (prepare.h, stage
// 3).
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "data/music/emotions.h"
#include "data/prepare/prepare_internal.h"

const char *prepare_shard_path(const prepare *p, arena *a, uint64_t ordinal)
{
    int i = 0;
    while (ordinal - p->split[i].first_shard >= p->split[i].shards)
        i++;
    return arena_printf(a, "%s/%s-%05" PRIu64 ".h5", p->job->out, p->split[i].name,
                        ordinal - p->split[i].first_shard);
}

uint64_t prepare_ordinal(const prepare *p, int split, uint64_t seen)
{
    return p->split[split].first_shard + seen / (uint64_t)p->shard_items;
}

static void add_number(digest *d, double x)
{
    digest_add(d, &x, sizeof x);
}

static digest *begin_key(const prepare *p, int split)
{
    digest *d = digest_open();
    const char *const texts[] = {p->info.dataset,  p->reader->name, p->split[split].name,
                                 p->info.settings, p->info.licence, p->info.citation};
    int64_t numbers[] = {PREPARE_VERSION, SHARD_VERSION, (int64_t)p->info.n_labels,
                         p->info.synthetic};
    digest_add(d, numbers, sizeof numbers);
    add_number(d, p->max_seconds);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        digest_add_str(d, texts[i]);
    for (size_t i = 0; i < p->info.n_labels; i++)
        digest_add_str(d, p->info.labels[i]);
    if (prepare_copies(p, p->split[split].name))
        digest_add_str(d, p->augment_text);
    if (p->render)
        digest_add_str(d, "rendered");
    if (p->emotion)
        digest_add_str(d, "measured");
    if (p->targets)
        digest_add_str(d, p->targets->name);
    for (size_t i = 0; i < p->target_map.n; i++)
        digest_add_str(d, p->target_map.keys[i]), digest_add_str(d, p->target_map.values[i]);
    return d;
}

static void add_text(digest *d, const char *s)
{
    digest_add(d, s ? "1" : "0", 1); // no label is not the same as an empty one
    digest_add_str(d, s ? s : "");
}

// Size and time of a file.
static void facts_of(const char *file, int64_t facts[3])
{
    struct stat st;
    facts[0] = -1, facts[1] = facts[2] = 0;
    if (file && stat(file, &st) == 0) {
        facts[0] = st.st_size;
#ifdef __APPLE__
        facts[1] = st.st_mtimespec.tv_sec, facts[2] = st.st_mtimespec.tv_nsec;
#else
        facts[1] = st.st_mtim.tv_sec, facts[2] = st.st_mtim.tv_nsec;
#endif
    }
}

// Of the item's file, or what it is made from.
static void file_facts(const prepare *p, const reader_item *item, int64_t facts[3])
{
    facts_of(prepare_item_file(p, item), facts);
    if (p->reader->clip)
        facts[1] = (int64_t)p->options.seed;
}

static void add_file(digest *d, const prepare *p, const reader_item *item)
{
    int64_t facts[3];
    file_facts(p, item, facts);
    if (p->reader->clip)
        add_number(d, p->options.seconds);
    digest_add(d, facts, sizeof facts);
    if (p->feature && prepare_of_midi(p)) { // the sound beside the MIDI
        facts_of(item->file, facts);
        digest_add(d, facts, sizeof facts);
    }
}

uint64_t prepare_stamp(const prepare *p, const reader_item *item)
{
    int64_t facts[3];
    file_facts(p, item, facts);
    uint64_t path = prepare_hash(6, item->path, strlen(item->path)),
             seconds = p->reader->clip ? (uint64_t)(p->options.seconds * 1e6) : 0;
    return prepare_hash(path + seconds, facts, sizeof facts);
}

static void add_item(digest *d, const prepare *p, const reader_item *item)
{
    add_text(d, item->path);
    add_text(d, item->label);
    add_text(d, item->group);
    add_number(d, isnan(item->valence) ? 9 : item->valence);
    add_number(d, isnan(item->arousal) ? 9 : item->arousal);
    add_number(d, isnan(item->intensity) ? 9 : item->intensity);
    if (item->attributes)
        add_text(d, item->attributes);
    if (item->emotion)
        digest_add(d, item->emotion, EMOTION_SIZE * sizeof *item->emotion);
    add_number(d, item->offset);
    add_number(d, item->duration);
    add_file(d, p, item);
}

static void end_key(prepare *p, digest *d, uint64_t ordinal)
{
    arena a = {.name = "key"};
    prepare_shard *s = &p->shards[ordinal];
    digest_close(d, s->key);
    bool kept = shard_is(prepare_shard_path(p, &a, ordinal), s->key);
    s->make = !kept && ordinal % (uint64_t)p->job->parts == (uint64_t)p->job->part - 1;
    p->report->shards_kept += kept;
    p->report->shards_missing += !kept && !s->make;
    arena_free(&a);
}

bool prepare_keys_make(prepare *p, err *e)
{
    reader_item item;
    pull step;
    digest *open[PREPARE_SPLITS] = {NULL};
    uint64_t seen[PREPARE_SPLITS] = {0};
    char dropped[65];
    reader *r = reader_open(p->reader, &p->options, e);
    bool ok = r != NULL;
    while (ok && (step = reader_next(r, &item, e)) != PULL_END) {
        if (step == PULL_BAD || item.number >= p->n_entries ||
            p->entries[item.number].split == SPLIT_DROPPED)
            continue;
        int k = p->entries[item.number].split;
        uint64_t ordinal = prepare_ordinal(p, k, seen[k]++);
        if (!open[k])
            open[k] = begin_key(p, k);
        add_item(open[k], p, &item);
        if (seen[k] == p->split[k].items || prepare_ordinal(p, k, seen[k]) != ordinal) {
            end_key(p, open[k], ordinal);
            open[k] = NULL;
            p->to_make += !p->shards[ordinal].make             ? 0
                          : seen[k] % (uint64_t)p->shard_items ? seen[k] % (uint64_t)p->shard_items
                                                               : (uint64_t)p->shard_items;
        }
        ok = prepare_goes_on(p, "look for the shards", item.number, p->n_entries, e);
    }
    ok = ok && e->code == ERR_NONE;
    if (ok && r->entries != p->n_entries)
        ok = err_set(e, ERR_IO, "the index changed while it was read; start again");
    for (int k = 0; k < PREPARE_SPLITS; k++)
        if (open[k])
            digest_close(open[k], dropped);
    reader_close(r);
    return ok;
}
